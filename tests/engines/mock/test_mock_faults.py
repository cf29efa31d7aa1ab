"""Declared faults, in process: how many, to whom, and again the same."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from evalmake.engines.mock.faults import RateLimit
from evalmake.engines.mock.service import ApiResponse

CHAT = "/v1/chat/completions"
FAULTS = ["error", "too_many", "hang", "malformed", "reset"]


def _body(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def _outcome(response: ApiResponse) -> str:
    if response.hangs:
        return "hang"
    if response.breaks:
        return "reset"
    if response.status == 200:
        return "ok" if _is_json(response.body) else "malformed"
    return {500: "error", 429: "too_many"}[response.status]


def _outcomes(server: Any, count: int = 1000) -> list[str]:
    return [_outcome(server.post(CHAT, _body(f"{n} + 1"))) for n in range(count)]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_meets_its_share_of_requests(mock: Any, fault: str) -> None:
    """Within six standard errors over 1 000 requests; always at 1, never at 0."""
    counts = Counter(_outcomes(mock(**{f"{fault}_rate": 0.3})))
    assert set(counts) == {fault, "ok"}
    assert abs(counts[fault] / 1000 - 0.3) <= 6 * (0.3 * 0.7 / 1000) ** 0.5
    assert set(_outcomes(mock(**{f"{fault}_rate": 1}), 50)) == {fault}


def test_faults_share_the_requests(mock: Any) -> None:
    """Each has its own share beside the others, and the rest is answered."""
    counts = Counter(_outcomes(mock(**{f"{fault}_rate": 0.15 for fault in FAULTS})))
    assert set(counts) == {*FAULTS, "ok"}
    assert all(abs(counts[fault] / 1000 - 0.15) < 0.07 for fault in FAULTS)


def test_a_retry_draws_anew_and_a_rerun_repeats(mock: Any) -> None:
    """The same body meets other faults the next time; the same sequence meets the same."""
    settings = {f"{fault}_rate": 0.15 for fault in FAULTS}

    def sequence() -> list[str]:
        server = mock(**settings)
        return [_outcome(server.post(CHAT, _body("1 + 1"))) for _ in range(100)]

    assert sequence() == sequence()
    assert set(sequence()) == {*FAULTS, "ok"}
    assert _outcomes(mock(**settings)) != _outcomes(mock(**settings, seed=1))


def test_faults_do_not_change_the_answers(mock: Any) -> None:
    """A sample that was retried is the sample that would have come without the fault."""
    calm, rough = mock(skill=0.5), mock(skill=0.5, error_rate=0.4, reset_rate=0.2)
    for n in range(200):
        body = _body(f"{n} + 1")
        while _outcome(response := rough.post(CHAT, body)) != "ok":
            pass
        expected = calm.ask(CHAT, **body)["choices"]
        assert json.loads(response.body)["choices"] == expected


def test_malformed_replies_are_broken_json_or_html(mock: Any) -> None:
    """Both kinds occur, with status 200."""
    server = mock(malformed_rate=1)
    responses = [server.post(CHAT, _body(f"{n} + 1")) for n in range(60)]
    assert {response.content_type for response in responses} == {b"application/json", b"text/html"}
    assert {response.status for response in responses} == {200}


@pytest.mark.parametrize("settings", [{"too_many_rate": 1}, {"status": 429}, {"rate": 1e-6}])
def test_429_says_when_to_come_back(mock: Any, settings: dict[str, Any]) -> None:
    """Every way to be told that it is too much carries Retry-After."""
    server = mock(**settings, retry_after=2.5)
    server.post(CHAT, _body("1 + 1"))
    response = server.post(CHAT, _body("1 + 2"))
    assert response.status == 429
    assert response.headers == ((b"retry-after", b"2.5"),)


def test_rate_limits_each_second(mock: Any) -> None:
    """Of ten requests in an instant three are answered, and three again a second later."""
    server = mock(rate=3)
    at_once = [server.post(CHAT, _body("1 + 1"), now=5.0).status for _ in range(10)]
    later = [server.post(CHAT, _body("1 + 1"), now=6.0).status for _ in range(10)]
    assert at_once == later == [200] * 3 + [429] * 7


def test_rates_below_one_have_a_longer_window() -> None:
    """Half a request a second is one in two seconds; no rate admits all."""
    limit = RateLimit(0.5)
    assert [limit.admit(now) for now in (0.0, 1.9, 2.0, 3.0, 4.5)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    free = RateLimit(None)
    assert all(free.admit(0.0) for _ in range(1000))


def test_status_and_html_are_always(mock: Any) -> None:
    """They hold for all of /v1, and leave /health alone."""
    assert {mock(status=401).post(CHAT, _body(f"{n}")).status for n in range(20)} == {401}
    assert mock(status=503).post("/v1/embeddings", {"input": "a"}).status == 503
    page = mock(html=True).post(CHAT, _body("1 + 1"))
    assert (page.status, page.content_type) == (200, b"text/html")
    assert page.body.startswith(b"<!DOCTYPE html>")


def test_latency_is_drawn_from_its_range(mock: Any) -> None:
    """A number is that number; a range is used from end to end, the same way again."""
    assert mock(latency=0.25).post(CHAT, _body("1")).delay == 0.25

    def delays() -> list[float]:
        server = mock(latency=[1, 3])
        return [server.post(CHAT, _body(str(n))).delay for n in range(200)]

    assert delays() == delays()
    assert 1 <= min(delays()) < 1.2
    assert 2.8 < max(delays()) <= 3


def test_stats_count_what_happened(mock: Any) -> None:
    """Paths, statuses, distinct bodies and the busiest second."""
    server = mock(too_many_rate=0.5)
    outcomes = [_outcome(server.post(CHAT, _body(str(n % 10)), now=n / 16)) for n in range(60)]
    server.post("/nowhere", {}, now=100)
    report = server.service.stats.summarize()
    counts = Counter(outcomes)
    assert report == {
        "requests": 61,
        "paths": {CHAT: 60, "/nowhere": 1},
        "statuses": {"200": counts["ok"], "429": counts["too_many"], "404": 1},
        "distinct_bodies": 10,
        "peak_per_second": 16,
        "in_flight": 0,
        "peak_in_flight": 1,
    }
