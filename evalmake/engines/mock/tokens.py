"""A reversible tokenizer without a vocabulary.

A token is up to five letters or digits, or one other sign, with the space before it: at most six bytes. Its id is
those bytes read as a number, so ids are under 2^48 and every id has a text.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r" ?[A-Za-z0-9_]{1,5}| ?[^\sA-Za-z0-9_]|\s")


def split_tokens(text: str) -> list[str]:
    """The tokens of a text; joined they are the text."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """How many tokens a text has."""
    return len(_TOKEN.findall(text))


def encode(text: str) -> list[int]:
    """The ids of a text's tokens."""
    return [int.from_bytes(token.encode("utf-8", "replace"), "big") for token in split_tokens(text)]


def decode_token(id: int) -> str:
    """The text of an id, which must be from 0 to 2^64; bytes that are no UTF-8 are replaced."""
    size = max(1, (id.bit_length() + 7) // 8)
    return id.to_bytes(size, "big").decode("utf-8", "replace")
