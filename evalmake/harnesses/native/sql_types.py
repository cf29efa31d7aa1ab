"""The columns of a table of SQL for records, whose fields need not be alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from evalmake.harnesses.native.errors import Mistake, TaskError

ANY = "JSON"
"""The type of what has no other: each value is then kept as it is."""
_MOST_FIELDS = 200
"""Of a struct: objects that have more between them are rather maps, whose keys are data."""
_MOST_EXACT = 2**53
"""Up to here, each whole number is a DOUBLE."""


def find_columns(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The types of all fields that records have, in the order in which they come; a missing field is null."""
    values: dict[str, list[Any]] = {}
    for record in records:
        for name, value in record.items():
            values.setdefault(name, []).append(value)
    if mistake := _find_name_mistake(list(values)):
        raise TaskError(Mistake(mistake, "sql", "give them other names in the data"))
    return {name: _find_type(several) or "VARCHAR" for name, several in values.items()}


def quote_name(name: str) -> str:
    """A name as SQL writes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _find_type(values: Sequence[Any]) -> str:
    """The type that holds all values as they are; empty where all are null."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return ""
    if kinds == {bool}:
        return "BOOLEAN"
    if kinds == {str}:
        return "VARCHAR"
    if kinds == {int}:
        return "BIGINT" if all(-(2**63) <= value < 2**63 for value in values if value is not None) else ANY
    if kinds <= {int, float}:
        is_exact = all(abs(value) <= _MOST_EXACT for value in values if isinstance(value, int))
        return "DOUBLE" if is_exact else ANY
    if kinds == {list}:
        return (_find_type(list(chain.from_iterable(filter(None, values)))) or ANY) + "[]"
    return _find_struct([value for value in values if value is not None]) if kinds == {dict} else ANY


def _find_struct(objects: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(chain.from_iterable(objects)))
    if not 0 < len(names) <= _MOST_FIELDS or _find_name_mistake(names):
        return ANY
    types = {name: _find_type([one[name] for one in objects if name in one]) or ANY for name in names}
    return f"STRUCT({', '.join(f'{quote_name(name)} {type}' for name, type in types.items())})"


def _find_name_mistake(names: Sequence[str]) -> str:
    """Why names cannot be those of columns; empty if they can."""
    seen: dict[str, str] = {}
    for name in names:
        if not name or "\0" in name:
            return f"a field is called {name!r}, and a column of SQL cannot be"
        if (other := seen.setdefault(name.lower(), name)) != name:
            return f"SQL does not tell the fields `{other}` and `{name}` apart"
    return ""
