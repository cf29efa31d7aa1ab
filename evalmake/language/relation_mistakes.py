"""Explains mistakes in requirements that compare with a model or a baseline."""

from __future__ import annotations

import re

from evalmake.language.diagnostic import Diagnostic, make_diagnostic
from evalmake.language.error_position import ErrorPosition

_RELATION = re.compile(
    r"\brequire[ \t]+\S+[ \t]+[^{}#]*?\b(better|worse|than|baseline)\b|\brequire[ \t]+(better|worse)[ \t]+than\b"
)
_AS_BOUND = re.compile(r"\brequire[ \t]+\S+[ \t]*[<>=!]+[ \t]*(model|baseline)[ \t:]")
_WORDS = "write `require METRIC better than model NAME`, or `require METRIC no worse than baseline NAME by 1%`"
_KINDS = "a requirement compares with `model NAME`, of the same eval, or with `baseline NAME`"


def explain_relation(at: ErrorPosition) -> Diagnostic | None:
    """Explain what is no comparison with a model or a baseline; None outside of one."""
    line = at.source.text[at.line_start : at.source.text.find("\n", at.start) + 1 or None]
    relation = _RELATION.search(line)
    if _AS_BOUND.search(line[: at.end - at.line_start + 1]):
        return _make(at, "a bound is a number; a model or a baseline has words of its own", _WORDS)
    if relation is None or at.token == "_NL" or at.start < at.line_start + relation.start():
        return None
    before = line[: at.start - at.line_start]
    if re.search(r"\bbaseline[ \t]+by[ \t]*$", before):
        return _make(at, "the baseline has no name here", "name it: `no worse than baseline main by 1%`")
    if re.search(r"\bbaseline[ \t]*$", before) and at.source.text.startswith(":", at.start):
        return _make(at, "the name of a baseline stands behind a blank", "write `baseline NAME`, without a colon")
    if at.word == "within":
        return _make(at, "`within` goes with a bound", "write `by 1%` behind the name")
    if re.search(r"\bthan[ \t]*$", before):
        return _make(at, f"{at.shown} is neither `model` nor `baseline`", _KINDS)
    if relation[2]:
        return _make(at, "a requirement begins with the name of a metric", _WORDS)
    if re.search(r"\b(than[ \t]+(model|baseline)|by)[ \t]*$", before):
        return None  # a value is missing
    return _make(at, "there is no such comparison", _WORDS)


def _make(at: ErrorPosition, message: str, help: str) -> Diagnostic:
    return make_diagnostic("bad-comparison", message, at.span, help=[help])
