"""Jobs of a killed build are found by their ids from any folder; logs of several targets are told apart."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalmake.store.store import Store
from tests.support.workspaces import NOBODY, PATIENCE, SCRIPTED, Bench, end, end_processes

CELLS = """\
    eval tried {
        model     = nobody
        benchmark = scripted
        seed      in 1..2
    }
"""
JOB = """\
    echo began
    echo began >> {root}/runs
    while test -e {root}/hold; do sleep 0.1; done
    printf 'went on'
    echo '{{"accuracy": 0.5}}' > $EVALMAKE_OUT/scores.json
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A project whose jobs go on while the file `hold` is there, and a state folder of its own."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project/hold").touch()
    made = Bench(tmp_path / "project", {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")})
    made.evalfile(NOBODY, SCRIPTED, CELLS)
    made.job(JOB.format(root=made.root))
    yield made
    end_processes(made, tmp_path)


def wait_for_jobs(bench: Bench, build: subprocess.Popen[str], count: int) -> None:
    """Wait until so many jobs have begun in all."""
    runs = bench.root / "runs"
    last = time.monotonic() + PATIENCE
    while not runs.exists() or len(runs.read_text().splitlines()) < count:
        assert build.poll() is None, build.communicate()
        assert time.monotonic() < last
        time.sleep(0.05)


def start_and_kill(bench: Bench) -> dict[str, str]:
    """Kill a build when its two jobs run; their ids by name."""
    build = bench.start()
    wait_for_jobs(bench, build, 2)
    os.kill(build.pid, signal.SIGKILL)
    build.wait()
    return {job["name"]: job["job"] for job in json.loads(bench.run("status", "--json").out)}


def elsewhere(bench: Bench) -> Bench:
    """Another folder, without an Evalfile, of the same user."""
    folder = bench.root.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    return Bench(folder, bench.env)


def test_jobs_are_found_from_any_folder(bench: Bench) -> None:
    """`status`, `logs` and `cancel` take an id; `status --all` lists ids, and of which Evalfile each job is."""
    ids, far = start_and_kill(bench), elsewhere(bench)
    every = far.run("status", "--all")
    assert every.status == 0
    assert all(id in every.out for id in ids.values())
    assert str(bench.root / "Evalfile") in every.out
    one = far.run("status", ids["tried/1"]).out
    assert "tried/1" in one
    assert "tried/2" not in one
    assert "tried/2" not in bench.run("status", "tried/1").out
    assert far.run("logs", ids["tried/1"]).out == "began\n"
    assert far.run("cancel", ids["tried/1"]).out == "cancelled tried/1 on local\n"
    assert [job["name"] for job in json.loads(far.run("status", "--all", "--json").out)] == ["tried/2"]
    gone = far.run("status", "0123456789ab.1")
    assert (gone.status, "no job has the id" in gone.err, "status --all" in gone.err) == (2, True, True)
    (bench.root / "hold").unlink()
    assert "1 run" in bench.run("tried/2").out
    assert far.run("status", "--all").out == "no unfinished jobs\n"


def test_stale_entries_do_no_harm(bench: Bench) -> None:
    """A workspace that is gone, and one whose Evalfile has an error, hide no other; nothing there is a secret."""
    start_and_kill(bench)
    state, far = bench.root.parent / "state/evalmake/workspaces", elsewhere(bench)
    [entry] = state.iterdir()
    assert entry.read_bytes() == os.fsencode(f"{bench.root}/Evalfile\0{bench.root}/.evalmake/store")
    (state / "damaged.path").write_bytes(b"\0\xff")
    shutil.copy(entry, state / "twice.path")
    (state / "gone.path").write_text("/nowhere/Evalfile")
    assert far.run("status", "--all").out.count("tried/1") == 1
    assert sorted(path.name for path in state.iterdir()) == sorted([entry.name, "twice.path"])
    bench.edit("seed      in", "seed      on")
    said = far.run("status", "--all")
    assert (said.status, said.out) == (0, "no unfinished jobs\n")
    assert "Evalfile cannot be loaded" in said.err


def test_a_registry_that_cannot_be_written_stops_no_build(bench: Bench) -> None:
    """A build goes on without it; its jobs are found by their ids where its Evalfile is."""
    (bench.root / "hold").unlink()
    file = bench.root.parent / "file"
    file.touch()
    lost = {"XDG_STATE_HOME": str(file)}
    assert bench.run("tried/2", env=lost).status == 0
    [attempt] = bench.attempts()
    assert bench.run("logs", attempt.job, env=lost).status == 0
    assert elsewhere(bench).run("logs", attempt.job, env=lost).status == 2


def test_logs_of_several_targets_have_prefixes(bench: Bench) -> None:
    """Each line of several logs begins with its name, also while they grow; a single log has no prefix."""
    start_and_kill(bench)
    assert bench.run("logs", "tried/1").out == "began\n"
    followed = bench.start("logs", "-F", "tried")
    assert followed.stdout is not None
    first = [followed.stdout.readline() for _ in range(2)]
    assert sorted(first) == ["tried/1 | began\n", "tried/2 | began\n"]
    (bench.root / "hold").unlink()
    rest, _ = followed.communicate(timeout=PATIENCE)
    assert sorted(rest.splitlines()) == ["tried/1 | went on", "tried/2 | went on"]
    bench.run()
    stored = bench.run("logs", "tried/1", "tried/2").out.splitlines()
    assert [line.partition(" -- ")[0] for line in stored] == [
        *("tried/1 | began", "tried/1 | went on", "tried/1 |"),
        *("tried/2 | began", "tried/2 | went on", "tried/2 |"),
    ]


def test_a_job_of_a_build_that_runs_is_cancelled(bench: Bench) -> None:
    """`cancel` returns while the build goes on with its other jobs; in the end the build says what was cancelled."""
    build = bench.start()
    wait_for_jobs(bench, build, 2)
    ids = {job["name"]: job["job"] for job in json.loads(bench.run("status", "--json").out)}
    ran = elsewhere(bench).run("cancel", ids["tried/1"])
    assert (ran.out, ran.err) == ("cancelled tried/1 on local\n", "")
    assert build.poll() is None
    assert [job["name"] for job in json.loads(bench.run("status", "--json").out)] == ["tried/2"]
    assert bench.run("cancel", "tried/1").out == "no jobs to cancel\n"
    (bench.root / "hold").unlink()
    ended = end(build)
    assert ended.status == 2
    assert "tried/1 was cancelled by `evalmake cancel`" in ended.err
    assert {one.name: one.status for one in bench.attempts()} == {"tried/1": "cancelled", "tried/2": "succeeded"}
    assert list((bench.root / ".evalmake/journal").glob("*.cancel*")) == []
    assert bench.run().status == 0


def test_a_build_that_runs_is_cancelled_as_a_whole(bench: Bench) -> None:
    """Without a word, what waits is cancelled with what runs, and the build ends."""
    build = bench.start("-j", "1")
    wait_for_jobs(bench, build, 1)
    ran = bench.run("cancel")
    assert ran.out == "cancelled tried/1 on local\ncancelled tried/2, which had not started\n"
    ended = end(build)
    assert (ended.status, bench.left()) == (2, [])
    assert "0 ran, 2 did not finish" in ended.out
    assert (bench.root / "runs").read_text() == "began\n"


def test_a_cancelled_rerun_is_withdrawn(bench: Bench) -> None:
    """The earlier result counts again, as after Ctrl-C."""
    hold = bench.root / "hold"
    hold.unlink()
    assert bench.run().status == 0
    hold.touch()
    build = bench.start("-B", "tried/1")
    wait_for_jobs(bench, build, 3)
    assert bench.run("cancel", "tried/1").out == "cancelled tried/1 on local\n"
    assert end(build).status == 2
    assert "up to date" in bench.run("-n").out


def test_a_request_to_an_earlier_build_is_not_carried_out(bench: Bench) -> None:
    """It names the process that was asked; another removes it."""
    folder = bench.root / ".evalmake/journal"
    folder.mkdir(parents=True)
    request = {"holder": "process 1 on elsewhere", "names": ["tried/1"], "jobs": []}
    (folder / "0.cancel").write_text(json.dumps(request))
    (folder / "1.cancel").write_text("[")
    (bench.root / "hold").unlink()
    assert bench.run().status == 0
    assert list(folder.glob("*.cancel")) == []


def test_ids_of_jobs_that_ended_are_taken_from_any_folder(bench: Bench) -> None:
    """`history` prints the ids, and every command shows the attempt of one, not the last of its target."""
    (bench.root / "hold").unlink()
    assert bench.run().status == 0
    assert bench.run("-B").status == 0
    first = min((one for one in bench.attempts() if one.name == "tried/1"), key=lambda one: one.finished)
    assert f"job {first.job}" in bench.run("history", "tried/1").out
    for here in (bench, elsewhere(bench)):
        assert "attempt 1, succeeded" in here.run("logs", first.job).out
        listed = here.run("outputs", first.job, "--copy", "out").out
        assert f"tried/1: attempt 1, succeeded {first.finished[:10]}" in listed
        assert (here.root / "out/tried/1/log").read_text() == "began\nwent on"
        assert [one["attempt"] for one in json.loads(here.run("history", first.job, "--json").out)] == [1]
        [status] = json.loads(here.run("status", first.job, "--json").out)
        assert (status["name"], status["job"], status["state"]) == ("tried/1", first.job, "succeeded")
        assert here.run("cancel", first.job).out.startswith("tried/1 has ended: succeeded ")
    assert len(json.loads(bench.run("history", first.job, "tried/2", "--json").out)) == 3
    unknown = bench.run("history", "0123456789ab.1")
    assert (unknown.status, "no job has the id" in unknown.err) == (2, True)


def test_ended_jobs_are_found_where_the_store_is(bench: Bench) -> None:
    """In a store elsewhere; but not in a folder that is gone."""
    (bench.root / "hold").unlink()
    bench.edit("model nobody", 'settings { store = "../shared" }\nmodel nobody')
    assert bench.run("tried/1").status == 0
    with Store.read(bench.root.parent / "shared") as store:
        [attempt] = store.all_attempts()
    far = elsewhere(bench)
    assert "tried/1" in far.run("status", attempt.job).out
    shutil.move(bench.root, bench.root.with_name("moved"))
    assert far.run("status", attempt.job).status == 2


def test_overrides_choose_the_jobs(bench: Bench) -> None:
    """`NAME=VALUE` is read as a build reads it, and what is no variable is an error."""
    bench.edit("model nobody", "LAST = 1\nmodel nobody")
    bench.edit("1..2", "[LAST]")
    (bench.root / "hold").unlink()
    assert bench.run("LAST=3").status == 0
    assert "attempt 1, succeeded" in bench.run("logs", "LAST=3", "tried/3").out
    assert "tried/3: attempt 1" in bench.run("outputs", "LAST=3", "tried/3").out
    assert bench.run("cancel", "NONE=3").status == 2


def test_ids_of_jobs_that_run_are_taken_from_any_folder(bench: Bench) -> None:
    """`outputs` and `history` say that the job runs, and show no earlier attempt in its place; `cancel` ends it."""
    (bench.root / "hold").unlink()
    assert bench.run("tried/1").status == 0
    (bench.root / "hold").touch()
    build = bench.start("-B", "tried/1")
    wait_for_jobs(bench, build, 2)
    (job,) = json.loads(bench.run("status", "--json").out)
    far = elsewhere(bench)
    for command, status in (("outputs", 2), ("history", 0)):
        shown = far.run(command, job["job"])
        assert shown.status == status
        assert f"tried/1: job {job['job']} has not ended" in shown.err
        assert "attempt 1" not in shown.text
        assert "accuracy" not in shown.text
    assert far.run("cancel", job["job"]).out == "cancelled tried/1 on local\n"
    assert end(build).status == 2
