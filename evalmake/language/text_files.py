"""Decodes the text files that an Evalfile names: its includes, and those of `text()`."""

from __future__ import annotations

from pathlib import Path

from evalmake.language.diagnostic import make_error
from evalmake.language.source import Source, Span


def decode_text(data: bytes, path: Path, at: Span | None, why: str) -> str:
    """The text of a file in UTF-8; EvalmakeError with the place of the first byte that is not, and with `at`."""
    shown = shorten_path(path)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        source = Source(shown, data.decode("utf-8", "replace"))
        start = len(data[: error.start].decode("utf-8"))
        raise make_error(
            "not-utf8",
            f"`{shown}` is not UTF-8 text",
            source.span(start),
            f"the byte 0x{data[error.start]:02x}",
            also=[(at, why)] if at else [],
            help=[f"convert it: iconv -f latin1 -t utf-8 {shown}"],
        ) from None


def shorten_path(path: Path) -> str:
    """The path relative to the current folder, where it is inside."""
    absolute = path.absolute()
    try:
        return str(absolute.relative_to(Path.cwd()))
    except ValueError:
        return str(absolute)
