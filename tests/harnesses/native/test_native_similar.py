"""The check `similar`: the meaning of a reply compared with texts, by the embeddings of a model."""

from __future__ import annotations

from typing import Any

import pytest

from evalmake.harnesses.native.embedder import find_cosine
from evalmake.harnesses.native.replay import main as replay
from tests.harnesses.native.harness_bench import HANG_UP, Body, Native, Raw, read_lines, refusal

VECTORS = {"Rome": [1.0, 0.0], "The Eternal City": [0.8, 0.6], "Oslo": [0.0, 2.0], "nothing": [0.0, 0.0]}


def answer(native: Native, reply: str, embeddings: Any = None) -> None:
    """Have the model say this, and the embedder give the vectors of the texts, or something else."""

    def respond(body: Body) -> Any:
        if "input" not in body:
            return reply
        if embeddings is not None:
            return embeddings
        rows = [{"index": at, "embedding": VECTORS[text]} for at, text in enumerate(body["input"])]
        return {"data": rows[::-1], "usage": {"prompt_tokens": 3}}

    native.server.answer = respond
    native.env |= {
        "EVALMAKE_EMBEDDER_URL": native.server.url,
        "EVALMAKE_EMBEDDER_NAME": "vectors",
        "EVALMAKE_EMBEDDER_API": "embeddings",
        "EVALMAKE_EMBEDDER_API_KEY": "embedder-key",
    }


def run(native: Native, *checks: Body, **task: Any) -> Any:
    """A run with these checks of one record."""
    return native([{"q": "Hi"}], target=None, checks=list(checks), embedder=True, **task)


@pytest.mark.parametrize(
    ("reply", "given", "passes", "similarity"),
    [
        ("The Eternal City", {"value": "Rome"}, True, 0.8),
        ("The Eternal City", {"value": "Rome", "threshold": 0.9}, False, 0.8),
        ("The Eternal City", {"value": ["Oslo", "Rome"]}, True, 0.8),
        ("Oslo", {"value": "Rome"}, False, 0.0),
        ("Oslo", {"type": "not-similar", "value": "Rome"}, True, 0.0),
        ("nothing", {"value": "Rome"}, False, 0.0),
        ("<think>Oslo</think>\nRome", {"value": "Rome", "threshold": 1}, True, 1.0),
    ],
)
def test_a_reply_is_near_or_not(native: Native, reply: str, given: Body, passes: bool, similarity: float) -> None:
    """A reply passes from its threshold on, with the nearest of several texts; the sample keeps the similarity."""
    answer(native, reply)
    found = run(native, {"type": "similar", **given})
    assert found.samples[0]["scores"] == {"passed": float(passes), given.get("type", "similar"): float(passes)}
    assert found.samples[0]["similarities"] == [pytest.approx(similarity)]
    assert found.scores["usage"]["embedder"] == {"requests": 1, "tokens_in": 3}


def test_what_is_asked(native: Native) -> None:
    """One request has the reply and the texts; it goes to the embedder, with its key."""
    answer(native, "Rome")
    run(native, {"type": "similar", "value": ["Oslo", "Rome"]})
    asked = {"input": ["Rome", "Oslo", "Rome"], "model": "vectors", "encoding_format": "float"}
    assert (native.server.paths[-1], native.server.bodies[-1]) == ("/v1/embeddings", asked)
    assert {k.lower(): v for k, v in native.server.headers[-1].items()}["authorization"] == "Bearer embedder-key"


def test_an_empty_reply_is_not_sent(native: Native) -> None:
    """An empty reply is similar to nothing, and the embedder is not asked."""
    answer(native, "")
    found = run(native, {"type": "similar", "value": "Rome"}, {"type": "any", "value": [{"type": "json"}]})
    assert found.samples[0]["similarities"] == [0.0]
    assert len(native.server.bodies) == 1


@pytest.mark.parametrize(
    ("embeddings", "error"),
    [
        (refusal(400, "too long"), "embedder: HTTP 400: too long"),
        ({"data": []}, "embedder: unusable reply: it has no 2 vectors"),
        (
            {"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]},
            "embedder: unusable reply: it",
        ),
        (
            {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": ["a"]}]},
            "embedder: unusable reply: it",
        ),
        (
            {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]},
            "embedder: unusable reply: its vectors have several lengths",
        ),
        (Raw(text="no JSON"), "embedder: the reply is not JSON"),
    ],
    ids=str,
)
def test_no_vectors(native: Native, embeddings: Any, error: str) -> None:
    """Where the embedder gives no vectors, the sample has an error that says so."""
    answer(native, "Rome", embeddings)
    found = run(native, {"type": "similar", "value": "Oslo"})
    assert found.samples[0]["error"].startswith(error)
    assert found.samples[0]["scores"] == {}


def test_no_embedder_there(native: Native) -> None:
    """An embedder that is not there ends the run, and is named."""
    answer(native, "Rome", HANG_UP)
    found = run(native, {"type": "similar", "value": "Oslo"})
    assert (found.status, found.err) == (3, "error: embedder: EVALMAKE_EMBEDDER_URL: the connection broke\n")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"value": "x", "threshold": 2}, "`threshold` is a similarity from 0 to 1, and it is 2"),
        ({"value": ""}, "the value is empty"),
        ({"value": {"a": 1}}, "expected a text"),
        ({"value": ["x", None]}, "expected a text"),
    ],
)
def test_checks_that_are_none(native: Native, given: Body, message: str) -> None:
    """A similarity has texts to compare with, and a threshold from 0 to 1."""
    found = native([{"q": "Hi", "c": [{"type": "similar", **given}]}], target=None, checks="{c}", embedder=True)
    assert f"data.jsonl:1: check 1, `similar`: {message}" in found.err


def test_who_gives_embeddings(native: Native) -> None:
    """Without an embedder, a record's check is told with its place; a model of chats is none."""
    found = native([{"q": "Hi", "c": {"type": "similar", "value": "x"}}], target=None, checks="{c}")
    assert found.err == "error: data.jsonl:1: a check compares meanings, and no model gives embeddings\n"
    assert "need EVALMAKE_EMBEDDER_URL" in run(native, {"type": "similar", "value": "x"}).err
    answer(native, "Rome")
    native.env["EVALMAKE_EMBEDDER_API"] = "chat"
    assert "is 'chat', and an embedder has 'embeddings'" in run(native, {"type": "similar", "value": "x"}).err


@pytest.mark.parametrize("embeddings", [None, refusal(400, "no")], ids=["vectors", "none"])
def test_a_replay_asks_nobody(native: Native, embeddings: Any) -> None:
    """Recorded similarities are scored again to the same samples, and so are their errors."""
    answer(native, "The Eternal City", embeddings)
    checks = [{"type": "similar", "value": "Rome"}, {"type": "not-similar", "value": "Oslo", "threshold": 0.7}]
    found = run(native, *checks)
    count = len(native.server.bodies)
    recorded = native.write("recorded.jsonl", found.samples)
    assert replay(str(native.folder / "task.json"), str(recorded)) == found.status
    assert read_lines(native.out / "samples.jsonl") == found.samples
    assert len(native.server.bodies) == count


def test_cosines() -> None:
    """The cosine lies between -1 and 1, whatever rounding does."""
    assert find_cosine([0.1] * 3, [0.3] * 3) == 1.0
    assert find_cosine([1.0, 1.0], [-1.0, -1.0]) == -1.0
