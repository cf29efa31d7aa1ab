"""Retries, and how the gateway stops an evaluation that cannot succeed."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.gateway.proxy.circuit_breaker import CircuitBreaker
from evalmake.gateway.proxy.retry import parse_retry_after, pause_seconds
from tests.gateway.gateway_process import CHAT, KEY, Evaluation, Gateway, MockServer, assert_stopped, wait_until
from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply
from tests.support.scripted_upstream import ConnectionEnd, Step, Upstream

GOOD = [http_reply(chat_completion("7"))]
NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)

FAILURES: dict[str, list[Step]] = {
    "reset at once": [ConnectionEnd.RESET],
    "closed at once": [ConnectionEnd.CLOSE],
    "half a head": [b"HTTP/1.1 200 OK\r\ncontent-le", ConnectionEnd.CLOSE],
    "half a body": [http_reply(chat_completion("7"))[:-9], ConnectionEnd.CLOSE],
    "half a body, reset": [http_reply(chat_completion("7"))[:-9], 0.05, ConnectionEnd.RESET],
    "reset where the end would be": [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{}",
        0.05,
        ConnectionEnd.RESET,
    ],
    "half of chunks": [*chunked_reply(b"{", kind="application/json", end=False), ConnectionEnd.CLOSE],
    "a stream's head alone": [chunked_reply()[0], ConnectionEnd.CLOSE],
    "silence": [ConnectionEnd.HANG],
    "silence after the head": [chunked_reply()[0], ConnectionEnd.HANG],
    "silence in the body": [http_reply(chat_completion("7"))[:-9], ConnectionEnd.HANG],
    "no HTTP": [b"SSH-2.0-OpenSSH_9.2\r\n", ConnectionEnd.CLOSE],
    "a switch of protocols": [b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"],
    "500": [http_reply({"error": "x"}, 500)],
    "502 page": [http_reply(b"<html>", 502, content_type="text/html")],
    "503": [http_reply({}, 503, retry_after="0")],
    "529": [http_reply({}, 529)],
    "429": [http_reply({}, 429, retry_after="0.1")],
    "408": [http_reply({}, 408)],
    "a page": [http_reply(b"<html>", content_type="text/html")],
    "half of JSON": [http_reply(b'{"choices": [')],
    "424": [http_reply({}, 424)],
    "499": [http_reply({}, 499)],
    "507": [http_reply({}, 507)],
    "521": [http_reply({}, 521)],
    "523": [http_reply({}, 523)],
    "530": [http_reply({}, 530)],
    "598": [http_reply({}, 598)],
    "an error under 200": [http_reply({"error": {"message": "Provider returned error", "code": 502}})],
    "an error without a code": [http_reply({"error": {"message": "oops"}, "choices": None})],
    "an error as text": [http_reply({"error": "overloaded"})],
    "an error by its name": [http_reply({"error": {"type": "rate_limit_error"}})],
    "an error object": [http_reply({"object": "error", "message": "busy", "code": 503})],
    "no choices": [http_reply({"id": "x", "choices": [], "usage": {}})],
    "null choices": [http_reply({"id": "x", "choices": None})],
    "another JSON": [http_reply({"detail": "queue is full"})],
    "no object": [http_reply([])],
    "null content": [http_reply(chat_completion(None))],
    "null content of one": [http_reply({"choices": [*chat_completion("7")["choices"], {"message": {}}]})],
    "a number as content": [http_reply({"choices": [{"message": {"content": 7}}]})],
    "a finish reason": [http_reply(chat_completion("", "error"))],
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_fails_is_tried_again(gateway: Gateway, name: str) -> None:
    """After a failure before the harness got a byte, the whole request is sent again."""
    upstream = Upstream([]).use_scripts(FAILURES[name], GOOD)
    evaluation = gateway.open_evaluation(upstream, retry=1, timeout=0.3)
    assert evaluation.post(temperature=0).text == "7"
    assert len(upstream.received) == 2
    assert upstream.received[0].raw == upstream.received[1].raw
    sums = evaluation.close()
    assert (sums["retries"], sums["sent"], sums["requests"]) == (1, 2, 1)
    assert sums["last_error"].startswith(f"{upstream.url}/chat/completions: ")
    assert "failed" not in sums


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 501])
def test_what_will_not_get_better_is_not_tried_again(gateway: Gateway, status: int) -> None:
    """A client error goes to the harness at once, as it came."""
    upstream = Upstream([http_reply({"error": {"message": "so it is"}}, status)])
    answer = gateway.open_evaluation(upstream).post()
    assert (answer.status, answer.json) == (status, {"error": {"message": "so it is"}})
    assert len(upstream.received) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_beyond_the_limit(start_gateway: Callable[..., Gateway], status: int) -> None:
    """A server that asks for an hour is not asked again: the evaluation ends with that reason."""
    upstream = Upstream([http_reply({"error": "out of tokens"}, status, retry_after="3600")])
    gateway = start_gateway()
    evaluation, other = gateway.open_evaluation(upstream), gateway.open_evaluation(upstream)
    reason = "its server asks to wait 3600 s (Retry-After), and the gateway waits at most 300 s"
    assert reason in evaluation.post().json["error"]["message"]
    assert evaluation.post().status == 400
    assert len(upstream.received) == 1
    if status == 429:  # it holds for all evaluations of the model
        assert "(Retry-After), and the gateway waits at most 300 s" in other.post().json["error"]["message"]
        assert len(upstream.received) == 1
    fatal = evaluation.close()["fatal"]
    assert f"HTTP {status}: " in fatal
    assert reason in fatal


def test_tries_are_bounded(gateway: Gateway) -> None:
    """After `retry` retries the server's last reply goes to the harness, marked not to be retried."""
    upstream = Upstream([http_reply({"error": {"message": "busy"}}, 500)])
    evaluation = gateway.open_evaluation(upstream, retry=2)
    answer = evaluation.post()
    assert (answer.status, answer.json) == (500, {"error": {"message": "busy"}})
    assert ("x-should-retry", "false") in answer.headers
    assert len(upstream.received) == 3


@pytest.mark.parametrize(
    ("name", "status", "why"),
    [
        ("reset at once", 502, "the connection was closed: Connection reset by peer"),
        ("half a body", 502, "the connection was closed"),
        ("silence", 504, "nothing came for 0.3 s"),
        ("silence after the head", 504, "nothing came for 0.3 s"),
        ("no HTTP", 502, "the reply is not HTTP"),
        ("a page", 502, "the reply is not JSON: <html>"),
    ],
)
def test_when_it_gives_up(gateway: Gateway, name: str, status: int, why: str) -> None:
    """A JSON error names the model's address and what went wrong, and asks for no retry."""
    upstream = Upstream(FAILURES[name])
    evaluation = gateway.open_evaluation(upstream, retry=0, timeout=0.3)
    answer = evaluation.post()
    assert answer.status == status
    assert answer.json["error"]["message"].startswith(f"{upstream.url}/chat/completions: {why}")
    assert answer.json["error"]["code"] is None
    assert ("x-should-retry", "false") in answer.headers
    sums = evaluation.close()
    assert (sums["failed"], sums["statuses"]) == (1, {str(status): 1})
    assert why in sums["last_error"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9/v1", "cannot connect: Connection refused"),
        ("http://nobody.invalid/v1", "cannot connect: "),
    ],
)
def test_nobody_there(gateway: Gateway, url: str, why: str) -> None:
    """The error for an unreachable server has its address and the system's reason."""
    answer = gateway.open_evaluation(url, retry=0).post()
    assert answer.status == 502
    assert answer.json["error"]["code"] == "evalmake_no_connection"
    assert answer.json["error"]["message"].startswith(f"{url}/chat/completions: {why}")


def test_retry_after_is_honoured(start_gateway: Callable[..., Gateway]) -> None:
    """No request is sent before the moment that Retry-After names."""
    gateway = start_gateway()
    upstream = Upstream([]).use_scripts([http_reply({}, 429, retry_after="3")], GOOD)
    evaluation = gateway.open_evaluation(upstream)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(evaluation.post, temperature=0)
        wait_until(lambda: upstream.received, "the first was sent")
        time.sleep(1)
        second = threads.submit(evaluation.post, temperature=0, n=1)
        assert (first.result().text, second.result().text) == ("7", "7")
    refused, *others = upstream.received
    assert len(others) == 2
    assert min(seen.at for seen in others) - refused.at > 2.9


def test_a_stream_that_breaks_late_is_seen_to_break(gateway: Gateway) -> None:
    """A stream that breaks after its first piece is not retried: the harness's connection breaks, too."""
    for last in (ConnectionEnd.CLOSE, ConnectionEnd.RESET, ConnectionEnd.HANG):
        upstream = Upstream([*chunked_reply(chat_event("7"), end=False), 0.05, last])
        evaluation = gateway.open_evaluation(upstream, timeout=0.3)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            evaluation.post(stream=True)
        assert len(upstream.received) == 1
        sums = evaluation.close()
        assert (sums["broken"], sums["failed"], sums["statuses"]) == (1, 1, {"502": 1})


def test_a_slow_model_is_not_a_silent_one(gateway: Gateway) -> None:
    """The timeout counts silence: a reply whose pieces keep coming may take any time."""
    body = http_reply(chat_completion("7"))
    slow = [step for at in range(0, len(body), 60) for step in (body[at : at + 60], 0.3)]
    assert len(slow) > 8
    upstream = Upstream(slow)
    assert gateway.open_evaluation(upstream, retry=0, timeout=2).post().text == "7"
    stream = chunked_reply(*[chat_event("7")] * 8, DONE)
    upstream.use_scripts([step for one in stream for step in (one, 0.3)])
    assert gateway.open_evaluation(upstream, retry=0, timeout=2).post(stream=True).status == 200


def test_faults_at_random(gateway: Gateway, start_mock: Callable[..., MockServer]) -> None:
    """From a server with every kind of fault all samples come, and none twice."""
    mock = start_mock(
        error_rate=0.1,
        too_many_rate=0.05,
        hang_rate=0.05,
        malformed_rate=0.1,
        reset_rate=0.1,
        retry_after=0.05,
    )
    evaluation = gateway.open_evaluation(mock.url, retry=8, timeout=0.5)
    answers = evaluation.post_repeatedly(60, 20, temperature=1)
    assert [answer.status for answer in answers] == [200] * 60
    again = evaluation.restart().post_repeatedly(60, 20, temperature=1)
    assert all(answer.cached for answer in again)
    assert sorted(one.text for one in again) == sorted(one.text for one in answers)


# The end of an evaluation


def _fatal(evaluation: Evaluation) -> str:
    return str(evaluation.close()["fatal"])


def test_three_failures_in_a_row_end_an_evaluation(gateway: Gateway) -> None:
    """A stopped evaluation's requests are answered 400 with the reason, unsent; others go on."""
    upstream = Upstream([http_reply({"error": "down"}, 503)])
    evaluation = gateway.open_evaluation(upstream, retry=0)
    assert [evaluation.post().status for _ in range(3)] == [503, 503, 503]
    why = '3 requests in a row failed, the last one: {}/chat/completions: HTTP 503: {{"error": "down"}}'
    why = why.format(upstream.url)
    assert_stopped(evaluation.post(), why)
    assert_stopped(evaluation.request("GET", "/v1/models"), why)
    assert len(upstream.received) == 3
    assert gateway.open_evaluation(upstream.use_scripts(GOOD)).post().status == 200
    assert _fatal(evaluation) == why


def test_a_success_between_failures(gateway: Gateway) -> None:
    """Failures with a success between them do not stop the evaluation."""
    bad = [http_reply({}, 500)]
    upstream = Upstream([]).use_scripts(bad, bad, GOOD, bad, bad, GOOD)
    evaluation = gateway.open_evaluation(upstream, retry=0)
    assert [evaluation.post().status for _ in range(6)] == [500, 500, 200, 500, 500, 200]
    assert _fatal(evaluation) == ""


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_ends_an_evaluation(gateway: Gateway, status: int) -> None:
    """A refused key stops the evaluation at the first reply."""
    upstream = Upstream([http_reply({"error": f"no such key: {KEY}"}, status)])
    evaluation = gateway.open_evaluation(upstream)
    assert evaluation.post().status == status
    assert_stopped(evaluation.post(), f'HTTP {status}: {{"error": "no such key: ***"}}')
    assert len(upstream.received) == 1
    sums = evaluation.close()
    assert f"HTTP {status}" in sums["fatal"]
    assert sums["fatal_status"] == str(status)


def test_where_a_redirect_leads_is_told(gateway: Gateway) -> None:
    """The sums have the address without secrets, until another error is the last one."""
    moved = http_reply({}, 302, location=f"https://there.example/{KEY}")
    evaluation = gateway.open_evaluation(Upstream([moved]))
    evaluation.post()
    assert evaluation.close()["redirect"] == "https://there.example/***"
    evaluation = gateway.open_evaluation(Upstream([]).use_scripts([moved], [http_reply({}, 404)]))
    evaluation.post()
    evaluation.post(seed=1)
    sums = evaluation.close()
    assert (sums["redirect"], sums["fatal_status"]) == ("", "")


def test_those_who_wait_are_told_of_the_end(start_gateway: Callable[..., Gateway]) -> None:
    """Requests that wait for their turn are not sent after the evaluation has stopped."""
    gateway = start_gateway(concurrency=1)
    upstream = Upstream([0.3, http_reply({}, 401)])
    evaluation = gateway.open_evaluation(upstream)
    statuses = sorted(answer.status for answer in evaluation.post_repeatedly(8, 8))
    assert statuses == [400] * 7 + [401]
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    ("client_errors", "status", "ends"),
    [
        (False, 404, False),
        (True, 404, True),
        (True, 422, True),
        ([], 404, True),
        ([404, 422], 404, False),
        ([404, 422], 413, True),
        (True, 500, False),
        ([404], 401, True),
        ([404], 429, False),
        ([401], 401, False),
        ([403], 403, False),
    ],
)
def test_client_errors(gateway: Gateway, client_errors: Any, status: int, ends: bool) -> None:
    """With `client_errors` the first 4xx reply stops the evaluation, except excluded statuses."""
    upstream = Upstream([http_reply({"error": "x"}, status)])
    evaluation = gateway.open_evaluation(upstream, client_errors=client_errors, retry=0)
    assert evaluation.post().status == status
    assert (evaluation.post().status == 400) == ends
    assert bool(_fatal(evaluation)) == ends


def test_throttling_is_no_client_error() -> None:
    """429 and 408 are retried, so they do not count as client errors."""
    breaker = CircuitBreaker(True)
    for status in (429, 408):
        breaker.record_reply(status, "x")
    assert breaker.reason == ""


# What a header asks for, and how long is waited


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"", None),
        (b"0", 0),
        (b"7", 7),
        (b" 7 ", 7),
        (b"0.25", 0.25),
        (b"-3", None),
        (b"1_0", None),
        (b"1e9", None),
        (b"inf", None),
        (b"86400", 86400),
        (b"9" * 400, None),
        (b"Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        (b"nan", None),
        (b"soon", None),
        (b"7 s", None),
        (b"\xff\xfe", None),
        (format_datetime(NOW + timedelta(seconds=9), usegmt=True).encode(), 9),
        (format_datetime(NOW - timedelta(hours=9), usegmt=True).encode(), 0),
        (format_datetime(NOW + timedelta(days=9), usegmt=True).encode(), 9 * 86400),
        (b"Tue, 01 Jan 2030 12:00:05 +0000", 5),
        (b"Tue, 01 Jan 2030 12:00:05", 5),
        (b"Tuesday, 01-Jan-30 12:00:05 GMT", 5),
    ],
)
def test_retry_after(value: bytes, seconds: float | None) -> None:
    """Retry-After may be seconds or a date; nonsense counts as absent. The reply's date counts, not our clock."""
    assert parse_retry_after(value, format_datetime(NOW, usegmt=True).encode()) == seconds


@pytest.mark.parametrize("date", [b"", b"soon", b"\xff"])
def test_retry_after_without_a_date(date: bytes) -> None:
    """Where a reply has no date that makes sense, our clock counts."""
    after = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True).encode()
    found = parse_retry_after(after, date)
    assert found is not None
    assert 3000 < found <= 3600


DATES = st.lists(
    st.sampled_from(["Tue,", "01", "Jan", "2030", "12:00:05", "GMT", "+9999", ",", "-", "0", "99:99"])
    | st.text(max_size=4),
    max_size=8,
).map(" ".join)


HEADERS = st.binary(max_size=40) | DATES.map(lambda text: text.encode("utf-8", "replace"))


@given(HEADERS, HEADERS)
def test_retry_after_of_anything(value: bytes, date: bytes) -> None:
    """Any Retry-After and Date give a number of seconds, or nothing; they never raise."""
    found = parse_retry_after(value, date)
    assert found is None or 0 <= found < float("inf")


@given(st.integers(1, 2000), st.none() | st.floats(0, 300))
def test_waits(failures: int, after: float | None) -> None:
    """A pause is at least what the server asks for; the jitter on top grows to at most 30 s."""
    seconds = pause_seconds(failures, after) - (after or 0)
    assert -1e-9 <= seconds <= min(30, 0.5 * 2 ** min(failures - 1, 10)) + 1e-9


def test_the_least_busy_server_is_asked(gateway: Gateway) -> None:
    """Of several servers the least busy one gets the request; open streams count."""
    slow, quick = Upstream([*chunked_reply(chat_event("7"), end=False), ConnectionEnd.HANG]), Upstream(GOOD)
    evaluation = gateway.open_evaluation(slow, quick)
    with evaluation.connect() as connection:
        connection.sendall(evaluation.request_bytes(b'{"stream": true}'))
        assert b"200" in connection.recv(1000)
        assert [answer.text for answer in evaluation.post_repeatedly(3)] == ["7"] * 3
    assert (len(slow.received), len(quick.received)) == (1, 3)
    assert {seen.target for seen in quick.received} == {CHAT.encode()}
