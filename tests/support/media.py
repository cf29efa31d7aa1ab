"""Small pictures and clips."""

from __future__ import annotations

import base64
import struct
import zlib


def png(shade: int = 0) -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes([0, shade]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def wav(samples: int = 8) -> bytes:
    """A clip of silence."""
    data = bytes(samples)
    body = (
        b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8) + b"data" + struct.pack("<I", samples) + data
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


MP3 = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" * 4


def data_url(kind: str, data: bytes) -> str:
    """A data URL, as `data_url("image/png", png())`."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
