"""A chain of jobs that each reach their time limit goes on from cached replies, until it has run long enough in all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from evalmake.executors import end_record
from evalmake.executors.remote.job_folders import FolderState
from evalmake.executors.slurm.colocation import colocated_state
from evalmake.executors.slurm.job_script import directives
from evalmake.executors.slurm.job_states import SlurmJob, state_of
from evalmake.executors.slurm.settings import Settings
from evalmake.language.values import Duration
from evalmake.plugin_api.executor import Job
from evalmake.run.time_budget import TimeBudget
from tests.executors.slurm.counted_cells import CountedCells, counted_cells
from tests.executors.slurm.test_colocated import colocated
from tests.executors.slurm.test_same_port import ALONE, write
from tests.support.daemons import until
from tests.support.mock_servers import count_requests, mock_server
from tests.support.projects import Project
from tests.support.slurm_cluster import Cluster
from tests.support.workspaces import SCORE, end

HOUR = 3600.0
ASK = """\
import json, os, pathlib, time, urllib.request
turn = len(os.listdir("OPEN/turns"))
for at in range(turn + 1):
    body = {"model": "m", "messages": [{"role": "user", "content": f"What is 1 + {at}?"}]}
    head = {"Authorization": "Bearer " + os.environ["EVALMAKE_API_KEY"], "Content-Type": "application/json"}
    url = os.environ["EVALMAKE_MODEL_URL"] + "/chat/completions"
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), head)).read()
pathlib.Path(f"OPEN/turns/{turn}").touch()
if turn < LAST:
    time.sleep(600)
"""
"""Asks one question more each time it runs, and stays until its job is ended, but for the last time."""
EXPIRED = state_of(SlurmJob("1", "TIMEOUT"))


@pytest.fixture
def near(cluster: Cluster) -> Iterator[CountedCells]:
    """A workspace that the nodes see."""
    with counted_cells(cluster) as made:
        (made.open / "turns").mkdir(mode=0o777)
        (made.open / "turns").chmod(0o777)
        yield made


def write_asking(work: CountedCells, last: int) -> None:
    """Give the job a program that must run so many times before it ends by itself."""
    (work.root / "ask.py").write_text(ASK.replace("OPEN", str(work.open)).replace("LAST", str(last)))


def expire_turns(work: CountedCells, count: int) -> None:
    """Let the time of so many jobs be over, one after another, each after it has asked."""
    for turn in range(count):
        until((work.open / "turns" / str(turn)).exists, work.jobs)
        work.cluster.expire(*work.jobs("RUNNING"))
        until(lambda: not work.jobs("RUNNING"), work.jobs)


@pytest.mark.parametrize(("last", "status"), [(2, 0), (99, 2)])
def test_chain(near: CountedCells, tmp_path: Path, last: int, status: int) -> None:
    """Without any `retries` an evaluation is resumed after each `time`, and fails once `total_time` is used up."""
    write_asking(near, last)
    with mock_server({}, tmp_path / "port") as url:
        limits = "time = 1h\n    total_time = 2h30m"
        near.write_cells(1, "python3 data/ask.py || exit\n" + SCORE, more=limits, url=f"{url}/v1")
        near.edit('file("job.sh")', 'glob("*.[sp]*")')
        process = near.start()
        expire_turns(near, 2 if status == 0 else 3)
        ended = end(process)
        assert ended.status == status, ended.text
        assert count_requests(url) == 3  # each job added one, and had the others from the cache
    attempts = sorted(near.attempts(), key=lambda one: one.attempt)
    ends = ["cancelled", "cancelled", "succeeded" if status == 0 else "failed"]
    assert [one.status for one in attempts] == ends
    scripts = [near.output(one, "slurm/batch.sh").decode() for one in attempts]
    for script, limit in zip(scripts, ["0-01:00:00", "0-01:00:00", "0-00:30:00"], strict=True):
        assert f"#SBATCH --time={limit}\n" in script
    if status:
        over = "it ran for 2h30m in all, the `total_time` of executor cluster: raise that, and the next build goes on"
        assert f"error: tried failed: {over}" in ended.err or f"error: tried/1 failed: {over}" in ended.err, ended.err
    near.clean()


def test_chain_of_servers(near: CountedCells) -> None:
    """A server and the evaluations in its allocation are resumed more often than a server may crash, then end."""
    write_asking(near, 99)
    colocated(near, f"python3 data/ask.py || exit\n{SCORE}")
    near.edit('file("job.sh")', 'glob("*.[sp]*")')
    near.edit("1..6", "1..1")
    near.edit("colocate = true", "colocate = true\n    time = 1h\n    total_time = 4h")
    process = near.start()
    expire_turns(near, 4)
    ended = end(process)
    assert ended.status == 2, ended.text
    assert "ran for 4h in all, the `total_time` of executor cluster: raise that" in ended.err
    assert len(near.attempts()) == 4
    near.clean()


def test_settings(project: Project) -> None:
    """`total_time` needs `time`, and is not less."""
    write(project, f"{ALONE}\n    total_time = 5h")
    told = project.run("-n", status=2).stderr
    assert told.count("error: executor `cluster` has `total_time`, but no `time` after which a job is resumed") == 1
    with pytest.raises(ValidationError, match="it is less than the `time` of one job, 2h: raise `total_time`"):
        Settings(time=Duration(2 * HOUR, "2h"), total_time=Duration(HOUR))
    assert Settings(time=Duration(HOUR), total_time=Duration(HOUR)).total_time == Duration(HOUR)


@pytest.mark.parametrize(("left", "told"), [(None, "0-01:00:00"), (7200, "0-01:00:00"), (1790, "0-00:30:00")])
def test_last_job(left: float | None, told: str) -> None:
    """The last job of a chain gets no more than is left."""
    job = Job("a.1", "a", ("true",), Path("/w"), timeout=HOUR, time_left=left)
    assert f"--time={told}" in directives(job, Settings(time=Duration(HOUR)))


def test_budget() -> None:
    """A chain that was lost or failed in between has so much less left; a rest below a minute starts nothing."""
    budget = TimeBudget("cluster", Duration(2 * HOUR, "2h"), HOUR)
    budget.count(1500, None)
    assert (budget.left, budget.spent) == (2 * HOUR - 1500, "")
    budget.count(40, EXPIRED)  # taken over from a killed build: it ran as long as it could
    assert budget.left == HOUR - 1500
    budget.count(99999, None)
    assert budget.left == 0
    assert budget.spent.startswith("ran for 2h in all, the `total_time` of executor cluster")


def test_no_budget() -> None:
    """Without `total_time` nothing is resumed for its time limit, and nothing ends for what it ran in all."""
    budget = TimeBudget()
    budget.count(1e9, EXPIRED)
    assert (budget.left, budget.spent, budget.resumes(EXPIRED)) == (None, "", False)


def test_out_of_time_is_kept(tmp_path: Path) -> None:
    """A time limit stays one in the record of the end, and for the evaluations in the allocation."""
    assert EXPIRED.out_of_time
    assert not state_of(SlurmJob("1", "DEADLINE")).out_of_time
    end_record.write(tmp_path, EXPIRED)
    assert end_record.read(tmp_path) == EXPIRED
    inside = colocated_state(FolderState(cluster_job="1"), EXPIRED)
    assert (inside.status, inside.out_of_time) == (None, True)
