"""`until` of a task: records are asked in a random order, and no more than are enough."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalmake.harnesses.native.expected_request import RequestSettings
from evalmake.harnesses.native.expected_samples import AskedTask, contradict_data, recount
from tests.harnesses.native.harness_bench import Body, Native, question, questions

RULE = {"confidence": 0.95, "bounds": [["", 0.5]]}


def right(body: Body) -> str:
    """The answer of a record of `questions`."""
    return question(body).removeprefix("n")


def asked(native: Native, concurrency: int = 4, **task: Any) -> list[int]:
    """Which of 300 records count, in the order of the data."""
    native.env["EVALMAKE_CONCURRENCY"] = str(concurrency)
    run = native(questions(300), scorer="number", until=RULE | task)
    assert run.err == ""
    assert run.scores["usage"]["items_in_all"] == 300
    assert run.scores["usage"]["stopped_after"] == len(run.samples) == run.headline["scored"]
    return [sample["index"] for sample in run.samples]


def test_what_is_enough_is_enough(native: Native) -> None:
    """A model that is always right is told from a coin by few records; at most twice the concurrency more are asked."""
    native.server.answer = right
    found = asked(native)
    assert len(found) < 20
    assert len(native.server.bodies) <= len(found) + 8
    assert found != list(range(len(found)))  # a random part of the data, not its beginning


def test_neither_speed_nor_concurrency_matters(native: Native) -> None:
    """The same replies stop at the same record, whatever comes first."""
    native.server.answer = lambda body: right(body) if int(right(body)) % 4 else "wrong"
    alone = asked(native, 1)
    assert asked(native, 16) == alone
    assert 10 < len(alone) < 300


def test_a_stricter_rule_asks_the_same_and_more(native: Native) -> None:
    """Records are in one order for all rules: a narrower precision keeps what a wider one asked."""
    native.server.answer = lambda body: right(body) if int(right(body)) % 4 else "wrong"
    wide, narrow = asked(native, precision=0.2), asked(native, precision=0.15)
    assert set(wide) < set(narrow)


def test_samples_tell_where_a_run_had_to_stop(native: Native) -> None:
    """By the data alone, one sample fewer or one more than the rule asks for is found."""
    native.server.answer = right
    run = native(questions(30), scorer="number", until=RULE)
    asked = AskedTask(native.folder / "task.json", RequestSettings("chat", "model", {}, None), None, stops_early=True)
    assert list(contradict_data(asked, run.samples)) == []
    found = list(contradict_data(asked, run.samples[:-1]))
    assert [(one.id, one.what, one.recorded) for one in found][1:] == [(run.samples[-1]["id"], "sample", "none")]
    other = native(questions(30), scorer="number", until=RULE | {"bounds": [["", 0.8]]})
    native.task(questions(30), scorer="number", until=RULE)
    assert {one.expected for one in contradict_data(asked, other.samples)} >= {"not asked for"}
    counted = recount(asked, run.samples, "accuracy", has_checks=False)
    assert counted["scores"] == run.scores["scores"]
    assert counted["usage"]["stopped_after"] == run.scores["usage"]["stopped_after"]


def test_samples_with_impossible_scores_are_refused(native: Native) -> None:
    """Samples that say of a share that it is 3 cannot be those of such a run."""
    native.server.answer = right
    run = native(questions(30), scorer="number", until=RULE)
    asked = AskedTask(native.folder / "task.json", RequestSettings("chat", "model", {}, None), None, stops_early=True)
    rows = [{**sample, "scores": {"accuracy": 3.0}} for sample in run.samples]
    with pytest.raises(ValueError, match="needs scores from 0 to 1"):
        list(contradict_data(asked, rows))


def test_what_is_never_known_asks_all(native: Native) -> None:
    """Where the bound is the score itself, all records are asked, and the interval says how little is known."""
    native.server.answer = lambda body: right(body) if int(right(body)) % 2 else "wrong"
    run = native(questions(40), scorer="number", until=RULE)
    assert len(run.samples) == 40
    assert run.headline["low"] < 0.5 < run.headline["high"]
    assert run.headline["high"] - run.headline["low"] > 0.4  # wider than Wilson's 0.30


def test_the_first_scores_of_a_limit(native: Native) -> None:
    """A limit is the most that is asked: the first records in the random order."""
    native.server.answer = lambda body: right(body) if int(right(body)) % 2 else "wrong"
    native.env["EVALMAKE_LIMIT"] = "20"
    few = {sample["id"] for sample in native(questions(40), scorer="number", until=RULE).samples}
    native.env["EVALMAKE_LIMIT"] = "30"
    more = {sample["id"] for sample in native(questions(40), scorer="number", until=RULE).samples}
    assert (len(few), len(more)) == (20, 30)
    assert few < more


def test_scores_on_another_scale_end_the_run(native: Native) -> None:
    """A scorer of one's own that gives 3 has no interval of this kind: the run fails and says why."""
    native.write("score.py", "def score(reply, target, record):\n    return {'points': 3}\n")
    rule = RULE | {"bounds": [["points", 0.5]]}
    run = native(questions(5), scorer="python", scorer_file="score.py", until=rule)
    assert run.status != 0
    assert "a sample has a score of 3 for `points`, and `until` needs scores from 0 to 1" in run.err


@pytest.mark.parametrize("rule", [3, {}, {"confidence": "high"}, {"confidence": 0.9, "bounds": [1]}])
def test_rules_that_are_none(native: Native, rule: object) -> None:
    """A rule that cannot be read is an error of the task file."""
    assert "until: expected an object with a confidence" in native(until=rule).err
    assert json.loads((native.folder / "task.json").read_text())["until"] == rule
