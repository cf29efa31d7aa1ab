"""The number that a reply gives as its answer, and the one that a record calls right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from evalmake.harnesses.native.answer_claims import Reading, Strength, read_clauses
from evalmake.harnesses.native.answer_outline import encode, mark_of, option_of
from evalmake.harnesses.native.number_forms import Found, Quantity, find_numbers, normalize_numbers
from evalmake.harnesses.native.reply_text import drop_reasoning, fold, shorten, strip_markup

TOLERANCE = Fraction(1, 10**6)
"""Relative to the larger magnitude."""

_MOST = 250  # numbers that have marks of their own: the last ones
_MARK = "[\ue100-\ue1ff]"
# "6 × 7 = 42" is 42; units may stand between.
_UNIT, _EQUALS = r"[ \w$%]{0,20}", rf"[=≈][ $]{{0,3}}(?={_MARK})"
_CALCULATION = re.compile(rf"{_MARK}(?:{_UNIT}[-+*/×÷·][ $(]{{0,3}}{_MARK}[)]?)+{_UNIT}{_EQUALS}")
_CHAIN = re.compile(rf"{_MARK}(?:(?! or )[ \w$%]){{0,12}}{_EQUALS}")
# What makes the number of a target another one, or an ambiguous one: 1e99999, 10^x, 0x1F, 1.2.3, 5!, 1.5M; < 5.
_CONTINUED = re.compile(r"[eE][-+]?\d|\s?(?:\^|\*\*)|\.\d|!|[xX][\dA-Fa-f]|(?:[kKMBT]|bn)(?![A-Za-z])")
_BOUND = re.compile(r"(?:[<≤≥]=?|(?:^|[\s\w])>=?|\\[lg]eq?)\s*$")
_PRECISION = re.compile(r"\bto \d{1,2} (?=decimal|significant)", re.IGNORECASE)
_CITATION = re.compile(
    r"(\d(?: (?!(?:is|are|gives?|gets?|makes?|equals?|yields?|to|and|or)\b)[^\W\d]{1,20}){0,2}) ?"
    r"(?:\[\d{1,2}(?:, ?\d{1,2}){0,5}\])+(?=[\s.,;]|$)"
)
_JSON_PAIR = re.compile(r",\s{0,20}(?=\"[\w -]{1,40}\" ?:)")
_ROUNDED = re.compile(r"(?<![\d.])(\d{1,9}/\d{1,9}) ?≈ ?\d{1,9}\.\d{1,20}")
# After a number, what makes it one of several: 10:30, 20 to 25, 20 cm x 30 cm.
_GOES_ON = re.compile(r"[:：]\d|(?: ?[A-Za-z]{1,3})? ?(?:[x×]|to) ?\d")
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BARE_LINE = re.compile(rf"[fs:,I.-]*({_MARK})w{{0,3}}[-.,]*")


_OPEN = re.compile(rf"[fs.,]*{_MARK}(?:,?[|]f?{_MARK})+[.]*")  # "3 or 5"
_SOLUTIONS = re.compile(rf"w:{_MARK},?[|]w:{_MARK}[.,]*$")  # "x = 3 or x = 5"


def find_number(reply: str) -> Quantity | None:
    """The number that a reply gives; None if it gives none, or several.

    Rules are tried in this order, and the first that applies decides: the last \\boxed{}; the claim that
    stands ("the answer is 42", see `answer_claims`); a number alone in the first line that has one; the last
    number that nothing rejects.
    """
    reply = shorten(drop_reasoning(reply))
    boxed = _find_boxed(reply)
    if boxed is not None:
        return _read_single(normalize_numbers(boxed))
    text, numbers = _mark_numbers(_drop_asides(normalize_numbers(reply)))
    outline = encode(strip_markup(fold(text)))
    reading = read_clauses(outline)
    claim = reading.claim
    if claim is not None and claim.strength >= Strength.ANNOUNCED:
        claimed = [numbers[index] for index in sorted(claim.options)]
        found = [one.quantity for one in claimed]
        return found[0] if _agree(found) and not any(map(_goes_on, claimed)) else None
    lines = [line for line in outline.split("\n") if re.search(_MARK, line)] or [""]
    first = lines[0]
    if _OPEN.fullmatch(first) or (len(lines) == 1 and _SOLUTIONS.search(first)):
        return None
    if alone := _BARE_LINE.fullmatch(first):
        return numbers[option_of(alone[1])].quantity
    return _find_last(numbers, reading)


def read_target(text: str) -> Quantity:
    """The number of a target, read by the rules for replies; ValueError if it holds none or several."""
    boxed = _find_boxed(text)
    normal = normalize_numbers(text if boxed is None else boxed)
    marked, numbers = _mark_numbers(normal)
    claim = read_clauses(encode(strip_markup(fold(marked)))).claim
    if claim is not None and claim.strength >= Strength.ANNOUNCED:
        numbers = [numbers[index] for index in claim.options]
    found = [one.quantity if _stands_alone(one.match) else None for one in numbers]
    if None in found or not found:
        raise ValueError("holds no plain number; write one in digits, or, for other mathematics, set `scorer = math`")
    if not _agree(found):
        shown = " and ".join(one.text for one in found[:3] if one)
        raise ValueError(f"holds several numbers ({shown}); write one")
    assert found[0] is not None
    return found[0]


def _stands_alone(found: re.Match[str]) -> bool:
    """Whether a target's number is neither continued by what follows it, nor a bound."""
    before = re.sub("<[^<>]*>", "", found.string[max(0, found.start() - 20) : found.start()])
    return not _CONTINUED.match(found.string, found.end()) and not _BOUND.search(before)


def are_equal(one: Quantity, other: Quantity) -> bool:
    """Whether two numbers are equal: whole numbers exactly, others within TOLERANCE.

    If only one has a percent sign, 50 % equals both 50 and 0.5, because data sets write either.
    """
    return _is_close(one.value, other.value) or _is_close(_as_share(one), _as_share(other))


def _find_boxed(text: str) -> str | None:
    """The content of the last \\boxed{...}; None without one."""
    found = list(_BOXED.finditer(text))
    if not found:
        return None
    start, depth = found[-1].end(), 1
    for brace in re.finditer(r"[{}]", text[start:]):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[start : start + brace.start()]
    return text[start:]


def _read_single(text: str) -> Quantity | None:
    """The number of a text that is nothing but an answer: one number, or an equation's right side."""
    if re.search(r"\d\s*!", text):
        return None  # 5! is 120
    found = [one.quantity for one in find_numbers(re.split("[=≈]", text)[-1])]
    return found[0] if _agree(found) else None


def _agree(found: Sequence[Quantity | None]) -> bool:
    """Whether there is a number, and no other."""
    values = {(one.value, one.percent) if one else None for one in found}
    return len(values) == 1 and None not in values


def _mark_numbers(text: str) -> tuple[str, list[Found]]:
    """The text with a mark for each number, and the numbers of the marks; calculations become their result."""
    found = list(find_numbers(text))[-_MOST:]
    parts, end = [], 0
    for index, one in enumerate(found):
        parts += [text[end : one.match.start()], f" {mark_of(index)} "]
        end = one.match.end()
    marked = "".join([*parts, text[end:]])
    return _CHAIN.sub("", _CALCULATION.sub("", marked)), found


def _drop_asides(text: str) -> str:
    """The text without numbers that are no answers ("to 2 decimal places", citations), each JSON pair on a line."""
    text = _JSON_PAIR.sub("\n", text)
    if "nswer" not in text:
        text = text.replace('"result":', '"answer":')
    return _ROUNDED.sub(r"\1", _CITATION.sub(r"\1", _PRECISION.sub("to ", text)))


def _goes_on(found: Found) -> bool:
    """Whether a number is only the first part of a time, a range or dimensions."""
    return _GOES_ON.match(found.match.string, found.match.end()) is not None


def _find_last(numbers: Sequence[Found], reading: Reading) -> Quantity | None:
    for index in reversed(range(len(numbers))):
        if index not in reading.rejected and (quantity := numbers[index].quantity):
            return quantity
    return None


def _as_share(quantity: Quantity) -> Fraction:
    return quantity.value / 100 if quantity.percent else quantity.value


def _is_close(one: Fraction, other: Fraction) -> bool:
    if one.denominator == other.denominator == 1:
        return one == other
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))
