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
    """A report that cannot be signed: `-n` says so after the plan, and a build runs nothing."""
    bench.evalfile(EVALFILE)
    bench.edit(*SIGN)
    planned = bench.run("-n")
    assert planned.status == 2
    assert "never run" in planned.out
    assert "error: report `r`: `sign` needs signatures" in planned.err
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
