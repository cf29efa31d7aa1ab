"""A feature that this version lacks is an error before anything starts."""

from __future__ import annotations

from tests.support.workspaces import Bench

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
SIGN = 'path = "r.md"', 'path = "r.md", sign = secret("KEY")'


def test_before_anything_starts(bench: Bench) -> None:
    """A report that cannot be signed: nothing runs, and the plan is shown."""
    bench.evalfile(EVALFILE)
    bench.edit(*SIGN)
    assert bench.run("-n").status == 0
    ended = bench.run()

    assert ended.status == 2
    assert "error: report `r`: `sign` needs signatures" in ended.err
    assert "[not-available]" in ended.err
    assert bench.attempts() == []
    assert not (bench.root / "r.md").exists()


def test_a_report_alone(bench: Bench) -> None:
    """A report that only has to be rewritten is refused, too, where it cannot be signed."""
    bench.evalfile(EVALFILE)
    assert bench.run().status == 0
    (bench.root / "r.md").unlink()
    bench.edit(*SIGN)
    ended = bench.run()

    assert ended.status == 2
    assert "error: report `r`: `sign` needs signatures" in ended.err
    assert not (bench.root / "r.md").exists()
