"""How a secret may be spelt in a text: as it is, escaped by JSON, HTML or a URL, in base64, and in hexadecimal digits.

base64 has three spellings of a secret, as texts around it move it by one or two bytes. Their first and last characters
depend on those texts, too: they are left out, and tell at most four bits of the secret.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import lru_cache
from html.entities import html5
from typing import NamedTuple

LONGEST_ESCAPE = 12  # bytes of one escaped character
_LONGEST_NAME = 9  # of a character in HTML
_MOST_BACKSLASHES = 4  # JSON within JSON has two, and once more within, four
_CUT_ESCAPE = re.compile(
    rb"(?:\\{1,4}(?:u[0-9a-fA-F]{0,3})?|%[0-9a-fA-F]{0,5}|&(?:#[0-9]{0,7}|#[xX][0-9a-fA-F]{0,6}|[a-zA-Z]{0,8}))\Z"
)
_ESCAPING = b"\\%&"


def spell_in_json(secret: str) -> list[bytes]:
    """A secret as it is and as JSON writes it, with blanks around it and without."""
    texts = [secret, secret.strip(), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
    return [text.encode("utf-8", "surrogateescape") for text in dict.fromkeys(texts) if text]


def spell_in_code(secret: str) -> list[bytes]:
    """A secret in base64 and in hexadecimal digits, also where JSON or a URL escapes what base64 has beside letters."""
    data = secret.strip().encode("utf-8", "surrogateescape")
    digits = data.hex().encode()
    return [*dict.fromkeys([*_spell_in_base64(data), digits, digits.upper()])]


def _spell_in_base64(data: bytes) -> Iterator[bytes]:
    for before in range(3):
        first, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        text = b64encode(bytes(before) + data)[first:end]
        yield text
        yield text.replace(b"+", b"-").replace(b"/", b"_")
        yield text.replace(b"/", rb"\/")
        yield text.replace(b"+", rb"\u002B")
        yield text.replace(b"+", rb"\u002b")
        yield text.replace(b"+", b"%2B").replace(b"/", b"%2F")
        yield text.replace(b"+", b"%2b").replace(b"/", b"%2f")


class Escapes(NamedTuple):
    """A secret each of whose characters may be escaped: as `\\u0073`, `\\/`, `%73`, `%2573`, `&#115;` or `&sol;`."""

    whole: re.Pattern[bytes]
    characters: tuple[re.Pattern[bytes], ...]
    clue: re.Pattern[bytes]
    """What begins an escape of one of its characters as in a URL or in HTML."""

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
            if at == len(data) or (data[at] in _ESCAPING and _CUT_ESCAPE.match(data, at)):
                return True
            if not (found := character.match(data, at)):
                return False
            at = found.end()
        return False


def find_escapable(data: bytes, secret: str) -> Escapes | None:
    """The escapes of a secret, if `data` has any that may be its own: most replies are spared the search."""
    if b"\\u" in data or (b"\\/" in data and "/" in secret):
        return escapes_of(secret)
    if b"%" in data or b"&" in data:
        escapes = escapes_of(secret)
        return escapes if escapes and escapes.clue.search(data) else None
    return None


@lru_cache(maxsize=256)
def escapes_of(secret: str) -> Escapes | None:
    """The escapes of a secret; None for one that no header could carry."""
    if not (secret := secret.strip()).isascii() or not secret:
        return None
    codes = secret.encode()
    characters = [_escapable(codes[0], rb"\\"), *(_escapable(code, rb"\\{1,4}") for code in codes[1:])]
    return Escapes(re.compile(b"".join(characters)), tuple(map(re.compile, characters)), _find_clue(codes))


def _escapable(code: int, backslash: bytes) -> bytes:
    """A pattern for a character, plain or escaped."""
    plain = re.escape(bytes([code]))
    ways = [backslash + b"u(?i:%04x)" % code, b"%%(?:25){0,2}(?i:%02x)" % code]
    ways.append(b"&(?:%b);" % b"|".join([b"#0{0,4}%d|#[xX]0{0,4}(?i:%02x)" % (code, code), *_name_entities(code)]))
    if code in b'"/\\':
        ways.append(backslash + plain)
    if code == 0x20:
        ways.append(rb"\+")
    return b"(?:" + b"|".join([*ways, plain]) + b")"  # a plain `&` last, as it begins an escape, too


def _find_clue(codes: bytes) -> re.Pattern[bytes]:
    """A pattern that is quick to search for; it begins each escape of these characters as in a URL or in HTML."""
    digits = [b"%x" % (code >> 4) + b"[" + b"%x%X" % (code & 15, code & 15) + b"]" for code in sorted({*codes})]
    names = [name for code in sorted({*codes}) for name in _name_entities(code)]
    return re.compile(b"%%(?:25){0,2}(?:%b)|&(?:%b)" % (b"|".join(digits), b"|".join([b"#", *names])))


def _name_entities(code: int) -> list[bytes]:
    """The names of a character in HTML, without those that no program writes for it."""
    if chr(code).isalnum():
        return []
    return [
        name[:-1].encode() for name, text in html5.items() if text == chr(code) and name[-1] == ";" and len(name) < 9
    ]


def _start_of_escape(data: bytes, start: int) -> int:
    """Where the escape begins whose last backslash is at `start`.

    What stands before is text, so that the mark is not escaped: `\\\\\\u0073` is a backslash and an `s`.
    """
    if data[start : start + 1] != b"\\":
        return start
    first = start
    while first and data[first - 1 : first] == b"\\":
        first -= 1
    count = start + 1 - first
    return start + 1 - min(count & -count, _MOST_BACKSLASHES)
