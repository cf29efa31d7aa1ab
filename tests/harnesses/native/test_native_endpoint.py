"""Endpoint trouble: what errs a sample, and what ends the run."""

from __future__ import annotations

import json

import pytest

from tests.harnesses.native.harness_bench import HANG_UP, Body, Native, Raw, Reply, completion, questions, refusal

HTML = "<!doctype html><title>Sign in</title>"
ADDRESS = "http://model/v1/chat/completions"


def gateway(status: int, message: str, code: str | None = None) -> Raw:
    """A reply of the gateway's own."""
    error = {"message": message, "type": "evalmake_gateway", "code": code}
    return refusal(status, json.dumps({"error": error}))


def parts(*content: Body) -> Body:
    """A reply whose content is a list of parts."""
    return {"choices": [{"message": {"content": list(content)}}]}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refusal(503, "HTTP 400"), "passing"),
        (refusal(429), "passing"),
        (refusal(401), "same-again"),
        (refusal(400, "cannot connect"), "same-again"),
        (gateway(502, "it is not there", "evalmake_no_connection"), "no-server"),
        (gateway(504, "nothing came"), "passing"),
        (Raw(text="no JSON"), "passing"),
        (completion(None), "passing"),
        (completion(7), "same-again"),
    ],
)
def test_an_error_says_of_what_kind_it_is(native: Native, reply: Reply, kind: str) -> None:
    """Whether another run may help does not depend on the words of the error."""
    native.server.answer = lambda body: reply if body["messages"][0]["content"] == "n1" else "x"
    run = native(questions(2))
    assert run.samples[1]["cause_kind"] == kind
    assert "cause_kind" not in run.samples[0]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusal(503, "busy"), "HTTP 503: busy"),
        (refusal(429), 'HTTP 429: {"error": "no"}'),
        (refusal(401, '{"error": "no such key"}'), 'HTTP 401: {"error": "no such key"}'),
        (refusal(400, "bad  \n parameter"), "HTTP 400: bad parameter"),
        (refusal(400, "x" * 300), "HTTP 400: " + "x" * 200),
        (refusal(422, ""), "HTTP 422: (empty)"),
        (refusal(400, '{"error": {"type": "other"}}'), 'HTTP 400: {"error": {"type": "other"}}'),
        (gateway(502, f"{ADDRESS}: cannot connect"), f"{ADDRESS}: cannot connect"),
        (gateway(504, f"{ADDRESS}: nothing came"), f"{ADDRESS}: nothing came"),
        (Raw(text='{"choices": [{"mess'), 'the reply is not JSON: {"choices": [{"mess'),
        (Raw(text=HTML, kind="text/html"), f"the reply is not JSON: {HTML}"),
        ({"object": "error"}, 'a reply without choices: {"object": "error"}'),
        (Raw(text="[]"), "a reply without choices: []"),
        (refusal(200, "{}", Padding="x" * 100_000), "the reply's headers are larger than 64 KiB"),
        (completion(None), "null content"),
        (completion(7), "unusable reply: a number as content, not text: 7"),
        (completion({"text": "7"}), 'unusable reply: an object as content, not text: {"text":"7"}'),
        (completion(None, reasoning_content=""), "null content"),
    ],
)
def test_trouble_errs_the_sample(native: Native, reply: Reply, error: str) -> None:
    """A sample without an answer is errored, never zero nor asked again; the others are scored."""
    native.server.answer = lambda body: reply if body["messages"][0]["content"] == "n1" else "x"
    run = native(questions(3))
    assert run.status == 0, run.err
    assert (run.samples[1]["error"], run.samples[1]["scores"]) == (error, {})
    assert run.headline["value"] == 0
    assert (run.headline["scored"], run.headline["unscored"]) == (2, 1)
    assert (run.scores["usage"]["errors"], run.scores["usage"]["requests"]) == (1, 3)
    assert len(native.server.bodies) == 3


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (completion(""), ""),
        (completion("", "length"), ""),
        (completion(None, "length"), ""),
        (completion(None, "content_filter"), ""),
        (completion(None, "length", reasoning_content="hm 42"), ""),
        (completion(None, reasoning="42"), ""),
        (completion(None, thinking="42"), ""),
        (completion(None, reasoning_details=[{"type": "reasoning.text", "text": "42"}]), ""),
        (completion(None, "tool_calls", tool_calls=[{"id": "1", "function": {"name": "42"}}]), ""),
        (completion(None, refusal="I will not say 42"), "I will not say 42"),
        (completion("<think>it is 42", "length"), "<think>it is 42"),
        (completion("<think>it is 42"), "<think>it is 42"),
        (completion("<THINK>a</THINK><think>it is 42", "length"), "<THINK>a</THINK><think>it is 42"),
        (parts({"type": "reasoning", "text": "42"}, {"type": "text", "text": "no"}), "no"),
        (parts({"type": "thinking", "thinking": [{"type": "text", "text": "42"}]}), ""),
        (parts({"type": "text", "text": "<think>it is "}, {"type": "text", "text": "42"}), "<think>it is 42"),
        (parts({"type": "text", "text": "4"}, {"type": "text", "text": "2"}), "42"),
    ],
)
def test_odd_replies_are_still_the_models(native: Native, reply: Body, text: str) -> None:
    """An empty text, a refusal, mere reasoning and a tool call are answers of the model: wrong ones."""
    native.server.answer = lambda body: reply
    run = native(scorer="number")
    assert run.status == 0, run.err
    assert run.samples[0]["reply"] == text
    assert ("refused" in run.samples[0]) == ("refusal" in reply["choices"][0]["message"])
    assert run.headline["value"] == float(text == "42")
    truncated = reply["choices"][0].get("finish_reason") == "length"
    assert run.scores["usage"]["truncated"] == truncated


def test_errors_are_told_apart(native: Native) -> None:
    """A run with a score succeeds, and counts the samples that have none."""
    native.server.answer = lambda body: refusal(400) if body["messages"][0]["content"] == "n1" else "0"
    run = native(questions(4))
    assert run.status == 0, run.err
    assert run.out == "accuracy 0.33 [0.06, 0.79] (3 of 4 scored)\n"
    assert run.scores["status"] == "success"


ABORTS = [
    (refusal(404, "no such model"), "HTTP 404: no such model"),
    (refusal(307, "", Location="https://x/"), "HTTP 307, to https://x/: (empty)"),
    (
        gateway(400, f"the gateway stopped this evaluation: {ADDRESS}: HTTP 401: bad key"),
        f"the gateway stopped this evaluation: {ADDRESS}: HTTP 401: bad key",
    ),
    (gateway(401, "the token is not this evaluation's"), "the token is not this evaluation's"),
]


@pytest.mark.parametrize(("reply", "message"), ABORTS)
def test_a_useless_endpoint_ends_the_run(native: Native, reply: Reply, message: str) -> None:
    """A missing model or route, and the gateway's word, end the run at once, status 3."""
    native.server.answer = lambda body: reply
    native.env["EVALMAKE_CONCURRENCY"] = "2"
    run = native(questions(50))
    assert (run.status, run.err) == (3, f"error: {message}\n")
    assert len(native.server.bodies) <= 2
    assert run.scores["status"] == "failed"
    assert run.headline["value"] is None


def test_nobody_there_ends_the_run(native: Native, unused_tcp_port: int) -> None:
    """A refused connection ends the run: whoever listened is gone."""
    native.env["EVALMAKE_MODEL_URL"] = f"http://127.0.0.1:{unused_tcp_port}/v1"
    run = native(questions(50))
    assert run.status == 3
    assert run.err == "error: EVALMAKE_MODEL_URL: cannot connect: Connection refused\n"


def test_a_broken_connection_ends_the_run(native: Native) -> None:
    """So does a server that goes away while it is asked."""
    native.env["EVALMAKE_CONCURRENCY"] = "2"
    native.server.answer = lambda body: HANG_UP
    run = native(questions(50))
    assert (run.status, run.err) == (3, "error: EVALMAKE_MODEL_URL: the connection broke\n")
    assert len(native.server.bodies) <= 2


def test_an_endpoint_that_only_fails(native: Native) -> None:
    """Where nothing is answered and no gateway ends the run, there is an error and no score."""
    native.server.answer = lambda body: refusal(500, "oh")
    run = native(questions(30))
    assert run.status == 4
    assert run.err.endswith("; the most common reason (30): HTTP 500: oh\n")
    assert run.scores["status"] == "unscored"
    assert run.headline["value"] is None


def test_a_key_that_the_server_repeats_is_hidden(native: Native) -> None:
    """Servers quote the key that they refuse; neither message nor sample may."""
    native.env["EVALMAKE_API_KEY"] = "sk-very-secret"
    native.server.answer = lambda body: refusal(401, "bad key sk-very-secret")
    run = native()
    assert "bad key ***" in run.err
    assert run.samples[0]["error"] == "HTTP 401: bad key ***"
