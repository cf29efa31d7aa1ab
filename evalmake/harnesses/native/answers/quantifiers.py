"""Options that a reply names together without their letters: "all of the above", "all but B", "none of them".

It works on outlines (see `outline`), in which "e" is a word for all options, "z" one for none, "E" one
for an exception, and "R" one for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from evalmake.harnesses.native.answers.option_marks import BY_LETTER, GROUP, MARK, NONE, mark_of, option_of
from evalmake.harnesses.native.answers.reply_text import FRAME
from evalmake.lazy_pattern import compile_on_use


def _pattern(text: str) -> re.Pattern[str]:
    return compile_on_use(text.replace("G", f"(?P<group>{GROUP})").replace("m", MARK).replace("F", FRAME))


_EXCEPTIONS = (
    _pattern(
        r"[ez][fOA]{0,9}(?:[fI]{0,4}(?P<verdict>[vx]))?,?(?:E|(?<=[efOA])b)[fO(:]{0,4}G"
    ),  # "all (are right) but B"
    _pattern(
        r"(?P<told>(?:e|z(?![^E]{0,40}v))[^.?!\n:;xnEez\ue000-\ue1ff]{1,40})(?:E|(?<=Iw)b)[fO(:]{0,4}G(?=[-.,;)\n]|$)"
    ),  # "all are mammals except B"
    _pattern(r"(?<![ez])Ef?G[EfwgIj,]{0,9}(?=[vcxe])"),  # 除了B以外都对
    _pattern(r"(?P<told>Ef?)GE(?=[fI]{1,3}w)"),  # 除了B以外都是...
    _pattern(r"Gf{0,3}E[fjI]{0,4}e"),  # B以外すべて
)
_LEAD = r"(?P<lead>(?:^\(?|[.\n:;]|A[fIO:]{1,6}|[sc]f{0,3}),?[fs]{0,4})"
_ALL = compile_on_use(rf"{_LEAD}e[fOA]{{0,9}}(?:[fI2]{{0,4}}v(?=[-.,;:\n]|$)|(?=,j|[.\n]|$))", re.MULTILINE)
_NONE = compile_on_use(rf"{_LEAD}z[fOA]{{0,9}}(?:I{{1,2}}v)?(?=[-.,;:\n]|$)", re.MULTILINE)
_ASSENT = "Iv"  # "is right"
_QUANTIFIER = compile_on_use("f*([ez])[fOA]*")
_REST = compile_on_use(r"(?P<lead>[-.,;:\n][&bfgj]{0,3})R[fOA]{0,5}(?:[fI]{0,4}v|I)(?=[-.,;:)\n]|$)")
_WORDLESS = str.maketrans("ezER", "wwnw")


def drop_quantifiers(outline: str) -> str:
    """An outline in which such words have no meaning."""
    return outline.translate(_WORDLESS)


def mark_quantifiers(outline: str, option_outlines: Sequence[str]) -> str:
    """An outline with the options that such words mean, given the outlines of the options' own texts.

    An option "All of the above" is what a reply with "all of them" chooses.
    """
    if not re.search("[ezER]", outline):
        return outline
    every = range(len(option_outlines))
    outline = _REST.sub(lambda found: _mark_rest(found, every), outline, count=1)
    named = {found[1]: index for index, one in enumerate(option_outlines) if (found := _QUANTIFIER.fullmatch(one))}
    for pattern in _EXCEPTIONS:
        outline = pattern.sub(lambda found: _mark_exception(found, every), outline)
    all_marks = mark_of(named["e"]) if "e" in named else _join(every)
    outline = _ALL.sub(rf"\g<lead>{all_marks}{_ASSENT}", outline)
    return drop_quantifiers(_NONE.sub(rf"\g<lead>{mark_of(named.get('z', NONE))}{_ASSENT}", outline))


def _mark_rest(found: re.Match[str], every: Sequence[int]) -> str:
    """All options that a reply has not named so far: "B is wrong; the others are right"."""
    named = set(map(option_of, re.findall(MARK, found.string[: found.start()])))
    rest = [index for index in every if index not in named]
    return f".{_join(rest)}{_ASSENT}" if named and rest else f"{found['lead']}w"


def _mark_exception(found: re.Match[str], every: Sequence[int]) -> str:
    """All but a group, or the group alone: "none but B", "all are wrong but B"."""
    parts = found.groupdict()
    verdict = parts.get("verdict")
    excepted = set(map(option_of, re.findall(MARK, found["group"])))
    options = found["group"]
    if (found[0][0] == "z") == (verdict == "x"):
        options = _join([index for index in every if index not in excepted])
    if parts.get("told"):
        return f".{options}Iw"  # of which something is said, and no verdict
    return options + (_ASSENT if verdict or found.string[found.end() :].startswith(("c", "e")) else "")


def _join(indices: Sequence[int]) -> str:
    return "&".join(chr(BY_LETTER + index) for index in indices)
