"""Answers to the parts of a question: "(a) 5 (b) 7", "Part 1: 5, Part 2: 7". No number is the answer to the whole."""

from __future__ import annotations

import re

_TAIL = 2_000
"""Characters at the end of a reply that are looked at."""
_SERIES = ("abcdefgh", ("i", "ii", "iii", "iv", "v", "vi"), "12345678")
_PART = r"(?:parts?|questions?|q|teil|aufgabe|partie|parte|inciso|часть|пункт|problem) ?"
_NAME = r"[a-h]|i{1,3}|iv|vi?|[1-8]"
_LABEL = re.compile(
    rf"(?<![^\s,;*_(:{{])(?:\((?P<bracketed>{_NAME})\)|{_PART}\(?(?P<part>{_NAME})\)?|(?P<plain>{_NAME})[).])"
    r"[*_]*[ ]?[:：=]?[*_]*(?=[\s$\\\-]|\d)",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?\w{1,20}>")
_NUMBER = r"-?\d[\d.,/ ]*"
_WORD = r"[^\W\d]{1,20}"
# "5", "x = 5 cm", "**5 apples**", "$7"
_ANSWER = re.compile(
    rf"[\s*_$\\(=:-]*(?:{_WORD} ?[=≈] ?)?[\s*_$\\(£€-]*{_NUMBER}[\s*_$\\)%°]*(?:{_WORD}[\s*_$]*){{0,3}}[\s.,;*_$\\)]*"
    r"(?:(?:and|und|et|y|e)\s+)?",
    re.IGNORECASE,
)


def ends_in_parts(reply: str) -> bool:
    """Whether a folded reply ends in a number for each of several parts, with labels in order."""
    tail = _TAG.sub(" ", reply[-_TAIL:])
    labels = list(_LABEL.finditer(tail))
    if len(labels) < 2:
        return False
    stops = [*(label.start() for label in labels[1:]), len(tail)]
    answered = [bool(_ANSWER.fullmatch(tail, label.end(), stop)) for label, stop in zip(labels, stops, strict=True)]
    last = _ANSWER.match(tail, labels[-1].end())
    answered[-1] = last is not None and not re.search(r"\d", tail[last.end() :])
    count = next((number for number, right in enumerate(reversed(answered)) if not right), len(answered))
    return any(_are_in_order([_name(label) for label in labels[-size:]]) for size in range(2, count + 1))


def _name(label: re.Match[str]) -> str:
    return str(label["bracketed"] or label["part"] or label["plain"]).casefold()


def _are_in_order(names: list[str]) -> bool:
    return any(names == list(series[: len(names)]) for series in _SERIES)
