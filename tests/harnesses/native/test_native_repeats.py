"""`repeats` of a task: several samples of each record, and what they say together."""

from __future__ import annotations

from typing import Any

import pytest

from evalmake.harnesses.native.expected_request import RequestSettings
from evalmake.harnesses.native.expected_samples import AskedTask, contradict_data, recount
from evalmake.scoring.item import clustered_se
from tests.harnesses.native.harness_bench import Body, Native, Raw, question, questions

STEP = 1000


def answer_by_seed(body: Body) -> str:
    """Record n is right in those repetitions whose number is at most n: the first in one of three, the third in all."""
    number = question(body).removeprefix("n")
    return number if body["seed"] // STEP < int(number) + 1 else "77"


@pytest.fixture
def asked(native: Native) -> Native:
    """A bench whose endpoint answers by seed, from 3 on."""
    native.env["EVALMAKE_SEED"] = "3"
    native.server.answer = answer_by_seed
    return native


def run(native: Native, records: int = 3, **task: Any) -> Any:
    """A run that takes three samples of each record."""
    return native(questions(records), **{"scorer": "number", "repeats": 3, "seed_step": STEP} | task)


def test_each_sample_has_a_seed(asked: Native) -> None:
    """The first sample has the seed itself, as without repeats; the others have one each, the same for all records."""
    found = run(asked)
    assert found.err == ""
    seeds = sorted(body["seed"] for body in asked.server.bodies)
    assert seeds == [3] * 3 + [3 + STEP] * 3 + [3 + 2 * STEP] * 3
    rows = [(one["index"], one["repetition"], one["request"]["seed"]) for one in found.samples]
    assert rows == [(index, n, 3 + (n - 1) * STEP) for index in range(3) for n in (1, 2, 3)]


@pytest.mark.parametrize("params", ['{"temperature": 0}', '{"seed": null}'])
def test_nothing_random_has_no_seeds(asked: Native, params: str) -> None:
    """A greedy request is the same each time, and so is one that has no seed."""
    asked.env["EVALMAKE_PARAMS"] = params
    asked.server.answer = lambda body: "1"
    run(asked)
    assert len({body.get("seed") for body in asked.server.bodies}) == 1


def test_scores_of_all_samples_together(asked: Native) -> None:
    """Records right in 1, 2 and 3 of 3 samples: the mean, pass@k, pass^k, the majority, and errors over records."""
    scores = run(asked).scores["scores"]
    expected = {"accuracy": 2 / 3, "pass@2": (2 / 3 + 1 + 1) / 3, "pass@3": 1.0}
    expected |= {"pass^2": (0 + 1 / 3 + 1) / 3, "pass^3": 1 / 3, "majority": 2 / 3}
    assert {name: score["value"] for name, score in scores.items()} == pytest.approx(expected)
    assert scores["accuracy"]["stderr"] == pytest.approx(clustered_se([1 / 3, 2 / 3, 1], range(3)))
    assert {(one["scored"], one["unscored"], one["clusters"]) for one in scores.values()} == {(9, 0, 3)}
    assert run(asked, repeats=1).scores["scores"].keys() == {"accuracy"}


def test_a_record_with_a_failed_sample(asked: Native) -> None:
    """One sample without a reply: it is unscored, and the record has only what its other samples tell."""
    asked.server.answer = lambda body: (
        Raw(500) if (question(body), body["seed"]) == ("n1", 3 + STEP) else answer_by_seed(body)
    )
    found = run(asked)
    by_record = [{*one["scores"]} for one in found.samples if one["index"] == 1]
    assert by_record == [{"accuracy", "pass@2", "pass^2"}, set(), {"accuracy", "pass@2", "pass^2"}]
    counts = {name: (one["scored"], one["unscored"]) for name, one in found.scores["scores"].items()}
    assert counts["accuracy"] == counts["pass@2"] == (8, 1)
    assert counts["pass@3"] == counts["majority"] == (6, 3)


def test_majorities_take_answers_for_equal(asked: Native) -> None:
    """Answers that differ only in their spelling are one, if they are right or if `normalize` says so."""
    replies = {3: "Paris", 3 + STEP: "paris", 3 + 2 * STEP: "ROME", 3 + 3 * STEP: "rome", 3 + 4 * STEP: "Oslo"}
    asked.server.answer = lambda body: replies[body["seed"]]
    records = [{"q": "capital", "a": "Paris"}]
    task = {"prompt": "{q}", "target": "{a}", "scorer": "exact", "repeats": 5, "seed_step": STEP}
    assert asked(records, **task).scores["scores"]["majority"]["value"] == 0.5
    assert asked(records, **task, normalize=["space"]).scores["scores"]["majority"]["value"] == pytest.approx(0.2)


def test_replies_that_are_always_the_same(asked: Native) -> None:
    """An endpoint that ignores seeds: the counts say that all samples of each record are alike."""
    asked.server.answer = lambda body: "1"
    usage = run(asked).scores["usage"]
    assert (usage["repeats"], usage["items_answered_alike"]) == (3, 3)
    asked.server.answer = answer_by_seed
    assert run(asked).scores["usage"]["items_answered_alike"] == 1  # the third, which is always right


def test_an_endpoint_that_goes_away(asked: Native) -> None:
    """Samples of records that are not complete are on record, too, without scores of all together."""
    asked.env["EVALMAKE_CONCURRENCY"] = "1"
    asked.server.answer = lambda body: Raw(404) if body["seed"] > 3 + STEP else answer_by_seed(body)
    found = run(asked)
    assert found.status == 3
    assert [one["scores"] for one in found.samples] == [{"accuracy": 1.0}, {"accuracy": 0.0}]


def test_samples_are_those_of_the_data(asked: Native) -> None:
    """By the data alone, a missing sample, a wrong seed and a changed pass^k are found, and nothing in what ran."""
    found = run(asked)
    told = AskedTask(asked.folder / "task.json", RequestSettings("chat", "model", {}, 3, STEP), None)
    assert list(contradict_data(told, found.samples)) == []
    assert recount(told, found.samples, "accuracy", has_checks=False)["scores"] == found.scores["scores"]
    assert [one.what for one in contradict_data(told, found.samples[1:])][:2] == ["samples", "sample"]
    rows = [dict(one) for one in found.samples]
    rows[0]["scores"] = rows[0]["scores"] | {"pass^3": 1.0}
    rows[1]["request"] = rows[1]["request"] | {"seed": 3}
    changed = {(one.what, one.recorded, one.expected) for one in contradict_data(told, rows)}
    assert changed == {("scores.pass^3", "1.0", "0.0"), ("request.seed", "3", str(3 + STEP))}
