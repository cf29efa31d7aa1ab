"""Failures folded into classes: those that say the same, but for what differs from one instance to another.

Numbers, ids, paths, addresses and quoted texts differ between instances of one failure. What tells failures apart
stays: the words, the type of an exception, the place in a program, statuses of HTTP and of programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from evalmake.lazy_pattern import compile_on_use

_LONGEST = 2000  # characters of a text that are looked at
_EXCEPTION = compile_on_use(
    r"(?<![\w.])((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Timeout|Exit))(?=:|\s|$)"
)
_FRAME = compile_on_use(r'File "([^"\n]{1,500})", line (\d{1,9}), in (<?[\w.]{1,100}>?)')
_BRACES = compile_on_use(r"(\{.*\})", re.DOTALL)
_QUOTED = compile_on_use(r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|“[^”]*”|‘[^’]*’")
_STEPS = (
    (compile_on_use(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s'\"<>)\]}]+", re.IGNORECASE), "<url>"),
    (compile_on_use(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (
        compile_on_use(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b|\[[0-9a-f:.]*:[0-9a-f:.]*\](?::\d{1,5})?", re.I),
        "<address>",
    ),
    (
        compile_on_use(r"\b(?:(?:[a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]{0,62}|localhost):\d{1,5}\b", re.IGNORECASE),
        "<address>",
    ),
    (compile_on_use(r"(?<![\w<])(?:~|\.{1,2})?/[\w.+@%=-]+(?:/[\w.+@%=-]*)*|\b[\w.+@%-]+(?:/[\w.+@%=-]+)+"), "<path>"),
    (compile_on_use(r"\b0x[0-9a-f]+\b|\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}\b", re.IGNORECASE), "<id>"),
    (compile_on_use(r"\b(?=[A-Za-z_-]{0,40}\d)(?=[\d_-]{0,40}[A-Za-z])[\w-]{10,}\b"), "<id>"),
)
"""What differs between instances, and what stands for it; in this order."""
_NUMBER = compile_on_use(
    r"((?:HTTP(?:/[\d.]{1,4})?|status|code|errno|signal)\W{0,3}\d{1,5}\b)|\d+(?:[.,_:]\d+)*", re.IGNORECASE
)


class Failure(NamedTuple):
    """One failure: of which evaluation, what was said of it, the end of its log, and the sample that failed."""

    name: str
    message: str
    log: str = ""
    sample: str = ""


class FailureKey(NamedTuple):
    """What failures of one class have in common."""

    type: str  # of the exception; empty where none is named
    place: str  # where it was raised: "score.py:12 in parse"; empty where that is not known
    pattern: str  # the message without what differs between instances


@dataclass(slots=True)
class FailureClass:
    """Failures that are alike."""

    key: FailureKey
    example: Failure  # the first of them
    count: int = 0
    names: dict[str, None] = field(default_factory=dict)  # of the evaluations, in order

    @property
    def label(self) -> str:
        """ "ValueError at score.py:12 in parse", or the pattern where no exception is named."""
        what = self.key.type or self.key.pattern
        return f"{what} at {self.key.place}" if self.key.place else what


def fold_failures(failures: Iterable[Failure]) -> list[FailureClass]:
    """The classes of failures, the largest first, then in the order in which they began."""
    found: dict[FailureKey, FailureClass] = {}
    for failure in failures:
        key = find_key(failure.message, failure.log)
        one = found.setdefault(key, FailureClass(key, failure))
        one.count += 1
        one.names[failure.name] = None
    return sorted(found.values(), key=lambda one: -one.count)


def find_key(message: str, log: str = "") -> FailureKey:
    """The class of a failure."""
    named = _EXCEPTION.findall(message[:_LONGEST])
    frames = _FRAME.findall(message) or _FRAME.findall(log)
    place = (
        f"{frames[-1][0].replace(chr(92), '/').rpartition('/')[2]}:{frames[-1][1]} in {frames[-1][2]}" if frames else ""
    )
    return FailureKey(named[-1] if named else "", place, find_pattern(_find_last_line(message) if frames else message))


def _find_last_line(message: str) -> str:
    """The line after a traceback, which says what was raised; the message itself where it holds none."""
    lines = [line for line in message.splitlines() if line.strip()]
    return lines[-1] if _FRAME.search(message) and lines else message


@lru_cache(maxsize=1024)
def find_pattern(message: str) -> str:
    """A message on one line, without what differs between instances."""
    text = " ".join(message[:_LONGEST].split())
    # Within braces stands the answer of a server, whose quoted texts say what failed.
    parts = _BRACES.split(text)
    text = "".join(part if number % 2 else _QUOTED.sub("'…'", part) for number, part in enumerate(parts))
    for pattern, mark in _STEPS:
        text = pattern.sub(mark, text)
    return _NUMBER.sub(lambda found: found[1] or "N", text)
