"""The reply cache on disk: its size, crashes, and caches that are shared."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from diskcache import Cache

from evalmake.gateway.reply_cache.cache import FORMAT, ReplyCache, read_content
from evalmake.gateway.reply_cache.key import build_request_key
from evalmake.seal import seal
from tests.gateway.gateway_process import Gateway, resident_bytes, wait_until
from tests.support.http_replies import chat_completion, http_reply, numbered_replies
from tests.support.scripted_upstream import Upstream


def test_the_size_is_bounded(start_gateway: Callable[..., Gateway]) -> None:
    """Beyond the limit the oldest replies are deleted, and the newest stay."""
    gateway = start_gateway(cache_size=2_000_000)
    upstream = Upstream([http_reply(chat_completion("x" * 100_000))])
    evaluation = gateway.open_evaluation(upstream)
    bodies = [{"temperature": 0, "max_tokens": number} for number in range(2, 62)]
    for body in bodies:
        evaluation.post(**body)
    gateway.stop()
    cache = gateway.folder / "cache"
    assert sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) < 4_000_000
    gateway.start()
    assert evaluation.post(**bodies[-1]).cached
    assert not evaluation.post(**bodies[0]).cached


def test_memory_does_not_grow_with_the_cache(start_gateway: Callable[..., Gateway]) -> None:
    """SQLite keeps but a bounded part of its file in memory: 30 MB of replies took 33 MB before it was bounded."""
    gateway = start_gateway()
    evaluation = gateway.open_evaluation(Upstream([http_reply(chat_completion("x" * 60_000))]))
    bodies = [{"temperature": 0, "max_tokens": number} for number in range(2, 562)]
    evaluation.post_all(bodies[:60], 8)
    before = resident_bytes(gateway.process.pid)
    evaluation.post_all(bodies[60:], 8)
    assert resident_bytes(gateway.process.pid) - before < 20_000_000


def test_kill(start_gateway: Callable[..., Gateway]) -> None:
    """Replies on disk survive a kill -9 in the middle of work."""
    gateway = start_gateway()
    upstream = Upstream(lambda seen: [http_reply(chat_completion(f"{json.loads(seen.body)['max_tokens']}" * 40_000))])
    evaluation = gateway.open_evaluation(upstream)
    bodies = [{"temperature": 0, "max_tokens": number} for number in range(10, 30)]
    for body in bodies:
        evaluation.post(**body)
    gateway.stop()
    gateway.start()
    with ThreadPoolExecutor(4) as threads:
        more = [threads.submit(evaluation.post, max_tokens=n) for n in range(50, 80)]
        wait_until(lambda: len(upstream.received) > 30, "the gateway was at work")
        gateway.kill()
        for one in more:
            one.exception()
    gateway.start()
    answers = evaluation.post_all(bodies, 4)
    assert all(answer.cached for answer in answers)
    assert [answer.text for answer in answers] == [str(n) * 40_000 for n in range(10, 30)]


def test_two_gateways_at_once(start_gateway: Callable[..., Gateway]) -> None:
    """Two processes write to one cache at the same time, and each has what the other wrote."""
    one = start_gateway()
    two = start_gateway(cache=str(one.folder / "cache"))
    upstream = Upstream(numbered_replies())
    mine, theirs = one.open_evaluation(upstream), two.open_evaluation(upstream)
    bodies = [{"temperature": 0, "max_tokens": number} for number in range(2, 162)]
    with ThreadPoolExecutor(2) as threads:
        halves = [
            threads.submit(mine.post_all, bodies[:80], 8),
            threads.submit(theirs.post_all, bodies[80:], 8),
        ]
        first = [answer.text for half in halves for answer in half.result()]
    assert len(set(first)) == 160
    time.sleep(2)  # they write behind their answers
    assert [answer.text for answer in mine.post_all(bodies[80:], 8)] == first[80:]
    assert [answer.text for answer in theirs.post_all(bodies[:80], 8)] == first[:80]
    assert len(upstream.received) == 160


def test_seeds_are_only_read(start_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    """A read-only cache answers, and no byte of it changes; new replies go to the gateway's own."""
    first = start_gateway()
    upstream = Upstream(numbered_replies(lambda number: f"{number}" * 70_000))
    old = first.open_evaluation(upstream)
    old.post_repeatedly(3)
    first.stop()
    seed = tmp_path / "seed"
    shutil.copytree(first.folder / "cache", seed)
    before = {path: path.read_bytes() for path in seed.rglob("*") if path.is_file()}
    gateway = start_gateway(read_only_caches=[str(tmp_path / "none"), str(seed)])
    answers = gateway.open_evaluation(upstream).post_repeatedly(4)
    assert [answer.cached for answer in answers] == [True, True, True, False]
    assert [answer.text[0] for answer in answers] == ["0", "1", "2", "3"]
    gateway.stop()
    assert {path: path.read_bytes() for path in seed.rglob("*") if path.is_file()} == before


def test_a_seed_in_use(start_gateway: Callable[..., Gateway]) -> None:
    """A cache that another gateway writes to serves as a read-only one, with all that it has."""
    first = start_gateway()
    upstream = Upstream(numbered_replies())
    writer = first.open_evaluation(upstream)
    writer.post_repeatedly(2)
    time.sleep(2)
    reader = start_gateway(read_only_caches=[str(first.folder / "cache")]).open_evaluation(upstream)
    assert [answer.cached for answer in reader.post_repeatedly(2)] == [True, True]


@pytest.mark.parametrize("where", ["under a file", "is no database"])
def test_a_cache_that_cannot_be_opened(start_gateway: Callable[..., Gateway], tmp_path: Path, where: str) -> None:
    """Without a usable cache an evaluation goes on, and its sums say why."""
    folder = tmp_path / "cache"
    if where == "under a file":
        (tmp_path / "file").touch()
        folder = tmp_path / "file" / "cache"
    else:
        folder.mkdir()
        (folder / "cache.db").write_bytes(b"no database" * 1000)
    upstream = Upstream(numbered_replies())
    evaluation = start_gateway(cache=str(folder)).open_evaluation(upstream)
    assert [answer.text for answer in evaluation.post_repeatedly(2, temperature=0)] == [
        "sample 0",
        "sample 1",
    ]
    assert str(folder) in evaluation.close()["cache_trouble"]


def test_a_full_disk(start_gateway: Callable[..., Gateway]) -> None:
    """When the disk is full an evaluation goes on, and its sums say so."""
    gateway = start_gateway()
    upstream = Upstream(numbered_replies(lambda number: f"{number:06}" * 10_000))
    evaluation = gateway.open_evaluation(upstream)
    evaluation.post(temperature=0)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (400_000, 400_000))
    answers = evaluation.post_repeatedly(30, 4, temperature=1)
    assert [answer.status for answer in answers] == [200] * 30
    assert len({answer.text for answer in answers}) == 30
    assert evaluation.post(temperature=0).cached
    wait_until(lambda: gateway.open_evaluation(upstream).close()["cache_trouble"], "the trouble was told")
    gateway.may_fail = True


def test_a_damaged_reply_is_no_reply(start_gateway: Callable[..., Gateway]) -> None:
    """A value that was tampered with is not used: the model is asked."""
    gateway = start_gateway()
    upstream = Upstream(numbered_replies())
    evaluation = gateway.open_evaluation(upstream)
    bodies = [{"temperature": 0, "max_tokens": number} for number in range(2, 7)]
    for body in bodies:
        evaluation.post(**body)
    gateway.stop()
    with Cache(str(gateway.folder / "cache")) as cache:
        for key, damage in zip(cache, (b"", b"9\n[]\n0\n", b"1\n{}\nx\n", 7), strict=False):
            cache[key] = damage
    gateway.start()
    assert [evaluation.post(**body).cached for body in bodies].count(True) == 1
    assert len(upstream.received) == 9


def test_a_damaged_reply_is_not_replayed() -> None:
    """A reply counts under its own key only, and not once a byte has changed; evalmake 0.1 did not seal replies."""
    data = FORMAT + seal("key", b"content")
    assert read_content("key", data) == b"content"
    assert read_content("other", data) is None
    assert read_content("key", data.replace(b"tent", b"sent")) is None
    assert read_content("key", b"1\ncontent") == b"content"
    assert read_content("key", b"3\ncontent") is None


def test_a_lookup_under_way_finds_what_is_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup that the disk answers with the state before a reply was put finds the reply, though it is written."""
    looked, answer_it = threading.Event(), threading.Event()
    read = Cache.get

    def read_slowly(self: Cache, *args: Any) -> Any:
        found = read(self, *args)
        looked.set()
        assert answer_it.wait(60)
        return found

    async def put_during_lookup() -> bytes | None:
        cache = ReplyCache(tmp_path / "cache", 1 << 20, [])
        request = build_request_key("/v1/chat/completions", {"model": "m", "messages": []})
        assert request is not None
        lookup = asyncio.ensure_future(cache.get("key", request, 0.0))
        await asyncio.to_thread(looked.wait, 60)
        cache.put("key", request, b"application/json", b"7", 0.1)
        while cache._unwritten:  # until it is on the disk, and there only
            await asyncio.sleep(0.01)
        answer_it.set()
        reply = await lookup
        await cache.close()
        return reply and reply.body

    monkeypatch.setattr(Cache, "get", read_slowly)
    assert asyncio.run(put_during_lookup()) == b"7"


def test_a_clock_that_was_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply from the future is not taken for a new one: `-B` and `max_age` ask again, and others use it."""
    clock = [10_000.0]
    monkeypatch.setattr("evalmake.gateway.reply_cache.cache.time", SimpleNamespace(time=lambda: clock[0]))
    request = build_request_key("/v1/chat/completions", {"temperature": 0})
    assert request is not None

    async def look() -> list[bool]:
        cache = ReplyCache(tmp_path, 1 << 20, [])
        cache.put("key", request, b"text/plain", b"7", 1.0)
        clock[0] -= 7200
        found = [await cache.get("key", request, not_before) is not None for not_before in (0.0, clock[0] - 60)]
        cache.put("key", request, b"text/plain", b"8", 1.0)
        clock[0] -= 30  # as much as clocks of two machines may differ
        found.append(await cache.get("key", request, clock[0] - 60) is not None)
        await cache.close()
        return found

    assert asyncio.run(look()) == [True, False, True]
