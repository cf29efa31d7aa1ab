"""Multiple choice: the option that a record calls right, and the one that a reply chose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# The word before an answer, and the markup between the word and the answer: "Answer: **B", "the answer is \boxed{".
_CUE = re.compile(
    r"\b(?:answer|choice|option)\b(?:\s+(?:is|would be|should be))?[\s:=*_`$\"'{\\]*"
    r"(?:(?:boxed|text|option|choice)[\s{]*)*",
    re.IGNORECASE,
)
# A letter that begins the reply and is closed like a list item: "B) Paris", "(b)", "B".
_LETTER_AT_START = re.compile(r"[\s\"'*_`$(\[{]*([A-Za-z])(?=[\s\"'*_`$]*(?:[.):\]},]|$))")
# After a cue, a capital needs only a word boundary; "a" must be closed, because it is also the article.
_LETTER_AFTER_CUE = re.compile(r"[\s\"'*_`(\[]*(?:([A-Z])(?![\w'])|([a-z])(?=[\s*_`]*(?:[.):\],}]|$)))")
_BRACKETED_LETTER = re.compile(r"\(([A-Za-z])\)|\\boxed\{(?:\\text\{)?([A-Za-z])\}")
# A capital on its own anywhere. "A" and "I" are also words, so they must be followed by punctuation.
_LONE_LETTER = re.compile(r"(?<![\w'])([B-HJ-Z])(?![\w'])|(?<![\w'])([AI])(?=[\s*_`\"]*(?:[.):,]|$))")
_TRIMMED = " \t\r\n\"'`*_.,;:!"


def find_right_option(target: object, values: Sequence[object], options: Sequence[str]) -> int | None:
    """The index of the right option; None if the target names no option.

    A target equal to an option is that option. Otherwise a number is an index from 0, and text is a
    letter or the digits of an index. ValueError if a number is one option's index and another's text.
    """
    for index, option in enumerate(values):
        if type(target) is type(option) and target == option:
            return index
    if isinstance(target, bool):  # options may be written "true", "True" or TRUE
        texts = [option.strip().casefold() for option in options]
        return texts.index(str(target).casefold()) if str(target).casefold() in texts else None
    if isinstance(target, int):
        index = options.index(str(target)) if str(target) in options else target
        if index != target and 0 <= target < len(options):
            raise ValueError(
                f"the target {target} is option {target} (from 0) and also the text of option {index}: "
                "write it as the options are written"
            )
        return index if 0 <= index < len(options) else None
    text = str(target).strip()
    if text in options:
        return options.index(text)
    if len(text) == 1 and text.upper() in LETTERS[: len(options)]:
        return LETTERS.index(text.upper())
    return int(text) if text.isdecimal() and int(text) < len(options) else None


def find_chosen_option(reply: str, options: Sequence[str]) -> int | None:
    """The index of the option that a reply chose; None if it chose none or several.

    Rules are tried in this order, and the first that reads an option decides: the whole reply is an
    option's text; the text after the last word "answer"; a letter at the start ("B) Paris"); the last
    bracketed letter; a last line that is one letter; the only option whose text occurs; the only
    single letter in the reply.
    """
    for found in _read_by_each_rule(reply, options):
        if found is not None:
            return found
    return None


def _read_by_each_rule(reply: str, options: Sequence[str]) -> Iterator[int | None]:
    letters = LETTERS[: len(options)]
    yield _match_whole_text(reply, options)
    for found in reversed(list(_CUE.finditer(reply))):
        yield _read_after_cue(reply[found.end() :], options, letters)
    yield _read_letter_at_start(reply, options, letters)
    yield _last_index(_find_letters(_BRACKETED_LETTER, reply), letters)
    lines = reply.strip().splitlines()
    yield _index_of_letter(lines[-1].strip(_TRIMMED + "()[]$"), letters) if lines else None
    yield _single_index(_find_occurring_options(reply, options))
    yield _single_index([index for index in _indices_of_letters(_find_letters(_LONE_LETTER, reply), letters)])


def _match_whole_text(text: str, options: Sequence[str]) -> int | None:
    wanted = _normalize(text)
    return _single_index([index for index, option in enumerate(options) if _normalize(option) == wanted])


def _read_after_cue(rest: str, options: Sequence[str], letters: str) -> int | None:
    """Read a letter or an option's text right after the cue word."""
    line = rest.split("\n", 1)[0] or rest
    spelled = _match_beginning(line, options)
    if spelled is not None:
        return spelled
    found = _LETTER_AFTER_CUE.match(rest)
    return _index_of_letter(found[1] or found[2], letters) if found else None


def _read_letter_at_start(reply: str, options: Sequence[str], letters: str) -> int | None:
    found = _LETTER_AT_START.match(reply.split("\n", 1)[0])
    if found:
        return _index_of_letter(found[1], letters)
    head, _, rest = reply.strip().partition(" ")
    index = _index_of_letter(head.strip(_TRIMMED), letters)
    return index if index is not None and _match_whole_text(rest, options) == index else None


def _match_beginning(text: str, options: Sequence[str]) -> int | None:
    """The longest option that the text begins with, in whole words."""
    start = _normalize(text)
    fitting = [
        (len(option), index)
        for index, option in enumerate(map(_normalize, options))
        if len(option) > 1 and start.startswith(option) and not start[len(option) :][:1].isalnum()
    ]
    return max(fitting)[1] if fitting else None


def _find_occurring_options(reply: str, options: Sequence[str]) -> list[int]:
    text = reply.casefold()
    return [
        index
        for index, option in enumerate(options)
        if option.strip() and re.search(rf"(?<!\w){re.escape(option.strip().casefold())}(?!\w)", text)
    ]


def _normalize(text: str) -> str:
    return " ".join(text.strip(_TRIMMED).casefold().split())


def _find_letters(pattern: re.Pattern[str], text: str) -> list[str]:
    return [next(filter(None, found.groups())) for found in pattern.finditer(text)]


def _index_of_letter(text: str, letters: str) -> int | None:
    index = letters.find(text.upper()) if len(text) == 1 else -1
    return index if index >= 0 else None


def _indices_of_letters(found: Sequence[str], letters: str) -> list[int]:
    return [index for one in found if (index := _index_of_letter(one, letters)) is not None]


def _last_index(found: Sequence[str], letters: str) -> int | None:
    indices = _indices_of_letters(found, letters)
    return indices[-1] if indices else None


def _single_index(indices: Sequence[int]) -> int | None:
    return indices[0] if len(set(indices)) == 1 else None
