"""Lists in which a reply goes through the options: a line for each, with a verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from evalmake.harnesses.native.answers.option_marks import LETTER_MARK, MARK, option_of
from evalmake.harnesses.native.answers.reading import Claim, Reading, Strength
from evalmake.lazy_pattern import compile_on_use

_ENTRY = compile_on_use(rf"({LETTER_MARK})[-:.](?![,&|)]|{MARK})")


def split_list(outline: str, count: int) -> str:
    """An outline with each option on a line of its own, if one line goes through all: "(A) No (B) Yes"."""
    found = list(_ENTRY.finditer(outline))
    found = found[:count]  # what follows names options again
    if [option_of(one[1]) for one in found] != list(range(count)) or "\n" in outline[
        found[0].start() : found[-1].end()
    ]:
        return outline
    starts = [one.start(1) for one in found]
    return outline[: starts[0]] + "\n".join(
        outline[start:stop] for start, stop in zip(starts, [*starts[1:], len(outline)], strict=True)
    )


def find_listed(lines: Sequence[str]) -> dict[int, int]:
    """Line number -> option, for each line that begins with an option's letter."""
    found = {}
    for number, line in enumerate(lines):
        if match := re.match(f"[fO(vx-]*({LETTER_MARK})", line):
            found[number] = option_of(match[1])
    return found


def find_conclusion(lines: Sequence[str], listed: Mapping[int, int]) -> int | None:
    """The number of the line after a list that only repeats one of its options: "A: 10%", "B: 90%", "B"."""
    *entries, last = sorted(listed) or [-1]
    is_bare = entries and re.fullmatch(f"{LETTER_MARK}[-.]*", lines[last])
    return last if is_bare and any(listed[one] == listed[last] and len(lines[one]) > 2 for one in entries) else None


def judge_list(lines: Sequence[str], listed: dict[int, int], reading: Reading) -> None:
    """Read the verdicts in a list of the options: "A) ... incorrect", "B) ... correct"."""
    starts = sorted(listed)
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        verdicts = re.findall(r"n[fIw]?v|n[fIw]?x|[vxn]", "\n".join(lines[start:stop]))
        if verdicts:
            right = verdicts[-1] == "v" or (len(verdicts[-1]) > 1 and verdicts[-1][-1] == "x")
            (reading.affirmed if right else reading.rejected).add(listed[start])
            (reading.rejected if right else reading.affirmed).discard(listed[start])
    if reading.affirmed:
        reading.claim = Claim(frozenset(reading.affirmed), Strength.CONCLUDED, is_assent=True)
