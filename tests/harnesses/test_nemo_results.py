"""What is read of the results of NVIDIA's harnesses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from evalmake.harnesses.nemo.results import read_run
from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.demands import LOST_SHARE, Demands, find_shortfall

# As simple-evals 26.3 wrote it, less the languages.
MGSM = """
command: simple_evals ...
git_hash: null
results:
  groups:
    mgsm:
      metrics:
        score:
          scores:
            macro: {stats: {}, value: 0.4}
            micro: {stats: {stddev: 0.5, stderr: 0.1}, value: 0.55}
  tasks:
    bn:
      metrics:
        score:
          scores:
            micro: {stats: {stderr: 0.0}, value: 1.0}
    en:
      metrics:
        score:
          scores:
            micro: {stats: {count: 5, stderr: 0.0}, value: 1.0}
"""


def read(
    tmp_path: Path,
    results: str | None = MGSM,
    *,
    status: int = 0,
    log: str = "",
    metric: str | None = None,
    meant: tuple[str, ...] = (),
    means: Mapping[str, Sequence[str]] | None = None,
) -> Outcome:
    """The outcome of a run that left these."""
    (tmp_path / "out" / "nemo").mkdir(parents=True, exist_ok=True)
    (tmp_path / "log").write_text(log)
    if results is not None:
        (tmp_path / "out" / "nemo" / "results.yml").write_text(results)
    return read_run(tmp_path / "out", status, metric, meant, means or {})


def lack(outcome: Outcome, metric: str | None = None) -> str:
    """Why a stored result does not count for a benchmark that names a metric, or none; empty if it does."""
    found = find_shortfall(Demands(metric=metric), outcome)
    return found.message if found else ""


def test_scores_have_nvidias_names(tmp_path: Path) -> None:
    """Groups come first, and of a group the mean over samples before the mean over its tasks."""
    outcome = read(tmp_path)
    assert outcome.metric == "mgsm_score_micro"
    assert [(s.metric, s.value, s.scored) for s in outcome.scores] == [
        ("mgsm_score_macro", 0.4, 0),
        ("mgsm_score_micro", 0.55, 0),
        ("bn_score_micro", 1.0, 0),
        ("en_score_micro", 1.0, 5),
    ]
    assert read(tmp_path, metric="en_score_micro").metric == "en_score_micro"
    assert "no `acc`; it reported mgsm_score_macro," in lack(read(tmp_path, metric="acc"), "acc")


def test_a_headline_with_a_star_is_one_metric(tmp_path: Path) -> None:
    """simple-evals adds the number of repetitions to the name of its score."""
    repeated = MGSM.replace("micro: {stats: {stddev", "micro_avg_of_4: {stats: {stddev")
    assert read(tmp_path, repeated, metric="mgsm_score_micro*").metric == "mgsm_score_micro_avg_of_4"
    assert "no `*_score_micro`; it reported" in lack(read(tmp_path, metric="*_score_micro"), "*_score_micro")


X = "{x: {value: 1}}"


@pytest.mark.parametrize(
    ("results", "headline"),
    [
        (f"tasks: {{t: {{metrics: {{acc: {{scores: {X}}}}}}}}}", "t_acc_x"),
        ("tasks: {t: {metrics: {acc: {scores: {macro: {value: 1}, micro: {value: 1}}}}}}", "t_acc_micro"),
        ("tasks: {t: {metrics: {acc: {scores: {a: {value: 1}, b: {value: 1}}}}}}", ""),
        (f"tasks: {{t: {{metrics: {{a: {{scores: {X}}}, b: {{scores: {X}}}}}}}}}", ""),
        (f"tasks: {{t: {{metrics: {{a: {{scores: {X}}}}}}}, u: {{metrics: {{a: {{scores: {X}}}}}}}}}", ""),
        (
            f"groups: {{g: {{metrics: {{a: {{scores: {X}}}}}}}}}, tasks: {{t: {{metrics: {{a: {{scores: {X}}}}}}}}}",
            "g_a_x",
        ),
    ],
)
def test_of_several_metrics_none_stands_for_the_others(tmp_path: Path, results: str, headline: str) -> None:
    """The first name in the alphabet would be another with another limit; the result is kept until one is named."""
    outcome = read(tmp_path, f"results: {{{results}}}")
    assert (outcome.metric, outcome.error) == (headline, "")
    assert ("none of its metrics stands for the others" in lack(outcome)) == (headline == "")
    assert lack(outcome, outcome.scores[-1].metric) == ""


def test_a_mean_of_metrics_is_one_more(tmp_path: Path) -> None:
    """It comes first, unless one of its parts was not reported."""
    means = {"languages": ["bn_*", "en_score_micro"], "more": ["bn_*", "de_*"], "all": ["*_score_*"]}
    outcome = read(tmp_path, metric="languages", means=means)
    assert outcome.metric == "languages"
    assert [(s.metric, s.value) for s in outcome.scores][:2] == [("languages", 1.0), ("all", 0.7375)]
    assert "no `more`; it reported languages, all, mgsm" in lack(read(tmp_path, metric="more", means=means), "more")


def test_an_error_of_zero_needs_a_count(tmp_path: Path) -> None:
    """Of nobody knows how many equal scores, no certainty follows."""
    stderr = {score.metric: (score.stderr, score.reported) for score in read(tmp_path).scores}
    assert stderr["mgsm_score_micro"] == (0.1, 0.1)
    assert stderr["bn_score_micro"] == (None, 0.0)
    assert stderr["en_score_micro"] == (0.0, 0.0)


@pytest.mark.parametrize(
    ("results", "words"),
    [
        (None, "wrote no results.yml"),
        ("results: {tasks: {a: {metr", "truncated or not YAML"),
        ("command: x\n", "cannot read the form"),
        ("results: {tasks: {}, groups: {}}", "reported no score"),
        (MGSM.replace("0.55", ".nan"), "reports nan as `mgsm_score_micro`"),
    ],
)
def test_a_result_that_is_none_is_an_error(tmp_path: Path, results: str | None, words: str) -> None:
    """Whatever the exit status."""
    outcome = read(tmp_path, results)
    assert words in outcome.error
    assert outcome.scores == ()


def test_an_interruption_is_a_failure_though_the_status_is_zero(tmp_path: Path) -> None:
    """Its mark counts as status 143."""
    (tmp_path / "out" / "nemo").mkdir(parents=True)
    (tmp_path / "out" / "nemo" / ".nemo_evaluator_interrupted").write_text("{}")
    assert "143" in read(tmp_path).error


def test_a_failure_is_told_in_the_words_of_its_cause(tmp_path: Path) -> None:
    """Not by the last line, which says that retries ended."""
    log = "x.ClientError: 500, message='no'\n...\ntenacity.RetryError: RetryError[<Future>]\n"
    assert read(tmp_path, status=1, log=log).error == "x.ClientError: 500, message='no'"


def test_a_warning_of_unused_parameters_is_an_error(tmp_path: Path) -> None:
    """Only of those that were meant: what evalmake adds by itself may be unused."""
    log = (
        "[W] Configuration contains parameter(s) that are not used in the command template: "
        "config.params.max_retries, config.params.extra.shots. Valid params from command: []. Remove\n"
    )
    assert read(tmp_path, log=log, meant=("temperature",)).error == ""
    wrong = read(tmp_path, log=log, meant=("temperature", "extra.shots"))
    assert wrong.error == "the task takes no `extra.shots`"


def test_prompts_that_were_never_answered_are_no_wrong_answers(tmp_path: Path) -> None:
    """A harness may score them as wrong; the gateway knows, and passes over what is no question."""
    rows = [
        {"path": "/chat/completions", "question": "a", "occurrence": 0, "status": 200},
        {"path": "/chat/completions", "question": "b", "occurrence": 0, "status": 400},
        {"path": "/models", "status": 404},
    ]
    (tmp_path / "gateway").mkdir()
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "gateway" / "requests.jsonl").write_text(text)
    outcome = read(tmp_path)
    assert outcome.usage == {"questions": 2, "unanswered": 1}
    assert outcome.cause == ("the most common reason (1): HTTP status 400", "same-again")


ONE = "command: COMMAND\nresults: {tasks: {t: {metrics: {acc: {scores: {SCORES}}}}}}"


def results(scores: str, command: str = "x") -> str:
    """A results.yml of one task and metric, with these scores."""
    return ONE.replace("SCORES", scores).replace("COMMAND", command)


@pytest.mark.parametrize(
    ("scores", "questions", "share"),
    [
        ("api_error_fraction: {value: 1.0}", 0, 1.0),  # HLE, of an unreachable judge
        ("api_error_fraction: {value: 0.0}", 0, None),
        ("num_missing: {value: 3}", 4, 0.75),  # MT-Bench
        ("num_missing: {value: 0}", 4, None),
        ("skipped: {value: 2}", 0, 1.0),
        ("other: {value: 1}", 4, None),
    ],
)
def test_samples_that_the_harness_lost_count(tmp_path: Path, scores: str, questions: int, share: float | None) -> None:
    """A harness scores them as wrong or leaves them out; they are judged by `coverage`."""
    row = json.dumps({"path": "/chat/completions", "question": "q", "occurrence": 0, "status": 200}) + "\n"
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "requests.jsonl").write_text(row * questions)
    outcome = read(tmp_path, results(f"acc: {{value: 0.0}}, {scores}"), metric="t_acc_acc")
    assert outcome.usage.get(LOST_SHARE) == share
    lacks = find_shortfall(Demands(), outcome, outcome.cause)
    assert (lacks is None) == (share is None)
    if lacks:
        assert "of samples could not be graded, and 100% must be; the harness reports" in lacks.message
        assert find_shortfall(Demands(coverage=0.0), outcome) is None


@pytest.mark.parametrize(("samples", "stderr"), [(1, 0.15), (20, None)])
def test_an_error_over_repetitions_is_not_one_over_items(tmp_path: Path, samples: int, stderr: float | None) -> None:
    """bigcode's standard error takes every repetition of a problem for a problem of its own."""
    command = f"bigcode-eval --task humaneval --n_samples={samples} --limit 5"
    (score,) = read(tmp_path, results("acc: {value: 0.5, stats: {stderr: 0.15}}", command)).scores
    assert (score.stderr, score.reported) == (stderr, 0.15)


def test_samples_in_nvidias_form_are_taken(tmp_path: Path) -> None:
    """A step without a score is no sample, and the only score is that of the headline."""
    folder = tmp_path / "out" / "nemo" / "nemo-evaluator-per-sample-outputs"
    folder.mkdir(parents=True)
    sample = {
        "generation": "4",
        "num_generated_tokens": 1,
        "num_prompt_tokens": 9,
        "score_name": "right",
    }
    rows = [
        {**sample, "id": "1", "score": 1, "query": "2+2", "ground_truth": "4"},
        {**sample, "id": "2", "score": 0, "query": "2+3", "ground_truth": "5"},
        {**sample, "id": "2", "score": None, "query": "2+3", "ground_truth": "5"},
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{torn")
    stats = "{count: 2, stderr: 0.25}"
    one = f"results: {{tasks: {{t: {{metrics: {{acc: {{scores: {{micro: {{value: 0.5, stats: {stats}}}}}}}}}}}}}}}"
    (score,) = read(tmp_path, one).scores
    assert (score.metric, score.value, score.scored) == ("t_acc_micro", 0.5, 2)
    assert score.stderr == pytest.approx(0.5)  # theirs, 0.25, is beside it
    assert "reports a standard error of 0.25" in score.disagreement
    told = [json.loads(row) for row in (tmp_path / "out" / "samples.jsonl").read_text().splitlines()]
    assert [(row["id"], row["scores"], row["reply"]) for row in told] == [
        ("1", {"t_acc_micro": 1.0}, "4"),
        ("2", {"t_acc_micro": 0.0}, "4"),
    ]
    assert told[0]["item"] != told[1]["item"]
