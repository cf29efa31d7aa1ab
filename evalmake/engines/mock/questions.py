"""The question in a prompt, and its right answer where that can be computed from the prompt alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from evalmake.engines.mock.arithmetic import TAIL, evaluate_last_expression, format_number, parse_number

JUDGE_MARKERS = ("Reply with only a number from 0 to 1", "GRADE:")
_GRADE = "GRADE: {}"
_FORMS = (("ANSWER:", "ANSWER: {}"), ("\\boxed", "\\boxed{{{}}}"), ("####", "#### {}"))
"""Ways to mark an answer. The mock answers in the way that the prompt shows."""

_OPTION = re.compile(r"^[ \t]*\(?([A-Z])[).][ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_SECTIONS = (("Expected answer:", "Answer given:"), ("[Expected answer]", "[Reply]"))
"""The headings of the expected answer and of the given one in a judge's prompt; the native harness's last."""


@dataclass(frozen=True, slots=True)
class Question:
    """`right` is None where it is not known; `options` are the answers to choose from, if any."""

    right: str | None = None
    options: tuple[str, ...] = ()
    form: str = "{}"


def parse_question(text: str, whole: str = "") -> Question:
    """The last question of `text`; the way to answer may stand anywhere in `whole`."""
    around = whole or text
    if any(marker in around for marker in JUDGE_MARKERS):
        return _parse_judgement(text, around)
    form = _answer_form(text, around)
    block = _find_last_options(text[-TAIL:])
    if not block:
        value = evaluate_last_expression(text)
        return Question(None if value is None else format_number(value), (), form)
    value = evaluate_last_expression(text[-TAIL:][: block[0].start()])
    right = next((match[1] for match in block if parse_number(match[2]) == value), None)
    return Question(right if value is not None else None, tuple(m[1] for m in block), form)


def _find_last_options(text: str) -> list[re.Match[str]]:
    """The last run of options lettered A, B, C, ...; empty if there are fewer than two."""
    block: list[re.Match[str]] = []
    for match in _OPTION.finditer(text):
        if match[1] == "A":
            block = [match]
        elif block and ord(match[1]) == ord(block[-1][1]) + 1:
            block.append(match)
    return block if len(block) > 1 else []


def _answer_form(text: str, around: str) -> str:
    ending = text.rstrip()
    for marker, form in _FORMS:
        if marker in around and not ending.endswith(marker):
            return form
    return "{}"


def _parse_judgement(text: str, around: str) -> Question:
    """A judge's question: the answer is right if it contains the expected one as whole words, in any case."""
    numeric = JUDGE_MARKERS[0] in around
    yes, no = ("1", "0") if numeric else ("CORRECT", "INCORRECT")
    right = None
    heads = next((pair for pair in _SECTIONS if all(head in text for head in pair)), None)
    if heads:
        expected = _section(text, heads[0], heads[1]).splitlines()[:1]
        given = _section(text, heads[1], heads[0])
        right = yes if expected and _contains_words(given, expected[0].strip()) else no
    return Question(right, (yes, no), "{}" if numeric else _GRADE)


def _section(text: str, label: str, other: str) -> str:
    """The text between the last `label` and the next label, marker or end."""
    section = text.rsplit(label, 1)[1]
    for end in (other, "[Rubric]", *JUDGE_MARKERS):
        section = section.split(end, 1)[0]
    return section.strip()


def _contains_words(given: str, expected: str) -> bool:
    pattern = rf"(?<![\w.]){re.escape(expected.casefold())}(?!\w|\.\d)"
    return bool(expected) and re.search(pattern, given.casefold()) is not None
