"""The response cache: which replies are kept, under which key, and where.

A reply belongs to the model, the path and the whole request as sent upstream, less what cannot
change an answer; and, where the model samples, to the evaluation's seed and the occurrence: the
k-th identical request is the k-th sample. The stored request is compared on a hit. Only complete
successes are kept. Whether a reply is streamed is part of its key, so that it is replayed byte for
byte as it came, never translated from the other form.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xxhash import xxh3_128_hexdigest

from evalmake.gateway.reply_cache.read_only import Seed

FORM = b"1"
BROKEN = ("error", "abort")
"""Finish reasons by which servers say, with status 200, that they failed."""
POLICY = "least-recently-stored"
_DENIED = ("user", "metadata")
_GENERATING = ("/chat/completions", "/completions", "/responses")
_TOKENS = ("/tokenize", "/detokenize")
_FIXED = ("/embeddings", "/rerank", "/score", "/pooling", *_TOKENS)

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Question:
    """A request that may be answered from the cache: its canonical text, and whether it samples."""

    text: bytes
    digest: str
    samples: bool

    def key(self, model: str, sampling: str, occurrence: int) -> str:
        """The key of a reply; the model's identity makes its head."""
        draw = f"{sampling}#{occurrence}" if self.samples else ""
        return f"{xxh3_128_hexdigest(model.encode())}/{self.digest}/{draw}"


def question(target: str, body: Mapping[str, Any]) -> Question | None:
    """What a POST of `body` asks; None for what is not to be cached. `target` may have a query."""
    path = target.partition("?")[0]
    fixed = path.endswith(_FIXED)
    if not fixed and not path.endswith(_GENERATING):
        return None
    asked = {key: value for key, value in body.items() if key not in _DENIED}
    text = f"{target}\n{_canonical(asked)}".encode("utf-8", "surrogatepass")
    samples = not fixed and not _greedy(body)
    return Question(text, xxh3_128_hexdigest(text), samples)


def _greedy(body: Mapping[str, Any]) -> bool:
    temperature = body.get("temperature")
    return (
        isinstance(temperature, int | float)
        and temperature == 0
        and body.get("n") in (None, 1)
        and body.get("best_of") in (None, 1)
    )


def is_complete(reply: Mapping[str, Any], request: Mapping[str, Any], truncated: bool) -> bool:
    """Whether a reply is a whole answer: no error, no null content, not cut off.

    A cut is what was asked for where one token or an echo was (log-probabilities).
    """
    if reply.get("error"):
        return False
    choices = reply.get("choices")
    if choices is None:
        known = ("data", "results", "tokens", "prompt")
        return any(key in reply for key in known) or reply.get("status") == "completed"
    if not isinstance(choices, list) or not choices:
        return False
    most = request.get("max_completion_tokens", request.get("max_tokens"))
    short = request.get("echo") or most in (0, 1)
    return all(_whole(choice, truncated or bool(short)) for choice in choices)


def _whole(choice: object, cut: bool) -> bool:
    if not isinstance(choice, dict):
        return False
    finish = choice.get("finish_reason")
    message = choice.get("message")
    if finish is None or finish in BROKEN or (finish == "length" and not cut):
        return False
    if isinstance(message, dict):
        others = ("tool_calls", "function_call", "refusal")
        return message.get("content") is not None or any(message.get(key) for key in others)
    return isinstance(choice.get("text"), str)


@dataclass(frozen=True, slots=True)
class Kept:
    """A reply in the cache; `stored` in seconds since the epoch."""

    kind: bytes
    body: bytes
    stored: float
    seconds: float


def cache_at(folder: Path, size: int) -> Any:
    """The cache in `folder`, made if need be; beyond `size` bytes the oldest replies go."""
    from diskcache import Cache

    return Cache(str(folder), eviction_policy=POLICY, size_limit=size, timeout=60, disk_min_file_size=1 << 16)


class Responses:
    """The cache on disk. Reads and writes go to a thread each, in batches, never on the loop.

    What goes wrong with the disk is told in `trouble`, and the evaluations go on without.
    """

    def __init__(self, folder: Path, size: int, seeds: list[str]) -> None:
        """Open or make it; OSError, sqlite3.Error or diskcache.Timeout when that cannot be."""
        self._cache = cache_at(folder, size)
        self.trouble = ""
        self._seeds = self._opened(seeds)
        self._loop = asyncio.get_running_loop()
        self._reader = ThreadPoolExecutor(1, "cache-reader")
        self._writer = ThreadPoolExecutor(1, "cache-writer")
        self._asked: list[tuple[str, asyncio.Future[bytes | None]]] = []
        self._fresh: dict[str, bytes] = {}
        self._writing = self._closing = False

    async def get(self, key: str, question: Question, not_before: float) -> Kept | None:
        """The reply under `key`, if it is to this very request and not too old."""
        data = self._fresh.get(key)
        if data is None:
            found: asyncio.Future[bytes | None] = self._loop.create_future()
            self._asked.append((key, found))
            if len(self._asked) == 1:
                self._loop.call_soon(self._read)
            data = await found
        return _unpack(data, question, not_before) if data is not None else None

    def put(self, key: str, question: Question, kind: bytes, body: bytes, seconds: float) -> None:
        """Keep a reply; it can be had at once, and is on disk soon."""
        if self._closing:
            return
        head = json.dumps([round(time.time(), 3), round(seconds, 6), kind.decode("latin-1")])
        parts = (FORM, head.encode(), b"%d" % len(question.text), question.text + body)
        self._fresh[key] = b"\n".join(parts)
        self._write()

    async def close(self) -> None:
        """Write what is left."""
        self._closing = True
        while self._fresh:
            self._write()
            await asyncio.sleep(0.005)
        self._reader.shutdown()
        self._writer.shutdown()
        for cache in (self._cache, *self._seeds):
            cache.close()

    def _opened(self, seeds: list[str]) -> list[Seed]:
        found = []
        for seed in seeds:
            try:
                found.append(Seed(Path(seed)))
            except sqlite3.Error as error:
                self.trouble = f"{seed}: {error}"
        return found

    def _read(self) -> None:
        asked, self._asked = self._asked, []
        self._reader.submit(self._look_up, asked)

    def _look_up(self, asked: list[tuple[str, asyncio.Future[bytes | None]]]) -> None:
        found = []
        for key, answer in asked:
            data = None
            for cache in (self._cache, *self._seeds):
                try:
                    data = cache.get(key) if data is None else data
                except Exception as error:  # a cache that cannot be read is no cache
                    self.trouble = str(error) or type(error).__name__
            found.append((answer, data if isinstance(data, bytes) else None))
        self._loop.call_soon_threadsafe(_give, found)

    def _write(self) -> None:
        if not self._writing and self._fresh:
            self._writing = True
            self._writer.submit(self._store, dict(self._fresh))

    def _store(self, fresh: dict[str, bytes]) -> None:
        try:
            with self._cache.transact():
                for key, data in fresh.items():
                    self._cache.set(key, data)
        except Exception as error:  # a full disk must not end an evaluation
            self.trouble = str(error) or type(error).__name__
        self._loop.call_soon_threadsafe(self._stored, fresh)

    def _stored(self, fresh: dict[str, bytes]) -> None:
        self._writing = False
        for key, data in fresh.items():
            if self._fresh.get(key) is data:
                del self._fresh[key]
        self._write()


def _give(found: list[tuple[asyncio.Future[bytes | None], bytes | None]]) -> None:
    for answer, data in found:
        if not answer.done():
            answer.set_result(data)


def _unpack(data: bytes, question: Question, not_before: float) -> Kept | None:
    """What was stored; None for another request, an old reply, or a form we do not know."""
    try:
        form, head, length, rest = data.split(b"\n", 3)
        size = int(length)
        if form != FORM or rest[:size] != question.text:
            return None
        stored, seconds, kind = json.loads(head)
    except (ValueError, TypeError):
        return None
    if stored < not_before:
        return None
    return Kept(kind.encode("latin-1"), rest[size:], stored, seconds)
