"""One Evalfile wherever its evaluations run: the same plan, the same scores."""

from __future__ import annotations

import json
from pathlib import Path

from tests.executors.all_backends.places import BACKENDS, Places
from tests.support.workspaces import SUMS

CELLS = 20
ASKED = f"""\
WHERE = here

deployment stand-in {{
    engine   = mock
    image    = "acme/mock@sha256:0123"
    executor = far
    args     = {{ skill = 0.6 }}
}}
model stand-in {{ deployment = stand-in }}

eval many {{
    model     = stand-in
    benchmark = sums
    seed      in 1..{CELLS}
    executor  = WHERE
    resources = {{ memory = 400MiB }}
    require accuracy >= 10%
}}

report card {{
    of     = [many]
    format = json
    path   = "card.json"
}}
"""


def test_same_everywhere(places: Places, tmp_path: Path) -> None:
    """Processes, containers, Slurm and Lepton give the same plan digest and the same scores."""
    digests, scores, saved = set(), [], tmp_path / "plan.json"
    for where, backend in BACKENDS.items():
        bench = places.bench(tmp_path / where, ASKED, SUMS)
        planned = bench.run("-n", "-o", str(saved), f"WHERE={where}")
        assert planned.status == 0, planned.text
        digests.add(json.loads(saved.read_text())["digest"])
        done = bench.run("--plan", str(saved))
        assert done.status == 0, (backend, done.text)
        assert f"{CELLS} ran" in done.out
        assert {a.executor for a in bench.attempts()} == {where}
        scores.append(bench.scores())
        for other in BACKENDS:
            again = bench.run(f"WHERE={other}")
            assert f"nothing to do: {CELLS} evaluations up to date" in again.out
        bench.clean()
    assert len(digests) == 1
    assert len(scores[0]) == CELLS
    assert scores == [scores[0]] * len(BACKENDS)
    assert places.lepton.state()["made"] == {"jobs": CELLS, "endpoints": len(BACKENDS)}
