"""Folds texts before they are compared: what `normalize` lists, and what no writer means to tell apart."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from typing import Literal

from evalmake.lazy_pattern import compile_on_use

NORMALIZATIONS = ("case", "space", "punctuation", "unicode", "articles")
DEFAULT = ("case", "space")

Folding = Callable[[str], str]

UNSPACED_RANGE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3131-\u318e\u3400-\u9fff\uac00-\ud7af"
UNSPACED = compile_on_use(f"[{UNSPACED_RANGE}]")
"""The scripts that write words without spaces; and Korean, whose particles are written together with words."""

QUOTES = dict.fromkeys("‘’‚‛′ʼ＇", "'") | dict.fromkeys("“”„‟″«»＂", '"')
"""Typographic quotation marks, and what stands for each."""

_ALWAYS = str.maketrans(
    QUOTES
    | dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000", " ")
    | dict.fromkeys("\u200b\u2060\ufeff\u00ad\u200e\u200f", None)
    | dict.fromkeys("‐‑‒–−－﹣", "-")
)
_SUBSCRIPT = compile_on_use(r"(?:(?<=[^\W\d_₀-₉])|(?<=[)\]}]))[₀-₉]++(?!\d)")  # CO₂, not 101₂ or log₂8
_FORMULA = compile_on_use(
    r"(?<!\$)\$(?=\S)[^$\n]{1,500}(?<=\S)\$(?![\d$])|\\\([^\n]{1,500}?\\\)|\\ce\{[^{}\n]{1,500}\}"
)
_LOWERED = compile_on_use(r"(?:(?<=[^\W\d_])|(?<=[)\]}]))_(?:(\d)|\{(\d{1,3})\})(?!\d)")
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_MARK = compile_on_use(r"[^\w\s]|_")
_JOINED_BEFORE, _JOINED_AFTER = compile_on_use(r"[^\W_][_&]"), compile_on_use(r"[_&][^\W_]")  # user_id, R&D
_SIGNED = compile_on_use(r"#|\+(?![^\W_])")  # C#, C++, A+; but not A+B
_ARTICLE = compile_on_use(r"\b(?:a|an|the)\b", re.IGNORECASE)


# Emphasis, code, links and formulas in Markdown, and such tags in HTML. Between two word characters, stars and
# underscores are signs: 2*3*4, snake_case.
_EMPHASIS = tuple(
    compile_on_use(pattern, re.IGNORECASE)
    for pattern in (
        r"!?\[([^\[\]\n]{1,300})\]\([^()\s]{0,500}\)",
        r"</?(?:b|i|u|a|em|strong|code|mark|span|sub|small|font)(?:\s[^<>\n]{0,200})?>()",
        r"`{1,3}([^`\n]{1,500})`{1,3}",
        r"(?<!\$)\$(?=\S)([^$\n]{1,500})(?<=\S)\$(?![\d$])",
        r"\\[()]()",
        r"\\(?:text(?:bf|it|rm|tt)?|math(?:rm|bf|it)|emph)\{([^{}\n]{1,300})\}",
        r"(?<![\w*])\*{1,3}(?=[^\s*])([^*\n]{1,500})(?<=\S)\*{1,3}|(?<!\*)\*{1,3}(?=[^\s*])([^*\n]{1,500})(?<=\S)\*{1,3}(?![\w*])",
        r"(?<!\w)_{1,3}(?=[^\s_])([^_\n]{1,500})(?<=\S)_{1,3}(?!\w)",
    )
)


def strip_emphasis(text: str) -> str:
    """A text without the markup that sets off words or parts of them: "**New** York" is "New York"."""
    text = _FORMULA.sub(_join_subscripts, html.unescape(text))
    for pattern in _EMPHASIS:
        text = pattern.sub(lambda found: next(filter(None, found.groups()), ""), text)
    return text


def _join_subscripts(formula: re.Match[str]) -> str:
    """A formula with its subscripts as plain digits: `CO_2` is CO2."""
    return _LOWERED.sub(lambda found: next(filter(None, found.groups())), formula[0])


def fold_forms(text: str, form: Literal["NFC", "NFKC"] = "NFC") -> str:
    """A text with one form of what no writer means to tell apart: kinds of spaces, quotes, dashes; H₂O and H2O."""
    if text.isascii():  # which has none of these characters, and one form
        return text
    text = _SUBSCRIPT.sub(lambda found: found[0].translate(_DIGITS), text.translate(_ALWAYS))
    return unicodedata.normalize(form, text)


def make_folding(names: Collection[str]) -> Folding:
    """The folding of these normalizations; `fold_forms` and the ends are always folded."""

    form: Literal["NFC", "NFKC"] = "NFKC" if "unicode" in names else "NFC"
    folds_case, drops_marks, drops_articles = (name in names for name in ("case", "punctuation", "articles"))
    joins_spaces = "space" in names or drops_marks or drops_articles

    def fold(text: str) -> str:
        text = fold_forms(text, form)
        if folds_case:
            text = text.casefold()
        if drops_marks:
            text = _MARK.sub(_drop_mark, text)
        if drops_articles:
            text = _ARTICLE.sub(" ", text)
        return " ".join(text.split()) if joins_spaces else text.strip()

    return fold


def mentions(reply: str, target: str, fold: Folding) -> bool:
    """Whether a reply has a target as whole words; markup belongs to them only where the target has it, too."""
    words = fold(target)
    return any(contains_words(fold(text), words) for text in {reply, strip_emphasis(reply)})


def contains_words(text: str, words: str) -> bool:
    """Whether words stand in a text as whole words: "4" is not in "42", "art" not in "part", "C" not in "C++"."""
    return any(
        not is_part(text[max(0, at - 2) : at], words, text[at + len(words) : at + len(words) + 2])
        for at in _find_all(text, words)
    )


def is_part(before: str, option: str, after: str) -> bool:
    """Whether a text is only a part of a word or number: "art" of "part", "C" of "C++", "4" of "4.5" and of "-4"."""
    if _continues(before[-1:], option[0]) or _continues(option[-1], after[:1]):
        return True
    if option[0] == "-" and option[1:2].isdigit() and _continues(before[-1:], "0"):  # 30-40
        return True
    if (_JOINED_BEFORE.fullmatch(before) and option[0].isalnum()) or (
        _JOINED_AFTER.match(after) and option[-1].isalnum()
    ):
        return True
    if _SIGNED.match(after) and (option[-1].isalpha() or option[-1] in "+#"):
        return True
    if option[-1].isdigit() and after[:1] and after[:1] in ".,/" and after[1:].isdigit():
        return True
    if not option[0].isdigit() or not before:
        return False
    return (before[-1] in ".,/" and before[:1].isdigit()) or (before[-1] == "-" and not _continues(before[:-1], "0"))


def _continues(one: str, other: str) -> bool:
    """Whether two neighbours are of one word; scripts without spaces have no such words."""
    return one.isalnum() and other.isalnum() and not (UNSPACED.match(one) or UNSPACED.match(other))


def _find_all(text: str, words: str) -> Iterator[int]:
    at = text.find(words)
    while at >= 0:
        yield at
        at = text.find(words, at + 1)


def _drop_mark(found: re.Match[str]) -> str:
    """What stays of a punctuation mark: it belongs to a number (-3.5), or divides words (well-known)."""
    text, at, mark = found.string, found.start(), found[0]
    before, after = text[max(0, at - 1) : at], text[at + 1 : at + 2]
    if after.isdigit() and (before.isdigit() or (mark in "-−" and not before.isalnum())):
        return mark
    if unicodedata.category(mark)[0] not in "PS":
        return mark
    return " " if mark in "-–—/_" else ""
