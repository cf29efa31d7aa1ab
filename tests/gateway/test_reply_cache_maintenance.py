"""Maintenance of the reply cache: summary, export, limit, clearing."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from diskcache import Cache

from evalmake.gateway.reply_cache import maintenance
from tests.gateway.gateway_process import Evaluation, Gateway, wait_until
from tests.support.http_replies import numbered_replies
from tests.support.projects import Project
from tests.support.scripted_upstream import Upstream

EVALFILE = """
settings {{ {settings} }}
model m {{ endpoint = "http://127.0.0.1:9/v1", name = "m" }}
benchmark b {{ harness = command, run = "true" }}
eval e {{ model = m, benchmark = b }}
"""
LARGE = 20_000
"""So many times four letters lie in a file of their own."""


class Place:
    """A project, and gateways that use its reply cache."""

    def __init__(self, project: Project, start: Callable[..., Gateway]) -> None:
        self.project = project
        self.start = start
        self.root = project.root
        self.replies = project.root / ".evalmake/store/replies"
        self.settings("")

    def settings(self, text: str) -> None:
        """Write an Evalfile with these settings."""
        self.project.write("Evalfile", EVALFILE.format(settings=text))

    def gateway(self, **settings: object) -> Gateway:
        """A gateway at work in the project's cache."""
        return self.start(cache=str(self.replies), **settings)

    def filled(self, count: int, times: int = 1) -> tuple[Evaluation, list[str]]:
        """An evaluation whose replies were kept, their texts; its gateway has ended."""
        gateway = self.gateway()
        evaluation = gateway.open_evaluation(Upstream(numbered_replies(lambda number: f"{number:04}" * times)))
        texts = [answer.text for answer in evaluation.post_all(bodies(count), 1)]
        gateway.stop()
        return evaluation, texts

    def run(self, *words: str, status: int = 0) -> str:
        """The output of `evalmake WORDS`."""
        result = self.project.run(*words, status=status)
        return result.stdout + result.stderr

    def told(self) -> dict[str, Any]:
        """The output of `evalmake replies --json`."""
        found: dict[str, Any] = json.loads(self.run("replies", "--json"))
        return found

    def answers(self, evaluation: Evaluation, seed: Path, count: int) -> dict[int, str]:
        """What a gateway on another machine has of an evaluation's replies, by the request's number."""
        other = self.start(cache=str(self.root / "other"), read_only_caches=[str(seed)])
        there = other.open_evaluation(*evaluation.session["upstreams"], settings={"model": evaluation.session["model"]})
        found = there.post_all(bodies(count), 1)
        other.stop()
        return {number: answer.text for number, answer in enumerate(found) if answer.cached}


def bodies(count: int, first: int = 0) -> list[dict[str, int]]:
    """Requests that differ from all others, each answered greedily."""
    return [{"temperature": 0, "max_tokens": number + 2} for number in range(first, first + count)]


def contents(folder: Path) -> dict[Path, bytes]:
    """Every byte in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def place(project: Project, start_gateway: Callable[..., Gateway]) -> Place:
    """A project without replies."""
    return Place(project, start_gateway)


# Telling ------------------------------------------------------------------------------------------


def test_no_replies(place: Place) -> None:
    """Without a cache the summary is empty, and nothing is created."""
    assert place.run("replies") == "0 replies, 0B of 20GiB\n"
    assert place.told() == {
        "limit": 20 * 2**30,
        "folder": str(place.replies),
        "replies": 0,
        "bytes": 0,
        "oldest": None,
        "trouble": None,
        "seeds": [],
    }
    assert place.run("replies", "clear") == "0 replies removed\n"
    assert "reply cache" not in place.run("gc")
    assert not place.replies.exists()


def test_what_is_kept_is_told(place: Place) -> None:
    """The summary has the number, bytes, limit and oldest reply, also while a gateway writes."""
    place.settings("replies = 1GiB")
    before = time.time()
    place.filled(30, LARGE)
    told = place.told()
    assert told["replies"] == 30
    assert told["bytes"] == sum(map(len, contents(place.replies).values()))
    assert place.run("replies").endswith(f" of {told['oldest'][:16].replace('T', ' ')}\n")
    assert before - 1 < datetime.fromisoformat(told["oldest"]).timestamp() < time.time()
    place.gateway().open_evaluation(Upstream(numbered_replies())).post()
    wait_until(lambda: place.told()["replies"] == 31, "the gateway's reply was told of")
    text = place.run("replies")
    assert re.fullmatch(r"31 replies, 2\.\dMiB of 1GiB, the oldest of [\d-]{10} [\d:]{5}\n", text)


def test_replies_that_are_not_used(place: Place) -> None:
    """Under `replies = none` the summary shows earlier replies, and `gc` leaves them."""
    place.filled(3)
    place.settings("replies = none")
    place.run("gc")
    first, second = place.run("replies").splitlines()
    assert first.startswith("3 replies, ")
    assert second == "caching is off: `replies = none`"
    assert place.told()["limit"] is None


def test_seeds_are_told(place: Place) -> None:
    """Each read-only cache has a line of its own, readable or not, and none is changed."""
    place.filled(3)
    for name in ("seed", "torn"):
        place.run("replies", "export", name)
    (place.root / "torn" / "cache.db").write_bytes(b"torn" * 5000)
    place.run("replies", "clear")
    place.settings('seeds = ["seed", "torn"]')
    before = contents(place.root / "seed")
    lines = place.run("replies").splitlines()
    assert lines[0].startswith("0 replies, ")
    assert lines[1].startswith("read-only cache seed: 3 replies, ")
    assert lines[2:] == ["read-only cache torn: cannot be read: file is not a database"]
    seeds = [(seed["folder"], seed["replies"]) for seed in place.told()["seeds"]]
    assert seeds == [("seed", 3), ("torn", 0)]
    assert contents(place.root / "seed") == before


@pytest.mark.parametrize(
    "words", [["export"], ["clear", "there"], ["clear", "--json"], ["export", "there", "--json"], ["import"]]
)
def test_words_that_make_no_sense(place: Place, words: list[str]) -> None:
    """Wrong options are answered by the usage, and nothing is done."""
    place.filled(1)
    assert "usage: evalmake replies" in place.run("replies", *words, status=2)
    assert place.told()["replies"] == 1
    assert not (place.root / "there").exists()


# Copies for others --------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, LARGE])
def test_an_export_answers_elsewhere(place: Place, times: int) -> None:
    """A copy is whole and answers as a read-only cache, byte for byte."""
    evaluation, texts = place.filled(5, times)
    assert place.run("replies", "export", "far/copy") == "far/copy: 5 replies added, 5 in all\n"
    copy = place.root / "far/copy"
    before = contents(copy)
    assert not [path for path in before if path.name.startswith("cache.db-")]
    assert place.answers(evaluation, copy, 7) == dict(enumerate(texts))
    assert contents(copy) == before


def test_an_export_adds(place: Place) -> None:
    """An earlier copy gets what it lacks and what is newer, never what is older."""
    evaluation, texts = place.filled(3)
    place.run("replies", "export", "copy")
    assert place.run("replies", "export", "copy") == "copy: 0 replies added, 3 in all\n"
    place.run("replies", "export", "old")
    evaluation.gateway.start()
    evaluation.restart(max_age=0.0)
    new = [answer.text for answer in evaluation.post_all([*bodies(1), *bodies(1, 3)], 1)]
    evaluation.gateway.stop()
    assert place.run("replies", "export", "copy") == "copy: 2 replies added, 4 in all\n"
    assert maintenance.export_replies(place.root / "old", place.root / "copy") == (0, 4)
    found = place.answers(evaluation, place.root / "copy", 4)
    assert found == {0: new[0], 1: texts[1], 2: texts[2], 3: new[1]}


def test_an_export_keeps_the_times(place: Place) -> None:
    """A copied reply keeps its time, so the oldest are still deleted first."""
    place.filled(20)
    place.run("replies", "export", "copy")
    with Cache(str(place.replies)) as one, Cache(str(place.root / "copy")) as other:
        query = "SELECT key, store_time FROM Cache ORDER BY store_time"
        assert other._sql(query).fetchall() == one._sql(query).fetchall()


@pytest.mark.parametrize("size", [20 * 2**30, 2_000_000])
def test_an_export_while_a_gateway_writes(place: Place, size: int) -> None:
    """An export is whole even if replies are added and deleted meanwhile."""
    gateway = place.gateway(cache_size=size)
    upstream = Upstream(numbered_replies(lambda number: f"{number:04}" * (LARGE if number % 3 else 1)))
    evaluation = gateway.open_evaluation(upstream)
    texts: dict[int, str] = {}
    enough = threading.Event()

    def write() -> None:
        while not enough.is_set():
            number = len(texts)
            texts[number] = evaluation.post(**bodies(1, number)[0]).text

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for goal in range(20, 120, 20):
            wait_until(partial(texts.__contains__, goal), "more replies came")
            there = place.told()["replies"]
            said = place.run("replies", "export", "copy")
            assert int(said.split()[-3]) >= there or size < 2**30
    finally:
        enough.set()
        writer.join()
    gateway.stop()
    held = place.told()["replies"]
    place.run("replies", "export", "copy")
    assert maintenance.check_integrity(place.root / "copy") == ""
    found = place.answers(evaluation, place.root / "copy", len(texts))
    assert len(found) >= held
    assert len(found) == len(texts) or size < 2**30
    assert found == {number: texts[number] for number in found}


def test_an_export_that_is_killed(place: Place) -> None:
    """After a killed export, the next one adds the rest."""
    place.filled(60, LARGE)
    process = place.project.spawn("replies", "export", "copy")
    wait_until(lambda: [*place.root.glob("copy/??/??/*.val")] or process.poll() is not None, "it began")
    process.kill()
    process.communicate()
    assert place.run("replies", "export", "copy").endswith(" 60 in all\n")
    assert maintenance.check_integrity(place.root / "copy") == ""


def test_an_export_to_a_full_disk(place: Place) -> None:
    """A full disk is an error, and the copy holds no broken reply."""
    evaluation, texts = place.filled(40, LARGE // 10)
    program = (
        "import resource, sys; from evalmake import cli;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000));"
        "sys.exit(cli.run(['replies', 'export', 'copy']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=place.root, capture_output=True, text=True)
    assert done.returncode == 2
    assert re.match(r"error: cannot use the reply cache at copy: .+ \[replies-failed\]", done.stderr)
    assert place.run("replies", "export", "copy").endswith(" 40 in all\n")
    assert place.answers(evaluation, place.root / "copy", 40) == dict(enumerate(texts))


def _other_cache(folder: Path) -> None:
    with Cache(str(folder)) as cache:
        cache["blob/1"] = b"another program's"


def _empty_store(folder: Path) -> None:
    Cache(str(folder), eviction_policy="none").close()


@pytest.mark.parametrize("fill", [lambda folder: (folder / "notes.txt").touch(), _other_cache, _empty_store])
def test_an_export_replaces_nothing(place: Place, fill: Callable[[Path], object]) -> None:
    """A folder of something else is refused, and stays as it is."""
    place.filled(2)
    (folder := place.root / "there").mkdir()
    fill(folder)
    before = contents(folder)
    said = place.run("replies", "export", "there", status=2)
    assert said.startswith("error: `there` is not empty, and holds no reply cache [exists]\n")
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        (".evalmake/store/replies", r"error: .+ is the reply cache itself \[exists\]"),
        ("Evalfile/copy", r"error: cannot use .+ at Evalfile/copy: .+ \[replies-failed\]"),
    ],
)
def test_an_export_to_nowhere(place: Place, folder: str, said: str) -> None:
    """Exports to the cache itself, or to an impossible folder, are refused."""
    place.filled(2)
    assert re.match(said, place.run("replies", "export", folder, status=2))


# Less of it ---------------------------------------------------------------------------------------


def test_gc_keeps_the_limit(place: Place) -> None:
    """After the limit is lowered, `gc -n` shows the excess and `gc` deletes the oldest replies."""
    evaluation, _ = place.filled(60, LARGE)
    assert "reply cache" not in place.run("gc")
    place.settings("replies = 1MiB")
    said = re.match(r"reply cache, limit 1MiB: (\d+) bytes would be freed\n", place.run("gc", "-n"))
    assert said
    assert int(said[1]) > 3_000_000
    assert place.told()["replies"] == 60
    freed = re.match(r"reply cache, limit 1MiB: (\d+) bytes freed\n0 entries", place.run("gc"))
    assert freed
    assert int(freed[1]) >= int(said[1])
    assert sum(map(len, contents(place.replies).values())) <= 2**20
    assert "reply cache" not in place.run("gc")
    left = place.told()["replies"]
    assert 0 < left < 15
    place.run("replies", "export", "copy")
    assert [*place.answers(evaluation, place.root / "copy", 60)] == [*range(60 - left, 60)]


def test_gc_frees_what_a_kill_left(place: Place) -> None:
    """`gc` deletes files without a row, unless they are so new that a gateway may be writing them."""
    place.filled(3, LARGE)
    before = contents(place.replies)
    for name in ("old", "young"):
        (place.replies / name[:2] / "00").mkdir(parents=True)
        (place.replies / name[:2] / "00" / f"{name}.val").write_bytes(b"torn")
    os.utime(place.replies / "ol/00/old.val", (0, 0))
    assert place.run("gc", "--dry-run").startswith("reply cache, limit 20GiB: 4 bytes would be")
    assert place.run("gc").startswith("reply cache, limit 20GiB: 4 bytes freed\n")
    assert not (place.replies / "ol").exists()
    assert contents(place.replies).keys() - before.keys() == {place.replies / "yo/00/young.val"}
    assert place.told()["replies"] == 3


def test_clear(place: Place) -> None:
    """`clear` deletes every reply, also for a running gateway, which stores those that follow."""
    gateway = place.gateway()
    upstream = Upstream(numbered_replies(lambda number: f"{number:04}" * LARGE))
    evaluation = gateway.open_evaluation(upstream)
    evaluation.post_all(bodies(5), 1)
    wait_until(lambda: place.told()["replies"] == 5, "all were written")
    assert place.run("replies", "clear") == "5 replies removed\n"
    assert place.told()["replies"] == 0
    assert not [*place.replies.glob("??/??/*.val")]
    assert [answer.cached for answer in evaluation.post_all(bodies(2), 1)] == [False, False]
    wait_until(lambda: place.told()["replies"] == 2, "what followed was kept")
    assert len(upstream.received) == 7


# Damage -------------------------------------------------------------------------------------------


def test_a_damaged_cache(place: Place) -> None:
    """A damaged cache is reported, stops nobody, cannot be exported, and can be cleared."""
    place.filled(5, LARGE)
    (place.replies / "cache.db").write_bytes(b"no database" * 5000)
    assert place.run("replies", status=2).splitlines() == [
        f"the reply cache at {place.replies} cannot be read: file is not a database",
        "evaluations run without it; `evalmake replies clear` deletes it, and the next evaluation creates a new one",
    ]
    assert '"trouble": "file is not a database"' in place.run("replies", "--json", status=2)
    assert place.run("gc").startswith("the reply cache cannot be read: file is not a database; ")
    said = place.run("replies", "export", "copy", status=2)
    assert said.startswith(f"error: cannot use the reply cache at {place.replies}: file is")
    assert place.run("replies", "clear") == "removed an unreadable reply cache\n"
    assert contents(place.replies) == {}
    assert place.run("replies") == "0 replies, 0B of 20GiB\n"


@pytest.mark.parametrize("change", ["DELETE FROM Settings WHERE key = 'size'", "UPDATE Settings SET value = 'x'"])
def test_a_damaged_size(place: Place, change: str) -> None:
    """Where the size on record is lost or no number, that of the replies is shown."""
    place.filled(2, LARGE)
    before = place.run("replies")
    with closing(sqlite3.connect(place.replies / "cache.db")) as database:
        database.execute(change)
        database.commit()
    assert place.run("replies") == before
    assert place.run("gc", "-n").endswith("would be freed\n")


def test_damage_that_lies_deep(place: Place) -> None:
    """`verify` finds damage inside the database, and `clear` removes it."""
    place.filled(100, 500)
    assert "all match" in place.run("verify")
    with open(place.replies / "cache.db", "r+b") as file:
        file.seek(4096 * 30)
        file.write(os.urandom(4096 * 20))
    assert "the reply cache, which evaluations do without: " in place.run("verify", status=2)
    assert "[replies-failed]" in place.run("replies", "export", "copy", status=2)
    place.run("replies", "clear")
    assert place.told()["replies"] == 0
    assert "all match" in place.run("verify")
