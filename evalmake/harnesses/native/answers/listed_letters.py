"""Letters of options in lower case that stand in a list: "a, c", "The answers are a and c"."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from evalmake.harnesses.native.answers.reply_text import FRAME
from evalmake.harnesses.native.answers.words import WORDS

Token = tuple[str | None, str, int, int]
"""Kind, text, start and end."""

_JOINING = {word for roles in WORDS.values() for role in ("and", "or") for word in roles.get(role, "").split("|")}
_JOINING |= {",", ";", "/", "&", "+"}
_OPENING, _ENDING = {"(", "[", "\n", ":", "=", ".", "!", FRAME}, {"\n", ".", "!", ")", "]", ";", "("}
_ANNOUNCING = {"A", "O", "I", "s", "c", "2"}
"""The roles of words before an answer (see `words.ROLES`)."""


def find_listed_letters(
    tokens: Sequence[Token], letters: Collection[str], role_of: Callable[[int], tuple[str, int]]
) -> frozenset[int]:
    """The places of lower-case letters that are listed as an answer; `role_of` gives a word's role and its tokens."""
    listed: list[int] = []
    at = 0
    while at < len(tokens):
        found = _read_list(tokens, at, letters)
        if len(found) > 1 and _is_announced(tokens, at, role_of) and _is_ended(tokens, found[-1] + 1, role_of):
            listed += found
        at = found[-1] + 1 if found else at + 1
    return frozenset(listed)


def _read_list(tokens: Sequence[Token], at: int, letters: Collection[str]) -> list[int]:
    """The places of different letters, with commas or words like "and" between them."""
    found: list[int] = []
    seen: set[str] = set()
    while at < len(tokens):
        letter = tokens[at][1]
        if not (len(letter) == 1 and letter.isascii() and letter.islower()):
            break
        if letter.upper() not in letters or letter in seen:
            break
        found.append(at)
        seen.add(letter)
        joined = at + 1
        while joined < min(at + 3, len(tokens)) and tokens[joined][1].casefold() in _JOINING:
            if joined > at + 1 and tokens[joined][1].upper() in letters:
                break  # a letter, and no Italian "and"
            joined += 1
        if joined == at + 1 and not _is_line_of_letters(tokens, found[0]):
            break
        at = joined
    return found


def _is_line_of_letters(tokens: Sequence[Token], at: int) -> bool:
    """Whether a line has nothing but some single letters: "a c"."""
    if at and tokens[at - 1][1] != "\n":
        return False
    line = [token for token in tokens[at : at + 12]]
    ends = [number for number, token in enumerate(line) if token[1] == "\n"]
    line = line[: ends[0]] if ends else line
    return len(line) < 12 and all(len(token[1]) == 1 for token in line)


def _is_announced(tokens: Sequence[Token], at: int, role_of: Callable[[int], tuple[str, int]]) -> bool:
    if at == 0 or tokens[at - 1][1] in _OPENING:
        return True
    for first in range(max(0, at - 3), at):  # "go with" is one phrase
        role, taken = role_of(first)
        if first + taken == at and role in _ANNOUNCING:
            return True
    return False


def _is_ended(tokens: Sequence[Token], at: int, role_of: Callable[[int], tuple[str, int]]) -> bool:
    """Whether a list ends its statement, or is the subject of a verdict."""
    if at >= len(tokens) or tokens[at][1] in _ENDING:
        return True
    if tokens[at][1] == "," and at + 1 < len(tokens) and role_of(at + 1)[0] in ("b", "n", "E"):
        return True  # "a, c, but not b"
    roles = [role_of(place)[0] if tokens[place][0] == "word" else "" for place in range(at, min(at + 4, len(tokens)))]
    return roles[0] in ("I", "v") and bool({"v", "x"} & set(roles))
