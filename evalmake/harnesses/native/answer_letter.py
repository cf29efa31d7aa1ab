"""Multiple choice: which option a data file calls right, and which one a reply chose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_ANSWER = re.compile(
    r"\b(?:answer|choice|option)\b(?:\s+(?:is|would be|should be))?[\s:=*_`$\"'{\\]*"
    r"(?:(?:boxed|text|option|choice)[\s{]*)*",
    re.IGNORECASE,
)
_AT_START = re.compile(r"[\s\"'*_`$(\[{]*([A-Za-z])(?=[\s\"'*_`$]*(?:[.):\]},]|$))")
_AS_ANSWER = re.compile(r"[\s\"'*_`(\[]*(?:([A-Z])(?![\w'])|([a-z])(?=[\s*_`]*(?:[.):\],}]|$)))")
_BRACKETED = re.compile(r"\(([A-Za-z])\)|\\boxed\{(?:\\text\{)?([A-Za-z])\}")
_LONE = re.compile(r"(?<![\w'])([B-HJ-Z])(?![\w'])|(?<![\w'])([AI])(?=[\s*_`\"]*(?:[.):,]|$))")
_TRIM = " \t\r\n\"'`*_.,;:!"


def right_option(target: object, raw: Sequence[object], options: Sequence[str]) -> int | None:
    """The index of the right option; None if the target names none of them.

    A target that equals an option is that option; else a number is an index from 0, and a text is
    a letter or the digits of an index. ValueError for a number that is one option's index and
    another's text.
    """
    for index, option in enumerate(raw):
        if type(target) is type(option) and target == option:
            return index
    if isinstance(target, int) and not isinstance(target, bool):
        said = options.index(str(target)) if str(target) in options else target
        if said != target and 0 <= target < len(options):
            raise ValueError(
                f"the target {target} is option {target} (from 0) and also the text of option {said}: "
                "write it as the options are written"
            )
        return said if 0 <= said < len(options) else None
    text = str(target).strip()
    if text in options:
        return options.index(text)
    if len(text) == 1 and text.upper() in LETTERS[: len(options)]:
        return LETTERS.index(text.upper())
    return int(text) if text.isdecimal() and int(text) < len(options) else None


def chosen_option(reply: str, options: Sequence[str]) -> int | None:
    """The index of the option that a reply chose, None if it chose none, or several.

    Tried in turn: the whole reply is an option's text; what follows the last "answer"; a letter
    at the start ("B) Paris"); the last bracketed letter; a last line that is a letter; the only
    option whose text occurs; the only letter that stands alone.
    """
    for found in _readings(reply, options):
        if found is not None:
            return found
    return None


def _readings(reply: str, options: Sequence[str]) -> Iterator[int | None]:
    letters = LETTERS[: len(options)]
    yield _same_text(reply, options)
    for found in reversed(list(_ANSWER.finditer(reply))):
        yield _after_answer(reply[found.end() :], options, letters)
    yield _at_start(reply, options, letters)
    yield _last(_letters(_BRACKETED, reply), letters)
    lines = reply.strip().splitlines()
    yield _letter(lines[-1].strip(_TRIM + "()[]$"), letters) if lines else None
    yield _only(_occurring(reply, options))
    yield _only([index for index in _indices(_letters(_LONE, reply), letters)])


def _same_text(text: str, options: Sequence[str]) -> int | None:
    wanted = _plain(text)
    return _only([index for index, option in enumerate(options) if _plain(option) == wanted])


def _after_answer(rest: str, options: Sequence[str], letters: str) -> int | None:
    """A letter or an option's text at the start of what follows the word "answer"."""
    line = rest.split("\n", 1)[0] or rest
    spelled = _beginning(line, options)
    if spelled is not None:
        return spelled
    found = _AS_ANSWER.match(rest)
    return _letter(found[1] or found[2], letters) if found else None


def _at_start(reply: str, options: Sequence[str], letters: str) -> int | None:
    found = _AT_START.match(reply.split("\n", 1)[0])
    if found:
        return _letter(found[1], letters)
    head, _, rest = reply.strip().partition(" ")
    index = _letter(head.strip(_TRIM), letters)
    return index if index is not None and _same_text(rest, options) == index else None


def _beginning(text: str, options: Sequence[str]) -> int | None:
    """The longest option that a text begins with, as whole words."""
    start = _plain(text)
    fitting = [
        (len(option), index)
        for index, option in enumerate(map(_plain, options))
        if len(option) > 1 and start.startswith(option) and not start[len(option) :][:1].isalnum()
    ]
    return max(fitting)[1] if fitting else None


def _occurring(reply: str, options: Sequence[str]) -> list[int]:
    text = reply.casefold()
    return [
        index
        for index, option in enumerate(options)
        if option.strip() and re.search(rf"(?<!\w){re.escape(option.strip().casefold())}(?!\w)", text)
    ]


def _plain(text: str) -> str:
    return " ".join(text.strip(_TRIM).casefold().split())


def _letters(pattern: re.Pattern[str], text: str) -> list[str]:
    return [next(filter(None, found.groups())) for found in pattern.finditer(text)]


def _letter(text: str, letters: str) -> int | None:
    index = letters.find(text.upper()) if len(text) == 1 else -1
    return index if index >= 0 else None


def _indices(found: Sequence[str], letters: str) -> list[int]:
    return [index for one in found if (index := _letter(one, letters)) is not None]


def _last(found: Sequence[str], letters: str) -> int | None:
    indices = _indices(found, letters)
    return indices[-1] if indices else None


def _only(indices: Sequence[int]) -> int | None:
    return indices[0] if len(set(indices)) == 1 else None
