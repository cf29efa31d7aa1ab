"""One evaluation by its arguments: its result, its reuse, and what an Evalfile shares with it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

import evalmake
from tests.support.workspaces import SCORE, SUMS, Bench, end

Ask = Callable[..., evalmake.Result]

EVALFILE = """\
    # The same evaluation under other names, with other limits of patience.
    SKILL = 0.6

    deployment novice {
        engine = mock
        args   = { skill = SKILL }
        ready  = 10m
    }
    model novice { deployment = novice }
    eval arithmetic {
        model     = novice
        benchmark = sums
        params    = { temperature = 0.0 }
        retries   = 1
        require accuracy >= 1%
    }
"""


def test_a_result_has_scores_usage_samples_and_log(ask: Ask, bench: Bench) -> None:
    """A result has value, error and interval of each metric, usage, samples, log, and its Evalfile."""
    result = ask()
    score = result.scores["accuracy"]
    assert (result.metric, result.value) == ("accuracy", score.value)
    assert (score.scored, score.unscored, result.stderr) == (20, 0, score.stderr)
    assert result.interval is not None
    assert result.interval[0] < result.value < result.interval[1]
    rows = result.samples()
    assert sum(row["scores"]["accuracy"] for row in rows) / len(rows) == result.value
    assert "accuracy" in result.log()
    assert result.usage["requests"] == 20
    assert (result.name, result.attempt, result.reused, result.passed) == ("sums", 1, False, True)
    (bench.root / "Evalfile").write_text(result.evalfile)
    bench.clean()


def test_evaluate_prints_only_with_progress(ask: Ask, capfd: pytest.CaptureFixture[str]) -> None:
    """`evaluate` prints nothing; with `progress=True` it prints the progress of the command line to stderr."""
    ask()
    assert capfd.readouterr() == ("", "")
    ask(always=True, progress=True)
    said = capfd.readouterr()
    assert said.out == ""
    assert "sums: accuracy" in said.err


def test_a_second_call_reuses_the_result(ask: Ask) -> None:
    """A second call returns an equal result marked as reused, and starts no job."""
    first, events = ask(), list[evalmake.Event]()
    second = ask(progress=events.append)
    assert first == second
    assert (first.reused, second.reused) == (False, True)
    assert events == []
    assert second.samples() == first.samples()


def test_always_adds_an_attempt(ask: Ask) -> None:
    """With `always`, a new attempt gives another result of the same identity."""
    first, second = ask(), ask(always=True)
    assert (first.digest, first.attempt + 1) == (second.digest, second.attempt)
    assert first != second


@pytest.mark.parametrize("first", ["python", "evalfile"])
def test_evaluate_and_evalfile_share_results(first: str, ask: Ask, bench: Bench) -> None:
    """`evaluate` reuses the result of the same evaluation in an Evalfile, and the other way round."""
    bench.evalfile(EVALFILE, SUMS)
    if first == "python":
        ask()
        assert bench.run().out == "nothing to do: 1 evaluation up to date\n"
    else:
        assert bench.run().status == 0
        assert ask().reused
    assert len(bench.attempts()) == 1


def test_the_evalfile_of_a_result_has_the_same_identity(ask: Ask, bench: Bench) -> None:
    """The Evalfile of a result is formatted, and has nothing left to run."""
    result = ask(limit=5, timeout="90s", require="accuracy >= 0%", retries=1)
    (bench.root / "Evalfile").write_text(result.evalfile)
    assert bench.run("fmt", "--check").status == 0
    assert bench.run().out == "nothing to do: 1 evaluation up to date\n"


def test_an_unmet_requirement_keeps_the_result(ask: Ask) -> None:
    """A result whose requirement is not met says so, and is otherwise complete."""
    result = ask(require=["accuracy >= 1%", "accuracy > 100%"])
    assert [gate.met for gate in result.gates] == [True, False]
    assert not result.passed
    assert "NOT met: accuracy is" in str(result)
    assert result == ask()


def test_a_requirement_on_an_unknown_metric_raises_an_error(program: Ask) -> None:
    """A requirement that cannot be judged raises an error, but the result is recorded."""
    with pytest.raises(evalmake.EvalmakeError) as caught:
        program(SCORE, require="acuracy >= 50%")
    assert "the metrics are accuracy [gate-unjudged]" in str(caught.value)
    assert program(SCORE).reused


def test_a_failure_is_raised_with_its_log(program: Ask) -> None:
    """The exception names the failed evaluation and shows the end of its log."""
    with pytest.raises(evalmake.EvalmakeError) as caught:
        program("echo one of three >&2\nexit 3\n")
    said = str(caught.value)
    assert said.startswith("error: command failed: exit status 3: one of three [evaluation-failed]\n")
    assert "one of three" in said
    assert "evalmake logs" not in said


def test_a_failed_further_attempt_raises_an_error(program: Ask, bench: Bench) -> None:
    """If a further attempt fails, the earlier result is not returned in its place, also not by the next call."""
    once = f"mkdir {bench.root}/once\n{SCORE}"
    assert program(once).value == 0.5
    with pytest.raises(evalmake.EvalmakeError, match="exit status 1"):
        program(once, always=True)
    (bench.root / "once").rmdir()
    assert program(once).attempt == 3


def test_an_unscored_metric_has_no_value(program: Ask) -> None:
    """The value of a metric without a number is None; an evaluation whose headline has none fails."""
    scores = """{"metric": "METRIC", "scores": {"accuracy": 0.5, "f1": {"value": null, "n": 0}}}"""
    write = f"echo '{scores}' > $EVALMAKE_OUT/scores.json\n"
    result = program(write.replace("METRIC", "accuracy"))
    assert (result.value, result.scores["f1"].value, str(result.scores["f1"])) == (0.5, None, "f1 not scored")
    with pytest.raises(evalmake.EvalmakeError, match="`f1` has no value"):
        program(write.replace("METRIC", "f1"))


def test_samples_are_empty_without_a_samples_file(program: Ask) -> None:
    """A result has no samples if its harness writes only scores."""
    assert program(SCORE).samples() == []


def test_damaged_samples_raise_an_error(ask: Ask, bench: Bench) -> None:
    """Samples that changed in the store raise an error."""
    result = ask()
    (attempt,) = bench.attempts()
    (samples,) = (o.sha256 for o in attempt.outputs if o.name == "samples.jsonl")
    with bench.store() as store:
        store.database.put(f"blob/{samples}", b"{}", "blob")
    with pytest.raises(evalmake.EvalmakeError, match="store-damaged"):
        result.samples()


def test_a_declaration_can_replace_a_name(bench: Bench, ask: Ask) -> None:
    """A declaration can stand where an Evalfile has a name, such as the judge of a benchmark."""
    reader = evalmake.Model(deployment=evalmake.Deployment(engine="mock", args={"skill": 1.0}))
    judged = evalmake.Benchmark(
        harness="native",
        files="sums.jsonl",
        prompt="{question}",
        target="{answer}",
        scorer="judge",
        judge=reader,
        rubric="Right if the number is the expected one.",
    )
    result = ask(benchmark=judged, limit=3)
    assert "deployment mock-2 {" in result.evalfile
    assert "judge   = mock" in result.evalfile
    assert result.scores[result.metric].scored == 3


def test_a_secret_reaches_only_the_job(program: Ask, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret reaches the job; the workspace contains its name, but not its value."""
    monkeypatch.setenv("A_KEY", "sesame-open-9")
    hosted = evalmake.Model(
        endpoint="http://127.0.0.1:9/v1",
        name="m",
        api_key=evalmake.secret("A_KEY"),
        headers={"X-Team": "evals"},
    )
    command = evalmake.Benchmark(harness="command", run=SCORE, adapter={"requests": "any"})
    result = evalmake.evaluate(hosted, command)
    assert 'secret("A_KEY")' in result.evalfile
    kept = [p for p in (bench.root / ".evalmake").rglob("*") if p.is_file()]
    assert kept
    assert not [path for path in kept if b"sesame-open-9" in path.read_bytes()]
    monkeypatch.delenv("A_KEY")
    with pytest.raises(evalmake.EvalmakeError, match="missing-secret") as caught:
        evalmake.evaluate(hosted, command, seed=2)
    assert "the argument is `model.api_key`" in str(caught.value)


def test_a_result_has_text_html_and_pickle(program: Ask) -> None:
    """A result prints as one line, shows an HTML table with escaped texts, and can be pickled."""
    result = program("""echo '{"a<b": 0.5}' > $EVALMAKE_OUT/scores.json\n""", require='"a<b" > 0.7')
    assert repr(result).startswith("command: a<b 0.500, ran ")
    assert "\ncommand: NOT met: a<b is 0.500, not above 0.70" in str(result)
    shown = result._repr_html_()
    assert "<td>a&lt;b</td><td>0.500</td>" in shown
    assert "NOT met: a&lt;b" in shown
    assert pickle.loads(pickle.dumps(result)) == result


def test_the_command_line_finds_results_of_python(ask: Ask, bench: Bench) -> None:
    """The command line shows the scores of an evaluation from Python."""
    result = ask()
    (bench.root / "Evalfile").write_text(result.evalfile)
    said = json.loads(end(bench.start("--json")).out)
    assert said["results"][0]["scores"][0]["value"] == result.value


def test_a_warning_is_a_python_warning(ask: Ask, bench: Bench) -> None:
    """A problem that does not affect the result is a Python warning, which a program can turn off."""
    folder = bench.root / ".evalmake/store/replies"
    folder.mkdir(parents=True)
    (folder / "cache.db").write_text("no database" * 1000)
    with pytest.warns(UserWarning, match="^warning: the reply cache cannot be used: ") as told:
        result = ask(limit=2)
    assert result.scores["accuracy"].scored == 2
    ours = [warning for warning in told if "reply cache" in str(warning.message)]
    assert [Path(warning.filename).name for warning in ours] == ["conftest.py"]
