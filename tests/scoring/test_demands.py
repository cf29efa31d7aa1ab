"""What an evaluation demands of a result, judged from counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import pytest

import evalmake
from evalmake.scoring.demands import Demands, find_shortfall
from evalmake.scoring.score import Score
from evalmake.scoring.unscored_causes import CURES, Cause, CauseKind


@dataclass(frozen=True, slots=True)
class Found:
    """A result."""

    scores: tuple[Score, ...]
    metric: str = "acc"
    usage: dict[str, float] = field(default_factory=dict)


def scored(done: int, rest: int, **usage: float) -> Found:
    """A result with so many scored and unscored samples."""
    return Found((Score("acc", 1.0 if done else None, scored=done, unscored=rest),), usage=usage)


def test_enough_is_enough() -> None:
    """A share that is just reached is reached, whatever floating point makes of it: 7 of 100 are 7 per cent."""
    assert find_shortfall(Demands(0.07), scored(7, 93)) is None
    assert find_shortfall(Demands(0.071), scored(7, 93)) is not None
    assert find_shortfall(Demands(), scored(10, 0)) is None


def test_too_few_samples() -> None:
    """The reason gives the shares, and the message the counts, the cause and a cure."""
    found = find_shortfall(Demands(), scored(9999, 1), Cause("the most common reason (1): HTTP 500"))
    assert found is not None
    assert found.reason == "coverage: 99.9% scored, 100% demanded"
    assert found.message == (
        "9999 of 10000 samples were scored, and 100% must be; the most common reason (1): HTTP 500"
    )
    assert "coverage" in found.cure


@pytest.mark.parametrize(
    ("kind", "cure"),
    [
        ("scorer", "see the scorer"),
        ("same-again", "see the request"),
        ("passing", "run again"),
        ("no-server", "see that the model's server runs"),
        ("left-out", "see in its log"),
        ("unknown", "lower the benchmark's `coverage`"),
    ],
)
@pytest.mark.parametrize("text", ["", "score() failed: HTTP 400: cannot connect", "anything"])
def test_a_cure_depends_on_the_kind_of_the_cause_alone(kind: str, text: str, cure: str) -> None:
    """Whatever the words, a scorer's mistake and a refused request are the same in the next run."""
    found = find_shortfall(Demands(), scored(3, 1), Cause(text, kind))
    assert found is not None
    assert found.cure.startswith(cure)
    assert found.cure.endswith("lower the benchmark's `coverage`")


@pytest.mark.parametrize("kind", ["", "of a later version"])
@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("HTTP 400: bad parameter", "see the request"),
        ("HTTP status 422", "see the request"),
        ("judge: HTTP 400: bad parameter", "see the request"),
        ("BadRequestError: Error code: 400 - {'error': 'max_tokens'}", "see the request"),
        ("HTTP 302, to https://example.org: (empty)", "see the request"),
        ("HTTP 429: slower", "run again"),
        ("http://127.0.0.1:1/v1/chat/completions: HTTP 502: (empty)", "run again"),
        ("Error code: 502 - {'error': {'code': 'evalmake_no_connection'}}", "see that the model's server runs"),
        ("HTTP 503: busy", "run again"),
        ("null content", "run again"),
    ],
)
def test_the_words_of_other_programs_are_read(text: str, kind: str, cure: str) -> None:
    """Where nobody says of what kind a cause is, the status of HTTP in its text does, or the gateway's code."""
    found = find_shortfall(Demands(), scored(3, 1), Cause(f"the most common reason (1): {text}", kind))
    assert found is not None
    assert found.cure.startswith(cure)


def test_each_kind_of_cause_has_its_advice_in_one_place() -> None:
    """No kind is without advice, but for the one of which nothing is known, and no other module has its words."""
    assert set(CURES) == set(get_args(CauseKind))
    assert {kind for kind, cure in CURES.items() if not cure} == {"unknown"}
    package = Path(evalmake.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text()
        known = [cure for cure in CURES.values() if cure and cure.partition(":")[0] in text]
        assert not known or path == package / "scoring" / "unscored_causes.py", path


def test_no_other_run_is_advised_for_samples_that_a_program_leaves_out() -> None:
    """Without a failed request, a program that counts samples as unscored would do it again."""
    found = find_shortfall(Demands(), scored(3, 1))
    assert found is not None
    assert found.cure.startswith("see in its log why it leaves out samples: no request failed")


def test_no_score_is_never_enough() -> None:
    """A coverage of 0 allows any share of samples to be missing, but a number there must be."""
    found = find_shortfall(Demands(0.0), scored(0, 4))
    assert found is not None
    assert found.message == "0 of 4 samples were scored, and at least one must be"
    assert found.reason == "coverage: 0% scored, at least one sample demanded"
    assert "lower" not in found.cure
    assert find_shortfall(Demands(0.0), scored(1, 3)) is None


@pytest.mark.parametrize("score", [Score("acc", None), Score("acc", None, scored=4)])
def test_a_metric_without_a_value_is_no_result(score: Score) -> None:
    """What has no value although samples were scored, or none were counted, is said to have none."""
    found = find_shortfall(Demands(0.5), Found((score,)))
    assert found is not None
    assert found.message == "`acc` has no value"


@pytest.mark.parametrize(("coverage", "text"), [(0.9999999, "99.99999%"), (0.07, "7%"), (0.29, "29%")])
def test_a_coverage_reads_as_it_was_asked_for(coverage: float, text: str) -> None:
    """99.99999 % is not 100 %."""
    found = find_shortfall(Demands(coverage), scored(0, 4))
    assert found is not None
    assert found.message == f"0 of 4 samples were scored, and {text} must be"


def test_a_harness_that_does_not_count_is_believed() -> None:
    """A number without counts has no coverage to judge."""
    assert find_shortfall(Demands(), Found((Score("acc", 0.5),))) is None


def test_only_the_headline_counts() -> None:
    """Samples that have another metric do not stand in for it, and the benchmark's `metric` is the headline."""
    both = Found((Score("acc", 0.5, scored=4), Score("f1", 0.5, scored=1, unscored=3)))
    assert find_shortfall(Demands(), both) is None
    found = find_shortfall(Demands(metric="f1"), both)
    assert found is not None
    assert found.message.startswith("1 of 4 samples were scored")
    lacking = find_shortfall(Demands(metric="bleu"), both)
    assert lacking is not None
    assert lacking.message == "the harness reported no `bleu`; it reported acc, f1"


def test_unanswered_requests() -> None:
    """Where requests are counted, the answered ones are judged by the same share."""
    found = find_shortfall(Demands(), scored(10, 0, questions=10, unanswered=2))
    assert found is not None
    assert found.message == "2 of 10 requests were not answered, and 100% must be"
    assert found.reason == "coverage: 80% answered, 100% demanded"
    assert find_shortfall(Demands(0.8), scored(10, 0, questions=10, unanswered=2)) is None


@pytest.mark.parametrize(("cut", "falls_short"), [(0, False), (15, False), (16, True), (30, True)])
def test_truncated_replies(cut: int, falls_short: bool) -> None:
    """More replies than half that the token limit cut off are no result, unless the benchmark says so."""
    result = scored(30, 0, replies=30, replies_truncated=cut)
    found = find_shortfall(Demands(), result)
    assert (found is not None) == falls_short
    assert find_shortfall(Demands(truncated=1.0), result) is None
    if found:
        assert found.message == f"{cut} of 30 replies were cut off by the token limit, and at most 50% may be"
        assert "max_tokens" in found.cure


def test_replies_that_end_in_their_reasoning_count_as_truncated() -> None:
    """A reply that ends inside its reasoning is judged like one that the token limit cut off."""
    found = find_shortfall(Demands(), scored(30, 0, replies=30, replies_truncated=8, replies_unfinished=8))
    assert found is not None
    assert "16 of 30 replies were cut off by the token limit or end inside their reasoning" in found.message
    assert find_shortfall(Demands(), scored(30, 0, replies=30, replies_truncated=8, replies_unfinished=7)) is None
