"""The grade in a judge's reply: the last line that is one, outside quotations and reasoning."""

from __future__ import annotations

import json
import re
from typing import Any

from evalmake.harnesses.native.json_io import as_object
from evalmake.harnesses.native.reply_text import drop_reasoning, fold

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
_VALUE = r"(?P<value>not\s+correct|(?:in)?correct|[ci](?!\w)|\d*\.?\d+(?![\w/%.,]*[\w/%]))"
# After the value: nothing, or a reason. Another grade would make it a list of what could be said.
_REST = r"(?![\w/|])\s*[.!]*\s*(?:$|(?:[(,;\u2013\u2014-]|because\b|since\b|as\b)(?!.*\b(?:in)?correct\b).*$|[.!]\s.*$)"
_NAME = r"(?:(?:my|the|so|thus|final|overall|therefore|hence)[\s,:]+){0,3}(?:grade|verdict)"
_LINE = re.compile(rf"^{_NAME}\s*(?:(?:is|=|:)\s*){{1,2}}{_VALUE}{_REST}", re.IGNORECASE)
_SENTENCE = re.compile(rf"(?:^|[.!?]\s+){_NAME}\s*(?:is|:)\s*{_VALUE}[.!]*$", re.IGNORECASE)
_ONLY_NAME = re.compile(rf"^{_NAME}\s*[:=]?$", re.IGNORECASE)
_ONLY_VALUE = re.compile(rf"^{_VALUE}[.!]*$", re.IGNORECASE)
_QUOTED_LINE = re.compile(r"^\s*(?:>|\"[^\"]*\"\s*$|'[^']*'\s*$)")
_LIST_MARK = re.compile(r"^[\s\-•+#]*(?:\d{1,2}[.)]\s+)?")
_DECORATION = re.compile(r"[*`$\"'{}\[\]]|(?<!\d)_|_(?!\d)|\\(?:boxed|text)|</?\w{1,12}>(?=\s*$)")


def parse_grade(reply: str) -> float | None:
    """The grade, 0 to 1, of the last line `GRADE: x`; None if there is none that can be read."""
    text = drop_reasoning(fold(reply)).strip()
    lines = [_strip_decoration(line) for line in _drop_quotations(text).splitlines() if line.strip()]
    found = None
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        if match := _LINE.match(line) or _SENTENCE.search(line):
            found = match
        elif _ONLY_NAME.match(line):
            found = _ONLY_VALUE.match(following) or found
    return _read_value(found["value"]) if found else None


def parse_json_grade(reply: str) -> float | None:
    """The grade of a verdict in JSON, which may stand in a code fence; None if it is none."""
    text = drop_reasoning(reply).strip()
    fenced = re.fullmatch(r"```\w*\s*(.*?)\s*```", text, re.DOTALL)
    try:
        grade = as_object(json.loads(fenced[1] if fenced else text)).get("grade")
    except ValueError:
        return None
    if isinstance(grade, str):
        return _WORDS.get(grade.strip().upper())
    return float(grade) if isinstance(grade, int | float) and not isinstance(grade, bool) and 0 <= grade <= 1 else None


def _drop_quotations(text: str) -> str:
    """Take quoted lines and fenced blocks away; a fence that is the whole reply, or its end, is no quotation."""
    blocks = re.split(r"^[ \t]*```.*$", text, flags=re.MULTILINE)
    kept = [block for number, block in enumerate(blocks) if number % 2 == 0]
    if len(blocks) > 1 and not kept[-1].strip() and not any(parse_grade(block) is not None for block in kept):
        kept.append(blocks[len(blocks) - 2 | 1])
    return "\n".join(line for block in kept for line in block.splitlines() if not _QUOTED_LINE.match(line))


def _strip_decoration(line: str) -> str:
    tagged = re.sub(r"^\s*<(grade|verdict)>", r"\1: ", line, flags=re.IGNORECASE)
    return _LIST_MARK.sub("", _DECORATION.sub("", tagged)).strip()


def _read_value(value: str) -> float | None:
    word = " ".join(value.upper().split())
    if word in _WORDS:
        return _WORDS[word]
    number = float(value)
    return number if 0 <= number <= 1 else None
