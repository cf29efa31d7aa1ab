"""Hiding of secrets in what a program writes or a model's server replies.

A secret that nobody guesses is hidden wherever it stands. One that may be an everyday word (`none`, `EMPTY`, `test`) is
what local servers accept as a key. It is hidden only where a secret stands, after `Bearer` and after the name of a
header: anywhere else, its letters are text, and to replace them would falsify replies and scores.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from xxhash import xxh3_64_hexdigest

_SHORTEST_MASK = 8  # bytes
_SHORTEST_STRONG = 8  # characters
_SHORTEST_OF_ONE_KIND = 16  # characters, of letters or digits alone
_ENOUGH_BITS = 24.0
_NAMES = rb"\b[\w-]{0,64}(?:authorization|api[-_]?key|token)"
_BEFORE = rb"(\b(?:bearer|basic|token)\s{1,64}|" + _NAMES + rb"[\"']?\s{0,64}[:=]\s{0,64}[\"']?)"
_CUT_ESCAPE = re.compile(rb"\\{1,4}(?:u[0-9a-fA-F]{0,3})?\Z")
_MOST_BACKSLASHES = 4
_LONGEST_ESCAPE = 9  # bytes: four backslashes, `u`, four digits
_KEY_PREFIX = re.compile(r"(sk|pk|hf|gsk|xai|ghp|nvapi)[-_]", re.IGNORECASE)


def is_guessable(secret: str) -> bool:
    """Whether a secret may stand in a text by chance: it is short, a word, a number, or has little variety."""
    core = re.sub(r"[\s_.-]", "", secret)
    if len(secret) < _SHORTEST_STRONG or _entropy_bits(secret) < _ENOUGH_BITS:
        return True
    if _KEY_PREFIX.match(secret):
        return False
    is_word = core.isalpha() and (core.islower() or core.isupper() or core[1:].islower())
    return (is_word or core.isdecimal()) and len(core) < _SHORTEST_OF_ONE_KIND


def redact_secret(data: bytes, secret: str, mark: bytes) -> bytes:
    """`data` with `mark` in place of a secret; the same object if it does not hold the secret."""
    for form, in_place in _forms(secret):
        if form in data:
            data = in_place.sub(lambda found: found[1] + mark, data) if in_place else data.replace(form, mark)
    if escaped := _find_escapable(data, secret):
        data = escaped.replace(data, lambda size: mark)
    return data


def mask_secret(data: bytes, secret: str, name: str) -> bytes:
    """`data` with a mask of the same length in place of a secret, by which `unmask_secret` knows it again."""
    for form, in_place in _forms(secret):
        if form in data:
            mask = _mask(name, len(form))
            data = in_place.sub(rb"\g<1>" + mask, data) if in_place else data.replace(form, mask)
    if escaped := _find_escapable(data, secret):
        data = escaped.replace(data, lambda size: _mask(name, size))
    return data


def unmask_secret(data: bytes, secret: str, name: str, mark: bytes) -> bytes:
    """`data` with `mark` in place of the masks of a secret."""
    most = longest_form(secret) - _SHORTEST_MASK
    least = min((len(form) for form, _ in _forms(secret)), default=0) - _SHORTEST_MASK
    if most < 0 or b"[" + _digits(name) not in data:
        return data
    return re.sub(rb"\[%b\*{%d,%d}\]" % (_digits(name), max(0, least), most), lambda _: mark, data)


def longest_form(secret: str) -> int:
    """The most bytes that a secret takes in a text, where JSON within JSON escapes all its characters."""
    return max([_LONGEST_ESCAPE * len(secret), *(len(form) for form, _ in _forms(secret))])


def _mask(name: str, size: int) -> bytes:
    return b"[" + _digits(name).ljust(size - 2, b"*") + b"]" if size >= _SHORTEST_MASK else b"*" * size


def _digits(name: str) -> bytes:
    return xxh3_64_hexdigest(name.encode())[: _SHORTEST_MASK - 2].encode()


def holds_secret(data: bytes, secret: str) -> bool:
    """Whether the letters of a secret stand in `data`, wherever that is."""
    escaped = _find_escapable(data, secret)
    return any(form in data for form, _ in _forms(secret)) or bool(escaped and escaped.whole.search(data))


def length_of_beginning(data: bytes, secret: str) -> int:
    """How many bytes at the end of `data` may begin a secret, whose rest is still to come."""
    longest = 0
    for form, _ in _forms(secret):
        at = data.find(form[:1], max(0, len(data) - len(form) + 1))
        while at >= 0 and not form.startswith(data[at:]):
            at = data.find(form[:1], at + 1)
        longest = max(longest, len(data) - at if at >= 0 else 0)
    end = data[-_LONGEST_ESCAPE * len(secret) :]
    if b"\\" in end and (escaped := _escapes(secret)):
        longest = max(longest, escaped.length_of_beginning(end))
    return longest


def redact_header(value: bytes, secret: str, mark: bytes) -> bytes:
    """The value of a header with `mark` in place of a secret, which may be the whole value."""
    forms = [form for form, _ in _forms(secret)]
    return mark if value.strip() in forms else redact_secret(value, secret, mark)


@lru_cache(maxsize=256)
def _forms(secret: str) -> tuple[tuple[bytes, re.Pattern[bytes] | None], ...]:
    """How a secret may be written, as it is and as JSON; for a guessable one, with the places where it stands."""
    texts = dict.fromkeys(
        [secret, secret.strip(), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
    )
    forms = [text.encode("utf-8", "surrogateescape") for text in texts if text]
    guessable = is_guessable(secret.strip())
    return tuple(
        (form, re.compile(_BEFORE + re.escape(form) + rb"(?![\w-])", re.IGNORECASE) if guessable else None)
        for form in sorted(forms, key=len, reverse=True)
    )


class _Escapes(NamedTuple):
    """A secret whose characters may each be escaped as JSON allows it (`\\u0073`, `\\/`), in JSON within JSON, too."""

    whole: re.Pattern[bytes]
    characters: tuple[re.Pattern[bytes], ...]

    def replace(self, data: bytes, make_mark: Callable[[int], bytes]) -> bytes:
        """`data` with a mark in place of the secret, made for its size; the same object if it does not hold it."""
        parts, end = [], 0
        for found in self.whole.finditer(data):
            start = max(end, _start_of_escape(data, found.start()))
            parts += [data[end:start], make_mark(found.end() - start)]
            end = found.end()
        return b"".join([*parts, data[end:]]) if parts else data

    def length_of_beginning(self, data: bytes) -> int:
        """How many bytes at the end of `data` may begin the secret, with backslashes that may belong to it."""
        starts = (found.start() for found in self.characters[0].finditer(data))
        at = next((start for start in starts if self._goes_on(data, start)), len(data))
        cut = _CUT_ESCAPE.search(data)
        at = min(at, cut.start() if cut else len(data))
        before = data[max(0, at - _MOST_BACKSLASHES) : at]
        return len(data) - at + len(before) - len(before.rstrip(b"\\"))

    def _goes_on(self, data: bytes, at: int) -> bool:
        """Whether all from `at` to the end is a beginning of the secret."""
        for character in self.characters:
            if at == len(data):
                return True
            if not (found := character.match(data, at)):
                return bool(_CUT_ESCAPE.match(data, at))
            at = found.end()
        return False


def _find_escapable(data: bytes, secret: str) -> _Escapes | None:
    """The escapes of a secret, if `data` has any that may be its own: most replies are spared the search."""
    return _escapes(secret) if b"\\u" in data or (b"\\/" in data and "/" in secret) else None


@lru_cache(maxsize=256)
def _escapes(secret: str) -> _Escapes | None:
    """None for a guessable secret, whose letters are text, and for one that no header could carry."""
    if not secret.isascii() or is_guessable(secret.strip()):
        return None
    first, *others = secret.strip().encode()
    characters = [_escapable(first, rb"\\"), *(_escapable(byte, rb"\\{1,4}") for byte in others)]
    return _Escapes(re.compile(b"".join(characters)), tuple(map(re.compile, characters)))


def _escapable(byte: int, backslash: bytes) -> bytes:
    """A pattern for a character, plain or escaped."""
    plain, code = re.escape(bytes([byte])), b"u(?i:%04x)" % byte
    short = b"|" + backslash + plain if byte in b'"/\\' else b""
    return b"(?:" + plain + b"|" + backslash + code + short + b")"


def _start_of_escape(data: bytes, start: int) -> int:
    """Where the escape begins whose last backslash is at `start`: JSON within JSON has two, and once more within, four.

    What stands before is text, so that the mark is not escaped: `\\\\\\u0073` is a backslash and an `s`.
    """
    if data[start : start + 1] != b"\\":
        return start
    first = start
    while first and data[first - 1 : first] == b"\\":
        first -= 1
    count = start + 1 - first
    return start + 1 - min(count & -count, _MOST_BACKSLASHES)


def _entropy_bits(text: str) -> float:
    """Shannon's entropy of a text's own characters, times its length."""
    size = len(text)
    return -sum(count * math.log2(count / size) for count in Counter(text).values())
