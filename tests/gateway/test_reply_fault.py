"""What a server says under status 200 although it failed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.gateway_process import Gateway
from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply
from tests.support.scripted_upstream import Upstream


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 400, "message": "too long"}, 400),
        ({"code": "404", "message": "no such model"}, 404),
        ({"type": "invalid_request_error", "message": "too long"}, 400),
        ({"code": "context_length_exceeded", "type": "x"}, 400),
    ],
)
def test_an_error_under_200_has_the_status_that_it_names(gateway: Gateway, error: Any, status: int) -> None:
    """Where that is a client error, the harness gets it at once, with that status."""
    upstream = Upstream([http_reply({"error": error})])
    answer = gateway.open_evaluation(upstream).post()
    assert (answer.status, answer.json) == (status, {"error": error})
    assert len(upstream.received) == 1


def test_a_refused_key_under_200(gateway: Gateway) -> None:
    """An error 401 under status 200 stops the evaluation as a status 401 does."""
    upstream = Upstream([http_reply({"error": {"code": 401, "message": "No auth"}})])
    evaluation = gateway.open_evaluation(upstream)
    evaluation.post()
    assert "HTTP 200, with an error 401: " in evaluation.close()["fatal"]


@pytest.mark.parametrize("code", [999, "600", 1, True, None])
def test_an_error_whose_code_is_no_status(gateway: Gateway, code: object) -> None:
    """A code of the server's own is no status of HTTP: the request is sent again."""
    good = http_reply(chat_completion("7"))
    upstream = Upstream([]).use_scripts([http_reply({"error": {"code": code, "message": "no"}})], [good])
    assert gateway.open_evaluation(upstream, retry=1).post().status == 200
    assert len(upstream.received) == 2


def test_an_error_at_the_beginning_of_a_stream(gateway: Gateway) -> None:
    """A stream whose first event is an error is asked for again, before the harness got a byte."""
    events = chunked_reply(b'data: {"error": {"message": "overloaded", "code": 529}}\n\n', DONE)
    upstream = Upstream([]).use_scripts(events, chunked_reply(chat_event("7", "stop"), DONE))
    assert gateway.open_evaluation(upstream, retry=1).post(stream=True).body == chat_event("7", "stop") + DONE


def test_null_content_that_stays(gateway: Gateway) -> None:
    """After all tries, the harness gets the reply without content, and no failure is counted."""
    upstream = Upstream([http_reply(chat_completion(None))])
    evaluation = gateway.open_evaluation(upstream, retry=1)
    answers = [evaluation.post() for _ in range(4)]
    assert [(answer.status, answer.json) for answer in answers] == [(200, chat_completion(None))] * 4
    assert "failed" not in evaluation.close()
