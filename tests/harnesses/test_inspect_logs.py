"""What is read from logs that Inspect 0.3.285 wrote, cut down to what is read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.inspect.log_reader import read_run
from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.demands import Demands, find_shortfall

LOGS = Path(__file__).parent / "inspect_logs"


def read(
    tmp_path: Path,
    name: str,
    *,
    status: int = 0,
    metric: str | None = None,
    cluster: str | None = None,
    change: Any = None,
) -> tuple[Outcome, list[dict[str, Any]]]:
    """The outcome and samples of a golden log, after `change` was made to it."""
    outputs = tmp_path / "out"
    shutil.rmtree(outputs, ignore_errors=True)
    (outputs / "inspect").mkdir(parents=True)
    log = json.loads((LOGS / f"{name}.json").read_text())
    if change is not None:
        change(log)
    (outputs / "inspect" / "a.json").write_text(json.dumps(log))
    outcome = read_run(outputs, status, metric, cluster)
    return outcome, [json.loads(row) for row in (outputs / "samples.jsonl").read_text().splitlines()]


def test_scores_are_those_that_inspect_computed(tmp_path: Path) -> None:
    """Epochs are averaged inside each item, errors clustered as the task's own: equal to Inspect's."""
    outcome, rows = read(tmp_path, "success")
    (score,) = outcome.scores
    assert (outcome.error, outcome.metric, score.metric) == ("", "accuracy", "accuracy")
    assert score.value == pytest.approx(7 / 12)
    assert (score.scored, score.unscored, score.disagreement) == (6, 0, "")
    assert score.stderr == pytest.approx(0.0555556, abs=1e-6)
    assert score.stderr == pytest.approx(score.reported)
    assert {row["cluster"] for row in rows} == {"p0", "p1"}


def test_samples_come_in_the_normal_form(tmp_path: Path) -> None:
    """A row has the item's name and hash, its epoch, score, tokens, latency and finish reason."""
    _, rows = read(tmp_path, "success")
    assert [(row["id"], row["repetition"]) for row in rows if row["id"] == "2"] == [
        ("2", 1),
        ("2", 2),
    ]
    first = next(row for row in rows if row["scores"]["accuracy"] == 1)
    assert first["reply"] == first["target"]
    assert (first["tokens_out"], first["finish_reason"], first["error"]) == (1, "stop", None)
    assert 0 < first["latency"] < 60


def test_an_item_is_known_by_what_it_asks(tmp_path: Path) -> None:
    """Its hash is the same in every epoch and task, and another where question or target differ."""

    def items(name: str, change: Any = None) -> dict[str, str]:
        return {row["id"]: row["item"] for row in read(tmp_path, name, change=change)[1]}

    def other_target(log: Any) -> None:
        log["samples"][0]["target"] = "4"

    def as_messages(log: Any, id: str) -> None:
        log["samples"][0]["input"] = [{"role": "user", "content": "What?", "id": id}]

    assert items("success")["1"] == items("two-scorers")["1"] == items("error")["1"]
    assert len(set(items("success").values())) == 6
    assert items("two-scorers", other_target)["1"] != items("two-scorers")["1"]
    one, two = (items("two-scorers", lambda log, id=id: as_messages(log, id)) for id in "ab")
    assert one == two


def test_several_scorers_are_told_apart_by_name(tmp_path: Path) -> None:
    """Where several things are scored, a metric's name begins with what it scores."""
    outcome, rows = read(tmp_path, "two-scorers")
    assert [score.metric for score in outcome.scores] == ["match/accuracy", "includes/accuracy"]
    assert outcome.metric == "", "none of them stands for the task"
    outcome, rows = read(tmp_path, "several-values")
    values = {score.metric: score.value for score in outcome.scores}
    assert values == {"exact/accuracy": 0.75, "length/mean": 1.0, "length/std": 0.0}
    assert set(rows[0]["scores"]) == {"exact/accuracy", "length/mean"}  # a spread is of no sample


def test_a_metric_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It names what there is, also where the benchmark names no metric and none stands for the others."""
    for metric, words in {
        "accuracy": "the harness reported no `accuracy`",
        None: "none of its metrics stands for the others",
    }.items():
        outcome, _ = read(tmp_path, "two-scorers", metric=metric)
        shortfall = find_shortfall(Demands(), outcome)
        assert shortfall is not None
        assert shortfall.message == f"{words}; it reported match/accuracy, includes/accuracy"


def test_an_exit_status_of_zero_is_not_believed(tmp_path: Path) -> None:
    """Failed, cancelled and cut-short runs say so, with what was reached, and give no score."""
    for name, words in {
        "error": "Error code: 500 - the declared status of this mock server; 0 of 4 samples",
        "cancelled": "Inspect was cancelled: 6 of 20 samples",
        "started": "Inspect ended before its task did: 6 of 20 samples",
    }.items():
        outcome, rows = read(tmp_path, name)
        assert words in outcome.error
        assert outcome.scores == ()
        assert rows  # what was asked is on record all the same


def test_a_failed_exit_status_is_believed(tmp_path: Path) -> None:
    """A log that says success is not enough."""
    assert read(tmp_path, "success", status=1)[0].error == "exit status 1"


def test_an_errored_sample_is_neither_wrong_nor_forgotten(tmp_path: Path) -> None:
    """Inspect drops it from the mean; here it is counted as not scored, and its error is on record."""
    outcome, rows = read(tmp_path, "lenient")
    (lost,) = (row for row in rows if row["error"])
    assert (lost["scores"], lost["reply"]) == ({}, None)
    assert "Error code: 500" in lost["error"]
    assert [(s.value, s.scored, s.unscored) for s in outcome.scores] == [(1.0, 7, 1)]


def test_nan_is_no_score(tmp_path: Path) -> None:
    """Inspect's word for a sample that could not be scored leaves it unscored."""
    outcome, rows = read(tmp_path, "unscored")
    assert [(s.value, s.scored, s.unscored) for s in outcome.scores] == [(1.0, 3, 1)]
    assert [row["id"] for row in rows if not row["scores"]] == ["2"]


def test_no_score_at_all_is_no_zero(tmp_path: Path) -> None:
    """Of no scored sample Inspect reports 0.0; that is never a result."""

    def nothing(log: Any) -> None:
        log["samples"] = []
        log["results"]["scores"][0] |= {"scored_samples": 0}
        log["results"]["scores"][0]["metrics"]["mean"]["value"] = 0.0

    outcome, _ = read(tmp_path, "unscored", change=nothing)
    assert [score.value for score in outcome.scores] == [None]
    assert (outcome.usage["questions"], outcome.usage["unanswered"]) == (4, 4)


def test_a_score_that_is_not_a_number_is_an_error(tmp_path: Path) -> None:
    """NaN as the headline is a failure, as another metric it is not scored."""

    def nan(key: str) -> Any:
        def change(log: Any) -> None:
            for score in log["results"]["scores"]:
                if key in score["metrics"]:
                    score["metrics"][key]["value"] = float("nan")

        return change

    outcome, _ = read(tmp_path, "several-values", metric="exact/accuracy", change=nan("accuracy"))
    assert outcome.error == "the harness reports nan as `exact/accuracy`"
    outcome, _ = read(tmp_path, "several-values", change=nan("std"))
    assert [s.value for s in outcome.scores if s.metric == "length/std"] == [None]


def test_scores_in_words_are_inspects_own(tmp_path: Path) -> None:
    """Where a sample's score is no number, the mean is the harness's, and no sample gets a value."""

    def words(log: Any) -> None:
        for sample in log["samples"]:
            sample["scores"]["match"]["value"] = "blue"

    outcome, rows = read(tmp_path, "success", change=words)
    (score,) = outcome.scores
    assert (score.value, score.scored) == (pytest.approx(7 / 12), 6)
    assert all(row["scores"] == {} for row in rows)


def test_partial_credit_counts_half(tmp_path: Path) -> None:
    """C, P, I and N are 1, 0.5, 0 and 0, as in Inspect."""

    def letters(log: Any) -> None:
        for sample, letter in zip(log["samples"], "CPIN", strict=True):
            sample["scores"]["match"]["value"] = letter

    _, rows = read(tmp_path, "two-scorers", change=letters)
    assert [row["scores"]["match/accuracy"] for row in rows] == [1, 0.5, 0, 0]


def test_the_cluster_can_be_named(tmp_path: Path) -> None:
    """Where the task's own error is not clustered, the benchmark may say by what it should be."""
    assert {row["cluster"] for row in read(tmp_path, "two-scorers")[1]} == {None}
    outcome, rows = read(tmp_path, "two-scorers", cluster="passage")
    assert {row["cluster"] for row in rows} == {"p0"}
    assert outcome.scores[0].stderr is None  # one cluster has no error
    assert outcome.scores[0].reported is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [('{"status": "succ', "truncated or not JSON"), ('{"status": "success"}', "cannot read the form")],
)
def test_a_log_that_cannot_be_read_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    """Half a log, and one of another version, say what they are."""
    (tmp_path / "out" / "inspect").mkdir(parents=True)
    (tmp_path / "out" / "inspect" / "a.json").write_text(text)
    assert words in read_run(tmp_path / "out", 0, None, None).error


def test_without_a_log_its_last_words_are_told(tmp_path: Path) -> None:
    """What Python raised, be it followed by other text; else the exit status."""
    (tmp_path / "out").mkdir()
    assert read_run(tmp_path / "out", 1, None, None).error == "exit status 1"
    (tmp_path / "log").write_text("Traceback\n  File x\nFileNotFoundError: no arith.py\n\nbye\n")
    assert read_run(tmp_path / "out", 1, None, None).error == "FileNotFoundError: no arith.py"
    (tmp_path / "log").write_text("ERROR: it requires an optional dependency\n\npip install openai\n")
    assert "`openai` among the" in read_run(tmp_path / "out", 1, None, None).error


def test_two_logs_are_one_too_many(tmp_path: Path) -> None:
    """A file with several tasks must name one."""
    (tmp_path / "out" / "inspect").mkdir(parents=True)
    for name in "ab":
        shutil.copy(LOGS / "success.json", tmp_path / "out" / "inspect" / f"{name}.json")
    assert "Inspect ran 2 tasks" in read_run(tmp_path / "out", 0, None, None).error


def _of_groups(log: Any) -> None:
    """Make of a log one whose scorer reports the accuracy of two groups, too, which come first."""
    (score,) = log["results"]["scores"]
    params = {"metric": {"type": "metric", "name": "accuracy", "params": {}}, "group_key": "half"}
    for at, sample in enumerate(log["samples"]):
        sample["metadata"]["half"] = "ab"[int(sample["id"]) % 2]
        sample["scores"]["match"]["value"] = "C" if sample["metadata"]["half"] == "a" or at < 4 else "I"
    groups = {n: {"name": n, "group": "grouped", "value": 1.0, "params": params} for n in "ab"}
    score["metrics"] = {**groups, **score["metrics"]}


def test_a_group_has_its_own_samples(tmp_path: Path) -> None:
    """A metric of `grouped()` counts the samples of its group, and none of them stands for the task."""
    outcome, rows = read(tmp_path, "success", change=_of_groups)
    assert outcome.metric == "accuracy"
    assert {score.metric: score.scored for score in outcome.scores} == {"a": 3, "b": 3, "accuracy": 6}
    assert all(set(row["scores"]) == {"ab"[int(row["id"]) % 2], "accuracy"} for row in rows)


def test_the_task_names_its_headline(tmp_path: Path) -> None:
    """What a task declares stands for it, whatever else it reports."""

    def declare(log: Any) -> None:
        log["eval"]["headline_metric"] = {"metric": "accuracy", "score": "includes"}
        log["results"]["headline"] = {"scorer": "includes", "score": "includes", "metric": "accuracy"}

    assert read(tmp_path, "two-scorers", change=declare)[0].metric == "includes/accuracy"


def test_epochs_have_one_headline(tmp_path: Path) -> None:
    """The mean over epochs stands for the other reductions, and only it is a mean of the samples."""

    def reduce(log: Any) -> None:
        (score,) = log["results"]["scores"]
        log["results"]["scores"] = [{**score, "reducer": reducer} for reducer in ("at_least_2", "mean")]

    outcome, rows = read(tmp_path, "success", change=reduce)
    assert outcome.metric == "mean/accuracy"
    assert [score.metric for score in outcome.scores] == ["at_least_2/accuracy", "mean/accuracy"]
    assert all(set(row["scores"]) == {"mean/accuracy"} for row in rows)


def test_errors_that_the_task_scores_are_scored(tmp_path: Path) -> None:
    """With `score_on_error`, Inspect's mean has the samples that ended in an error, and so has evalmake's."""

    def score_errors(log: Any) -> None:
        log["eval"]["config"]["score_on_error"] = True
        for sample in log["samples"]:
            sample["scores"] = {"match": {"value": "I" if sample.get("error") else "C"}}
        right = sum(not sample.get("error") for sample in log["samples"]) / len(log["samples"])
        log["results"]["scores"][0]["metrics"]["accuracy"]["value"] = right

    outcome, rows = read(tmp_path, "lenient", change=score_errors)
    (score,) = outcome.scores
    assert (score.scored, score.unscored, outcome.usage["unanswered"]) == (len(rows), 0, 0)
    assert any(row["error"] and row["scores"] == {"accuracy": 0.0} for row in rows)


def test_the_first_cause_is_told(tmp_path: Path) -> None:
    """A sample that was cancelled because another one failed is no cause."""

    def cancel(log: Any) -> None:
        for sample in log["samples"][1:]:
            sample["events"] = []
            sample["error"]["message"] = "CancelledError('Cancelled via cancel scope 7f by <Task pending>')"

    assert "Error code: 500" in read(tmp_path, "error", change=cancel)[0].error


def test_no_answer_at_all_is_a_failure(tmp_path: Path) -> None:
    """Inspect calls it a success without scores, if no error of a sample ends the run; the cause is told."""

    def succeed(log: Any) -> None:
        log.update(status="success", results={"total_samples": 4, "completed_samples": 0, "scores": []})

    outcome, _ = read(tmp_path, "error", change=succeed)
    assert outcome.error.endswith("; 0 of 4 samples were answered")
    assert "Error code: 500" in outcome.error
