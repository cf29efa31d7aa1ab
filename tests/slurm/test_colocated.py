"""One allocation for a server and the evaluations that ask it: what is said of them is as with jobs of their own."""

from __future__ import annotations

from clustered import Clustered
from workspaces import SUMS, Bench

COLOCATED = "colocate = true"
SERVED = """\
deployment server {
    engine    = mock
    args      = { skill = 0.6 }
    executor  = cluster
    resources = { cpus = 3, memory = 2GiB }
}
model served { deployment = server }
"""
ASKED = """\
eval asked {
    model     = served
    benchmark = sums
    seed      in 1..6
    limit     = 8
    executor  = cluster
}
"""
PROCESS = "executor cluster { backend = process }\n"


def by_process(bench: Clustered) -> dict[str, list[float | None]]:
    """The scores when processes of this host serve and ask."""
    other = Bench(bench.root / "other", bench.env)
    other.root.mkdir()
    other.sums(8)
    other.evalfile(PROCESS, SERVED, ASKED, SUMS)
    ended = other.run()
    assert ended.status == 0, ended.text
    return other.scores()


def test_colocated(either: Clustered) -> None:
    """Evaluations run in the server's allocation: one sbatch, the scores of processes, nothing left."""
    either.sums(8)
    either.evalfile(either.executor(COLOCATED), SERVED, ASKED, SUMS)
    ended = either.run("-v")
    assert ended.status == 0, ended.text
    assert either.sbatches() == 1
    assert len(either.scores()) == 6
    assert either.scores() == by_process(either)
    [_job] = {attempt.facts["slurm-job"] for attempt in either.attempts()}

    either.clean()
    assert "nothing to do" in either.run().out
