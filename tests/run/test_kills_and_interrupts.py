"""Builds that are killed, interrupted, or run side by side."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from evalmake.planner.action import ActionResult
from evalmake.store.journal import Journal, JournalEntry
from tests.support.http_replies import chat_completion, http_reply
from tests.support.kill_trials import kill_builds, mixed_cells
from tests.support.scripted_upstream import ConnectionEnd, Upstream
from tests.support.workspaces import SCORE, SUMS, TRIED, Bench, end, kill, read_until, started_in, wait_for

CELLS = 12


def matrix(root: Path) -> Bench:
    """A workspace of a dozen cells."""
    return mixed_cells(root, 8, 4)


def test_kill_at_any_moment(bench: Bench) -> None:
    """Kills of builds lose no result, double none, and leave no process behind."""
    scores: list[dict[str, list[float | None]]] = []

    def begin() -> Bench:
        return matrix(bench.root / f"build-{len(scores)}")

    def check(work: Bench) -> None:
        scores.append(work.scores())
        assert scores[-1] == scores[0], "they are those of a build that was not disturbed"
        successes = Counter(a.action for a in work.attempts() if a.status == "succeeded")
        assert list(successes.values()) == [1] * CELLS
        work.clean()

    kill_builds(begin, check)


def test_two_at_once(bench: Bench) -> None:
    """Two builds on one store succeed, nothing runs twice, and the second says for which process it waits."""
    work = matrix(bench.root / "two")
    work.job(f"until test -e {work.root}/go; do sleep 0.05; done\n{SCORE}")
    first = work.start("SLOTS=16")
    wait_for(lambda: work.journal_entries() != [])
    second = work.start("SLOTS=16")
    read_until(second, f"waiting for another evalmake to finish (process {first.pid} on ")
    (work.root / "go").touch()
    told, late = end(first), end(second)

    assert (told.status, late.status) == (0, 0), told.text + late.text
    assert f"nothing to do: {CELLS} evaluations up to date" in late.out
    assert {a.attempt for a in work.attempts()} == {1}
    work.clean()


STALLED = """\
    model remote {
        endpoint = "URL"
        name     = "remote"
    }
    eval asked {
        model     = remote
        benchmark = sums
    }
"""
ANSWER = [http_reply(chat_completion("7"))]
ANSWERED, AT_ONCE = 8, 16


def kept(bench: Bench) -> int:
    """The number of replies in the reply cache."""
    path = bench.root / ".evalmake" / "store" / "replies" / "cache.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as database:
        made = database.execute("SELECT name FROM sqlite_master WHERE name = 'Cache'").fetchall()
        return len(database.execute("SELECT key FROM Cache").fetchall()) if made else 0


def stalled(bench: Bench) -> tuple[Upstream, subprocess.Popen[str]]:
    """A model that has answered eight of thirty questions and is silent now, and the process that waits for it."""
    remote = Upstream([]).use_scripts(*[ANSWER] * ANSWERED, [ConnectionEnd.HANG])
    bench.evalfile(STALLED.replace("URL", remote.url), SUMS)
    bench.sums(30)
    process = bench.start()
    wait_for(lambda: (kept(bench), len(remote.received)) == (ANSWERED, ANSWERED + AT_ONCE))
    return remote, process


def goes_on(bench: Bench, remote: Upstream) -> None:
    """Assert that the next build sends only the requests that have no reply yet."""
    remote.use_scripts(ANSWER)
    before = len(remote.received)
    ended = bench.run()

    assert ended.status == 0, ended.text
    assert len(remote.received) - before == 30 - ANSWERED
    last = bench.attempts()[-1]
    assert (last.usage["cached"], last.scores[0].scored) == (ANSWERED, 30)
    bench.clean()


def test_interrupt_once(bench: Bench) -> None:
    """Ctrl-C exits with 130 and records the evaluation as cancelled; the next build continues it."""
    remote, process = stalled(bench)
    process.send_signal(signal.SIGINT)
    ended = end(process)

    assert ended.status == 130, ended.text
    assert "interrupted: stopping 1 running" in ended.err
    assert ended.out.endswith("did not finish\ninterrupted: the same command goes on from here\n")
    [attempt] = bench.attempts()
    assert (attempt.status, attempt.detail) == ("cancelled", "interrupted")
    bench.clean()
    goes_on(bench, remote)


def test_everything_killed(bench: Bench) -> None:
    """When evalmake, the evaluation and its gateway die at once, the next build continues."""
    remote, process = stalled(bench)
    process.kill()
    for pid in started_in(bench.root):
        kill(pid)
    process.communicate()
    wait_for(lambda: bench.left() == [])
    goes_on(bench, remote)


def test_interrupt_twice(bench: Bench) -> None:
    """A second Ctrl-C ends at once what does not react, and says how to go on; the next build does, and says why."""
    bench.evalfile(TRIED)
    bench.edit("seed      in 1..8", "")
    bench.job(
        f"""
        trap '' TERM
        echo ready
        test -e ../../../calm || while :; do sleep 0.1; done
        {SCORE}
        """
    )
    process = bench.start()
    logs = bench.root / ".evalmake" / "work"
    wait_for(lambda: any(b"ready" in path.read_bytes() for path in logs.glob("*/log")))
    process.send_signal(signal.SIGINT)
    assert "interrupted" in (process.stderr.readline() if process.stderr else "")
    process.send_signal(signal.SIGINT)
    ended = end(process)

    assert ended.status == 130
    assert ended.err.endswith("interrupted again: killed 1 running; the same command goes on from here\n")
    assert bench.left() == []
    (bench.root / "calm").touch()
    again = bench.run()
    assert again.status == 0, again.text
    assert "tried: cancelled: evalmake was interrupted twice and killed it; trying again" in again.err
    assert [a.status for a in bench.attempts()] == ["cancelled", "succeeded"]
    bench.clean()


def test_killed_in_a_linked_folder(bench: Bench) -> None:
    """After a kill, a workspace behind a symbolic link finds its jobs again."""
    work = matrix(bench.root / "real")
    link = bench.root / "link"
    link.symlink_to(work.root)
    work.job(f"sleep 5\n{SCORE}")
    linked = Bench(link, env=bench.env | {"PWD": str(link)})
    process = linked.start("many", "-f", str(link / "Evalfile"))
    wait_for(lambda: len(linked.journal_entries()) >= 4)
    process.kill()
    process.communicate()
    again = linked.run("many", "-f", str(link / "Evalfile"), "SLOTS=16")

    assert again.status == 0, again.text
    assert "job of an earlier build taken over" in again.err
    assert {a.attempt for a in work.attempts()} == {1}
    work.clean()


def test_killed_then_unwanted(bench: Bench) -> None:
    """Jobs of a killed build end when the next build does not want their evaluations."""
    work = matrix(bench.root / "changed")
    process = work.start("many")
    wait_for(lambda: len(work.journal_entries()) >= 4)
    process.kill()
    process.communicate()
    work.edit("seed      in 1..8", "seed      in 31..32")
    work.edit("slots   = SLOTS", "slots   = 16")
    assert work.left()
    ended = work.run("many")

    assert ended.status == 0, ended.text
    assert sorted(work.scores()) == ["many/31", "many/32"]
    work.clean()


def put_back(bench: Bench, done: ActionResult) -> None:
    """The folder and the journal entry of a recorded job, as before they were removed."""
    folder = bench.root / ".evalmake" / "work" / done.job
    (folder / "out").mkdir(parents=True)
    (folder / "out" / "scores.json").write_text('{"accuracy": 0.1}')
    (folder / "pid").write_text("1")
    (folder / "status").write_text("0")
    entry = JournalEntry(done.job, done.name, "evaluate", done.action, "local", str(folder), 0.0)
    Journal(bench.root / ".evalmake" / "journal").write(entry)


def test_killed_between_record_and_journal(bench: Bench) -> None:
    """A result that was stored before the kill is not stored again, not even with -B."""
    work = matrix(bench.root / "recorded")
    assert work.run("SLOTS=16", "many/1").status == 0
    [done] = work.attempts()
    put_back(work, done)
    assert work.run("many/1").status == 0
    assert len(work.attempts()) == 1
    put_back(work, done)
    assert work.run("many/1", "-B").status == 0
    assert [a.job for a in work.attempts()] == [done.job, done.job[:-1] + "2"]
    work.clean()


def test_adopted_after_a_long_wait(bench: Bench) -> None:
    """A job that waited long in a queue is not said to have run all the while."""
    bench.evalfile(TRIED.replace("1..8", "1..1"))
    bench.edit("seed      in 1..1", "seed      in 1..1\n        timeout   = 60s")
    go = bench.root / "go"
    bench.job(f"while ! test -e {go}; do sleep 0.05; done; {SCORE}")
    process = bench.start()
    journal = Journal(bench.root / ".evalmake" / "journal")

    def entry() -> JournalEntry | None:
        return next((one for one in journal.entries() if one.kind == "evaluate"), None)

    wait_for(lambda: entry() is not None and (Path(entry().workdir) / "pid").exists())
    kill(process.pid)
    process.communicate()
    found = entry()
    assert found is not None
    journal.write(replace(found, started=found.started - 3600))
    go.touch()
    assert bench.run().status == 0
