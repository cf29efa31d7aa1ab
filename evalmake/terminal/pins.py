"""What `evalmake pin` did or found, as text and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalmake.pins.lock import Pin

_SYMBOLS = {"pinned": "+", "moved": "~", "dropped": "-", "unpinned": "!"}


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a name: its pin before, and now."""

    sort: Literal["pinned", "moved", "same", "dropped", "unpinned"]
    name: str
    before: Pin | None = None
    now: Pin | None = None

    @property
    def counts(self) -> bool:
        """Whether it is other than the lock has it."""
        return self.sort != "same"


def as_text(changes: Sequence[Change], lock: Path, check: bool) -> str:
    """A line for each change, and one for all that is as it was."""
    told = [change for change in changes if change.counts]
    width = max((len(change.name) for change in told), default=0)
    lines = [f"  {_SYMBOLS[c.sort]} {c.name:<{width}}   {_what(c)}" for c in told]
    same = len(changes) - len(told)
    if not changes:
        return "nothing to pin\n"
    if same:
        lines.append(f"  = {same} as the lock says")
    if told and not check:
        relative = os.path.relpath(lock)
        lines += ["", f"wrote {lock if relative.startswith('..') else relative}"]
    return "\n".join(lines) + "\n"


def as_json_lines(changes: Sequence[Change]) -> str:
    """An object a line."""
    return "".join(
        json.dumps(
            {"name": c.name, "change": c.sort, "before": _whole(c.before), "now": _whole(c.now)}, ensure_ascii=False
        )
        + "\n"
        for c in changes
    )


def _whole(pin: Pin | None) -> str | list[str] | None:
    if pin is None:
        return None
    return list(pin.packages) or pin.digest or pin.commit


def _what(change: Change) -> str:
    before, now = change.before, change.now
    if change.sort == "unpinned":
        return "not pinned"
    if change.sort == "dropped" or now is None:
        return "no longer named"
    if before is None:
        local = ", its id: no registry has it, only this engine" if now.local else ""
        return _short(now) + local
    if now.packages:
        return _difference(before.packages, now.packages)
    return f"{_short(before)} -> {_short(now)}"


def _short(pin: Pin) -> str:
    """Enough to tell one from another."""
    if pin.packages:
        return f"{len(pin.packages)} package{'s' * (len(pin.packages) != 1)}"
    return pin.digest[:19] if pin.digest else pin.commit[:12]


def _difference(before: Sequence[str], now: Sequence[str]) -> str:
    """What is no more and what is new, the first of each."""
    gone, new = (sorted(set(a) - set(b)) for a, b in ((before, now), (now, before)))
    more = max(len(gone), len(new)) - 1
    text = f"{gone[0] if gone else 'nothing'} -> {new[0] if new else 'nothing'}"
    return f"{text}, and {more} more" if more > 0 else text
