"""What an outline says in several ways, said in one: pairs, lists, asides, and questions that the reply answers."""

from __future__ import annotations

import re

from evalmake.harnesses.native.answers.option_marks import GROUP, MARK, option_of
from evalmake.harnesses.native.answers.reply_text import FRAME
from evalmake.harnesses.native.answers.verdicts import repeat_verdicts, sum_up_verdicts
from evalmake.lazy_pattern import compile_on_use

_BOTH = compile_on_use(rf"(2f?{MARK})[fj]{{1,2}}({MARK})")  # "sia A che B"
_QUESTION = compile_on_use(rf"({MARK})\?(?=w?[nvx]|f[nvx](?!w))")  # "A? No.", but not "A? I don't know."
_FRAMED = compile_on_use(rf"({FRAME}{MARK}),(?={MARK}[fI])")  # "\\boxed{C} B is technically correct"
_ANSWERED = compile_on_use(rf"^({MARK}),(?={MARK}[fI]+w?x)", re.MULTILINE)  # "No, yes is wrong"
_SEMICOLON = compile_on_use(rf"({MARK}-?);(?=f?{MARK}-?(?:[.;\n]|$))")
_REOPENED = compile_on_use(
    rf"({MARK})(?:[-.?,]{{1,3}}\|[pfOsIg]*|\?-?p[pfOsI]*|\?-?(?=f?{MARK}\?))(?={MARK})"
)  # "I think B? Or maybe C."
_POSSIBLE = compile_on_use(
    rf"(h[fI]{{0,3}}{MARK}),?[b&|]?[fgsw]{{0,2}}h[fI]{{0,3}}(?={MARK})"
)  # "may be B, but may be C"
_LISTED = compile_on_use(
    rf"^((?:[fs,]{{1,4}}\.)?f?{MARK})[-.,]*\n(?=f?{MARK}[-.,]?(?:\n|$))", re.MULTILINE
)  # a line for each option
_LIST = compile_on_use(rf"f?{MARK}(?:\+f?{MARK}-?)+")
_PARTLY = compile_on_use(rf"((?:I|{MARK})[fI]*)q+f*v[fOv]*A?|((?:I|{MARK})[fI]*w?)v[fOv]*A?q+")
_PAIR = compile_on_use(rf"({MARK})([-:.,(f]{{0,3}})({MARK})")
_EXPLAINED = compile_on_use(rf"({MARK})(-?[vxn][-,.:]{{1,2}}f?)({MARK})")  # "A) ✅ - 2 is prime", where A is 2
_ANSWERED_NO = compile_on_use(rf"^(f*{MARK}[-:]{{1,2}})n,", re.MULTILINE)  # "B) No, 4 = 2 × 2": no correction
_DENIED_ASIDE = compile_on_use(rf"({MARK}-?)\(n[fI]{{0,3}}{MARK}-(?=[-,.;&\n]|$)")  # "A (not B), C (not D)"
_ITSELF = compile_on_use(rf"({MARK}-),(?=If?n)|({MARK})-?\?s(?=nf*w)")  # "C, Rome, is not", "C? It is not"
_UNLIKE = compile_on_use(rf"({MARK}),nf?{GROUP},(?=f?[Ig])".replace("m", MARK))  # "C, unlike A and B, is"
_CHOSEN_TOO = compile_on_use(rf"(c[fIO]{{0,4}}{MARK})-?[-.,;]{{1,2}}&?[fgsw]{{0,3}}(?:t[fO]*c?|ct)[fO]*(?={MARK})")


def simplify(outline: str, count: int) -> str:
    """An outline of a reply to a question with `count` options, in which each of these is said in one way."""
    outline = _EXPLAINED.sub(
        lambda found: f"{found[1]}{found[2]}w" if option_of(found[1]) == option_of(found[3]) else found[0], outline
    )
    outline = _ANSWERED_NO.sub(r"\1x-", outline)
    text = _CHOSEN_TOO.sub(r"\1&", _UNLIKE.sub(r"\1", _DENIED_ASIDE.sub(r"\1", outline)))
    text = _ITSELF.sub(lambda found: (found[1] or found[2]).rstrip("-") + ("" if found[1] else "I"), text)
    text = _FRAMED.sub(r"\1.", text)
    if count == 2:
        text = _ANSWERED.sub(r"\1.", text)
    text = _QUESTION.sub(r"\1-", _BOTH.sub(r"\1&\2", text).replace("2", "f"))
    text = _REOPENED.sub(r"\1|", sum_up_verdicts(repeat_verdicts(text)))
    text = _POSSIBLE.sub(r"\1|", text)
    text = _LISTED.sub(r"\1+", _SEMICOLON.sub(r"\1,", text).replace(";", "."))
    # A list of all options repeats the question.
    return _LIST.sub(
        lambda found: "w" if len({*map(option_of, re.findall(MARK, found[0]))}) == count else found[0], text
    )


def drop_partial_assent(outline: str) -> str:
    """Make words without a meaning of "partially correct" and "right only sometimes"."""
    return _PARTLY.sub(r"\1\2w", outline).replace("q", "w")


def merge_pairs(outline: str) -> str:
    """Make one mark of a letter and the text of its own option: "B. Paris", "Paris (B)"."""

    def merge(found: re.Match[str]) -> str:
        one, between, other = found.groups()
        if option_of(one) != option_of(other) or ord(one) >> 8 == ord(other) >> 8:
            return found[0]
        return min(one, other) + ("-" if between else "")

    return _PAIR.sub(merge, outline)
