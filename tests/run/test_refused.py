"""What this version cannot do is refused before anything starts, and never ignored."""

from __future__ import annotations

import pytest
from workspaces import Bench

EVALFILE = """\
    deployment served { engine = mock }
    model one { deployment = served }
    benchmark b {
        harness = command
        run     = 'echo "{\\"accuracy\\": 1}" > "$EVALMAKE_OUT/scores.json"'
    }
    eval e {
        model     = one
        benchmark = b
    }
    report r {
        of   = [e]
        path = "r.md"
    }
"""
REPLICAS = "{ engine = mock }", "{ engine = mock, replicas = 2 }"
SIGN = 'path = "r.md"', 'path = "r.md", sign = secret("KEY")'


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (REPLICAS, "deployment `served`: `replicas` above 1 needs one address for several servers"),
        (SIGN, "report `r`: `sign` needs signatures"),
    ],
    ids=["replicas", "sign"],
)
def test_before_anything_starts(bench: Bench, change: tuple[str, str], said: str) -> None:
    """A second server or a signature that cannot be had: nothing runs, the plan is still shown."""
    bench.evalfile(EVALFILE)
    bench.edit(*change)
    assert bench.run("-n").status == 0
    ended = bench.run()

    assert ended.status == 2
    assert f"error: {said}" in ended.err
    assert "[not-available]" in ended.err
    assert bench.attempts() == []
    assert not (bench.root / "r.md").exists()


def test_a_report_alone(bench: Bench) -> None:
    """A report that only has to be written anew is refused its signature too."""
    bench.evalfile(EVALFILE)
    assert bench.run().status == 0
    (bench.root / "r.md").unlink()
    bench.edit(*SIGN)
    ended = bench.run()

    assert ended.status == 2
    assert "error: report `r`: `sign` needs signatures" in ended.err
    assert not (bench.root / "r.md").exists()


def test_one_server_is_not_refused(bench: Bench) -> None:
    """`replicas = 1` is what there is, and runs."""
    bench.evalfile(EVALFILE)
    bench.edit(REPLICAS[0], REPLICAS[1].replace("2", "1"))
    assert bench.run().status == 0
