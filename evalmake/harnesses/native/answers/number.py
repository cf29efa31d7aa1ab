"""The number that a reply gives as its answer, and the one that a record calls right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from evalmake.harnesses.native.answers.claims import read_clauses
from evalmake.harnesses.native.answers.next_question import cut_next_question
from evalmake.harnesses.native.answers.numbers.asides import drop_asides
from evalmake.harnesses.native.answers.numbers.bold import find_bold
from evalmake.harnesses.native.answers.numbers.context import (
    CONDITION,
    ends_in_several,
    ends_in_variables,
    goes_on_to_variable,
    is_part_of_more,
)
from evalmake.harnesses.native.answers.numbers.forms import Found, Quantity, find_numbers, normalize_numbers
from evalmake.harnesses.native.answers.numbers.notes import drop_notes
from evalmake.harnesses.native.answers.numbers.parts import ends_in_parts
from evalmake.harnesses.native.answers.numbers.refusal import refuses
from evalmake.harnesses.native.answers.numbers.sentence import clean, cut_circumstances, find_total, sentence_of
from evalmake.harnesses.native.answers.option_marks import mark_of, option_of
from evalmake.harnesses.native.answers.outline import encode
from evalmake.harnesses.native.answers.reading import Reading, Strength
from evalmake.harnesses.native.answers.reply_text import (
    FRAME,
    drop_reasoning,
    drop_reserved,
    fold,
    shorten,
    strip_markup,
)
from evalmake.lazy_pattern import compile_on_use

TOLERANCE = Fraction(1, 10**6)
"""Relative to the larger magnitude."""

_BARE_NUMBER = re.compile(r"\s*(-?[0-9]{1,15}(?:\.[0-9]{1,15})?)\s*", re.ASCII)
_MOST = 250  # numbers that have marks of their own: the last ones
_MARK = "[\ue100-\ue1ff]"
# "6 × 7 = 42" is 42; units may stand between.
_UNIT, _EQUALS = r"[ \w$%]{0,20}", rf"[=≈][ $]{{0,3}}(?={_MARK})"
_OPERATIONS = rf"{_MARK}(?:(?:{_UNIT}(?:[-+*/×÷·]|(?<= )x(?= ))| {{1,2}}of(?= ))[ $(]{{0,3}}{_MARK}[)]?)++"
_CALCULATION = compile_on_use(rf"{_OPERATIONS}{_UNIT}{_EQUALS}")
_CONDITION = f"or|and|pour|en|in|para|em|{CONDITION}"  # "42 when r = 6"
_RESULT = compile_on_use(rf"\d[)%]?(?: ?(?!(?:{_CONDITION})\b)[^\W\d_]{{1,20}}){{0,3}} ?[=≈] ?$")
# "42 = 6 × 7", "42 apples (= 6 × 7)" is 42, too
_CALCULATED = compile_on_use(
    rf"(?<![-+*/×÷·x] )({_MARK}(?: {{1,2}}[^\W\d_\ue100-\ue1ff]{{2,20}}){{0,2}}) {{0,2}}"
    rf"(?:[=≈][ $(]{{0,3}}{_OPERATIONS}(?!{_UNIT}[=≈])|\(=[ $(]{{0,3}}{_OPERATIONS}[ )]*)"
)
_TIMES = compile_on_use(r"×(?= {0,2}[\w(\ue100-\ue1ff])")  # "length × width": no sign of what is wrong
_NEXT = "because|since|as|und|et|y|e|en|и|mit|con|avec|weil|car|porque|perché"  # "x = 5 und y = 3"
_CHAIN = compile_on_use(rf"{_MARK}(?:(?! (?:{_CONDITION}|{_NEXT}) (?!=))[ \w$%]){{0,12}}{_EQUALS}")
# What makes the number of a target another one: 1e99999, 10^x, 0x1F, 1.2.3; < 5.
_CONTINUED = compile_on_use(r"[eE][-+]?\d|\s?(?:\^|\*\*)|\.\d|[xX][\dA-Fa-f]")
_BOUND = compile_on_use(r"(?:[<≤≥]=?|(?:^|[\s\w])>=?|\\[lg]eq?)\s*$")
# After a number, what makes it one of several: 10:30, 20 to 25, 20 cm x 30 cm.
_GOES_ON = compile_on_use(r"[:：]\d|(?: ?[A-Za-z]{1,3})? ?(?:[x×]|to) ?\d")
_BOXED = compile_on_use(r"\\(?:boxed|fbox)\s*\{")
_JOINS_BOXES = compile_on_use(r"[\s$\\.\]\[()]*(?:,|;|and|or|und|et|y|e|и|和|&|\\quad)[\s$\\\[\]()]*")
_BARE_LINE = compile_on_use(rf"[fs:,I.-]*({_MARK})w{{0,3}}[-.,]*")
_FRAMED_UNIT = compile_on_use(rf"({FRAME}[f:,s(-]*{_MARK})w+(?=[-,.\n]|$)")  # <answer>42 apples</answer>
_OPEN = compile_on_use(rf"[fs.,]*{_MARK}(?:,?[|]f?{_MARK})+[.]*")  # "3 or 5"
_SOLUTIONS = compile_on_use(rf"(?<![jgh])[w&]:{_MARK},?[|&]?[w&]:{_MARK}[.,]*$")  # "x = 3 or x = 5", "x = 2, y = 3"
_FACTORIAL = compile_on_use(r"\s*(?:1?\d|20)!\s*")  # larger ones are exclamations
# "Let me solve it in 2 steps:", "Step 1", before the question that is solved.
_INTRODUCTION = compile_on_use(
    r"^[*#_ ]*(?:let\b|here\b|i(?:'ll| will)\b|we(?:'ll| will)\b|to solve|first\b|step\b|part\b|\d+[.)])|[:：]\W*$",
    re.IGNORECASE,
)
# A sentence may end in several numbers, or in one that only adds to the one that it tells.
_WORDS = r"(?: [^\W\d\ue000-\ue1ff]{1,20}){1,3}"
_TOTAL = " (?:altogether|in total|in all|overall|total|left)\\b"
_END = r"[^\w\ue100-\ue1ff]*$"
_AND = r"(?:,|,? (?:and|&|und|et|y|e|и))"
_SEVERAL = compile_on_use(
    rf"{_MARK}(?! in | on | at )({_WORDS}){_AND}(?: the| a)? {_MARK}(?!{_TOTAL})({_WORDS}){_END}"
)  # "5 red and 7 green"
_INTRODUCED = compile_on_use(
    r"^\W*(?:at|in|on|by|after|before|for|with|of|when|if|from)\b[^,]*$", re.IGNORECASE
)  # "At 5 pm,"
_BOTH = compile_on_use(rf"{_MARK},? (?:and|und|et|y|e|и|和) {_MARK}(?:{_WORDS})?{_END}")  # "2 and 3"
_CURRENCY = compile_on_use(r" ?(?:dollars?|euros?|cents?|pounds?|bucks|yen|rupees|Dollar|Euro|pesos|元|円|원)(?!\w)")
_VARIABLE_BEFORE = compile_on_use(r"(?<![^\W_])[A-Za-z] ?[=≈:] {0,2}$")
_ABOUT = compile_on_use(
    rf"((?:^|[.!>])\W{{0,8}})(?:about|approximately|around|roughly|nearly|exactly|almost|just|only|ungefähr|etwa|circa|environ"
    rf"|unos|cerca de|около|примерно)(?= {{1,2}}{_MARK})",
    re.IGNORECASE | re.MULTILINE,
)
_FROM = compile_on_use(r"\b(?:from|by) $")


def find_number(reply: str) -> Quantity | None:
    """The number that a reply gives; None if it gives none, or several."""
    return _read_bare_number(reply) or find_number_in_text(reply)


def _read_bare_number(text: str) -> Quantity | None:
    """The number of a text that is nothing else, which takes no rules; None for any other text."""
    bare = _BARE_NUMBER.fullmatch(text)
    return Quantity(Fraction(bare[1]), False, bare[1]) if bare else None


def find_number_in_text(reply: str) -> Quantity | None:
    """The number that a reply gives, by all rules.

    Rules are tried in this order, and the first that applies decides: the last \\boxed{}; the claim that
    stands ("the answer is 42", see `claims`); a number alone in the first line that has one; the last
    number that nothing rejects.
    """
    whole = drop_reasoning(reply)
    reply = drop_reserved(shorten(cut_next_question(whole, _is_answered)))
    boxed = _find_boxed(reply)
    if boxed is not None:
        found = [_read_single(drop_asides(normalize_numbers(one))) for one in boxed]
        return found[-1] if _agree(found) else None
    if ends_in_parts(whole):
        return None
    text, numbers, outline = _outline_numbers(reply)
    reading = read_clauses(outline)
    claim = reading.claim
    if claim is not None and claim.strength >= Strength.ANNOUNCED:
        claimed = [numbers[index] for index in sorted(claim.options)]
        found = [one.quantity for one in claimed]
        told = _sentence_from(text, min(claim.options))
        several = (
            any(_goes_on(one) or is_part_of_more(one) for one in claimed)
            or _SEVERAL.match(told)
            or goes_on_to_variable(_with_variable(text, min(claim.options)))
            or (max(claim.options) == len(numbers) - 1 and ends_in_variables(text))
        )
        return found[0] if _agree(found) and not several else None
    lines = _lines_with_numbers(outline)
    first = lines[0]
    if ends_in_variables(text) or _OPEN.fullmatch(first) or (len(lines) == 1 and _SOLUTIONS.search(first)):
        return None
    alone = _BARE_LINE.fullmatch(first)
    end = _BARE_LINE.fullmatch(lines[-1].removeprefix("w:"))
    derived = end and lines[-1] != end[0] and _is_result(numbers[option_of(end[1])])  # "Total: 6 * 7 = 42"
    is_step = alone and end and (option_of(alone[1]) > 0 or derived)  # "3 + 4 = 7", then "7 * 2 = 14"
    corrected = any(line.startswith("k") for line in lines)  # "Wait, it should be 43."
    if alone and not is_step and not corrected:
        return _read_whole(numbers[option_of(alone[1])])
    if refuses(drop_asides(normalize_numbers(reply))):
        return None
    bold = None if corrected else find_bold(reply)
    if bold is not None and (single := find_number(bold)):
        same = [one for one in numbers if one.match[0].split() == single.text.split()]
        return _read_whole(same[0]) if same else single
    last = _find_last(text, numbers, reading)
    return None if last is None else _read_last_sentence(text, numbers, last)


def _read_whole(found: Found) -> Quantity | None:
    return None if is_part_of_more(found) else found.quantity


def _outline_numbers(reply: str) -> tuple[str, list[Found], str]:
    """The text with a mark for each number, the numbers of the marks, and the outline."""
    text, numbers = _mark_numbers(drop_notes(drop_asides(normalize_numbers(reply))))
    text = _TIMES.sub("*", _ABOUT.sub(r"\1", text))
    return text, numbers, _FRAMED_UNIT.sub(r"\1", encode(strip_markup(fold(text))))


def _lines_with_numbers(outline: str) -> list[str]:
    return [line for line in outline.split("\n") if re.search(_MARK, line)] or [""]


def _is_answered(text: str) -> bool:
    """Whether a text frames, announces or ends in a number, and does not merely introduce the question."""
    text = drop_reserved(shorten(text))
    if _BOXED.search(text):
        return True
    *_, outline = _outline_numbers(text)
    claim = read_clauses(outline).claim
    if (claim is not None and claim.strength >= Strength.ANNOUNCED) or _BARE_LINE.match(
        _lines_with_numbers(outline)[0]
    ):
        return True
    last = text.strip().rpartition("\n")[2].strip()
    return re.search(r"\d", last) is not None and not _INTRODUCTION.search(last)


@lru_cache(maxsize=1 << 16)
def read_target(text: str) -> Quantity:
    """The number of a target, read by the rules for replies; ValueError if it holds none or several."""
    return _read_bare_number(text) or read_target_in_text(text)


def read_target_in_text(text: str) -> Quantity:
    """The number of a target, by all rules."""
    text = drop_reserved(text)
    boxed = _find_boxed(text)
    normal = normalize_numbers(text if boxed is None else boxed[-1])
    marked, numbers = _mark_numbers(normal)
    claim = read_clauses(encode(strip_markup(fold(marked)))).claim
    if claim is not None and claim.strength >= Strength.ANNOUNCED:
        numbers = [numbers[index] for index in claim.options]
    found = [one.quantity if _stands_alone(one.match) and not is_part_of_more(one) else None for one in numbers]
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
    continued = _CONTINUED.match(found.string, found.end()) or _FACTORIAL.fullmatch(found.string)
    return not continued and not _BOUND.search(before)


def are_equal(one: Quantity, other: Quantity) -> bool:
    """Whether two numbers are equal: whole numbers exactly, others within TOLERANCE.

    If only one has a percent sign, 50 % equals both 50 and 0.5, because data sets write either. A number
    that can be read in two ways equals either.
    """
    pairs = [(one.value, other.value), (_as_share(one), _as_share(other))]
    pairs += [(one.other, other.value)] if one.other is not None else []
    pairs += [(one.value, other.other)] if other.other is not None else []
    return any(_is_close(*pair) for pair in pairs)


def _find_boxed(text: str) -> list[str] | None:
    """The content of the last \\boxed{...}, after those that it is joined with; None without one."""
    starts = list(_BOXED.finditer(text))
    if not starts:
        return None
    content, _ = _read_braces(text, starts[-1].end())
    if len(starts) > 1:
        before, end = _read_braces(text, starts[-2].end())
        if _JOINS_BOXES.fullmatch(text, end, starts[-1].start()):
            return [before, content]
    return [content]


def _read_braces(text: str, start: int) -> tuple[str, int]:
    """The text up to the brace that closes one before it, and where that ends."""
    depth = 1
    for brace in re.finditer(r"[{}]", text[start:]):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[start : start + brace.start()], start + brace.end()
    return text[start:], len(text)


def _read_single(text: str) -> Quantity | None:
    """The number of a text that is nothing but an answer: one number, or the last side of an equation that is one."""
    if ends_in_variables(_mark_numbers(text)[0]):
        return None
    *others, text = re.split("[=≈]", text)
    found = [_read_whole(one) for one in find_numbers(text)]
    if others and len(found) > 1:
        return _read_single("=".join(others))  # "42 = 6 × 7"
    if not _agree(found) or found[0] is None:
        return None
    if _FACTORIAL.fullmatch(text) and found[0].other:
        return replace(found[0], value=found[0].other, other=found[0].value)
    return found[0]


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
    return _CHAIN.sub("", _CALCULATED.sub(r"\1", _CALCULATION.sub("", marked))), found


def _goes_on(found: Found) -> bool:
    """Whether a number is only the first part of a time, a range or dimensions."""
    return _GOES_ON.match(found.match.string, found.match.end()) is not None


def _find_last(text: str, numbers: Sequence[Found], reading: Reading) -> int | None:
    """The index of the last number in the text that nothing rejects, and that is no part of an expression."""
    indices = map(option_of, reversed(re.findall(_MARK, text)))
    return next((index for index in indices if index not in reading.rejected and numbers[index].quantity), None)


def _read_last_sentence(text: str, numbers: Sequence[Found], last: int) -> Quantity | None:
    """The number that the sentence of the last number tells; None if it ends in several."""
    sentence = sentence_of(text, text.find(mark_of(last)))
    whole = re.split(f"[{mark_of(last + 1)}-\ue1ff]", sentence)[0]
    prices = {mark_of(index) for index, one in enumerate(numbers) if _is_price(one)}
    results = {mark_of(index) for index, one in enumerate(numbers) if _is_result(one)}
    values = {mark_of(index): one.quantity.value for index, one in enumerate(numbers) if one.quantity}
    if (total := find_total(whole, values)) is not None:
        return _read_whole(numbers[option_of(total)])
    main = cut_circumstances(whole, prices, results)
    told = option_of(re.findall(_MARK, main)[-1])
    if _is_one_of_several(main, numbers, told):
        return None
    return _read_whole(numbers[told])


def _is_result(found: Found) -> bool:
    text, start = found.match.string, found.match.start()
    return _RESULT.search(text[max(0, start - 60) : start]) is not None


def _is_price(found: Found) -> bool:
    return bool(found.match["money"] or _CURRENCY.match(found.match.string, found.match.end()))


def _is_one_of_several(sentence: str, numbers: Sequence[Found], told: int) -> bool:
    """Whether a sentence ends in several numbers, of which none is told apart."""
    several = _SEVERAL.search(sentence)
    several = None if several and _INTRODUCED.search(sentence[: several.start()]) else several
    if _BOTH.search(sentence) or ends_in_several(sentence) or (several and several[1] != several[2]):
        return True
    before = numbers[told - 1] if told else None  # 3:4, 10 to 15
    return before is not None and _goes_on(before) and not _FROM.search(before.match.string, 0, before.match.start())


def _sentence_from(text: str, index: int) -> str:
    """The rest of a sentence from a number's mark on."""
    at = text.find(mark_of(index))
    return clean(re.split(r"\n|[.?!] ", text[at : at + 200])[0])


def _with_variable(text: str, index: int) -> str:
    """The text from the variable on whose value a number is."""
    at = text.find(mark_of(index))
    variable = _VARIABLE_BEFORE.search(text[max(0, at - 12) : at])
    return text[at - len(variable[0]) : at + 200] if variable else ""


def _as_share(quantity: Quantity) -> Fraction:
    return quantity.value / 100 if quantity.percent else quantity.value


def _is_close(one: Fraction, other: Fraction) -> bool:
    if one.denominator == other.denominator == 1:
        return one == other
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))
