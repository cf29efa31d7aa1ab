"""Numbers that are no answers by what stands around them: bounds, parts of expressions, one of several numbers."""

from __future__ import annotations

import re

from evalmake.harnesses.native.number_forms import Found

_TAG = re.compile("<[^<>]{1,20}>")
_BEFORE = re.compile(
    r"(?:[<≤≥]=?|\\(?:[lg]eq?|[lg]t)|[\w)]\s?>=?|^>=?)\s?$"  # "x > 42"; "> 42" is a quotation in Markdown
    r"|(?:^|[:=\n]|\b(?:is|are|be))\s?(?:less|more|greater|fewer|higher|lower|larger|smaller) than $"
    r"|(?<![^\W\d_])\\?(?:log|ln|lg|sin|cos|tan|cot|sec|exp|arcsin|arccos|arctan)(?:_\w)?[ ({]{0,2}$"
    r"|(?<![^\W\d_])[xyzn]\s?[-+*/]\s?$",  # "2n+1"
    re.IGNORECASE,
)
_QUOTED = re.compile(r"(?:^|\n)\s*>\s+$")
_AFTER = re.compile(
    r"\.\d|[yzi](?=\s*(?:[^\w\s]|\n|$))|[nx](?=\s*[-+=^])"
)  # "0.1.2", "3i", "2n + 1"; "3x" may be a factor

_MARK = "[\ue100-\ue1ff]"
_END = r"(?: [^\W\d\ue000-\ue1ff]{1,20}){0,2}[^\w\ue100-\ue1ff]*$"
_ALTERNATIVES = re.compile(rf"{_MARK} ?(?:-|~|,? ?(?:or|oder|ou|или))+ ?{_MARK}{_END}")  # "3-5", "42 or 43 apples"
_LIST = re.compile(rf"(?:^|[^\w\s\ue100-\ue1ff] ?){_MARK}(?: ?, ?{_MARK})+[^\w\ue100-\ue1ff]*$")  # "x = 3, 4"
_RANGE = re.compile(rf"^\W*(?:from|between) {_MARK} (?:to|and) {_MARK}{_END}", re.IGNORECASE)
_UNIT = (
    r"(?:years?|months?|weeks?|days?|hours?|hrs?|h|minutes?|mins?|m|seconds?|feet|foot|ft|inch(?:es)?|in|pounds?|lbs?"
    r"|ounces?|oz|dollars?|euros?|cents?|pence|Stunden?|Minuten?|Sekunden?|heures?|horas?|minutos?|ore|minuti)"
)
_COMPOUND = re.compile(rf"({_MARK}) ?{_UNIT},? (?:(?:and|und|et|y|e) )?({_MARK}) ?{_UNIT}\b[^\w\ue100-\ue1ff]*$")


def is_part_of_more(found: Found) -> bool:
    """Whether a number is a bound, or a part of an expression or a version: "< 42", "3i", "log 10", "0.1.2"."""
    text, start, end = found.match.string, found.match.start(), found.match.end()
    before = _TAG.sub("", text[max(0, start - 30) : start])
    bounded = _BEFORE.search(before) and not _QUOTED.search(before)
    return bool(bounded or _AFTER.match(text, end))


def ends_in_several(sentence: str) -> bool:
    """Whether a sentence, with marks for its numbers, ends in several that are one answer together, or none."""
    compound = _COMPOUND.search(sentence)
    if compound and ord(compound[2]) == ord(compound[1]) + 1:  # not "2 hours 30 minutes = 150 minutes"
        return True
    return any(pattern.search(sentence) for pattern in (_ALTERNATIVES, _LIST, _RANGE))
