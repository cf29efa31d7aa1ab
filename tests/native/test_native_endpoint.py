"""Endpoint trouble: what is tried again, what errs a sample, and what ends the run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from harness_bench import Body, Native, Raw, Reply, completion, questions, refusal

from evalmake.native.client import LONGEST_RETRY_AFTER, retry_after

HTML = "<!doctype html><title>Sign in</title>"


@pytest.mark.parametrize(
    "trouble",
    [
        refusal(429, Retry_After="0"),
        refusal(408),
        refusal(500),
        refusal(503, HTML),
        Raw(text='{"choices": [{"mess'),
        Raw(text=HTML, kind="text/html"),
        {"object": "error"},
    ],
)
def test_passing_trouble_is_tried_again(native: Native, trouble: Reply) -> None:
    """429, 5xx, torn JSON and replies without choices are followed by another try."""
    replies: Iterator[Reply] = iter([trouble, trouble, "42"])
    native.server.answer = lambda body: next(replies)
    run = native(request_retries=2)
    assert run.status == 0, run.err
    assert run.samples[0]["attempts"] == 3
    assert run.scores["usage"]["requests"] == 3
    assert run.headline["value"] == 1


@pytest.mark.parametrize(
    ("reply", "error", "attempts"),
    [
        (refusal(503, "busy"), "HTTP 503 Service Unavailable: busy", 3),
        (refusal(400, "bad  \n parameter"), "HTTP 400 Bad Request: bad parameter", 1),
        (refusal(422, ""), "HTTP 422 Unprocessable Entity: (empty)", 1),
        (completion(None), "null content", 1),
        (completion(None, reasoning_content=""), "null content", 1),
        (None, "no answer within 0.05 s", 3),
    ],
)
def test_lasting_trouble_errs_the_sample(
    native: Native, reply: Reply, error: str, attempts: int
) -> None:
    """A sample without an answer is errored, never zero; the run is partial, not a success."""
    native.server.answer = lambda body: reply if body["messages"][0]["content"] == "n1" else "x"
    run = native(questions(3), request_retries=2, timeout=5 if reply else 0.05)
    assert run.status == 4
    assert run.err == (
        "error: 2 of 3 samples were scored, and 100% must be;"
        f" the most common reason (1): {error}\n"
    )
    sample = run.samples[1]
    assert (sample["error"], sample["scores"], sample["attempts"]) == (error, {}, attempts)
    assert run.scores["status"] == "partial"
    assert run.headline["value"] == 0
    assert (run.headline["scored"], run.headline["unscored"]) == (2, 1)
    assert run.scores["usage"]["errors"] == 1


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (completion(""), ""),
        (completion("", "length"), ""),
        (completion(None, "length", reasoning_content="hm"), ""),
        (completion(None, refusal="I will not"), "I will not"),
        ({"choices": [{"message": {"content": [{"type": "text", "text": "42"}]}}]}, "42"),
    ],
)
def test_odd_replies_are_still_the_models(native: Native, reply: Body, text: str) -> None:
    """An empty text, a refusal and mere reasoning are answers of the model, right or wrong."""
    native.server.answer = lambda body: reply
    run = native()
    assert run.status == 0, run.err
    assert run.samples[0]["reply"] == text
    assert run.headline["value"] == float(text == "42")
    truncated = reply["choices"][0].get("finish_reason") == "length"
    assert run.scores["usage"]["truncated"] == truncated


def test_coverage_tolerates_errors(native: Native) -> None:
    """A run that covers enough succeeds; its errors are told apart."""
    native.server.answer = lambda body: (
        refusal(400) if body["messages"][0]["content"] == "n1" else "0"
    )
    run = native(questions(4), coverage=0.75)
    assert run.status == 0, run.err
    assert run.out == "accuracy 0.3333 +/- 0.3333 (3 of 4 scored)\n"
    assert run.scores["status"] == "success"


ABORTS = [
    (refusal(401, '{"error": "no such key"}'), '401 Unauthorized: {"error": "no such key"}'),
    (refusal(403, "not yours"), "403 Forbidden: not yours"),
    (refusal(404, "x" * 300), "404 Not Found: " + "x" * 200),
    (refusal(307, "", Location="https://x/"), "307 Temporary Redirect: (empty)"),
]


@pytest.mark.parametrize(("reply", "message"), ABORTS)
def test_a_useless_endpoint_ends_the_run(native: Native, reply: Reply, message: str) -> None:
    """A refused key, a missing model or route ends the run at once with one line, status 3."""
    native.server.answer = lambda body: reply
    native.env["EVALMAKE_CONCURRENCY"] = "2"
    native.env["EVALMAKE_MODEL_URL"] = native.server.url.replace("//", "//user:pass@")
    run = native(questions(50), request_retries=4)
    assert run.status == 3
    assert run.err == f"error: {native.server.url}/chat/completions: HTTP {message}\n"
    assert len(native.server.bodies) <= 2
    assert run.scores["status"] == "failed"
    assert run.headline["value"] is None


def test_html_ends_the_run(native: Native) -> None:
    """A web page where JSON should be, again and again, is the wrong address."""
    native.server.answer = lambda body: Raw(text=HTML, kind="text/html")
    run = native(request_retries=1)
    assert run.status == 3
    assert len(native.server.bodies) == 2
    assert f"HTML instead of JSON: {HTML}" in run.err


def test_nobody_there_ends_the_run(native: Native, unused_tcp_port: int) -> None:
    """A refused connection is tried again, and then ends the run."""
    native.env["EVALMAKE_MODEL_URL"] = f"http://127.0.0.1:{unused_tcp_port}/v1"
    run = native(request_retries=1)
    assert run.status == 3
    assert run.err == (
        f"error: http://127.0.0.1:{unused_tcp_port}/v1/chat/completions:"
        " cannot connect: Connection refused\n"
    )


@pytest.mark.parametrize(
    ("reply", "reason"), [(None, "no answer within 0.05 s"), (refusal(500, "oh"), "HTTP 500")]
)
def test_an_endpoint_that_only_fails_ends_the_run(
    native: Native, reply: Reply, reason: str
) -> None:
    """When the first requests all fail alike, the rest is not asked."""
    native.env["EVALMAKE_CONCURRENCY"] = "2"
    native.server.answer = lambda body: reply
    run = native(questions(100), timeout=0.05)
    assert run.status == 3
    assert f"/chat/completions: the first 8 requests all failed: {reason}" in run.err
    assert 8 <= len(native.server.bodies) <= 10
    assert len(run.samples) >= 8


def test_failures_of_two_kinds_do_not_end_the_run(native: Native) -> None:
    """Only failures of one and the same kind show that the endpoint is useless."""
    native.env["EVALMAKE_CONCURRENCY"] = "2"
    native.server.answer = lambda body: refusal(
        500 if int(body["messages"][0]["content"][1:]) % 2 else 503
    )
    run = native(questions(30))
    assert run.status == 4
    assert len(native.server.bodies) == 30
    assert run.scores["status"] == "failed"


def test_one_success_shows_that_the_endpoint_works(native: Native) -> None:
    """After a success, later failures err their samples only, however many."""
    native.env["EVALMAKE_CONCURRENCY"] = "1"
    native.server.answer = lambda body: (
        "x" if body["messages"][0]["content"] == "n0" else refusal(500)
    )
    run = native(questions(20))
    assert run.status == 4
    assert run.scores["usage"]["errors"] == 19


def test_a_key_that_the_server_repeats_is_hidden(native: Native) -> None:
    """Servers quote the key that they refuse; the message must not."""
    native.env["EVALMAKE_API_KEY"] = "sk-very-secret"
    native.server.answer = lambda body: refusal(401, "bad key sk-very-secret")
    run = native()
    assert "bad key ***" in run.err


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("86400", LONGEST_RETRY_AFTER),
        ("Wed, 21 Oct 2015 07:28:10 GMT", 10.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    """Retry-After is seconds or a date; the past is no wait, nonsense is nothing."""
    assert retry_after(value, datetime(2015, 10, 21, 7, 28, tzinfo=UTC)) == seconds


def test_retry_after_is_waited_for(native: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait before the next try is at least what the server asked for."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("evalmake.native.client.asyncio.sleep", sleep)
    replies: Iterator[Reply] = iter([refusal(429, Retry_After="7"), refusal(500), "42"])
    native.server.answer = lambda body: next(replies)
    assert native(request_retries=2).status == 0
    assert waits == [7.0, 0.0]
