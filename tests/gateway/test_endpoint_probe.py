"""The probe for echoed log-probabilities: an unfit endpoint is found once, and never scored."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.gateway.completion_server import ECHO, TEXT, complete_prompts, with_choice_fields, without_echo
from tests.gateway.gateway_process import KEY, Gateway, MockServer, assert_stopped, wait_until
from tests.support.http_replies import http_reply
from tests.support.scripted_upstream import ConnectionEnd, ReceivedRequest, Step, Upstream


def own(upstream: Upstream) -> list[ReceivedRequest]:
    """The harness's requests among those that arrived."""
    return [seen for seen in upstream.received if json.loads(seen.body)["prompt"] == ECHO["prompt"]]


def test_the_mock_passes(gateway: Gateway, start_mock: Callable[..., MockServer]) -> None:
    """The mock engine passes the probe, which is in none of the evaluation's counts."""
    mock = start_mock(skill=0.5)
    evaluation = gateway.open_evaluation(mock.url)
    for most in (1, 0):
        assert evaluation.post(TEXT, **{**ECHO, "max_tokens": most}).status == 200
    sums = evaluation.close()
    assert sums["probed"] == {"echo": "ok", "echo_alone": "ok"}
    assert (sums["requests"], sums["sent"], sums["fatal"]) == (2, 2, "")
    assert sums["tokens_out"] == 1
    assert len(evaluation.read_rows("requests")) == 2
    assert mock.stats["requests"] == 2 + 2 * 4


def test_an_endpoint_that_cannot_ends_the_evaluation(gateway: Gateway) -> None:
    """An unfit endpoint gets none of the harness's requests; the record and later requests have the reason."""
    upstream = Upstream(complete_prompts(with_choice_fields(logprobs=None)))
    why = f"the endpoint {upstream.url}/completions ignores `logprobs`"
    for _ in range(2):
        evaluation = gateway.open_evaluation(upstream)
        assert_stopped(evaluation.post(TEXT, **ECHO), why)
        assert_stopped(evaluation.request("GET", "/v1/models"), why)
        sums = evaluation.close()
        assert sums["fatal"] == sums["probed"]["echo"]
        assert sums["fatal"].startswith(why)
        assert "requests" not in sums
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"echo": False},
        {"echo": None},
        {"logprobs": None},
        {"logprobs": False},
        {"prompt": "x", "echo": True, "logprobs": None},
    ],
)
def test_who_does_not_ask_is_not_probed_for(gateway: Gateway, body: dict[str, Any]) -> None:
    """A request without echoed log-probabilities causes no probe."""
    upstream = Upstream(complete_prompts())
    evaluation = gateway.open_evaluation(upstream)
    assert evaluation.post(TEXT, **{**ECHO, **body}).status == 200
    assert evaluation.close()["probed"] == {}
    assert len(upstream.received) == 1


def test_a_probe_is_made_once(gateway: Gateway) -> None:
    """Requests that come meanwhile wait for the probe; another model of the server has its own."""
    upstream = Upstream(lambda seen: [0.02, *complete_prompts()(seen)])
    evaluations = [gateway.open_evaluation(upstream, cache=False) for _ in range(2)]
    bodies = [{**ECHO, "seed": n} for n in range(8)]
    with ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(e.post, TEXT, **body) for e in evaluations for body in bodies]
        assert {one.result().status for one in asked} == {200}
    assert len(upstream.received) - len(own(upstream)) == 4
    assert {evaluation.close()["probed"]["echo"] for evaluation in evaluations} == {"ok"}
    other = gateway.open_evaluation(upstream, cache=False)
    assert other.post(TEXT, **{**ECHO, "model": "another"}).status == 200
    assert len(upstream.received) - len(own(upstream)) == 8


def test_how_a_probe_is_sent(start_gateway: Callable[..., Gateway]) -> None:
    """A probe keeps the limits and carries the key and the harness's headers, but no idempotency key."""
    gateway = start_gateway(concurrency=1, headers={"X-Org": "us"})
    upstream = Upstream(complete_prompts())
    evaluation = gateway.open_evaluation(upstream, headers={"X-Added": "1"})
    mine = [("X-Mine", "1"), ("Idempotency-Key", "harness-1")]
    body = json.dumps(ECHO).encode()
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(evaluation.request, "POST", f"{TEXT}?a=1", body, mine) for _ in range(4)]
        assert {one.result().status for one in asked} == {200}
    probes = [seen for seen in upstream.received if seen not in own(upstream)]
    assert len(probes) == 4
    for seen in probes:
        assert seen.target == b"/v1/completions?a=1"
        assert seen.header(b"authorization") == f"Bearer {KEY}".encode()
        assert [seen.header(name) for name in (b"x-org", b"x-added", b"x-mine")] == [
            b"us",
            b"1",
            b"1",
        ]
        assert seen.header(b"idempotency-key") is None
        assert evaluation.token.encode() not in seen.raw
    assert own(upstream)[0].header(b"idempotency-key") == b"harness-1"


def test_probes_are_tried_again(gateway: Gateway) -> None:
    """A probe is retried after transient errors."""
    upstream = Upstream([]).use_scripts(
        [http_reply({}, 500)], [http_reply(b"<html>")], [ConnectionEnd.RESET], complete_prompts()
    )
    evaluation = gateway.open_evaluation(upstream, retry=3)
    assert evaluation.post(TEXT, **ECHO).status == 200
    sums = evaluation.close()
    assert sums["probed"] == {"echo": "ok"}
    assert "retries" not in sums
    assert sums["last_error"] == ""


def test_a_probe_that_fails_fails_its_request(gateway: Gateway) -> None:
    """A server that cannot be reached fails the request, and the next request probes again."""
    upstream = Upstream([http_reply({"error": "starting"}, 503)])
    evaluation = gateway.open_evaluation(upstream, retry=0)
    answer = evaluation.post(TEXT, **ECHO)
    assert answer.status == 502
    assert 'completions: HTTP 503: {"error": "starting"}' in answer.json["error"]["message"]
    upstream.use_scripts(complete_prompts())
    assert evaluation.post(TEXT, **ECHO).status == 200
    sums = evaluation.close()
    assert (sums["probed"], sums["failed"], sums["fatal"]) == ({"echo": "ok"}, 1, "")


def test_what_an_endpoint_refuses_by_itself(gateway: Gateway) -> None:
    """The endpoint's own error reaches the harness, and its next kind of request is probed."""

    def script(seen: ReceivedRequest) -> list[Step]:
        if json.loads(seen.body)["max_tokens"] == 0:
            return [http_reply({"error": "max_tokens must be at least 1"}, 400)]
        return list(complete_prompts()(seen))  # type: ignore[arg-type]

    upstream = Upstream(script)
    evaluation = gateway.open_evaluation(upstream)
    for _ in range(2):
        answer = evaluation.post(TEXT, **{**ECHO, "max_tokens": 0})
        assert (answer.status, answer.json) == (400, {"error": "max_tokens must be at least 1"})
    assert evaluation.post(TEXT, **ECHO).status == 200
    probed = evaluation.close()["probed"]
    assert probed.pop("echo") == "ok"
    [(name, fact)] = probed.items()
    assert name == "echo_alone"
    assert fact.startswith(f"not known: {upstream.url}/completions: HTTP 400: ")
    assert len(upstream.received) == (2 + 2) + (4 + 1)


def test_every_server_of_a_model_is_probed(gateway: Gateway) -> None:
    """One unfit server of several stops the evaluation, whichever the request would go to."""
    good, bad = Upstream(complete_prompts()), Upstream(complete_prompts(without_echo))
    for servers in ((good, bad), (bad, good)):
        evaluation = gateway.open_evaluation(*servers)
        assert_stopped(evaluation.post(TEXT, **ECHO), f"{bad.url}/completions ignores `echo`")
    assert len(good.received) == 4
    assert not own(good)
    assert gateway.open_evaluation(good).post(TEXT, **ECHO).status == 200


def test_what_is_not_known_of_one_server_is_on_record(gateway: Gateway) -> None:
    """Of several servers, the record has the one of which the probe learnt nothing, though the others are fit."""
    good, silent = Upstream(complete_prompts()), Upstream(complete_prompts(with_choice_fields(text="", logprobs=None)))
    for servers in ((good, silent), (silent, good)):
        evaluation = gateway.open_evaluation(*servers)
        evaluation.post(TEXT, **ECHO)
        assert evaluation.close()["probed"] == {"echo": "not known: it says nothing"}


def test_a_server_that_stumbles_is_probed_itself(gateway: Gateway) -> None:
    """A server with a transient error is probed itself, not replaced by another one."""
    good, bad = (
        Upstream(complete_prompts()),
        Upstream([]).use_scripts([http_reply({}, 500)], complete_prompts(without_echo)),
    )
    evaluation = gateway.open_evaluation(good, bad)
    assert_stopped(evaluation.post(TEXT, **ECHO), f"{bad.url}/completions ignores `echo`")
    assert (len(good.received), len(bad.received)) == (4, 3)


def test_a_probe_outlives_who_asked_first(gateway: Gateway) -> None:
    """If the first harness leaves during the probe, those that wait get their replies."""
    upstream = Upstream(lambda seen: [0.2, *complete_prompts()(seen)])
    evaluation = gateway.open_evaluation(upstream)
    body = json.dumps(ECHO).encode()
    with ThreadPoolExecutor(1) as threads, evaluation.connect() as first:
        first.sendall(evaluation.request_bytes(body, TEXT))
        wait_until(lambda: upstream.received, "the probe began")
        second = threads.submit(evaluation.request, "POST", TEXT, body)
        first.close()
        assert second.result().status == 200
    assert len(upstream.received) == 5


def test_the_cache_and_the_probe(start_gateway: Callable[..., Gateway]) -> None:
    """A probe neither reads nor fills the cache, and a replay needs no probe."""
    gateway = start_gateway()
    upstream = Upstream(complete_prompts())
    assert gateway.open_evaluation(upstream).post(TEXT, **ECHO).status == 200
    assert len(upstream.received) == 5
    gateway.stop()
    gateway.start()
    evaluation = gateway.open_evaluation(upstream)
    assert evaluation.post(TEXT, **ECHO).cached
    assert len(upstream.received) == 5
    asked = json.loads(upstream.received[0].body)
    assert not evaluation.post(TEXT, **asked).cached
    assert not evaluation.post(TEXT, **{**ECHO, "prompt": "New"}).cached
    assert len(upstream.received) == 5 + 1 + 5
    assert evaluation.close()["probed"] == {"echo": "ok"}


def test_the_time_of_a_probe_is_nobodys(gateway: Gateway) -> None:
    """The recorded time of a request does not include the probe."""
    began = time.monotonic()

    def script(seen: ReceivedRequest) -> list[Step]:
        pause = 0.0 if json.loads(seen.body)["prompt"] == ECHO["prompt"] else 0.2
        return [pause, *complete_prompts()(seen)]

    evaluation = gateway.open_evaluation(Upstream(script))
    assert evaluation.post(TEXT, **ECHO).status == 200
    sums = evaluation.close()
    assert sums["slowest"] < time.monotonic() - began - 4 * 0.2 + 0.01
