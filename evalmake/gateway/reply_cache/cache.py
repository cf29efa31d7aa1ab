"""The reply cache of one gateway: a `diskcache` of its own, then caches that are only read.

A stored reply carries its request, which is compared on a hit: a digest alone proves nothing.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalmake.disk_database import create_database, delete_settings
from evalmake.gateway.reply_cache.key import RequestKey
from evalmake.gateway.reply_cache.read_only import ReadOnlyCache
from evalmake.seal import seal, unseal

FORMAT, _UNSEALED = b"2\n", b"1\n"
"""How a reply begins; evalmake 0.1 did not seal replies."""
EVICTION_POLICY = "least-recently-stored"

_CLOCKS_DIFFER = 60.0
"""Seconds by which a reply may seem to come from the future. Beyond that a clock was set, and its age is unknown."""
_SQLITE_PAGES = 1 << 10
"""What SQLite keeps in memory for each thread, in pages of 4 KiB; the system's cache has the rest."""

_Lookup = tuple[str, asyncio.Future[bytes | None]]


@dataclass(frozen=True, slots=True)
class CachedReply:
    """A reply in the cache."""

    content_type: bytes
    body: bytes
    stored: float
    """Seconds since the epoch."""
    seconds: float
    """How long the model took."""


def open_disk_cache(folder: Path, size: int) -> Any:
    """Open the cache in `folder`, or create it. Beyond `size` bytes it deletes the oldest replies."""
    from diskcache import DEFAULT_SETTINGS, Cache

    from evalmake.value_files import ValueFiles

    settings = {
        **DEFAULT_SETTINGS,
        "eviction_policy": EVICTION_POLICY,
        "size_limit": size,
        "disk_min_file_size": 1 << 16,
        "sqlite_cache_size": _SQLITE_PAGES,
    }
    create_database(folder)
    try:
        return Cache(str(folder), timeout=60, disk=ValueFiles, **settings)
    except (TypeError, ValueError, AttributeError, LookupError):  # from damaged settings
        delete_settings(folder)
        return Cache(str(folder), timeout=60, disk=ValueFiles, **settings)


class ReplyCache:
    """The cache on disk. One thread reads and one writes, in batches, so the event loop never waits for the disk.

    `trouble` says what is wrong with the disk. Evaluations go on without the cache.
    """

    def __init__(self, folder: Path, size: int, read_only_caches: list[str]) -> None:
        """Open or create it; raises OSError, sqlite3.Error or diskcache.Timeout."""
        self._cache = open_disk_cache(folder, size)
        self.trouble = ""
        self._read_only_caches = self._open_read_only_caches(read_only_caches)
        self._loop = asyncio.get_running_loop()
        self._reader = ThreadPoolExecutor(1, "cache-reader")
        self._writer = ThreadPoolExecutor(1, "cache-writer")
        self._lookups: list[_Lookup] = []
        self._waiting: defaultdict[str, set[asyncio.Future[bytes | None]]] = defaultdict(set)
        self._unwritten: dict[str, bytes] = {}
        self._writing = self._closing = False

    async def get(self, key: str, request: RequestKey, not_before: float) -> CachedReply | None:
        """The reply under `key`, if it belongs to this very request and is new enough."""
        data = self._unwritten.get(key)
        if data is None:
            found: asyncio.Future[bytes | None] = self._loop.create_future()
            self._lookups.append((key, found))
            if len(self._lookups) == 1:  # lookups of the same turn of the loop go to the thread as one batch
                self._loop.call_soon(self._submit_lookups)
            self._waiting[key].add(found)
            try:
                data = await found or self._unwritten.get(key)
            finally:
                self._stop_waiting(key, found)
        return _unpack(key, data, request, not_before) if data is not None else None

    def put(self, key: str, request: RequestKey, content_type: bytes, body: bytes, seconds: float) -> None:
        """Store a reply: `get` finds it at once, also one that looks already; the disk has it soon."""
        if self._closing:
            return
        head = json.dumps([round(time.time(), 3), round(seconds, 6), content_type.decode("latin-1")])
        parts = (head.encode(), b"%d" % len(request.text), request.text + body)
        data = self._unwritten[key] = FORMAT + seal(key, b"\n".join(parts))
        _set_results([(found, data) for found in self._waiting.get(key, ())])
        self._submit_write()

    async def close(self) -> None:
        """Write what is left, and close."""
        self._closing = True
        while self._unwritten:
            self._submit_write()
            await asyncio.sleep(0.005)
        self._reader.shutdown()
        self._writer.shutdown()
        for cache in (self._cache, *self._read_only_caches):
            cache.close()

    def _open_read_only_caches(self, folders: list[str]) -> list[ReadOnlyCache]:
        found = []
        for folder in folders:
            try:
                found.append(ReadOnlyCache(Path(folder)))
            except sqlite3.Error as error:
                self.trouble = f"{folder}: {error}"
        return found

    def _stop_waiting(self, key: str, found: asyncio.Future[bytes | None]) -> None:
        self._waiting[key].discard(found)
        if not self._waiting[key]:
            del self._waiting[key]

    def _submit_lookups(self) -> None:
        lookups, self._lookups = self._lookups, []
        self._reader.submit(self._look_up, lookups)

    def _look_up(self, lookups: list[_Lookup]) -> None:
        """Read a batch; runs in the reader's thread."""
        results = []
        for key, found in lookups:
            data = None
            for cache in (self._cache, *self._read_only_caches):
                try:
                    data = cache.get(key) if data is None else data
                except Exception as error:  # a cache that cannot be read counts as empty
                    self.trouble = str(error) or type(error).__name__
            results.append((found, data if isinstance(data, bytes) else None))
        self._loop.call_soon_threadsafe(_set_results, results)

    def _submit_write(self) -> None:
        if not self._writing and self._unwritten:
            self._writing = True
            self._writer.submit(self._write, dict(self._unwritten))

    def _write(self, replies: dict[str, bytes]) -> None:
        """Write a batch in one transaction; runs in the writer's thread."""
        try:
            with self._cache.transact():
                for key, data in replies.items():
                    self._cache.set(key, data)
        except Exception as error:  # a full disk must not stop an evaluation
            self.trouble = str(error) or type(error).__name__
        self._loop.call_soon_threadsafe(self._forget_written, replies)

    def _forget_written(self, replies: dict[str, bytes]) -> None:
        self._writing = False
        for key, data in replies.items():
            if self._unwritten.get(key) is data:  # not replaced meanwhile
                del self._unwritten[key]
        self._submit_write()


def _set_results(results: list[tuple[asyncio.Future[bytes | None], bytes | None]]) -> None:
    for found, data in results:
        if not found.done():
            found.set_result(data)


def read_content(key: str, data: bytes) -> bytes | None:
    """What was cached under a key; None where it is damaged, or has an unknown format."""
    if data[:2] == _UNSEALED:
        return data[2:]
    return unseal(key, data[2:]) if data[:2] == FORMAT else None


def _unpack(key: str, data: bytes, request: RequestKey, not_before: float) -> CachedReply | None:
    """The stored reply; None for another request's, an old or damaged one, or an unknown format."""
    try:
        head, length, rest = (read_content(key, data) or b"").split(b"\n", 2)
        size = int(length)
        if rest[:size] != request.text:
            return None
        stored, seconds, content_type = json.loads(head)
    except (ValueError, TypeError):
        return None
    if not_before and not not_before <= stored <= time.time() + _CLOCKS_DIFFER:
        return None
    return CachedReply(content_type.encode("latin-1"), rest[size:], stored, seconds)
