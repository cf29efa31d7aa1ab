"""Checks `sql` of a native benchmark, as far as that needs no data."""

from __future__ import annotations

from typing import Any, NamedTuple

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.text_place import find_in_text
from evalmake.project.declarations import Declaration


class _Found(NamedTuple):
    key: str
    message: str
    help: str = ""
    place: tuple[int, int] | None = None


def check_sql(benchmark: Declaration, found: Diagnostics) -> None:
    """Add to `found` what is wrong with the query, or with what stands beside it."""
    settings: Any = benchmark.settings
    if settings.sql is None:
        return
    mistake = _find_mistake(settings.sql) or _find_conflict(benchmark.block, settings)
    if mistake is None:
        return
    at = benchmark.fields.spans.get((mistake.key,))
    span = at.value if at else benchmark.span
    if mistake.place:
        span = find_in_text(span, settings.sql, *mistake.place)
    help_ = [mistake.help] if mistake.help else []
    found.error(
        "bad-value", f"`{mistake.key}`: {mistake.message}", span, about=f"benchmark {benchmark.name}", help=help_
    )


def _find_mistake(sql: str) -> _Found | None:
    from evalmake.harnesses.native.sql_query import find_characters, find_query_mistake  # loads readers of data

    mistake = find_query_mistake(sql)
    return mistake and _Found("sql", mistake.message, mistake.help, find_characters(mistake, sql))


def _find_conflict(block: Any, settings: Any) -> _Found | None:
    """A picture or clip is named relative to its data file, and a row of several files has none."""
    several = block.files is not None and len(block.files.files) > 1
    for key in ("image", "audio") if several else ():
        if getattr(settings, key) is not None:
            return _Found(key, "with `sql`, no row says from which of several files it is", "take one file")
    return None
