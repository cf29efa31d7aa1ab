"""Notes beside a score, from the counts and facts of its record."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.notes import find_notes
from evalmake.scoring.sample_counts import SampleCounts
from evalmake.scoring.score import Score


@dataclass(frozen=True, slots=True)
class Found:
    """A result on record."""

    usage: dict[str, float] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    scores: tuple[Score, ...] = (Score("acc", 0.5, scored=10),)
    metric: str = "acc"
    seeds: tuple[int, int] = (1, 1)
    kind: MetricKind = UNKNOWN_KIND


def texts(*results: Found) -> dict[str, str]:
    """The notes by code."""
    return {note.code: note.text for note in find_notes(results)}


def test_nothing_to_say_is_said_by_nothing() -> None:
    """A score with whole replies of one model has no note; nor has a result that counted nothing."""
    counted = {"requests": 10.0, "samples": 10.0, "replies": 10.0, "finish_stop": 10.0, "models": 1.0}
    assert find_notes([Found(counted, {"models": '["m"]', "asked": '["m"]'}), Found()]) == ()


def test_seeds_without_a_result() -> None:
    """A score says how many of its cell's seeds it is of, unless it is of all."""
    assert texts(Found(seeds=(2, 3)), Found(seeds=(2, 3))) == {
        "missing-seeds": "2 of 3 seeds have a result, and only these count"
    }
    assert texts(Found(seeds=(3, 3))) == {}


@pytest.mark.parametrize("metric", ["accuracy", "acc", "acc_norm", "exact_match,strict-match", "em", "f1", "pass@1"])
def test_a_share_above_1_is_told(metric: str) -> None:
    """A score says that it is above 1 if its name is that of a share; other metrics have any scale."""
    found = Found(scores=(Score(metric, 83.0),), metric=metric)
    assert texts(found) == {
        "scale": f"{metric} is 83, and by its name a share from 0 to 1: if it goes to 100, write its bounds so, too"
    }
    assert texts(Found(scores=(Score(metric, 1.0), Score("bleu", 31.0), Score("f1_count", 7.0)))) == {}


def test_ties_are_told() -> None:
    """A score says how many of its samples have several likeliest options."""
    assert texts(Found({"ties": 3.0})) == {
        "ties": "3 of 10 samples have several likeliest options: the first one is scored"
    }


def test_equal_ids_are_counted() -> None:
    """A sample with id and metric of an earlier one is counted, unless it is another repetition or metric."""

    def count(*rows: dict[str, object]) -> int:
        lines = [json.dumps({"id": "a", "scores": {"acc": 1}, **row}).encode() for row in rows]
        return SampleCounts.of(lines).counts["ids_repeated"]

    assert count({}, {}, {"id": "b"}, {}) == 2
    assert count({"repetition": 1}, {"repetition": 2}, {"scores": {"f1": 1}}, {"scores": {}}, {"scores": None}) == 0


@pytest.mark.parametrize(
    ("usage", "code", "text"),
    [
        ({"replies_truncated": 3}, "truncated", "3 of 10 replies cut off by the token limit"),
        (
            {"replies_truncated": 3, "cut_in_reasoning": 2},
            "truncated",
            "3 of 10 replies cut off by the token limit, 2 of them in their reasoning",
        ),
        ({"replies_unfinished": 2}, "unfinished", "2 of 10 replies end inside their reasoning"),
        ({"replies_empty": 1}, "empty", "1 of 10 replies empty"),
        ({"replies_without_answer": 6}, "no-answer", "no answer was found in 6 of 10 replies"),
        ({"replies_null": 2}, "null", "2 of 10 replies without content"),
        ({"replies_refused": 2, "refusals": 1}, "refused", "3 of 10 replies refused"),
        ({"replies_calling_tools": 4}, "tool-calls", "4 of 10 replies call a tool where text was expected"),
        ({"replies_unused": 30}, "choices", "30 more replies not scored: of `n`, the first one is"),
        ({"samples_failed": 2}, "errors", "2 samples ended in an error and were scored"),
        ({"ids_repeated": 3}, "ids", "3 samples have the id of an earlier one: counted as repetitions of one item"),
        ({"requests": 0}, "no-requests", "no request reached the model"),
        ({"undeclared_seed": 10}, "undeclared", "10 requests had another seed than declared"),
        ({"added_top_p": 1}, "undeclared", "1 request had a top_p that nothing declares"),
        ({"reseeded": 6}, "reseeded", "6 requests are repetitions with seeds of their own"),
    ],
)
def test_what_is_counted_is_told(usage: dict[str, float], code: str, text: str) -> None:
    """Each count that is not zero has its note, with a stable code."""
    assert texts(Found({"requests": 10, "replies": 10, **usage})) == {code: text}


def test_another_headline_is_told() -> None:
    """A rerun whose headline is another metric than the last result's says which that was."""
    assert texts(Found(facts={"earlier_metric": "f1"})) == {"headline": "the headline of the last result was f1"}


def test_seeds_are_told_together() -> None:
    """The counts of the seeds of one score are added, and their models are compared."""
    one = Found({"replies": 10, "replies_empty": 1}, {"models": '["a"]', "asked": '["a"]'})
    two = Found({"replies": 10, "replies_empty": 2}, {"models": '["b"]', "asked": '["a"]'})
    assert texts(one, two) == {"empty": "3 of 20 replies empty", "models": "2 models answered (a, b)"}


def test_unscored_samples() -> None:
    """Samples without the headline metric are counted; those of other metrics are not."""
    scores = (Score("acc", 0.5, scored=8, unscored=2), Score("f1", 0.5, scored=1, unscored=9))
    assert texts(Found(scores=scores)) == {"unscored": "2 of 10 samples not scored"}


@pytest.mark.parametrize(
    ("answered", "asked", "told"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o", False),
        ("name-7b", "org/Name-7B", False),
        ("/models/tiny@main", "tiny", False),
        ("mistral-large-2407", "mistral-large-latest", False),
        ("llama-3-8b.Q4_K_M.gguf", "llama-3-8b.Q4_K_M", False),
        ("tiny", "large", True),
        ("gpt-4o-mini", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", True),
        ("o1-mini", "o1", True),
        ("llama-3.1-8b", "llama-3", True),
        ("llama-70b-awq", "llama-70b", True),
        ("qwen2.5-7b", "qwen2.5-7b-instruct", True),
        ("something-else-3b", "m", True),
    ],
)
def test_a_swapped_model_is_told(answered: str, asked: str, told: bool) -> None:
    """Another name than the one that was asked is told, and another form of the same name is not."""
    found = texts(Found({}, {"models": json.dumps([answered]), "asked": json.dumps([asked])}))
    assert found == ({"model": f"{answered} answered, {asked} was asked"} if told else {})


def test_many_fingerprints_are_not_all_listed() -> None:
    """Three names are enough for a line."""
    found = texts(Found({}, {"fingerprints": json.dumps(list("abcde"))}))
    assert found == {"fingerprints": "5 system fingerprints (a, b, c, ...)"}


def test_counting_samples() -> None:
    """Rows are counted by their replies and questions; one token that was asked for is not cut off."""
    rows = [
        {"id": "0", "reply": "x", "scores": {"acc": 1}, "finish_reason": "length"},
        {
            "id": "1",
            "reply": "A",
            "scores": {"acc": 1},
            "finish_reason": "length",
            "request": {"max_tokens": 1, "prompt": "?"},
        },
        {"id": "2", "reply": " ", "scores": {"acc": 0}, "finish_reason": "length"},
        {"id": "3", "reply": "", "scores": {"acc": 0}, "finish_reason": "content_filter"},
        {"id": "4", "reply": "", "scores": {"acc": 0}, "finish_reason": "tool_calls"},
        {"id": "5", "reply": "a", "scores": {"acc": 0}, "request": {"n": 3, "prompt": "?"}},
        {"id": "6", "reply": None, "scores": {}, "error": "HTTP 500"},
        {"id": "7", "reply": "b", "scores": {}},
        {"id": "8", "reply": None, "scores": {}, "error": "HTTP 500"},
        {"id": "9", "reply": "<think>It is 7, so", "scores": {"acc": 0}, "finish_reason": "stop"},
        {"id": "10", "reply": "<think>It is 7.</think>7", "scores": {"acc": 1}, "finish_reason": "stop"},
    ]
    # A check that a tool is called, or is not, reads the calls.
    rows += [
        {"id": name, "reply": "", "scores": {"passed": 1, name: 1}, "finish_reason": "tool_calls"}
        for name in ("tool-call", "not-tool-call")
    ]
    inside = [{"type": "any", "checks": [{"type": "not-all", "checks": [{"type": "tool-call"}]}]}]
    rows += [{"id": "any", "reply": "", "scores": {"any": 1}, "checks": inside, "finish_reason": "tool_calls"}]
    found = SampleCounts.of([b"no row\n", b"[1]\n", *(json.dumps(row).encode() for row in rows)])
    assert found.counts == {
        "samples": 14,
        "samples_failed": 2,
        "replies": 12,
        "replies_truncated": 2,
        "replies_unfinished": 1,
        "replies_empty": 1,
        "replies_refused": 1,
        "replies_calling_tools": 1,
        "replies_unused": 2,
        "items_repeated": 1,
    }
    assert found.cause == ("the most common reason (2): HTTP 500", "")


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ({"scores": {}, "error": "slow", "cause_kind": "scorer"}, ("slow", "scorer")),
        ({"scores": {}, "error": "slow", "cause_kind": None}, ("slow", "")),
        ({"scores": {}, "error": "slow"}, ("slow", "")),
        ({"scores": {}}, ("left unscored by the scorer", "scorer")),
        ({"scores": {"b": 1}}, ("has no `a` but `b` (first: sample `1`)", "scorer")),
    ],
)
def test_why_a_sample_has_no_score(row: dict[str, object], cause: tuple[str, str]) -> None:
    """A row says of what kind its error is; a sample without an error is the scorer's."""
    text, kind = cause
    found = SampleCounts.of([json.dumps({"id": "1", **row}).encode()], "a")
    assert found.cause == (f"the most common reason (1): {text}", kind)


@pytest.mark.parametrize("checks", [None, 5, "x", [[]], [{"checks": 5}], [{"type": 3}], {"type": "tool-call"}])
def test_odd_checks_are_none(checks: object) -> None:
    """A program may write a field of this name in a form of its own."""
    row = {"id": "1", "reply": "", "scores": {"acc": 1}, "finish_reason": "tool_calls", "checks": checks}
    assert SampleCounts.of([json.dumps(row).encode()]).counts["replies_calling_tools"] == 1


ODD = (None, 5, 1.5, True, "x", [], [[]], {}, {"a": None}, {"accuracy": [1]}, 10**400)


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("key", ["id", "item", "scores", "reply", "request", "error", "repetition", "finish_reason"])
def test_rows_of_other_forms_are_counted_or_left_out(key: str, value: object) -> None:
    """A program may write any JSON as a row: no traceback; rows whose scores are no map are left out."""
    row = {"id": "1", "scores": {"accuracy": 1}, "reply": "x", key: value}
    known = key != "scores" or isinstance(value or {}, dict)
    assert SampleCounts.of([json.dumps(row).encode()] * 2, "accuracy").counts["samples"] == (2 if known else 0)
