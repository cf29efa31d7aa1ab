"""The tests' own Slurm does what the tests of the executor rest on."""

from __future__ import annotations

from slurm_cluster import Cluster


def test_job(cluster: Cluster) -> None:
    """A job runs, and its exit status and comment are known after its end."""
    id = cluster.submit("exit 3", "--comment=a word")
    job = cluster.ended(id, "FAILED")
    assert (job["exit_code"], job["comment"]) == (3 << 8, "a word")
