"""What goes wrong on a cluster, or on the way to it, ends in the right scores or the right message."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.slurm.counted_cells import CountedCells, counted_cells
from tests.support.daemons import needed, until
from tests.support.docker_engine import listens
from tests.support.mock_servers import count_requests, mock_server
from tests.support.slurm_cluster import Cluster, cluster, lacking, no_cgroups
from tests.support.ssh_login import Login
from tests.support.workspaces import SCORE, end

AWAY = float(os.environ.get("EVALMAKE_TEST_AWAY") or 0)
"""Seconds for which a controller stays away once that is noticed."""
GREEDY = "python3 -c 'import time; all = bytearray(400_000_000); time.sleep(600)'\n"
ONCE = "mkdir {open}/once 2>/dev/null && exec sleep 600\n"
"""The first script that gets here stays."""
ASK = """\
import json, os, sys, time, urllib.request
for at in range(int(sys.argv[1])):
    body = {{"model": "m", "messages": [{{"role": "user", "content": f"What is 1 + {{at}}?"}}]}}
    head = {{"Authorization": "Bearer " + os.environ["EVALMAKE_API_KEY"], "Content-Type": "application/json"}}
    url = os.environ["EVALMAKE_MODEL_URL"] + "/chat/completions"
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), head)).read()
    if at == 2 and not os.path.exists("{open}/second"):
        open("{open}/second", "w").close()
        time.sleep(600)
"""


@pytest.fixture
def near(cluster: Cluster) -> Iterator[CountedCells]:
    """A workspace that the nodes see."""
    with counted_cells(cluster) as made:
        yield made


@pytest.fixture
def far(cluster: Cluster, login: Login) -> Iterator[CountedCells]:
    """A workspace by a login node, whose connection is good again afterwards."""
    with counted_cells(cluster, login) as made:
        yield made
        login.proxy.flow()


def running(work: CountedCells, count: int) -> list[str]:
    """Wait until the scripts of so many jobs have begun; the jobs that run."""
    until(lambda: len(work.begun()) >= count, work.jobs)
    return work.jobs("RUNNING")


def go(work: CountedCells) -> str:
    """What holds a script until `let_go`."""
    return f"until test -e {work.open}/go; do sleep 0.05; done\n"


def let_go(work: CountedCells) -> None:
    """Let scripts end."""
    (work.open / "go").touch()


def halves(work: CountedCells, count: int) -> None:
    """Assert that each cell has its score."""
    assert work.scores() == {name: [0.5] for name in [f"tried/{at}" for at in range(1, count + 1)] if count > 1} | (
        {"tried/1": [0.5]} if count == 1 else {}
    )


def test_cancelled_by_hand(near: CountedCells) -> None:
    """A running job that somebody cancels has failed by that; of one that waited nothing may be left to tell.

    Slurm forgets at once a job of an array that never began, where it keeps no accounts.
    """
    near.write_cells(4, go(near) + SCORE, memory=3000)
    process = near.start()
    running(near, 2)
    near.cluster.scancel(f"{near.array()}_0", f"{near.array()}_3")
    until(lambda: len(near.begun()) >= 3, near.jobs)  # the third runs once the first is really gone
    let_go(near)
    ended = end(process)
    assert ended.status == 2, ended.text
    assert "error: tried/1 failed: CANCELLED: somebody cancelled it in Slurm" in ended.err
    gone = "it is gone from Slurm's queue, and its folder does not say how it ended"
    assert f"error: tried/4 failed: {gone}" in ended.err or ended.err.count("CANCELLED") > 1
    assert sorted(near.scores()) == ["tried/2", "tried/3"]
    near.clean()


def test_node_down(near: CountedCells) -> None:
    """A job whose node is lost runs again, without using up retries."""
    near.write_cells(2, go(near) + SCORE)
    process = near.start()
    first, _ = running(near, 2)
    node = near.cluster.jobs()[first]["nodes"]
    near.cluster.down(node)
    until(lambda: near.jobs("NODE_FAIL"), near.cluster.jobs)
    let_go(near)
    try:
        ended = end(process)
    finally:
        near.cluster.resume(node)
    assert ended.status == 0, ended.text
    halves(near, 2)
    assert any("NODE_FAIL: its node failed" in one.detail for one in near.attempts())
    near.clean()


def test_time_limit(near: CountedCells, tmp_path: Path) -> None:
    """A job that reached its time limit continues in its next attempt with cached replies."""
    (near.root / "ask.py").write_text(ASK.format(open=near.open))
    with mock_server({}, tmp_path / "port") as url:
        near.write_cells(1, "python3 ../ask.py 5 || exit\n" + SCORE, retries=1, url=f"{url}/v1")
        near.edit('file("job.sh")', 'glob("*.[sp]*")')
        near.job((near.root / "job.sh").read_text().replace("../ask.py", "data/ask.py"))
        process = near.start()
        until((near.open / "second").exists)
        near.cluster.expire(running(near, 1)[0])
        ended = end(process)
        assert ended.status == 0, ended.text
        assert count_requests(url) == 5
    first, last = sorted(near.attempts(), key=lambda one: one.attempt)
    assert first.detail.startswith("TIMEOUT: it reached its time limit")
    assert last.usage["cached"] == 3
    near.clean()


def test_memory(near: CountedCells) -> None:
    """A job that exceeds its memory fails, and the error says which limit to raise."""
    near.write_cells(1, GREEDY)
    ended = near.run()
    assert ended.status == 2
    assert "OUT_OF_MEMORY: it ran out of memory: raise `resources.memory`" in ended.text
    near.clean()


def test_memory_by_the_kernel() -> None:
    """If the kernel kills a job for its memory, the error says so, too."""
    needed("Slurm", lacking())
    needed("memory cgroups", no_cgroups())
    with cluster(nodes=1, cgroups=True) as watched, counted_cells(watched) as work:
        work.write_cells(1, GREEDY)
        ended = work.run()
        assert "OUT_OF_MEMORY: it ran out of memory" in ended.text
        work.clean()


def test_controller_away() -> None:
    """While the controller does not answer, jobs go on and the build waits; both changes are reported once."""
    needed("Slurm", lacking())
    with cluster(nodes=1) as fresh, counted_cells(fresh) as work:
        work.write_cells(3, go(work) + SCORE)
        process = work.start()
        running(work, 3)
        fresh.stop_controller()
        assert process.stderr is not None
        said = process.stderr.readline()
        while "waiting for it" not in said:
            said = process.stderr.readline()
            assert said
        let_go(work)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(AWAY)
        fresh.start_controller()
        ended = end(process)
        assert ended.status == 0, ended.text
        assert "waiting for it" not in ended.err
        assert ended.err.count("answers again") == 1
        assert set(work.begun().values()) == {1}
        halves(work, 3)
        work.clean()


def test_refused(near: CountedCells) -> None:
    """A job that sbatch refuses fails with its message, without another try."""
    near.write_cells(2, SCORE, more='partition = "nowhere"')
    near.cluster.wrappers.forget()
    ended = near.run()
    assert ended.status == 2
    assert "Invalid partition name specified" in ended.text
    assert len(near.cluster.wrappers.calls("sbatch")) == 1
    near.clean()


def test_job_limit() -> None:
    """Jobs beyond what a user may submit wait until others have ended."""
    needed("Slurm", lacking())
    with cluster(accounting=True, nodes=1, AccountingStorageEnforce="limits,qos") as strict:
        for one in (("account", "all"), ("user", "root", "account=all")):
            strict.run("sacctmgr", "-i", "add", *one)
        strict.run("sacctmgr", "-i", "modify", "qos", "normal", "set", "MaxSubmitJobsPerUser=2")
        with counted_cells(strict) as work:
            work.write_cells(5, SCORE, more="array = 1")
            ended = work.run()
            assert ended.status == 0, ended.text
            halves(work, 5)
            assert set(work.begun().values()) == {1}
            work.clean()


def test_squeue_fails(near: CountedCells) -> None:
    """While squeue fails, no job counts as lost."""
    near.write_cells(2, go(near) + SCORE)
    process = near.start()
    running(near, 2)
    with near.cluster.wrappers.failing("squeue", "slurm_load_jobs error: Socket timed out"):
        let_go(near)
        before = len(near.cluster.wrappers.calls("squeue"))
        until(lambda: len(near.cluster.wrappers.calls("squeue")) >= before + 2)
        assert process.poll() is None
    ended = end(process)
    assert ended.status == 0, ended.text
    assert (ended.err.count("waiting for it"), ended.err.count("answers again")) == (1, 1)
    halves(near, 2)
    near.clean()


def forget_all(hasty: Cluster) -> None:
    """Let the controller lose its memory, which holds every job for as long as it likes."""
    until(lambda: all("RUNNING" not in one["job_state"] for one in hasty.jobs().values()))
    hasty.stop_controller()
    shutil.rmtree(hasty.folder / "state")
    (hasty.folder / "state").mkdir()
    hasty.start_controller()
    until(lambda: hasty.state("n1") == "idle", lambda: hasty.state("n1"))
    assert not hasty.jobs()


@pytest.mark.parametrize("accounting", [False, True])
def test_forgotten_by_squeue(accounting: bool) -> None:
    """The state of a job that squeue no longer shows comes from its folder or accounting; else the job runs again."""
    needed("Slurm", lacking())
    with cluster(nodes=1, accounting=accounting, MinJobAge="3") as hasty, counted_cells(hasty) as work:
        stays = f"test $EVALMAKE_SEED = 1 && {ONCE.format(open=work.open)}"
        work.write_cells(2, stays + SCORE)
        assert end(work.start("--detach")).status == 0
        running(work, 2)
        until(lambda: len(work.jobs()) == 1, hasty.jobs)
        hasty.scancel(f"{work.array()}_0")
        if accounting:
            until(lambda: not hasty.jobs(), hasty.jobs)
        else:
            forget_all(hasty)
        ended = work.run()
        [first] = [one for one in work.attempts() if (one.name, one.attempt) == ("tried/1", 1)]
        if accounting:
            assert "CANCELLED: somebody cancelled it in Slurm" in first.detail, ended.text
            assert work.scores() == {"tried/2": [0.5]}
        else:
            assert first.detail.startswith("it is gone from Slurm's queue"), ended.text
            halves(work, 2)
        assert work.begun()[2] == 1
        work.clean()


def test_accounting_away(accounting_cluster: Cluster) -> None:
    """While accounting does not answer, jobs run as usual."""
    assert accounting_cluster.accounting is not None
    slurmdbd, port = (
        accounting_cluster.accounting.slurmdbd,
        accounting_cluster.accounting.port,
    )
    with counted_cells(accounting_cluster) as work:
        work.write_cells(2, SCORE)
        slurmdbd.stop()
        try:
            ended = work.run()
        finally:
            slurmdbd.start(lambda: listens(port))
        assert ended.status == 0, ended.text
        halves(work, 2)
        work.clean()


def test_ssh_cut_in_a_copy(far: CountedCells) -> None:
    """A connection that breaks during a copy is opened again, and nothing runs twice."""
    assert far.login is not None
    proxy = far.login.proxy
    blob = far.root / "blob.dat"
    blob.write_bytes(b"x" * 3_000_000)
    far.write_cells(2, go(far) + f"head -c 2000000 /dev/urandom > $EVALMAKE_OUT/big\n{SCORE}")
    far.edit('file("job.sh")', 'glob("*.[sd]*")')
    proxy.rate = 1_000_000
    process = far.start()
    until(lambda: list(far.login.home.glob(".evalmake/jobs/*/inputs/.*")))  # type: ignore[union-attr]
    proxy.cut()
    proxy.flow()
    running(far, 2)
    proxy.rate = 500_000
    let_go(far)
    unpacked = far.root / ".evalmake" / "work" / "..brought.unpacked"
    until(unpacked.exists)
    proxy.cut()
    proxy.flow()
    ended = end(process)
    assert ended.status == 0, ended.text
    halves(far, 2)
    assert set(far.begun().values()) == {1}
    far.clean()


def test_ssh_refused(far: CountedCells) -> None:
    """An unreachable login node is reported, and after some tries the evaluations fail."""
    assert far.login is not None
    far.write_cells(1, SCORE)
    far.login.proxy.refusing = True
    ended = far.run()
    assert ended.status == 2
    assert "host login cannot be reached" in ended.text
    far.login.proxy.flow()
    assert far.run().status == 0
    halves(far, 1)
    far.clean()


def test_ssh_refused_for_a_while(far: CountedCells) -> None:
    """A build waits for a login node that is unreachable for a short time."""
    assert far.login is not None
    far.write_cells(1, SCORE)
    far.login.proxy.refusing = True
    before = far.login.proxy.connections
    process = far.start()
    until(lambda: far.login.proxy.connections > before)  # type: ignore[union-attr]
    far.login.proxy.flow()
    ended = end(process)
    assert ended.status == 0, ended.text
    halves(far, 1)
    far.clean()


def test_ssh_hangs(far: CountedCells) -> None:
    """A build waits for a connection that is silent for a while."""
    assert far.login is not None
    far.write_cells(2, go(far) + SCORE)
    process = far.start()
    running(far, 2)
    far.login.proxy.hang()
    let_go(far)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(5)
    far.login.proxy.flow()
    ended = end(process)
    assert ended.status == 0, ended.text
    halves(far, 2)
    far.clean()


def test_far_disk_full_at_copy(far: CountedCells) -> None:
    """If the disk of the cluster is full, submission fails with its message; with space, the next build succeeds."""
    assert far.login is not None
    (far.root / "blob.dat").write_bytes(b"x" * 3_000_000)
    far.write_cells(1, SCORE, more=f'work = "{far.login.work}"')
    far.edit('file("job.sh")', 'glob("*.[sd]*")')
    with far.login.small("1m"):
        ended = far.run()
    assert ended.status == 2
    assert "No space left on device" in ended.text
    assert far.run().status == 0
    halves(far, 1)
    far.clean()


def test_far_disk_full_in_a_job(far: CountedCells) -> None:
    """A job that fills the disk of the cluster fails, and its log says why."""
    assert far.login is not None
    far.write_cells(
        1, "head -c 5000000 /dev/zero > $EVALMAKE_OUT/big || exit 3\n" + SCORE, more=f'work = "{far.login.work}"'
    )
    with far.login.small("2m"):
        ended = far.run()
        assert ended.status == 2, ended.text
    [attempt] = far.attempts()
    assert attempt.status == "failed"
    far.clean()
