"""What `evalmake pin` prints: changes of the lock file as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalmake.pins.lock import Pin
from evalmake.terminal.display_path import display_path

_SYMBOLS = {"pinned": "+", "moved": "~", "dropped": "-", "unpinned": "!"}


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one name: its pin before, and now."""

    sort: Literal["pinned", "moved", "same", "dropped", "unpinned"]
    name: str
    before: Pin | None = None
    now: Pin | None = None

    @property
    def counts(self) -> bool:
        """Whether it differs from the lock."""
        return self.sort != "same"


def to_text(changes: Sequence[Change], lock: Path, check: bool) -> str:
    """A line for each change, and one for all unchanged pins."""
    counted = [change for change in changes if change.counts]
    width = max((len(change.name) for change in counted), default=0)
    lines = [f"  {_SYMBOLS[c.sort]} {c.name:<{width}}   {_describe_change(c)}" for c in counted]
    same = len(changes) - len(counted)
    if not changes:
        return "nothing to pin\n"
    if same:
        lines.append(f"  = {same} unchanged")
    if counted and not check:
        lines += ["", f"wrote {display_path(lock)}"]
    return "\n".join(lines) + "\n"


def to_json_lines(changes: Sequence[Change]) -> str:
    """An object a line."""
    return "".join(
        json.dumps(
            {"name": c.name, "change": c.sort, "before": _describe_pin(c.before), "now": _describe_pin(c.now)},
            ensure_ascii=False,
        )
        + "\n"
        for c in changes
    )


def _describe_pin(pin: Pin | None) -> str | list[str] | None:
    if pin is None:
        return None
    return list(pin.packages) or pin.digest or pin.commit


def _describe_change(change: Change) -> str:
    before, now = change.before, change.now
    if change.sort == "unpinned":
        return "not pinned"
    if change.sort == "dropped" or now is None:
        return "no longer named"
    if before is None:
        local = " (a local image, pinned by its id)" if now.local else ""
        return _shorten(now) + local
    if now.packages:
        return _describe_packages(before.packages, now.packages)
    return f"{_shorten(before)} -> {_shorten(now)}"


def _shorten(pin: Pin) -> str:
    """The beginning of a digest or commit, or the number of packages."""
    if pin.packages:
        return f"{len(pin.packages)} package{'s' * (len(pin.packages) != 1)}"
    return pin.digest[:19] if pin.digest else pin.commit[:12]


def _describe_packages(before: Sequence[str], now: Sequence[str]) -> str:
    """The first package that is gone and the first that is new, and how many more."""
    removed, added = (sorted(set(a) - set(b)) for a, b in ((before, now), (now, before)))
    rest = max(len(removed), len(added)) - 1
    text = f"{removed[0] if removed else 'nothing'} -> {added[0] if added else 'nothing'}"
    return f"{text}, and {rest} more" if rest > 0 else text
