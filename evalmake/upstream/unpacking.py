"""Unpacking of replies from servers that pack although the gateway asks them not to."""

from __future__ import annotations

import zlib

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # zlib finds out which
_RAW = -zlib.MAX_WBITS
_MOST_MEMBERS = 256
PACKED = (b"gzip", b"x-gzip", b"deflate")


class Unpacker:
    """Unpacks one body, piece by piece; raises ValueError where it cannot be unpacked or is not whole."""

    def __init__(self) -> None:
        self._unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._is_first = True
        self._members = 1

    def feed(self, piece: bytes, most: int) -> bytes:
        """What a piece adds to the body; never more than one byte beyond `most`, so that a bomb stays small."""
        try:
            unpacked = self._feed(piece, most + 1)
        except zlib.error as error:
            raise ValueError(f"the reply cannot be unpacked: {error}") from None
        self._is_first = self._is_first and not piece
        return unpacked

    def _feed(self, piece: bytes, most: int) -> bytes:
        try:
            unpacked = self._unpack.decompress(piece, most)
        except zlib.error:
            if not self._is_first:
                raise
            self._unpack = zlib.decompressobj(_RAW)  # what some servers call `deflate`
            unpacked = self._unpack.decompress(piece, most)
        parts = [unpacked]
        while self._unpack.eof and (rest := self._unpack.unused_data):  # gzip has members
            self._members += 1
            if self._members > _MOST_MEMBERS:
                raise ValueError(f"the reply cannot be unpacked: it has more than {_MOST_MEMBERS} members")
            most -= len(parts[-1])
            if most <= 0:
                break
            self._unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
            parts.append(self._unpack.decompress(rest, most))
        return b"".join(parts)

    def finish(self) -> None:
        """Check that the body is whole."""
        if not self._unpack.eof and not self._is_first:
            raise ValueError("the reply cannot be unpacked: its end is missing")
