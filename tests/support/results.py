"""Results for tests of tables and reports."""

from __future__ import annotations

from collections.abc import Mapping

from evalmake.scoring.result_set import Result, Scalar, Score


def make_result(cell: Mapping[str, Scalar], *scores: Score, eval: str = "grid") -> Result:
    """A result of one attempt, whose headline metric is that of the first score.

    The cell has a `model` and a `seed`, and any other axes.
    """
    return Result(
        name="/".join(map(str, (eval, *cell.values()))),
        eval=eval,
        axes=tuple(cell.items()),
        model=str(cell["model"]),
        benchmark=str(cell.get("benchmark", "sums")),
        seed=int(str(cell["seed"])),
        metric=scores[0].metric,
        scores=scores,
        action="xxh128:00",
        attempt=1,
        attempts=1,
        reused=False,
        started="2026-08-21T14:02:00Z",
        seconds=1.0,
        usage={},
    )
