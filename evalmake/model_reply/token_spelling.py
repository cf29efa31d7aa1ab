"""The bytes that a token of a completion stands for, in the forms in which servers write tokens.

Most write a token as its text. Others write it as their tokenizer's vocabulary has it: SentencePiece's space is `▁`;
byte-level BPE, as GPT-2's, has a printable character for each byte, so that a space is `Ġ` and a line feed `Ċ`. Some
put these marks into texts that are otherwise plain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")  # llama.cpp and SentencePiece
_BYTES_TOKEN = re.compile(r"bytes:((?:\\x[0-9A-Fa-f]{2})+)")  # OpenAI
_REPLACEMENT = "\ufffd"
_MARKS = str.maketrans({"Ġ": " ", "Ċ": "\n", "ĉ": "\t", "č": "\r"})

Piece = bytes | None
"""A part of a token: known bytes, or None for the bytes of a torn character, which the server did not tell."""
Spelling = list[Piece]


def spell_tokens(tokens: Sequence[str]) -> Iterator[list[Spelling]]:
    """The tokens' spellings, in each of the forms that they may all have."""
    for spell in (_spell_plain, _spell_sentence_piece, _spell_byte_level, _spell_marks):
        yield [spell(token) for token in tokens]


def is_spelled_by(text: str, tokens: Sequence[str]) -> bool:
    """Whether the tokens, all together, are `text`, in any of the forms."""
    raw = text.encode("utf-8", "surrogatepass")
    return any(
        raw == b"".join(piece for spelling in spellings for piece in spelling if piece is not None)
        for spellings in spell_tokens(tokens)
    )


def _spell_plain(token: str) -> Spelling:
    """A token as its text; bytes in the ways in which servers write them."""
    if found := _BYTE_TOKEN.fullmatch(token):
        return [bytes.fromhex(found[1])]
    if found := _BYTES_TOKEN.fullmatch(token):
        return [bytes.fromhex(found[1].replace("\\x", ""))]
    return _spell(token, lambda text: text.encode("utf-8", "surrogatepass"))


def _spell_sentence_piece(token: str) -> Spelling:
    return _spell_plain(token.replace("\u2581", " "))


def _spell_marks(token: str) -> Spelling:
    return _spell_plain(token.translate(_MARKS))


def _spell_byte_level(token: str) -> Spelling:
    """A token of byte-level BPE in which every byte is a printable character: a space is `Ġ`."""
    table = _byte_level_table()
    return _spell(token, lambda text: bytes(table[char] for char in text) if table.keys() >= set(text) else b"\xff")


def _spell(token: str, encode: Callable[[str], bytes]) -> Spelling:
    parts: Spelling = []
    for number, part in enumerate(token.split(_REPLACEMENT)):
        parts += [None] if number else []
        parts += [encode(part)] if part else []
    return parts


@cache
def _byte_level_table() -> dict[str, int]:
    """GPT-2's characters for bytes: printable ones stand for themselves, the others for those from U+0100 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    return {chr(byte): byte for byte in plain} | {chr(256 + number): byte for number, byte in enumerate(others)}
