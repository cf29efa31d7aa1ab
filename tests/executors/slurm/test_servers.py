"""Model servers that are jobs of a cluster, asked by other jobs there."""

from __future__ import annotations

from tests.executors.slurm.clustered import ROOM, Clustered
from tests.support.workspaces import SUMS

EVALFILE = f"""\
deployment server {{
    engine    = mock
    args      = {{ skill = 0.8 }}
    executor  = cluster
    {ROOM}
}}
model served {{ deployment = server }}
eval asked {{
    model     = served
    benchmark = sums
    seed      in 1..3
    limit     = 6
    executor  = cluster
    {ROOM}
}}
"""


def test_server(either: Clustered) -> None:
    """A server starts once, serves all evaluations, ends after the last, and its log is kept."""
    either.sums(6)
    either.evalfile(either.executor(), EVALFILE, SUMS)
    ended = either.run("-v")
    assert ended.status == 0, ended.text
    assert ended.err.count("deployment server: ready at http://") == 1
    assert len(either.scores()) == 3
    assert 2 <= either.sbatches() <= 4  # the server, and its jobs in as many batches as they became ready in
    for attempt in either.attempts():
        assert attempt.usage["requests"] == 6
    either.clean()
    assert "nothing to do" in either.run().out
