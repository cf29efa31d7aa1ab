"""Hiding of secrets in what a program writes or a model's server replies.

A secret that nobody guesses is hidden wherever it stands. One that may be an everyday word (`none`, `EMPTY`, `test`) is
what local servers accept as a key. It is hidden only where a secret stands, after `Bearer` and after the name of a
header: anywhere else, its letters are text, and to replace them would falsify replies and scores.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

from xxhash import xxh3_64_hexdigest

from evalmake.secret_spellings import LONGEST_ESCAPE, Escapes, escapes_of, find_escapable, spell_in_code, spell_in_json

_SHORTEST_MASK = 8  # bytes
_SHORTEST_STRONG = 8  # characters
_SHORTEST_OF_ONE_KIND = 16  # characters, of letters or digits alone
_FIRST = 3  # bytes of a form that are looked for
_ENOUGH_BITS = 24.0
_NAMES = rb"\b[\w-]{0,64}(?:authorization|api[-_]?key|token)"
_BEFORE = rb"(\b(?:bearer|basic|token)\s{1,64}|" + _NAMES + rb"[\"']?\s{0,64}[:=]\s{0,64}[\"']?)"
_KEY_PREFIX = re.compile(r"(sk|pk|hf|gsk|xai|ghp|nvapi)[-_]", re.IGNORECASE)


@lru_cache(maxsize=256)
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
    return max([LONGEST_ESCAPE * len(secret), *(len(form) for form, _ in _forms(secret))])


def _mask(name: str, size: int) -> bytes:
    return b"[" + _digits(name).ljust(size - 2, b"*") + b"]" if size >= _SHORTEST_MASK else b"*" * size


def _digits(name: str) -> bytes:
    return xxh3_64_hexdigest(name.encode())[: _SHORTEST_MASK - 2].encode()


def holds_secret(data: bytes, secret: str) -> bool:
    """Whether the letters of a secret stand in `data`, wherever that is."""
    if len(data) < len(secret.strip()):  # no spelling is shorter
        return False
    escaped = _find_escapable(data, secret)
    return any(form in data for form, _ in _forms(secret)) or bool(escaped and escaped.whole.search(data))


def length_of_beginning(data: bytes, secret: str) -> int:
    """How many bytes at the end of `data` may begin a secret, whose rest is still to come."""
    if data.endswith(b"\n") and "\n" not in secret:  # as most events of a stream do
        return 0
    found = _beginnings(secret).find_length(data)
    end = data[-LONGEST_ESCAPE * len(secret) :]
    if (b"\\" in end or b"%" in end or b"&" in end) and (escaped := _escapes(secret)):
        found = max(found, escaped.length_of_beginning(end))
    return found


def redact_header(value: bytes, secret: str, mark: bytes) -> bytes:
    """The value of a header with `mark` in place of a secret, which may be the whole value."""
    forms = [form for form, _ in _forms(secret)]
    return mark if value.strip() in forms else redact_secret(value, secret, mark)


@lru_cache(maxsize=256)
def _forms(secret: str) -> tuple[tuple[bytes, re.Pattern[bytes] | None], ...]:
    """How a secret may be spelt but for escapes; for a guessable one, with the places where it stands."""
    if not is_guessable(secret.strip()):
        return tuple((form, None) for form in _sort([*spell_in_json(secret), *spell_in_code(secret)]))
    patterns = {form: _BEFORE + re.escape(form) + rb"(?![\w-])" for form in _sort(spell_in_json(secret))}
    return tuple((form, re.compile(pattern, re.IGNORECASE)) for form, pattern in patterns.items())


def _sort(forms: list[bytes]) -> list[bytes]:
    return sorted(forms, key=len, reverse=True)


class _Beginnings(NamedTuple):
    """What the forms of a secret begin with, each without at least its last byte, and their first bytes."""

    texts: frozenset[bytes]
    start: re.Pattern[bytes]
    longest: int

    def find_length(self, data: bytes) -> int:
        """How many bytes at the end of `data` are such a beginning."""
        at = max(0, len(data) - self.longest)
        while found := self.start.search(data, at):
            at = found.start()
            if data[at:] in self.texts:
                return len(data) - at
            at += 1
        return next((size for size in range(min(_FIRST - 1, len(data)), 0, -1) if data[-size:] in self.texts), 0)


@lru_cache(maxsize=256)
def _beginnings(secret: str) -> _Beginnings:
    forms = [form for form, _ in _forms(secret)]
    texts = frozenset(form[:size] for form in forms for size in range(1, len(form)))
    starts = sorted({form[:_FIRST] for form in forms if len(form) > _FIRST})
    pattern = b"|".join(map(re.escape, starts)) or rb"(?!)"
    return _Beginnings(texts, re.compile(pattern), max(map(len, texts), default=0))


def _escapes(secret: str) -> Escapes | None:
    """The escapes of a secret; none of a guessable one, whose letters are text."""
    return None if is_guessable(secret.strip()) else escapes_of(secret)


def _find_escapable(data: bytes, secret: str) -> Escapes | None:
    """The escapes of a secret, if `data` has any that may be its own."""
    return None if is_guessable(secret.strip()) else find_escapable(data, secret)


def _entropy_bits(text: str) -> float:
    """Shannon's entropy of a text's own characters, times its length."""
    size = len(text)
    return -sum(count * math.log2(count / size) for count in Counter(text).values())
