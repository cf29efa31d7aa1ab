"""SQLite databases of `diskcache`: how they are opened for reading, and why one cannot be opened.

`diskcache` writes its settings into every database that it opens. What only reads opens it here, so it works on a
read-only disk, in a folder of somebody else, and on a full disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sqlite3
from pathlib import Path

from evalmake.language.write_errors import advise_on_write_error, find_write_error

DATABASE = "cache.db"
_VALUE_FILE = re.compile(r"[0-9a-z]{2}/[0-9a-z]{2}/[0-9a-z]+\.val")
_TIMEOUT = 60.0  # seconds to wait for somebody who writes
_VAGUE = ("disk I/O error", os.strerror(errno.EFBIG))
"""Reasons for which to ask the system: SQLite says so of a full quota, too."""
_HEADER, _WRITE_VERSION = 100, 18
"""The bytes of the header of a database, and the place in it of the version (https://www.sqlite.org/fileformat.html)."""
_LONGEST_PATH = 500  # bytes: SQLite takes 512, and adds `-journal`


def is_only_readable(folder: Path) -> bool:
    """Whether there is a database in `folder` that this user may not write to."""
    files = (folder, folder / DATABASE)
    return all(map(os.path.exists, files)) and not all(os.access(file, os.W_OK) for file in files)


def connect_for_reading(folder: Path) -> sqlite3.Connection:
    """Open the database in a folder that a build may be writing to; raises sqlite3.Error if there is none.

    SQLite may then create its files next to the database, which is what keeps readers and writers apart. Where
    this user cannot write, nothing is created.
    """
    if not is_only_readable(folder):
        try:
            return _connect(folder, "mode=rw")
        except sqlite3.OperationalError:  # a full disk
            return connect_read_only(folder)
    return connect_read_only(folder)


def connect_read_only(folder: Path) -> sqlite3.Connection:
    """Open the database in a folder without writing anything; raises sqlite3.Error if there is none."""
    in_use = folder.joinpath(f"{DATABASE}-wal").exists()
    try:
        return _connect(folder, "mode=ro" if in_use else "mode=ro&immutable=1")
    except sqlite3.OperationalError:  # the folder is not writable, so nobody else writes either
        return _connect(folder, "mode=ro&immutable=1")


def _connect(folder: Path, options: str) -> sqlite3.Connection:
    address = f"{(folder / DATABASE).absolute().as_uri()}?{options}"
    connection = sqlite3.connect(address, timeout=_TIMEOUT, uri=True, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    except UnicodeDecodeError:  # SQLite quotes damaged bytes in its message
        connection.close()
        raise sqlite3.DatabaseError("database disk image is malformed") from None
    return connection


def create_database(folder: Path) -> None:
    """Create an empty database where there is none, with the modes that the umask says.

    SQLite gives its other files the mode of this one, and would make it 0644.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.close(os.open(folder / DATABASE, os.O_RDWR | os.O_CREAT, 0o666))


def find_value_file(folder: Path | str, name: object) -> Path:
    """The file of a value, by its name in the database in `folder`.

    OSError for a name that `diskcache` gives to none, and behind a link: a stranger's database may name any file.
    """
    path = Path(folder, str(name))
    if not _VALUE_FILE.fullmatch(str(name)):
        raise FileNotFoundError(errno.ENOENT, "no value has such a file", str(path))
    if any(map(os.path.islink, (path, path.parent, path.parent.parent))):
        raise OSError(errno.ELOOP, "it is a link", str(path))
    return path


def delete_settings(folder: Path) -> None:
    """Delete the settings, which `diskcache` then writes anew. What is wrong with the database itself stays."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("DELETE FROM Settings")
        connection.commit()


def has_damaged_header(folder: Path) -> bool:
    """Whether the version for those who write is later than any of SQLite's, which then says that it may only read."""
    try:
        with (folder / DATABASE).open("rb") as stream:
            header = stream.read(_HEADER)
    except OSError:
        return False
    return len(header) == _HEADER and header[_WRITE_VERSION] > 2


def explain_failure(folder: Path, reason: str) -> tuple[str, str]:
    """Why the database in `folder` cannot be used, and what to do. SQLite's own words often say neither."""
    length = len(os.fsencode(str(folder.absolute() / DATABASE)))
    place = _existing_part(folder)
    if length > _LONGEST_PATH:
        return f"its path has {length} bytes, and SQLite takes {_LONGEST_PATH}", "use a shorter path"
    if "full" in reason or "No space" in reason or "quota" in reason or _is_full(place):
        return reason, "free some space, then run again: finished evaluations are kept"
    if _is_read_only(place):
        return "the file system is read-only", _help_reading()
    if "too many open files" in reason.lower() or not _can_open_files():
        return "too many files are open", "raise the limit: `ulimit -n 4096`"
    if not (file := folder / DATABASE).is_file() and file.exists():
        return f"{file} is no file", "move it away: evalmake then creates a new one"
    if not place.is_dir():
        return f"{place} is not a folder", "move it away, or set another folder with `settings { store }`"
    if locked := _find_unwritable(place, folder):
        return f"this user may not write to {locked}", _help_reading()
    if reason in _VAGUE and (number := find_write_error(place)):
        return os.strerror(number), f"{advise_on_write_error(number)[0]}, then run again: finished evaluations are kept"
    return reason, "check the permissions of the folder, or set another one with `settings { store }`"


def _help_reading() -> str:
    return (
        "`-n`, `why`, `logs` and `verify` only read; to build, set another folder with `settings { store }`,"
        " or let its owner share it: `settings { shared = group }`"
    )


def _existing_part(folder: Path) -> Path:
    """The folder, or else the nearest one above it that exists."""
    found = folder.absolute()
    while not os.path.lexists(found) and found != found.parent:
        found = found.parent
    return found


def _is_full(place: Path) -> bool:
    try:
        found = os.statvfs(place)
    except OSError:
        return False
    return found.f_blocks > 0 and (found.f_bavail == 0 or (found.f_files > 0 and found.f_favail == 0))


def _is_read_only(place: Path) -> bool:
    try:
        return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _can_open_files() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    return True


def _find_unwritable(place: Path, folder: Path) -> Path | None:
    """The folder, or a file in it that builds write to, which this user may not write to."""
    files = [folder / name for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", "lock")]
    if not os.access(place, os.W_OK | os.X_OK):
        return place
    return next((file for file in files if os.path.exists(file) and not os.access(file, os.W_OK)), None)
