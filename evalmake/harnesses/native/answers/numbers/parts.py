"""Answers to the parts of a question: "(a) 5 (b) 7", "Part 1: 5, Part 2: 7". No number is the answer to the whole."""

from __future__ import annotations

import re

from evalmake.harnesses.native.answers.reply_text import fold
from evalmake.lazy_pattern import compile_on_use

_TAIL = 2_000
"""Characters at the end of a reply that are looked at."""
_SERIES = ("abcdefgh", ("i", "ii", "iii", "iv", "v", "vi"), "12345678")
_PART = r"(?:parts?|questions?|answers?|q|teil|aufgabe|partie|parte|inciso|часть|пункт|problem) ?"
_NAME = r"[a-h]|i{1,3}|iv|vi?|[1-8]"
_LABEL = compile_on_use(
    rf"(?:(?<![^\W\d])\((?P<bracketed>{_NAME})\)|(?<![^\s,;*_(:\"])(?:{_PART}\(?(?P<part>{_NAME})\)?"
    rf"|(?P<plain>(?:{_NAME})(?=\))|(?:[a-h]|i{{1,3}}|iv|vi?)(?=\.)|(?<=\n)[1-8](?=\.))[).]))"
    r"[*_]*[ ]?[:：=]?[*_]*(?=[\s$\\\-]|\d)",
    re.IGNORECASE,
)
_TAG = compile_on_use(r"</?\w{1,20}>")
_CIRCLED = {ord(sign): f"({number}) " for number, sign in enumerate("①②③④⑤⑥⑦⑧", 1)}
_LINE_START = compile_on_use(r"\n[ >*_]+")
_NUMBER = r"-?\d[\d.,/ ]*"
_WORD = r"[^\W\d]{1,20}"
# "5", "x = 5 cm", "**5 apples**", "$7"
_ANSWER = compile_on_use(
    rf"[\s*_$\\(=:-]*(?:{_WORD} ?[=≈] ?)?[\s*_$\\(£€-]*{_NUMBER}[\s*_$\\)%°]*(?:{_WORD}[\s*_$]*){{0,3}}[\s.,;*_$\\)]*"
    r"(?:(?:and|und|et|y|e)\s+)?",
    re.IGNORECASE,
)


# "The area is 5 cm.", "3 + 2 = 5"
_SENTENCE = compile_on_use(rf"[^\n.,;]{{0,200}}?(?<![\w.]){_NUMBER}[^\d\n]{{0,40}}\s*", re.IGNORECASE)


def ends_in_parts(reply: str) -> bool:
    """Whether a reply ends in a number for each of several parts, with labels in order."""
    tail = fold(_TAG.sub(" ", reply[-_TAIL:].translate(_CIRCLED)))
    tail = _LINE_START.sub("\n", f"\n{tail}")
    labels = list(_LABEL.finditer(tail))
    if len(labels) < 2:
        return False
    stops = [*(label.start() for label in labels[1:]), len(tail)]
    answered = [
        _form_of(label).fullmatch(tail, label.end(), stop) is not None
        for label, stop in zip(labels, stops, strict=True)
    ]
    last = _form_of(labels[-1]).match(tail, labels[-1].end())
    answered[-1] = last is not None and not re.search(r"\d", tail[last.end() :])
    count = next((number for number, right in enumerate(reversed(answered)) if not right), len(answered))
    return any(_are_in_order([_name(label) for label in labels[-size:]]) for size in range(2, count + 1))


def _form_of(label: re.Match[str]) -> re.Pattern[str]:
    """What answers a part: after a letter, also a sentence; one after a number is a step."""
    return _ANSWER if _name(label).isdigit() else _SENTENCE


def _name(label: re.Match[str]) -> str:
    return str(label["bracketed"] or label["part"] or label["plain"]).casefold()


def _are_in_order(names: list[str]) -> bool:
    return any(names == list(series[: len(names)]) for series in _SERIES)
