"""The one result that a reply has in bold, before sentences that explain it: "She has **5** left. She had 8."."""

from __future__ import annotations

import re

from evalmake.harnesses.native.answers.numbers.sentence import CONCLUSION
from evalmake.harnesses.native.answers.reply_text import ANNOUNCING
from evalmake.lazy_pattern import compile_on_use

_MOST = 200
"""Characters in bold that are looked at."""
_BOLD = compile_on_use(
    rf"(?P<line>^[ >*_#+-]*)?(?:\*\*|__|<(?:b|strong)>)(?=[^\s*_])(?P<text>[^*_<\n]{{1,{_MOST}}})(?<=\S)"
    r"(?:\*\*|__|</(?:b|strong)>)(?P<ends>[^\S\n]*(?:\n|$))?",
    re.MULTILINE,
)
# "Step 1", "Apollo 11"; "Step 1: Add", "1. Boxes"; "Given: 6 boxes:"
_LABEL = compile_on_use(r"[A-Z]\w+ \d{1,3}\.?|(?:[^\W\d]{1,20} ?)?\d{1,2}\w? ?(?:[:：)–-]|\. ).*|.*[:：]", re.DOTALL)
_HEADING = compile_on_use(r"[^\d:：=.!?。]*[^\W\d][^\d:：=.!?。]*\d[^:：=.!?。]*")
_DENIED = compile_on_use(r"\b(?:not|n't|nicht|pas|no|non|não|не) $|不是$", re.IGNORECASE)
# "After **6** days, she has 42."
_INTRODUCED = compile_on_use(
    r"(?:^|[.!?\n>])[\W_]*(?:at|in|on|by|after|before|for|with|of|when|if|from|nach|mit|für|wenn|après|avec|si|con)\b"
    r"[^.,!?\n]*$",
    re.IGNORECASE,
)
_CONCLUDES = compile_on_use(
    rf"(?:{'|'.join(map(re.escape, ANNOUNCING))}"
    rf"|(?:[.,:;!?\n。，；]\W{{0,4}}(?:(?:and|und|et|y|e) )?|(?=[所因一共]))(?:{CONCLUSION})(?![A-Za-z])"
    r"|[.!?\n]\W{0,4}(?:no|wait|actually|correction|sorry|moment|attends|espera|等等|不对)\b)[^.\n。]{0,80}\d",
    re.IGNORECASE,
)
_NUMBER = compile_on_use(r"(?P<result>[=≈＝][^\w=\n]{0,6})?(?P<digits>\d(?:[\d.,]*\d)?)")


def find_bold(reply: str) -> str | None:
    """The only text in bold with a number that is no label; None if a number concludes or is calculated after it."""
    reply = re.sub(r"[^\S\n]+", " ", reply)
    found = [one for one in _BOLD.finditer(reply) if re.search(r"\d", one["text"]) and not _is_label(one)]
    if len(found) != 1:
        return None
    before, rest = reply[max(0, found[0].start() - _MOST) : found[0].start()], reply[found[0].end() :]
    introduces = _INTRODUCED.search(before) and re.match("[^.!?\n]{0,40},", rest)
    if introduces or _DENIED.search(before) or _CONCLUDES.search(rest) or _ends_in_result(rest):
        return None
    return found[0]["text"]


def _ends_in_result(text: str) -> bool:
    """Whether the last number of a text is one that the text calculates."""
    numbers = list(_NUMBER.finditer(text))
    return any(one["result"] and one["digits"] == numbers[-1]["digits"] for one in numbers)


def _is_label(bold: re.Match[str]) -> bool:
    """Whether a text in bold names what follows it: a step, a heading, a key."""
    if _LABEL.fullmatch(bold["text"]):
        return True
    heads = bold["ends"] is not None and _HEADING.fullmatch(bold["text"])
    return bold["line"] is not None and bool(heads or re.match(" ?[:：]", bold.string[bold.end() : bold.end() + 2]))
