"""Diagnostics as data: what is wrong, where, and what to do. Only `terminal.diagnostics` turns them into text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from re import split
from types import TracebackType
from typing import Any, TypedDict, Unpack

from evalmake.language.source import Span

MOST_ERRORS = 1000
"""How many errors in an Evalfile are told: nobody reads more, and to find them all may take minutes."""
_MOST_CANDIDATES = 1000
_PACKAGE, _NOTEBOOK = __file__.removesuffix("language/diagnostic.py"), "/IPython/"
_traceback: Any = vars(BaseException)["__traceback__"]


class Severity(StrEnum):
    """The severity; `gate` is a requirement that a result does not meet."""

    ERROR = "error"
    WARNING = "warning"
    GATE = "gate"


@dataclass(frozen=True, slots=True)
class Label:
    """A place in a source, with a few words about it."""

    span: Span
    text: str = ""
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message to the user."""

    code: str
    message: str
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    about: str = ""
    severity: Severity = Severity.ERROR
    subject: str = ""
    """The evaluation that failed, whose name the message begins with."""

    @property
    def span(self) -> Span | None:
        """The span of the primary label."""
        return next((label.span for label in self.labels if label.primary), None)


class EvalmakeError(Exception):
    """The exception for every mistake of a user; it carries the diagnostics."""

    left_evalmake = False

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(d.message for d in self.diagnostics))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the text as it is now: the default would pass that text to `__init__` as diagnostics."""
        return _restore_error, (self.diagnostics, self.args)

    @property
    def __traceback__(self) -> TracebackType | None:
        """Where it was raised; once it has left evalmake's Python API, only the frames that called evalmake.

        Python, Jupyter and pytest ask for it when they show what an exception was raised from.
        """
        found: TracebackType | None = _traceback.__get__(self)
        return _cut_at_evalmake(found) if self.left_evalmake else found

    @__traceback__.setter
    def __traceback__(self, value: TracebackType | None) -> None:
        _traceback.__set__(self, value)

    def _render_traceback_(self) -> list[str]:
        """What Jupyter shows: the frames down to the call of evalmake, without the notebook's own, then the text."""
        from traceback import extract_tb, format_list

        frames = [
            frame for frame in extract_tb(_cut_at_evalmake(self.__traceback__)) if _NOTEBOOK not in frame.filename
        ]
        lines = "".join(format_list(frames)).splitlines()
        return ["Traceback (most recent call last):", *lines, f"EvalmakeError: {self}"]


def _cut_at_evalmake(found: TracebackType | None) -> TracebackType | None:
    """A traceback down to the first frame of evalmake, without that one."""
    callers = []
    while found is not None and not found.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        callers.append(found)
        found = found.tb_next
    cut: TracebackType | None = None
    for one in reversed(callers):
        cut = TracebackType(cut, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return cut


def _restore_error(diagnostics: Iterable[Diagnostic], args: tuple[Any, ...]) -> EvalmakeError:
    """An error as it was pickled."""
    error = EvalmakeError(diagnostics)
    error.args = args
    return error


class Details(TypedDict, total=False):
    """What a diagnostic can have besides its message.

    `also` has secondary labels, `about` names a declaration, `subject` the evaluation that failed.
    """

    also: Sequence[tuple[Span, str]]
    notes: Sequence[str]
    help: Sequence[str]
    about: str
    subject: str


class Diagnostics(list[Diagnostic]):
    """The diagnostics of one phase. `check` raises them at its end; the error that makes `most` of them does, too."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__()
        self._most = most

    def error(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        label: str = "",
        **details: Unpack[Details],
    ) -> None:
        """Add an error at `span`."""
        self.append(make_diagnostic(code, message, span, label, **details))
        if self._is_full():
            *found, last = self.sorted()
            notes = (*last.notes, f"after {self._most} errors evalmake looks for no more")
            raise EvalmakeError([*found, replace(last, notes=notes)])

    def extend(self, found: Iterable[Diagnostic]) -> None:
        """Add diagnostics, unless there are too many already."""
        if not self._is_full():
            super().extend(found)

    def _is_full(self) -> bool:
        return self._most is not None and len(self) >= self._most

    def check(self) -> None:
        """Raise EvalmakeError if there is any diagnostic."""
        if self:
            raise EvalmakeError(self.sorted())

    def sorted(self) -> list[Diagnostic]:
        """The diagnostics in the order of the text, each once."""
        once = {(d.code, d.message, d.span): d for d in reversed(self)}
        return sorted(reversed(once.values()), key=_order)


def make_diagnostic(
    code: str,
    message: str,
    span: Span | None = None,
    label: str = "",
    severity: Severity = Severity.ERROR,
    **details: Unpack[Details],
) -> Diagnostic:
    """Make a diagnostic whose primary label is at `span`."""
    labels = [Label(span, label, primary=True)] if span else []
    labels += [Label(place, text) for place, text in details.get("also", ())]
    notes, help = tuple(details.get("notes", ())), tuple(details.get("help", ()))
    about, subject = details.get("about", ""), details.get("subject", "")
    return Diagnostic(code, message, tuple(labels), notes, help, about, severity, subject)


def make_error(
    code: str, message: str, span: Span | None = None, label: str = "", **details: Unpack[Details]
) -> EvalmakeError:
    """Make an error with one diagnostic, to raise at once."""
    return EvalmakeError([make_diagnostic(code, message, span, label, **details)])


def _order(diagnostic: Diagnostic) -> tuple[str, int]:
    span = diagnostic.span
    return (span.source.name, span.start) if span else ("", -1)


def closest_name(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was probably meant: within 2 edits (1 for short names), or with the same words.

    Among thousands none is looked for: with a thousand errors that would take minutes.
    """
    distinct = set(candidates)
    if len(distinct) > _MOST_CANDIDATES:
        return None
    names = sorted(distinct)
    reach = 1 if len(name) < 5 else 2
    near = [(edit_distance(name, other, reach), other) for other in names]
    best = min((pair for pair in near if pair[0] <= reach), default=None)
    if best:
        return best[1]
    words = set(split(r"[-._]", name))
    return next(
        (n for n in names if words and (w := set(split(r"[-._]", n))) and (words <= w or w <= words)),
        None,
    )


def edit_distance(a: str, b: str, most: int = 99) -> int:
    """Damerau-Levenshtein distance: a swap of neighbours counts one; `most + 1` means beyond `most`."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > most and min(last) > most:
            return most + 1
        before, last = last, row
    return last[-1]
