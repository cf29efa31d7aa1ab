"""Options that a reply names by their place: "the second option", "option 2", "the last one"."""

from __future__ import annotations

import re

from evalmake.harnesses.native.answers.option_marks import BY_LETTER, LETTER_MARK
from evalmake.harnesses.native.answers.words.ordinals import (
    ARTICLES,
    CARDINALS,
    LAST,
    NOUNS,
    NUMBER_WORDS,
    ONE,
    ORDINALS,
    PENULTIMATE,
    PLURALS,
    UNSPACED,
    UNSPACED_NUMBERS,
)
from evalmake.lazy_pattern import compile_on_use

_PLACES = ["|".join(words) for words in zip(*(row[:4] for row in ORDINALS.values()), strict=True)]
_PLACES += ["|".join(row[place] for row in ORDINALS.values() if len(row) > place) for place in (4, 5)]
_ORDINAL = compile_on_use(
    rf"(?P<penultimate>{PENULTIMATE})|(?P<last>{LAST})|"
    + "|".join(f"(?P<place{number}>{words})" for number, words in enumerate(_PLACES)),
    re.IGNORECASE,
)
_PLAIN = re.sub(r"\(\?P<\w+>", "(?:", _ORDINAL.pattern)
_ANY_NOUN = f"{NOUNS}|{PLURALS}"
_JOIN = r"(?:,? (?:and|or|und|oder|et|ou|y|o|e|en|of|и|или|i|ve) |, ?| ?& ?)"
_ARTICLE = rf"(?:(?:(?:{ARTICLES}) |l')(?:very )?)?"
_ORDINALS = rf"{_ARTICLE}(?:{_PLAIN})(?:{_JOIN}{_ARTICLE}(?:{_PLAIN}))*"
# "the second option"; "the second" before a verb or the end; "Second." alone.
_BY_ORDINAL = compile_on_use(
    rf"(?<!\w)(?:(?P<named>{_ORDINALS})(?: (?:{_ANY_NOUN}|{ONE}))"
    rf"|(?P<bare>(?:(?<=\n)|(?<=[.!:(—–-] )|(?<=\())(?:{_PLAIN})(?=[.!)]{{0,2}}\n)|(?:(?:{ARTICLES}) |l')(?:{_PLAIN})"
    r"(?=[.!;)\n]| (?:of the|is|are|ist|est|es|è|é)\b)))(?!\w)",
    re.IGNORECASE,
)
_NUMBER = rf"(?:\d{{1,2}}|(?:{CARDINALS})(?!\w))"
_BY_NUMBER = compile_on_use(
    rf"(?<!\w)(?:(?:{_ANY_NOUN})(?: (?:{NUMBER_WORDS}))?|(?:{NUMBER_WORDS})) ?#?"
    rf"(?P<numbers>{_NUMBER}(?:{_JOIN}{_NUMBER})*)"
    r"(?![\w%°]|[.,:]\d| ?[-+*/=^×÷])",
    re.IGNORECASE,
)
_ARTICLE_BEFORE = compile_on_use(rf"(?<!\w)(?:(?:{ARTICLES}) |l')(?:very )?(?={LETTER_MARK})", re.IGNORECASE)
_ANY_NUMBER = compile_on_use(_NUMBER, re.IGNORECASE)
_UNSPACED = [compile_on_use(pattern) for pattern in UNSPACED]


def names_place(word: str) -> bool:
    """Whether a word counts: "second"."""
    return _ORDINAL.fullmatch(word) is not None


def mark_ordinal_words(text: str, count: int) -> str:
    """A folded text with a mark for each of `count` options that it names by its place."""
    text = f"\n{text}\n"
    text = _BY_ORDINAL.sub(lambda found: _mark_all(_ORDINAL, found["named"] or found["bare"], count), text)
    text = _BY_NUMBER.sub(lambda found: _mark_numbers(found, count), text)
    for pattern in _UNSPACED:
        text = pattern.sub(lambda found: _mark_unspaced(found, count), text)
    return _ARTICLE_BEFORE.sub("", text).strip()


def _mark_all(pattern: re.Pattern[str], text: str, count: int) -> str:
    return pattern.sub(lambda found: _mark(_place_of(found, count), found[0], count), text)


def _place_of(found: re.Match[str], count: int) -> int:
    if found["penultimate"] or found["last"]:
        return count - (2 if found["penultimate"] else 1)
    return next(number for number in range(len(_PLACES)) if found[f"place{number}"])


def _mark_numbers(found: re.Match[str], count: int) -> str:
    words = CARDINALS.split("|")

    def mark(number: re.Match[str]) -> str:
        word = number[0].casefold()
        return _mark(words.index(word) if word in words else int(word) - 1, word, count)

    return _ANY_NUMBER.sub(mark, found["numbers"])


def _mark_unspaced(found: re.Match[str], count: int) -> str:
    if found.re.groupindex.get("last"):
        return _mark(count - 1, found[0], count)
    sign = found["n"]
    place = next(number for number, signs in enumerate(UNSPACED_NUMBERS) if sign in signs)
    return _mark(place, found[0], count)


def _mark(place: int, text: str, count: int) -> str:
    return chr(BY_LETTER + place) if 0 <= place < count else text
