"""Scoring stored replies again: each must be that of the very request, and have all that its scorers read."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from evalmake.harnesses.native.asking_identity import leave_out_scoring
from tests.harnesses.native.harness_bench import Native, completion

DATA = [{"q": "the question", "a": "the answer"}, {"q": "another", "a": "the other"}]


def store(native: Native, edit: Any = lambda row: row) -> str:
    """Keep the samples of the last run as those to score again, each changed by `edit`; the name of their file."""
    rows = [edit(json.loads(line)) for line in (native.out / "samples.jsonl").read_text().splitlines()]
    (native.folder / "stored.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows if row))
    del native.env["EVALMAKE_MODEL_URL"]
    os.environ.pop("EVALMAKE_MODEL_URL", None)
    return "stored.jsonl"


def test_the_same_samples(native: Native) -> None:
    """Without a change, the samples and scores are those of the attempt that asked; only the requests are none."""
    asked = native(DATA, scorer="contains")
    again = native(DATA, scorer="contains", samples=store(native))
    assert again.status == 0, again.err
    assert again.samples == asked.samples
    assert again.scores["scores"] == asked.scores["scores"]
    assert again.scores["usage"] == asked.scores["usage"] | {"requests": 0, "stored_replies": 2}


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda row: row | {"reply": None}, "has no reply"),
        (lambda row: row | {"reply": "it is [secret KEY]"}, "had a secret in it"),
        (lambda row: row | {"item": "other"}, "another request"),
        (lambda row: row | {"request": row["request"] | {"seed": 9}}, "its request is another one"),
        (lambda row: None, "another one than that on record"),
    ],
)
def test_a_reply_that_does_not_count(native: Native, edit: Any, reason: str) -> None:
    """A reply that is missing, redacted, or of another request ends the job with a status of its own."""
    native(DATA, scorer="contains")
    sent = len(native.server.bodies)
    again = native(DATA, scorer="exact", samples=store(native, edit))
    assert again.status == 5
    assert "sample 0: " in again.err
    assert reason.split()[-1] in again.err
    assert len(native.server.bodies) == sent


def test_conversations_and_calls(native: Native) -> None:
    """Replies of several turns, and calls of tools, are scored as they were when they came."""
    turns = [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    task: dict[str, Any] = {
        "messages": "{m}",
        "prompt": None,
        "target": None,
        "checks": [{"type": "contains", "value": "x"}],
    }
    native.server.answer = lambda body: completion("x" * len(body["messages"]))
    asked = native([{"m": turns}], **task)
    again = native([{"m": turns}], **task, samples=store(native))
    assert again.status == 0, again.err
    assert again.samples == asked.samples


WALK = {"": "map:3", "prompt": "str:{q}", "scorer": "str:number", "target": "str:{a}", "harness": "str:native/1"}


def leave_out(walk: dict[str, str], api: str = "chat") -> object:
    """What is left of a benchmark's walk."""
    found = leave_out_scoring({"": {"seed": "int:0"}, "benchmark": walk, "model": {"api": f"str:{api}"}})
    return found and found["benchmark"]


@pytest.mark.parametrize(
    "more",
    [
        {"scorer": "str:exact"},
        {"scorer": "list:2", "scorer[0]": "str:number", "scorer[1]": "str:exact"},
        {"behaviours": "map:1", "behaviours.scorer number": "int:2"},
        {"judge": "str:xxh128:1", "rubric": "str:x", "judge_format": "str:json"},
        {"checks": "list:1", "checks[0]": "map:1", "checks[0].type": "str:json"},
        {"scorer_file": "files:1", "scorer_file.sha256": "00"},
        {"target": "str:{b}", "weight": "str:{w}", "tags": "str:{t}", "id": "str:q", "cluster": "str:c"},
    ],
)
def test_what_only_scores(more: dict[str, str]) -> None:
    """Scorers, judges, checks, targets and their behaviour numbers are no part of what asks."""
    assert leave_out(WALK | more) == leave_out(WALK)


@pytest.mark.parametrize(
    "more",
    [
        {"prompt": "str:{p}"},
        {"behaviours.examples": "int:2"},
        {"where": "str:level > 3"},
        {"fields.a": "str:b"},
        {"files.sha256": "00"},
        {"choices": "str:{options}"},
    ],
)
def test_what_asks(more: dict[str, str]) -> None:
    """Prompts, data and options are part of what asks."""
    assert leave_out(WALK | more) != leave_out(WALK)


def test_scorers_that_change_requests() -> None:
    """With options, letters or dashes are shown by the scorer; with examples, targets are; both then ask."""
    options = WALK | {"choices": "str:{options}"}
    choice, letters = options | {"scorer": "str:choice"}, options | {"scorer": "str:choices"}
    assert leave_out(options) != leave_out(choice)
    assert leave_out(letters) == leave_out(choice)
    assert leave_out(letters, "completions") != leave_out(choice, "completions")
    shown = WALK | {"examples.sha256": "00"}
    assert leave_out(shown | {"target": "str:{b}"}) != leave_out(shown)


@pytest.mark.parametrize("more", [{"answer": "str:{reply}"}, {"checks[0].type": "str:not-latency"}])
def test_what_has_no_replies_to_score_again(more: dict[str, str]) -> None:
    """Answers in the data are no replies, and how long a reply took may be the cache's."""
    assert leave_out(WALK | more) is None
