"""Looking after a response cache: what it holds, a copy for others, its limit, its end.

Gateways may be at work in it all the while. What is only looked at is read as a seed is, since
opening by `diskcache` writes, and a full disk must not keep anybody from hearing of it.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalmake.gateway.reply_cache.cache import POLICY, cache_at
from evalmake.gateway.reply_cache.read_only import DATABASE, Seed, only_read
from evalmake.language.diagnostic import fail

_ENDLESS = 1 << 60
_BATCH = 200
_HOUR = 3600
_KEY = "[0-9a-f]" * 32 + "/*"
_ANEW = "`evalmake replies clear` removes it, and the next evaluation begins a new one"
_ELSEWHERE = "look at the folder's permissions and at the space on its disk"


@dataclass(frozen=True, slots=True)
class Holding:
    """What a cache holds; `oldest` in seconds since the epoch, `trouble` why gateways go on without."""

    replies: int = 0
    bytes: int = 0
    oldest: float | None = None
    trouble: str = ""


def holding(folder: Path, ours: bool = True) -> Holding:
    """What the cache in `folder` holds: nothing, where there is none."""
    if not (folder / DATABASE).exists():
        return Holding()
    try:
        with closing(Seed(folder, ours)) as seed:
            sql = seed.connection.execute
            count, oldest = sql("SELECT count(*), min(store_time) FROM Cache").fetchone()
            return Holding(count, _volume(sql), oldest)
    except sqlite3.Error as error:
        return Holding(trouble=str(error))


def check(folder: Path) -> str:
    """What sqlite finds wrong when it reads all of our cache; nothing, where it is whole or not there."""
    if not (folder / DATABASE).exists():
        return ""
    try:
        with closing(Seed(folder, ours=True)) as seed:
            (first,) = seed.connection.execute("PRAGMA integrity_check(1)").fetchone()
            return "" if first == "ok" else str(first)
    except sqlite3.Error as error:
        return str(error)


def _volume(sql: Any) -> int:
    """Bytes of the database and of what lies in files beside it: what the limit is a limit of."""
    ((pages,),) = sql("PRAGMA page_count").fetchall()
    ((page,),) = sql("PRAGMA page_size").fetchall()
    ((beside,),) = sql("SELECT value FROM Settings WHERE key = 'size'").fetchall()
    return int(pages * page + beside)


# A copy for others -------------------------------------------------------------------------------


def export(source: Path, target: Path) -> tuple[int, int]:
    """Add to the cache in `target` what it lacks or has only older; how many, and how many it has.

    EvalmakeError if `target` is something else, or the disk or one of the databases refuses.
    """
    added = 0
    with _refusals(target, _ELSEWHERE):
        _judge(source, target)
        with cache_at(target, _ENDLESS) as copy:
            for seed, batch in _batches(source):
                with copy.transact():
                    added += sum(_copied(seed, copy, *reply) for reply in batch)
            return added, len(copy)


def _judge(source: Path, target: Path) -> None:
    """A copy goes into a folder that is new, empty, or such a copy already."""
    if not target.exists():
        return
    if source.exists() and target.samefile(source):
        raise fail("exists", f"`{target}` is the response cache itself", help=["name a new folder"])
    if any(target.iterdir()) and not _is_cache(target):
        raise fail(
            "exists",
            f"`{target}` is not empty, and holds no response cache",
            help=["name a new folder, or one that replies were exported to before"],
        )


def _is_cache(folder: Path) -> bool:
    """Whether it holds replies, or was to: no database of another sort, as the store is."""
    policy = "SELECT 1 FROM Settings WHERE key = 'eviction_policy' AND value != ?"
    foreign = "SELECT 1 FROM Cache WHERE key NOT GLOB ?"
    try:
        with closing(only_read(folder)) as database:
            found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {name for (name,) in found}  # fewer, where an export was broken off at once
            return not (
                tables - {"Settings", "Cache"}
                or ("Settings" in tables and database.execute(policy, (POLICY,)).fetchone())
                or ("Cache" in tables and database.execute(foreign, (_KEY,)).fetchone())
            )
    except sqlite3.Error:
        return False


def _batches(folder: Path) -> Iterator[tuple[Seed, list[tuple[str, float]]]]:
    """The keys that a cache has now, with their times, a few in each reading: no writer waits long."""
    if not (folder / DATABASE).exists():
        return
    query = "SELECT rowid, key, store_time FROM Cache WHERE ? < rowid AND rowid <= ? AND raw = 1"
    with _refusals(folder, _ANEW), closing(Seed(folder, ours=True)) as seed:
        (end,) = seed.connection.execute("SELECT max(rowid) FROM Cache").fetchone()
        at = 0
        while rows := seed.connection.execute(f"{query} ORDER BY rowid LIMIT {_BATCH}", (at, end)).fetchall():
            at = rows[-1][0]
            yield seed, [(key, stored) for _, key, stored in rows]


def _copied(seed: Seed, copy: Any, key: str, stored: float) -> bool:
    """Copy one reply with its time, unless the copy has it as new."""
    query = "SELECT 1 FROM Cache WHERE key = ? AND raw = 1 AND store_time >= ?"
    if copy._sql(query, (key, stored)).fetchone():
        return False
    with _refusals(seed.folder, _ANEW):
        try:
            data = seed.get(key)
        except OSError:  # a gateway needed its room, or has a newer one
            return False
    if data is None:
        return False
    copy.set(key, data)
    copy._sql("UPDATE Cache SET store_time = ? WHERE key = ? AND raw = 1", (stored, key))
    return True


# Less of it ---------------------------------------------------------------------------------------


def excess(folder: Path, held: Holding, limit: int) -> int:
    """The bytes that `cull` would free, or a little less: replies go in tens."""
    with _refusals(folder, _ANEW):
        return max(0, held.bytes - limit) + sum(size for _, size in _strays(folder))


def cull(folder: Path, limit: int) -> int:
    """Free what is beyond the limit, the oldest replies first, and what a kill left; in bytes."""
    with _refusals(folder, _ANEW), cache_at(folder, limit) as cache:
        before = cache.volume()
        cache.cull()
        return max(0, int(before - cache.volume())) + _sweep(folder, cache)


def clear(folder: Path) -> Holding:
    """Remove every reply, with the database itself where that refuses; what there was."""
    before = holding(folder)
    if folder.exists():
        with _refusals(folder, _ELSEWHERE):
            try:
                with cache_at(folder, _ENDLESS) as cache:
                    cache.clear()
                    _sweep(folder, cache)
            except sqlite3.Error:  # a damaged one, or a disk too full for its journal
                for path in folder.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return before


def _strays(folder: Path) -> list[tuple[str, int]]:
    """Files that no row names, and their sizes; not those that may be on their way to a row."""
    files = {str(path.relative_to(folder)) for path in folder.glob("??/??/*.val")}
    with closing(Seed(folder, ours=True)) as seed:
        rows = seed.connection.execute("SELECT filename FROM Cache WHERE filename IS NOT NULL")
        files.difference_update(name for (name,) in rows)
    found = []
    for name in sorted(files):
        with suppress(FileNotFoundError):
            stat = (folder / name).stat()
            if stat.st_mtime < time.time() - _HOUR:
                found.append((name, stat.st_size))
    return found


def _sweep(folder: Path, cache: Any) -> int:
    """Remove what `_strays` names; its bytes."""
    strays = _strays(folder)
    for name, _ in strays:
        cache.disk.remove(name)
    return sum(size for _, size in strays)


@contextmanager
def _refusals(folder: Path, help: str) -> Iterator[None]:
    """What the disk or the database refuses is told as ours, with what to do."""
    from diskcache import Timeout

    try:
        yield
    except (OSError, sqlite3.Error, Timeout) as error:
        first: BaseException = error  # what came of it, as a failed ROLLBACK, says less
        while isinstance(first.__context__, OSError | sqlite3.Error | Timeout):
            first = first.__context__
        reason = getattr(first, "strerror", None) or str(first)
        message = f"the response cache at {folder} cannot be used: {reason}"
        raise fail("replies-failed", message, help=[help]) from None
