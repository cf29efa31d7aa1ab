"""The tests' own Slurm does what the tests of the executor rest on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.support.daemons import needed, until
from tests.support.slurm_cluster import Cluster, cluster, lacking, no_cgroups

GREEDY = "python3 -c 'import time; all = bytearray(300_000_000); time.sleep(600)'"


@pytest.fixture
def fresh() -> Iterator[Cluster]:
    """A cluster for a test that hurts it."""
    needed("Slurm", lacking())
    with cluster(SlurmdTimeout="10") as running:
        yield running


def test_job(cluster: Cluster) -> None:
    """A job runs, and its exit status and comment are known after its end."""
    id = cluster.submit("exit 3", "--comment=a word")
    job = cluster.ended(id, "FAILED")
    assert (job["exit_code"], job["comment"]) == (3 << 8, "a word")


def test_array(cluster: Cluster) -> None:
    """The tasks of an array have each their own end, and an id beside the array's."""
    array = cluster.submit("exit $((SLURM_ARRAY_TASK_ID % 2))", "--array=1-4")
    assert {(job["array_task_id"], job["job_state"]) for job in cluster.tasks(array)} == {
        (1, "FAILED"),
        (2, "COMPLETED"),
        (3, "FAILED"),
        (4, "COMPLETED"),
    }


def test_gpus(cluster: Cluster) -> None:
    """A job is given the GPUs that it asks for; more than a node has are refused."""
    id = cluster.submit('test "$CUDA_VISIBLE_DEVICES" = 0,1', "--gpus=2")
    assert cluster.ended(id, "COMPLETED", "FAILED")["job_state"] == "COMPLETED"
    with pytest.raises(AssertionError, match="node configuration is not available"):
        cluster.submit("true", "--nodes=1", "--gpus=3")


def test_many_jobs(cluster: Cluster) -> None:
    """A hundred short jobs at once all run."""
    array = cluster.submit("true", "--array=1-100", "--mem=10")
    states = [job["job_state"] for job in cluster.tasks(array)]
    assert states == ["COMPLETED"] * 100


def test_time(cluster: Cluster) -> None:
    """A job whose time is over is ended for that."""
    id = cluster.submit("sleep 600; true")
    cluster.ended(id, "RUNNING")
    cluster.expire(id)
    assert cluster.ended(id, "TIMEOUT")["state_reason"] == "TimeLimit"


def test_memory(cluster: Cluster) -> None:
    """A job that takes more memory than it may is killed, and its output says so."""
    id = cluster.submit(GREEDY, "--mem=50")
    job = cluster.ended(id, "FAILED")
    assert job["state_reason"] in ("JobLaunchFailure", "RaisedSignal")  # Slurm 22.05, Slurm 24.11
    assert job["exit_code"] == 9
    assert "exceeded memory limit" in (cluster.folder / "run" / f"{id}.out").read_text()


def test_memory_by_the_kernel() -> None:
    """Where the kernel watches, a job that takes more memory than it may is out of memory."""
    needed("Slurm", lacking())
    needed("memory cgroups", no_cgroups())
    with cluster(nodes=1, cgroups=True) as watched:
        job = watched.ended(watched.submit(GREEDY, "--mem=50"), "OUT_OF_MEMORY")
        assert job["state_reason"] == "OutOfMemory"


def test_accounting(accounting_cluster: Cluster) -> None:
    """A cluster with accounting tells of a job, its comment included."""
    id = accounting_cluster.submit("exit 3", "--comment=a word")
    accounting_cluster.ended(id, "FAILED")
    asked = ("-X", "-j", id, "-o", "JobID,State,ExitCode,Comment")
    until(lambda: [one["State"] for one in accounting_cluster.sacct(*asked)] == ["FAILED"])
    assert accounting_cluster.sacct(*asked) == [
        {"JobID": id, "State": "FAILED", "ExitCode": "3:0", "Comment": "a word"}
    ]


def test_limits() -> None:
    """Where limits are enforced, a job beyond them waits and says why; one of no account is refused."""
    needed("Slurm", lacking())
    with cluster(accounting=True, nodes=1, AccountingStorageEnforce="limits,qos") as strict:
        strict.run("sacctmgr", "-i", "modify", "qos", "normal", "set", "MaxJobsPerUser=1")
        first, second = strict.submit("sleep 600"), strict.submit("sleep 600")
        strict.ended(first, "RUNNING")
        until(lambda: strict.jobs()[second]["state_reason"] == "QOSMaxJobsPerUserLimit", strict.jobs)
        with pytest.raises(AssertionError, match="Invalid account"):
            strict.submit("true", "--account=none")


def test_no_accounting(cluster: Cluster) -> None:
    """A cluster without accounting has nothing to tell."""
    with pytest.raises(AssertionError, match="accounting storage is disabled"):
        cluster.sacct()


def test_drained_and_down(fresh: Cluster) -> None:
    """A drained node lets its jobs end and takes none; one that is down has lost them."""
    first, second = fresh.nodes
    kept = fresh.submit("sleep 600", f"--nodelist={second}", "--no-requeue")
    fresh.ended(kept, "RUNNING")
    fresh.drain(second)
    later = fresh.submit("true", f"--nodelist={second}")
    assert fresh.ended(fresh.submit("true"), "COMPLETED")["batch_host"] == first
    jobs = fresh.jobs()
    assert (jobs[kept]["job_state"], jobs[later]["job_state"]) == ("RUNNING", "PENDING")
    fresh.down(second)
    assert fresh.ended(kept, "NODE_FAIL")["state_reason"] == "NodeDown"
    fresh.resume(second)
    assert fresh.ended(later, "COMPLETED")["batch_host"] == second


def test_preemption() -> None:
    """A partition that goes first takes a node from a job of another, which then waits anew."""
    needed("Slurm", lacking())
    with cluster(nodes=1, PreemptType="preempt/partition_prio", PreemptMode="REQUEUE") as shared:
        shared.run("scontrol", "update", "partitionname=short", "prioritytier=10")
        weak = shared.submit("sleep 600", "--exclusive")
        shared.ended(weak, "RUNNING")
        strong = shared.submit("sleep 600", "--exclusive", "--partition=short")
        shared.ended(strong, "RUNNING")
        assert shared.ended(weak, "PENDING")["restart_cnt"] == 1


def test_crash(fresh: Cluster) -> None:
    """A node that crashes is missed after a while, with its jobs; it comes back."""
    node = fresh.nodes[0]
    lost = fresh.submit("sleep 600", f"--nodelist={node}", "--no-requeue")
    fresh.ended(lost, "RUNNING")
    fresh.crash(node)
    fresh.ended(lost, "NODE_FAIL")
    fresh.revive(node)
    fresh.ended(fresh.submit("true", f"--nodelist={node}"), "COMPLETED")


def test_controller_away(fresh: Cluster) -> None:
    """What ends while the controller is away is known when it is back; meanwhile it cannot be asked."""
    id = fresh.submit(f"until test -e {fresh.folder}/run/go; do sleep 0.05; done; exit 5")
    fresh.ended(id, "RUNNING")
    fresh.stop_controller()
    with pytest.raises(AssertionError, match=r"Failed while looking for jobs|Unable to contact slurm controller"):
        fresh.jobs()
    (fresh.folder / "run" / "go").touch()
    fresh.start_controller()
    assert fresh.ended(id, "FAILED")["exit_code"] == 5 << 8


def test_calls(cluster: Cluster) -> None:
    """Calls by way of the wrappers are counted, by command and argument, on both sides."""
    cluster.wrappers.forget()
    cluster.forget_rpcs()
    squeue = [f"{cluster.wrappers.bin}/squeue", "--noheader", "--name", "a b\nc"]
    assert [subprocess.run(squeue).returncode for _ in range(3)] == [0, 0, 0]
    assert cluster.wrappers.calls() == [["squeue", "--noheader", "--name", "a b\nc"]] * 3
    assert cluster.wrappers.calls("sbatch") == []
    assert cluster.rpc_counts()["REQUEST_JOB_INFO"] == 3


def test_calls_that_fail(cluster: Cluster) -> None:
    """A command fails, waits or loses its reply for as long as it is told to."""
    argv = [
        f"{cluster.wrappers.bin}/sbatch",
        "--output=/dev/null",
        "--job-name=lost",
        "--wrap=true",
    ]

    def sbatch(timeout: float = 60) -> tuple[int, str]:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
        return done.returncode, done.stderr

    def known() -> int:
        return len([job for job in cluster.jobs().values() if job["name"] == "lost"])

    with cluster.wrappers.failing("sbatch", "no"):
        assert sbatch() == (1, "no\n")
    with cluster.wrappers.slow("sbatch", 600), pytest.raises(subprocess.TimeoutExpired):
        sbatch(timeout=1)
    assert known() == 0
    with cluster.wrappers.losing("sbatch", "timed out"):
        assert sbatch() == (1, "timed out\n")
        assert known() == 1
        assert sbatch() == (0, "")
