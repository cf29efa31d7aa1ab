"""How far an evaluation is, as its user's web address is told."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from evalmake.gateway.proxy.progress_posts import POST_INTERVAL, ProgressPosts
from evalmake.gateway.proxy.sessions import AdmittedSession, SessionRegistry
from evalmake.gateway.proxy.shared_state import SharedState
from evalmake.gateway.settings import SessionSettings
from tests.gateway.gateway_process import KEY, Gateway, wait_until
from tests.gateway.simulated_clock import run_with_simulated_clock
from tests.support.http_replies import chat_completion, http_reply
from tests.support.scripted_upstream import ConnectionEnd, Upstream

GOOD = [http_reply(chat_completion("7"))]
THERE = [b"HTTP/1.1 204 No Content\r\n\r\n"]


def last(hook: Upstream) -> Any:
    """What the address was told last; nothing yet."""
    return hook.bodies[-1] if hook.received else {}


def test_what_is_told(gateway: Gateway) -> None:
    """Counts come while the evaluation goes on and once more at its end, as JSON by POST."""
    upstream = Upstream([]).use_scripts(GOOD, GOOD, [http_reply({}, 500)], GOOD)
    hook = Upstream(THERE)
    address = f"{hook.url}/hooks/7?token=a%2Fb"
    evaluation = gateway.open_evaluation(upstream, progress_url=address, retry=0)
    evaluation.post_repeatedly(2, temperature=0)
    wait_until(lambda: last(hook).get("requests") == 2, "two requests were told")
    evaluation.post_repeatedly(3)
    evaluation.close()
    wait_until(lambda: last(hook).get("finished"), "the end was told")
    assert last(hook) == {
        "evaluation": evaluation.key,
        "requests": 5,
        "cached": 1,
        "failed": 1,
        "retries": 0,
        "tokens_in": 28,
        "tokens_out": 12,
        "finished": True,
    }
    assert [body["finished"] for body in hook.bodies[:-1]] == [False] * (len(hook.received) - 1)
    for seen in hook.received:
        assert (seen.method, seen.target) == (b"POST", b"/v1/hooks/7?token=a%2Fb")
        assert seen.header(b"content-type") == b"application/json"


def test_nothing_of_the_models_is_told(start_gateway: Callable[..., Gateway]) -> None:
    """The address gets neither key nor token nor any of the headers that the model gets."""
    gateway = start_gateway(headers={"X-Org": "us"}, secret_headers={"X-Secret": "THE_KEY"})
    hook = Upstream(THERE)
    evaluation = gateway.open_evaluation(Upstream(GOOD), progress_url=hook.url, headers={"X-Added": "1"})
    evaluation.post()
    evaluation.close()
    wait_until(lambda: last(hook).get("finished"), "the end was told")
    for seen in hook.received:
        names = [name.lower() for name, _ in seen.headers]
        assert names == [b"host", b"content-type", b"accept-encoding", b"content-length"]
        assert KEY.encode() not in seen.raw
        assert evaluation.token.encode() not in seen.raw


@pytest.mark.parametrize(
    "script",
    [[http_reply({}, 500)], [http_reply({}, 302, location="/")], [ConnectionEnd.RESET], [b"nonsense\r\n\r\n"], None],
)
def test_an_address_that_fails(gateway: Gateway, script: Any) -> None:
    """Whatever the address answers hurts nothing; that it could not be told is counted."""
    hook = Upstream(script or THERE)
    address = hook.url if script else "http://127.0.0.1:9/x"
    evaluation = gateway.open_evaluation(Upstream(GOOD), progress_url=address)
    assert evaluation.post().status == 200
    usage = evaluation.folder / "usage.json"
    counted = lambda: usage.exists() and "progress_failed" in json.loads(usage.read_text())  # noqa: E731
    wait_until(counted, "the failure was counted")
    assert evaluation.post().status == 200
    sums = evaluation.close()
    assert (sums["requests"], sums["fatal"], sums["last_error"]) == (2, "", "")


@pytest.mark.parametrize("address", ["nonsense", "http://x:port/", "ftp://127.0.0.1:9", "http://"])
def test_an_address_that_is_none(gateway: Gateway, address: str) -> None:
    """One that makes no sense hurts nothing either."""
    evaluation = gateway.open_evaluation(Upstream(GOOD), progress_url=address)
    assert evaluation.post().status == 200
    assert evaluation.close()["requests"] == 1


def test_an_address_that_says_nothing(start_gateway: Callable[..., Gateway]) -> None:
    """One that never answers holds up neither the evaluation, nor its end, nor the gateway's."""
    gateway = start_gateway()
    hook = Upstream([ConnectionEnd.HANG])
    evaluation = gateway.open_evaluation(Upstream(GOOD), progress_url=hook.url)
    assert evaluation.post().status == 200
    wait_until(lambda: hook.received, "the address was told")
    assert evaluation.post().status == 200
    assert evaluation.close()["requests"] == 2
    gateway.stop()


def test_who_gives_no_address_tells_nobody(gateway: Gateway) -> None:
    """Without `progress_url` nothing is sent."""
    upstream = Upstream(GOOD)
    evaluation = gateway.open_evaluation(upstream)
    evaluation.post()
    evaluation.close()
    assert len(upstream.received) == 1


# How often, with a clock of the test's own


class _Sent(ProgressPosts):
    """Records what it would send, with its time; sending takes `delay` seconds."""

    def __init__(self, delay: float = 0.0) -> None:
        super().__init__(SharedState(None, cast(Any, None), cast(Any, None), cast(Any, None)))
        self.delay = delay
        self.sent: list[tuple[float, dict[str, Any]]] = []

    async def _send(self, url: str, payload: bytes) -> None:
        began = self._shared.loop.time()
        await asyncio.sleep(self.delay)
        self.sent.append((began, json.loads(payload)))


@pytest.fixture
def opened(tmp_path: Path) -> AdmittedSession:
    """An evaluation with an address."""
    session = SessionSettings("t", ["http://x"], str(tmp_path), adapter={"progress_url": "http://hook"})
    (tmp_path / "e.json").write_text(session.to_json())
    found = SessionRegistry(tmp_path, str).admit("e", b"Bearer t")
    assert found is not None
    return found


def _told(opened: AdmittedSession, delay: float, seconds: int, busy: int) -> list[tuple[float, Any]]:
    """What is sent in `seconds`; in the first `busy` of them requests come all the time."""

    async def run(clock: Callable[[], float]) -> list[tuple[float, Any]]:
        progress = _Sent(delay)
        for tick in range(seconds * 2):
            if tick < busy * 2:
                opened.usage.add_count("requests")
            progress.post_progress("e", opened)
            await asyncio.sleep(0.5)
        progress.post_progress("e", opened, finished=True)
        await progress.close()
        return progress.sent

    return list(run_with_simulated_clock(run))


def test_how_often_is_told(opened: AdmittedSession) -> None:
    """Posts go out every few seconds while something changes, and at the end."""
    sent = _told(opened, 0.1, 60, 20)
    times = [at for at, _ in sent]
    *meanwhile, gap = [later - at for at, later in itertools.pairwise(times)]
    assert min(meanwhile) >= POST_INTERVAL
    assert max(meanwhile) < POST_INTERVAL + 0.6
    assert gap > 30
    assert [state["requests"] for _, state in sent][-2:] == [40, 40]
    assert [state["finished"] for _, state in sent] == [False] * (len(sent) - 1) + [True]


def test_the_end_is_told_last(opened: AdmittedSession) -> None:
    """While one post is on its way no other is sent, and the last one waits for it."""
    sent = _told(opened, 1.5, 1, 1)
    assert [state["finished"] for _, state in sent] == [False, True]
    assert sent[1][0] >= sent[0][0] + 1.5
