"""Verdicts on several options in one outline: "A ✅ B ❌", "A - correct / B - incorrect", "A is right. So is C."."""

from __future__ import annotations

import re

from evalmake.harnesses.native.answers.option_marks import MARK
from evalmake.lazy_pattern import compile_on_use

_VERDICT = r"n[fI]?[vx]|[vx]|n(?=[-,.;&)\n]|$)"
_LEAD = r"(?:^|(?<=[\n:.(]))[fO]{0,2}"
_SEPARATOR = r"[-,.;&()f\n]*"
_AFTER = compile_on_use(rf"(?P<option>{MARK})[-:.,(f&]{{0,4}}I?(?P<verdict>{_VERDICT})")
_BEFORE = compile_on_use(rf"(?P<verdict>[vx])[-:]?[fO]{{0,2}}(?P<option>{MARK})")


def _repeat(entry: re.Pattern[str], end: str) -> str:
    plain = re.sub(r"\?P<\w+>", "?:", entry.pattern)
    return rf"{_LEAD}(?:{plain}{end}){{2,}}+"


_LISTS = (
    (_AFTER, compile_on_use(_repeat(_AFTER, rf"(?:{_SEPARATOR}[fO]{{0,2}}(?={MARK})|(?=[-:,.;)\n]|$))"), re.MULTILINE)),
    (_BEFORE, compile_on_use(_repeat(_BEFORE, rf"(?:{_SEPARATOR}(?=[vx])|(?=[-,.;)\n]|$))"), re.MULTILINE)),
)
_ADDED = compile_on_use(rf"v[.,;]?&?f?({MARK}),?f*t(?=[.,;\n]|$)")  # "A is right, and C as well"
_VERDICT_OR_REPEATED = compile_on_use(rf"(?P<repeated>S)(?P<option>f?{MARK}(?:[,&]{{1,2}}f?{MARK})*)?|[vx]")


def sum_up_verdicts(outline: str) -> str:
    """An outline with a sentence of the right options, and one of the wrong ones, for each list of verdicts."""
    for entry, whole in _LISTS:
        outline = whole.sub(lambda found, entry=entry: _sum_up(entry, found), outline)  # type: ignore[misc]
    return outline


def _sum_up(entry: re.Pattern[str], whole: re.Match[str]) -> str:
    verdicts = {found["option"]: found["verdict"] for found in entry.finditer(whole[0])}
    is_right = {mark: verdict == "v" or (len(verdict) > 1 and verdict[-1] == "x") for mark, verdict in verdicts.items()}
    sums = ".".join(
        f"{'&'.join(mark for mark in verdicts if is_right[mark] is right)}I{sign}"
        for right, sign in ((True, "v"), (False, "x"))
        if right in is_right.values()
    )
    return f"{sums}." if whole.string.startswith(":", whole.end()) else sums


def repeat_verdicts(outline: str) -> str:
    """An outline in which "so is C" and "C, too" tell the verdict before them."""
    last = "x"

    def spell(found: re.Match[str]) -> str:
        nonlocal last
        if found["repeated"] is None:
            last = found[0]
            return found[0]
        return f"{found['option']}I{last}" if found["option"] else "w"

    return _ADDED.sub(r"v.\1Iv", _VERDICT_OR_REPEATED.sub(spell, outline)).replace("t", "f")
