"""Maintenance of a reply cache: its summary, a copy for others, its limit, clearing it.

Gateways may use the cache at the same time. What only looks at it opens it read-only: `diskcache` writes when it
opens a cache, and a full disk must not keep the summary from the user.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalmake.disk_database import DATABASE, connect_read_only, find_value_file, is_only_readable
from evalmake.gateway.reply_cache.cache import EVICTION_POLICY, open_disk_cache, read_content
from evalmake.gateway.reply_cache.read_only import ReadOnlyCache
from evalmake.language.diagnostic import make_error

_UNLIMITED = 1 << 60
_BATCH = 200
_HOUR = 3600
_KEY_PATTERN = "[0-9a-f]" * 32 + "/*"
_HELP_CLEAR = "`evalmake replies clear` deletes it, and the next evaluation creates a new one"
_HELP_DISK = "look at the folder's permissions and at the space on its disk"


@dataclass(frozen=True, slots=True)
class CacheSummary:
    """How much a cache holds."""

    replies: int = 0
    bytes: int = 0
    oldest: float | None = None
    """Seconds since the epoch."""
    trouble: str = ""
    """Why gateways go on without the cache."""
    help: str = ""
    """What to do about that."""


def summarize_cache(folder: Path, in_use: bool = True) -> CacheSummary:
    """How much the cache in `folder` holds: nothing if there is none."""
    try:
        (folder / DATABASE).stat()
    except FileNotFoundError:
        return CacheSummary()
    except OSError as error:
        return CacheSummary(trouble=error.strerror or str(error), help=_explain_trouble(folder))
    try:
        with closing(ReadOnlyCache(folder, in_use)) as cache:
            execute = cache.connection.execute
            count, oldest = execute("SELECT count(*), min(store_time) FROM Cache").fetchone()
            return CacheSummary(count, _count_bytes(execute), oldest)
    except sqlite3.Error as error:
        return CacheSummary(trouble=str(error), help=_explain_trouble(folder))


def _explain_trouble(folder: Path) -> str:
    """What to do about a cache that cannot be read; that of another user cannot be cleared either."""
    if os.access(folder, os.R_OK | os.X_OK) and os.access(folder / DATABASE, os.R_OK):
        return _HELP_CLEAR
    try:
        owner = folder.owner()
    except KeyError:
        owner = f"user {folder.stat().st_uid}"
    except OSError:
        owner = "its owner"
    return f"only {owner} may read it, or its group with `settings {{ shared = group }}`"


def check_integrity(folder: Path) -> str:
    """What is wrong with the cache; empty if it is whole or does not exist. Damaged replies are removed."""
    if not os.path.exists(folder / DATABASE):  # or it is another user's
        return ""
    try:
        with closing(ReadOnlyCache(folder, in_use=True)) as cache:
            (first,) = cache.connection.execute("PRAGMA integrity_check(1)").fetchone()
            if first != "ok":
                return str(first)
            damaged = list(_find_damaged_replies(cache))
    except (sqlite3.Error, OSError) as error:
        return str(error)
    if not damaged:
        return ""
    if is_only_readable(folder):
        return f"{len(damaged)} replies are not what was cached"
    with _translated_errors(folder, _HELP_CLEAR), open_disk_cache(folder, _UNLIMITED) as writer:
        for key in damaged:
            writer.delete(key)
    return f"{len(damaged)} replies were not what was cached; they were removed"


def _find_damaged_replies(cache: ReadOnlyCache) -> Iterator[str]:
    """The keys of replies whose seal is wrong, or whose file is gone."""
    for (key,) in cache.connection.execute("SELECT key FROM Cache WHERE raw = 1").fetchall():
        try:
            data = cache.get(key)
        except OSError:
            data = None
        if data is None or read_content(key, data) is None:
            yield key


def _count_bytes(execute: Any) -> int:
    """Bytes of the database and of the files next to it: what the limit is a limit of."""
    ((pages,),) = execute("PRAGMA page_count").fetchall()
    ((page_size,),) = execute("PRAGMA page_size").fetchall()
    (files,) = execute("SELECT max(value) FROM Settings WHERE key = 'size'").fetchone()
    if not isinstance(files, int):  # the setting is damaged
        (files,) = execute("SELECT total(size) FROM Cache").fetchone()
    return int(pages * page_size + files)


# A copy for others


def export_replies(source: Path, target: Path) -> tuple[int, int]:
    """Copy to `target` the replies that it lacks or has in an older version.

    Returns how many were added, and how many it holds. Raises EvalmakeError if `target` is something else, or
    if the disk or a database fails.
    """
    added = 0
    with _translated_errors(target, _HELP_DISK):
        _check_target(source, target)
        with open_disk_cache(target, _UNLIMITED) as copy:
            for cache, batch in _read_key_batches(source):
                with copy.transact():
                    added += sum(_copy_reply(cache, copy, *reply) for reply in batch)
            return added, len(copy)


def _check_target(source: Path, target: Path) -> None:
    """Refuse a folder that is neither new nor empty nor an earlier export."""
    if not target.exists():
        return
    if source.exists() and target.samefile(source):
        raise make_error("exists", f"`{target}` is the reply cache itself", help=["name a new folder"])
    if any(target.iterdir()) and not _is_reply_cache(target):
        raise make_error(
            "exists",
            f"`{target}` is not empty, and holds no reply cache",
            help=["name a new folder, or one that you exported replies to before"],
        )


def _is_reply_cache(folder: Path) -> bool:
    """Whether the database in a folder is a reply cache, and not another `diskcache`, such as the store's."""
    policy = "SELECT 1 FROM Settings WHERE key = 'eviction_policy' AND value != ?"
    foreign = "SELECT 1 FROM Cache WHERE key NOT GLOB ?"
    try:
        with closing(connect_read_only(folder)) as database:
            found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {name for (name,) in found}  # one may be missing after an export that stopped at once
            return not (
                tables - {"Settings", "Cache"}
                or ("Settings" in tables and database.execute(policy, (EVICTION_POLICY,)).fetchone())
                or ("Cache" in tables and database.execute(foreign, (_KEY_PATTERN,)).fetchone())
            )
    except sqlite3.Error:
        return False


def _read_key_batches(folder: Path) -> Iterator[tuple[ReadOnlyCache, list[tuple[str, float]]]]:
    """The keys that a cache has now, with their times. Short reads keep no writer waiting."""
    if not (folder / DATABASE).exists():
        return
    query = "SELECT rowid, key, store_time FROM Cache WHERE ? < rowid AND rowid <= ? AND raw = 1"
    with _translated_errors(folder, _HELP_CLEAR), closing(ReadOnlyCache(folder, in_use=True)) as cache:
        (end,) = cache.connection.execute("SELECT max(rowid) FROM Cache").fetchone()
        last = 0
        while rows := cache.connection.execute(f"{query} ORDER BY rowid LIMIT {_BATCH}", (last, end)).fetchall():
            last = rows[-1][0]
            yield cache, [(key, stored) for _, key, stored in rows]


def _copy_reply(cache: ReadOnlyCache, copy: Any, key: str, stored: float) -> bool:
    """Copy one reply with its time, unless the copy has one as new; returns whether it was copied."""
    query = "SELECT 1 FROM Cache WHERE key = ? AND raw = 1 AND store_time >= ?"
    if copy._sql(query, (key, stored)).fetchone():
        return False
    with _translated_errors(cache.folder, _HELP_CLEAR):
        try:
            data = cache.get(key)
        except OSError:  # a gateway has deleted or replaced it meanwhile
            return False
    if data is None:
        return False
    copy.set(key, data)
    copy._sql("UPDATE Cache SET store_time = ? WHERE key = ? AND raw = 1", (stored, key))
    return True


# Its limit


def count_excess_bytes(folder: Path, summary: CacheSummary, limit: int) -> int:
    """The bytes that `shrink_cache` would free, or a little less: replies are deleted in tens."""
    with _translated_errors(folder, _HELP_CLEAR):
        return max(0, summary.bytes - limit) + sum(size for _, size in _find_orphaned_files(folder))


def shrink_cache(folder: Path, limit: int) -> int:
    """Delete the oldest replies beyond the limit, and files that a kill left; returns the bytes freed."""
    with _translated_errors(folder, _HELP_CLEAR), open_disk_cache(folder, limit) as cache:
        before = cache.volume()
        cache.cull()
        return max(0, int(before - cache.volume())) + _delete_orphaned_files(folder, cache)


def clear_cache(folder: Path) -> CacheSummary:
    """Delete every reply, and the database itself where it is damaged; returns what there was."""
    before = summarize_cache(folder)
    if folder.exists():
        with _translated_errors(folder, _HELP_DISK):
            try:
                with open_disk_cache(folder, _UNLIMITED) as cache:
                    cache.clear()
                    _delete_orphaned_files(folder, cache)
            except sqlite3.Error:  # a damaged one, or a disk too full for its journal
                for path in folder.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return before


def _find_orphaned_files(folder: Path) -> list[tuple[str, int]]:
    """Files that no row names, with their sizes. New ones are left out: their row may still come."""
    files = {str(path.relative_to(folder)) for path in folder.glob("??/??/*.val")}
    with closing(ReadOnlyCache(folder, in_use=True)) as cache:
        rows = cache.connection.execute("SELECT filename FROM Cache WHERE filename IS NOT NULL")
        files.difference_update(name for (name,) in rows)
    found = []
    for name in sorted(files):
        with suppress(OSError):  # gone, or behind a link, where nothing is the cache's
            stat = find_value_file(folder, name).stat()
            if stat.st_mtime < time.time() - _HOUR:
                found.append((name, stat.st_size))
    return found


def _delete_orphaned_files(folder: Path, cache: Any) -> int:
    """Delete the files that no row names; returns the bytes freed."""
    orphans = _find_orphaned_files(folder)
    for name, _ in orphans:
        cache.disk.remove(name)
    return sum(size for _, size in orphans)


@contextmanager
def _translated_errors(folder: Path, help: str) -> Iterator[None]:
    """Raise errors of the disk and of the database as EvalmakeError, with what to do."""
    from diskcache import Timeout

    try:
        yield
    except (OSError, sqlite3.Error, Timeout) as error:
        first: BaseException = error  # what follows from it, such as a failed ROLLBACK, says less
        while isinstance(first.__context__, OSError | sqlite3.Error | Timeout):
            first = first.__context__
        reason = getattr(first, "strerror", None) or str(first)
        message = f"cannot use the reply cache at {folder}: {reason}"
        raise make_error("replies-failed", message, help=[_HELP_DISK if is_only_readable(folder) else help]) from None
