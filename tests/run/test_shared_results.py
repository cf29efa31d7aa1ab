"""Two evals that share a result: one job runs, and plan, progress, build and reports count two evaluations."""

from __future__ import annotations

import json

from tests.support.workspaces import SCORE, Bench

EVALFILE = """
    model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
    benchmark scripted {
        harness = command
        files   = file("job.sh")
        run     = "sh data/job.sh"
    }
    eval one { model = m, benchmark = scripted }
    eval other { model = m, benchmark = scripted }
    report card { of = [one, other], path = "card.md", rows = eval }
"""


def test_each_is_counted_everywhere(bench: Bench) -> None:
    """The plan says 2, the progress ends at [2/2], the build says 2 ran, and none is called reused."""
    bench.evalfile(EVALFILE)
    bench.job(SCORE)
    assert "2 to run on local" in bench.run("-n").out
    built = bench.run()
    assert built.status == 0, built.text
    assert "[2/2] one" in built.err
    assert "2 ran\n" in built.out
    assert len(bench.attempts()) == 1
    assert "2 evaluations" in (bench.root / "card.md").read_text()
    assert bench.run().out == "nothing to do: 2 evaluations up to date\n"
    found = json.loads(bench.run("-B", "--json").out)
    assert found["ran"] == ["one", "other"]
    assert [result["reused"] for result in found["results"]] == [False, False]


def test_a_failure_is_that_of_both(bench: Bench) -> None:
    """A job that fails leaves two evaluations unfinished."""
    bench.evalfile(EVALFILE)
    bench.job("exit 3\n")
    ended = bench.run()
    assert ended.status == 2
    assert "0 ran, 2 did not finish" in ended.out
    assert "2 to run on local" in bench.run("-n").out
    assert "one failed: exit status 3" in ended.err
    assert "other failed with one: they are the same evaluation, which ran once" in ended.err
    assert "note: it ran as one declares it" in ended.err


def test_models_that_differ_in_no_identity_fail_together(bench: Bench) -> None:
    """A model that has another's identity, and other settings beside it, is named when that one fails, also with -k."""
    bench.evalfile(EVALFILE)
    bench.edit("eval one {", "model n from m { adapter = { client_errors = true } }\neval one {")
    bench.edit("eval one { model = m", "eval one { model in [m, n]")
    bench.edit("eval other { model = m, benchmark = scripted }\n", "")
    bench.edit("[one, other]", "[one]")
    bench.job("exit 3\n")
    for flags in ((), ("-k",)):
        ended = bench.run(*flags)
        assert "one/m failed: exit status 3" in ended.err
        assert "one/n failed with one/m: they are the same evaluation, which ran once" in ended.err
        assert "only in what is no part of the identity (`client_errors`): it ran as one/m declares it" in ended.err
