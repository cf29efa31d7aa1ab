"""The error for a disk or database that refuses, or holds what cannot be read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from evalmake.disk_database import explain_failure, has_damaged_header
from evalmake.language.diagnostic import Diagnostic, EvalmakeError, make_diagnostic, make_error
from evalmake.store.records import NewerRecord, UnreadableRecord

_DAMAGED = (
    "not a database",
    "malformed",
    "no such table",
    "no such column",
    "unsupported file format",
    "decode",
    "header",
)


class DamagedOutput(EvalmakeError):
    """An output of a result is missing, or is not what its digest says; `blob` is its sha256."""

    def __init__(self, folder: Path, blob: str, reason: str) -> None:
        super().__init__([_describe_damage(folder, reason)])
        self.blob = blob
        self.reason = reason


def unreadable_file(path: Path) -> EvalmakeError:
    """The error for a file of a store that this user may not read: nothing is wrong with its content."""
    message = f"cannot use {path}: this user may not read it"
    return make_error("store-failed", message, help=["let its owner run `chmod -R u+rwX` on the store"])


def store_failed(folder: Path, error: Exception) -> EvalmakeError:
    """The error for a store at `folder`: what is wrong with it, and what to do."""
    error = _find_cause(error)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if isinstance(error, NewerRecord):
        message = f"the store at {folder} was written by a newer evalmake"
        return make_error("newer-store", message, help=["upgrade evalmake, or use another store"])
    if isinstance(error, UnreadableRecord):
        return EvalmakeError([_describe_damage(folder, reason)])
    if "readonly" in reason and has_damaged_header(folder):
        reason = "the header of its database is wrong"
    if not isinstance(error, OSError | sqlite3.Error) or any(sign in reason for sign in _DAMAGED):
        help = "move it away: evalmake then creates a new one"
        return make_error("store-damaged", f"the store at {folder} is damaged: {reason}", help=[help])
    reason, help = explain_failure(folder, reason)
    return make_error("store-failed", f"cannot use {folder}: {reason}", help=[help])


def _describe_damage(folder: Path, reason: str) -> Diagnostic:
    help = "`evalmake verify` removes what is damaged; the next build then runs only that again"
    return make_diagnostic("store-damaged", f"the store at {folder} is damaged: {reason}", help=[help])


def _find_cause(error: BaseException) -> Exception:
    """The first error of a chain: the later ones, of the roll-back and of diskcache, say less."""
    found = error
    while isinstance(found.__context__, OSError | sqlite3.Error):
        found = found.__context__
    assert isinstance(found, Exception)
    return found
