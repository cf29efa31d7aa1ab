"""Unpacking of replies from servers that pack although the gateway asks them not to."""

from __future__ import annotations

import zlib

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # zlib finds out which
_RAW = -zlib.MAX_WBITS
PACKED = (b"gzip", b"x-gzip", b"deflate")


class Unpacker:
    """Unpacks one body, piece by piece; raises ValueError where it cannot be unpacked or is not whole."""

    def __init__(self) -> None:
        self._unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._is_first = True

    def feed(self, piece: bytes) -> bytes:
        """What a piece adds to the body."""
        try:
            unpacked = self._feed(piece)
        except zlib.error as error:
            raise ValueError(f"the reply cannot be unpacked: {error}") from None
        self._is_first = self._is_first and not piece
        return unpacked

    def _feed(self, piece: bytes) -> bytes:
        try:
            unpacked = self._unpack.decompress(piece)
        except zlib.error:
            if not self._is_first:
                raise
            self._unpack = zlib.decompressobj(_RAW)  # what some servers call `deflate`
            unpacked = self._unpack.decompress(piece)
        if self._unpack.eof and (rest := self._unpack.unused_data):  # gzip has members
            self._unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
            return unpacked + self._feed(rest)
        return unpacked

    def finish(self) -> None:
        """Check that the body is whole."""
        if not self._unpack.eof and not self._is_first:
            raise ValueError("the reply cannot be unpacked: its end is missing")
