"""Finds the benchmark of the catalog that the name of a task of NVIDIA's means."""

from __future__ import annotations

from evalmake.language.diagnostic import closest_name, make_error
from evalmake.language.source import Span
from evalmake.project.catalog import Entry, read_entries, spell_name


def find_entry(task: str, span: Span | None, known: bool = True) -> Entry | None:
    """The benchmark of `HARNESS.TASK` or `TASK`; None if there is none and it need not be `known`."""
    entries = {name: entry for name, entry in read_entries().items() if entry.is_nvidias}
    name = spell_name(task)
    if name in entries:
        return entries[name]
    tails = {entry.name: entry.name.partition(".")[2] for entry in entries.values()}
    found = [full for full, tail in tails.items() if tail == name]
    exact = [full for full in found if entries[full].keys["task"] == task]  # two names may differ in case alone
    if len(found) == 1 or len(exact) == 1:
        return entries[(exact or found)[0]]
    if not known:
        return None
    if found:
        names = ", ".join(sorted(found))
        message = f"`{task}` is a task of several harnesses"
        raise make_error("bad-config", message, span, help=[f"name one of them: {names}"])
    near = closest_name(name, [*entries, *tails.values()])
    raise make_error(
        "bad-config",
        f"the catalog has no task `{task}`",
        span,
        help=[
            f"did you mean `{near}`?" if near else "`evalmake catalog` lists its tasks",
            "a task of another image: give its `container`",
        ],
    )
