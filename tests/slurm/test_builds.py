"""Whole builds on a cluster: scores, replies and records are those of any other executor."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from clustered import ROOM, Clustered, model
from mock_servers import requests
from workspaces import SUMS, Bench

PROCESS = "executor cluster { backend = process }\n"
CELLS = f"""\
eval asked {{
    model     in [good, poor]
    benchmark = sums
    seed      in 1..SEEDS
    limit     = 6
    executor  = cluster
    {ROOM}
}}
"""
SOME = ("asked/*/1", "asked/*/2")


def by_process(bench: Clustered) -> dict[str, list[float | None]]:
    """The scores of some evaluations when processes of this host run them, in a workspace of their own."""
    other = Bench(bench.root / "other", bench.env)
    other.root.mkdir()
    other.sums(12)
    text = (bench.root / "Evalfile").read_text()
    other.evalfile(PROCESS, text[text.index("model good") :])
    ended = other.run(*SOME)
    assert ended.status == 0, ended.text
    return other.scores()


@pytest.mark.parametrize(("place", "seeds"), [("near", 20), ("far", 4), ("accounted", 4)])
def test_cells(
    place: str, seeds: int, request: pytest.FixtureRequest, serve: Callable[..., str]
) -> None:
    """Cells go out in one call, are scored as by processes, and leave nothing; what was answered is kept."""
    bench: Clustered = request.getfixturevalue(place)
    good, poor = serve(skill=0.9), serve(skill=0.3)
    bench.sums(12)
    cells = CELLS.replace("SEEDS", str(seeds))
    bench.evalfile(bench.executor(), model(good, "good"), model(poor, "poor"), SUMS, cells)
    ended = bench.run()

    assert ended.status == 0, ended.text
    assert bench.sbatches() == 1
    scores = bench.scores()
    assert len(scores) == 2 * seeds
    bench.clean()
    assert "nothing to do" in bench.run().out
    attempt = bench.attempts()[0]
    assert attempt.facts.keys() >= {"slurm-job", "node"}
    assert attempt.name in bench.output(attempt, "slurm/job.sh").decode()
    assert f"--array=0-{2 * seeds - 1}\n" in bench.output(attempt, "slurm/batch.sh").decode()
    expected = by_process(bench)
    assert {name: scores[name] for name in expected} == expected

    before = requests(good), requests(poor)
    bench.edit("limit     = 6", "limit     = 9")
    ended = bench.run(*SOME)
    assert ended.status == 0, ended.text
    assert (requests(good) - before[0], requests(poor) - before[1]) == (2 * 3, 2 * 3)
    bench.clean()
