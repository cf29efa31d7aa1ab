"""Writes a new key pair: two new files, the private one for its owner alone."""

from __future__ import annotations

import os
from pathlib import Path

from evalmake.language.diagnostic import make_error
from evalmake.language.write_errors import advise_on_write_error
from evalmake.signatures.keys import KeyPair, make_key_pair

PRIVATE_ENDING, PUBLIC_ENDING = ".key", ".pub"


def write_key_pair(stem: Path) -> tuple[KeyPair, Path, Path]:
    """Make a key pair and write its two files, neither over another file; EvalmakeError if that is not possible."""
    private = stem.with_name(stem.name + PRIVATE_ENDING)
    public = stem.with_name(stem.name + PUBLIC_ENDING)
    for path in (private, public):
        if os.path.lexists(path):
            raise make_error(
                "exists",
                f"`{path}` exists already",
                help=["nothing was written; give the new key another name: `evalmake key new NAME`"],
            )
    pair = make_key_pair()
    try:
        _write_new(private, pair.private, 0o600)
        _write_new(public, pair.public, 0o644)
    except OSError as error:
        message = f"cannot write the key {error.filename}: {error.strerror}"
        raise make_error("bad-key", message, help=advise_on_write_error(error.errno)) from None
    return pair, private, public


def _write_new(path: Path, text: str, mode: int) -> None:
    """Write a file that must not exist; one that cannot be written as a whole is removed."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        error.filename = str(path)
        raise
