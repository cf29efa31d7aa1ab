"""The grade in a judge's reply: the last line that is one, outside quotations and reasoning."""

from __future__ import annotations

import json
import re
from typing import Any

from evalmake.harnesses.native.answers.reply_text import drop_reasoning, fold
from evalmake.harnesses.native.json_io import as_object
from evalmake.lazy_pattern import compile_on_use

VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "grade": {"type": "number", "description": "from 0 (wrong) to 1 (right)"},
    },
    "required": ["reason", "grade"],
    "additionalProperties": False,
}
"""The JSON schema of a verdict, for `judge_format = json`."""

_WORDS = {"CORRECT": 1.0, "C": 1.0, "INCORRECT": 0.0, "NOT CORRECT": 0.0, "I": 0.0}
_NUMBER = r"(?:0,(?!1\b)\d+|1,0+(?!\d)|\d{0,9}\.?\d{1,20})(?:\s*/\s*1(?:\.0)?)?(?![\w/%.,]*[\w/%])"
_VALUE = rf"(?P<value>not\s+correct|(?:in)?correct(?!-?ish)|[ci](?!\w)|{_NUMBER})"
_REASON = r"(?![\w/|])\s*[.!]*\s*(?:$|(?P<reason>(?:[(,:;\u2013\u2014-]|because\b|since\b|as\b).*\w.*|(?<=[.!]\s).*)$)"
_TAKING_BACK = r"wait|hmm+|hold\s+on|oops|scratch\s+that|on\s+(?:second\s+thoughts?|reflection)|correction"
_NAME = (
    r"(?:(?:my|the|so|thus|final|overall|therefore|hence|revised|updated|corrected|new)[\s,:]+){0,3}(?:grade|verdict)"
)
# "Verdict: GRADE: CORRECT", but not "Reply: GRADE: CORRECT", which quotes.
_HEADINGS = "verdict|result|output|conclusion|assessment|evaluation|decision|judge?ment"
_HEADING = rf"(?:(?:(?:my|the|final|overall)\s+){{0,2}}(?:{_HEADINGS})\s*[:\u2013\u2014-]\s*(?=(?:final\s+)?grade\b))?"
_LINE = compile_on_use(rf"^{_HEADING}{_NAME}\s*(?:(?:is|=|:|\u2192|[-=]>)\s*){{1,2}}{_VALUE}{_REASON}", re.IGNORECASE)
_SENTENCE = compile_on_use(
    rf"(?:^|[.!?]\s+|^(?:{_TAKING_BACK})\W+){_NAME}\s*(?:is|:)\s*{_VALUE}(?P<reason>)[.!]*$", re.IGNORECASE
)
_CLAIM = compile_on_use(
    rf"(?:^|[.!?]\s+){_NAME}\s*(?:(?:is\s*)?[:=]|is\s+(?:\w+\s+)?(?:\.?\d|(?:in)?correct\b))", re.IGNORECASE
)
# Reasons that take the grade back: a second grade, a scale, or for a grade of 1 a doubt. "The correct answer" is none.
_SCALE = compile_on_use(r"\bscale\b|^\W*(?:out\s+)?of\s+\d|^\W*\d", re.IGNORECASE)
_NOT_RIGHT = compile_on_use(
    r"^\W*i\W*(?:$|or\b)|(?<!no )(?<!nothing )\bincorrect\b|(?<!nothing )(?<!anything )(?<!nothing is )\bwrong\b"
    r"|(?<!no )\b(?:errors|mistakes)\b|\bpart(?:ial|ially|ly)\b"
    r"|\b(?:small|minor|slight)\s+(?:error|mistake|slip|inaccurac)|\bnot\s+(?:correct|fully|entirely|completely|quite|sure)\b",
    re.IGNORECASE,
)
_DOUBT = compile_on_use(
    r"\bgrade\s*[:=]|^\W*(?:maybe|perhaps|probably|i\s+(?:guess|think))\W*$"
    r"|^\W*(?:almost|mostly|mainly|basically|nearly|largely|somewhat|more\s+or\s+less|in\s+essence|essentially|for\s+the\s+most\s+part)\b"
    rf"|(?:^|[^\w\s])\s*(?:{_TAKING_BACK}|no\W*$"
    r"|actually,?\s+(?:no|not|in|it|wrong)\b|actually,)",
    re.IGNORECASE,
)
# A line after the verdict that begins to take it back.
_RETRACTED = compile_on_use(
    rf"^\W*(?:{_TAKING_BACK}|no,|actually,|actually\s+(?:no|not|it|that|this|the)\b|sorry,"
    r"|let\s+me\s+(?:reconsider|re-?check)|i\s+(?:was\s+wrong|take\s+(?:that|it)\s+back))",
    re.IGNORECASE,
)
_WORD_FIRST = compile_on_use(r"^\W*(?:in)?correct\b", re.IGNORECASE)
_RIGHT = compile_on_use(r"^\W*c\W*(?:$|or\b)|(?<!not )\bcorrect\b(?!\s+(?!or\b|and\b)\w)", re.IGNORECASE)
_ONLY_NAME = compile_on_use(rf"^{_NAME}\s*[:=]?$", re.IGNORECASE)
_ONLY_VALUE = compile_on_use(rf"^{_VALUE}(?P<reason>)[.!]*$", re.IGNORECASE)
_QUOTED_LINE = compile_on_use(r"^\s*(?:>|\"[^\"]*\"\s*$|'[^']*'\s*$)")
# Also of a heading: "# x #", "== x ==".
_LIST_MARK = compile_on_use(r"^(?:[-=]>|[\s\-•+#=→])*(?:\d{1,2}[.)]\s+)?|(?<=\s)[#=]+\s*$")
_TAG = compile_on_use(
    rf"^\s*<(?:answer|final|{_HEADINGS}|grade)>\s*(?=[*_`]{{0,3}}(?:final\s+)?grade\b)", re.IGNORECASE
)
_SYMBOLS = r"<\|\w+\|>|[\u2600-\u27bf\ufe0f\U0001f300-\U0001faff]"  # a template's tokens, and emoji
_DECORATION = compile_on_use(
    rf"[*`$\"'{{}}\[\]]|(?<!\d)_|_(?!\d)|\\(?:boxed|text(?:bf|it|rm)?|mathbf|mathrm)|</?\w{{1,12}}>(?=\s*$)|{_SYMBOLS}"
)


def parse_grade(reply: str) -> float | None:
    """The grade, 0 to 1, of the last line `GRADE: x`; None if there is none or it cannot be read."""
    text = drop_reasoning(fold(reply)).strip()
    lines = [_strip_decoration(line) for line in _drop_quotations(text).splitlines() if line.strip()]
    found = None
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        if match := _LINE.match(line) or _SENTENCE.search(line):
            found = match
        elif _ONLY_NAME.match(line):
            found = _ONLY_VALUE.match(following)
        elif _CLAIM.search(line) or _RETRACTED.match(line):
            found = None
    return _read_verdict(found["value"], found["reason"] or "") if found else None


def parse_json_grade(reply: str) -> float | None:
    """The grade of a verdict in JSON that ends the reply, also in a code fence; None if it is none."""
    # The object ends the reply: an earlier one is a quotation.
    found = re.search(r"(?:^|[.!:]\s)\s*(\{.*\})\s*(?:```)?\s*\Z", drop_reasoning(reply), re.DOTALL | re.MULTILINE)
    try:
        grade = as_object(json.loads(found[1], object_pairs_hook=_refuse_repeated_keys) if found else None).get("grade")
    except ValueError:
        return None
    if isinstance(grade, str):
        return parse_grade(f"GRADE: {grade}") if "\n" not in grade else None
    return float(grade) if isinstance(grade, int | float) and not isinstance(grade, bool) and 0 <= grade <= 1 else None


def _drop_quotations(text: str) -> str:
    """Take quoted lines and fenced blocks away; a fence that is the whole reply, or its end, is no quotation."""
    blocks = re.split(r"^[ \t]*```.*$", text, flags=re.MULTILINE)
    kept = [block for number, block in enumerate(blocks) if number % 2 == 0]
    if len(blocks) > 1 and not kept[-1].strip() and not any(parse_grade(block) is not None for block in kept):
        kept.append(blocks[len(blocks) - 2 | 1])
    return "\n".join(line for block in kept for line in block.splitlines() if not _QUOTED_LINE.match(line))


def _strip_decoration(line: str) -> str:
    tagged = re.sub(r"^\s*<(grade|verdict)>", r"\1: ", _TAG.sub("", line), flags=re.IGNORECASE)
    return _LIST_MARK.sub("", _DECORATION.sub("", tagged)).strip()


def _read_verdict(value: str, reason: str) -> float | None:
    word = " ".join(value.upper().split())
    if word in _WORDS:
        grade = _WORDS[word]
    else:
        grade = float(value.split("/")[0].replace(",", "."))
        if grade > 1 or _SCALE.search(reason):
            return None
    contrary = {1.0: _NOT_RIGHT, 0.0: _RIGHT}.get(grade, _WORD_FIRST)
    return None if contrary.search(reason) or _DOUBT.search(reason) else grade


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is repeated")
    return dict(pairs)
