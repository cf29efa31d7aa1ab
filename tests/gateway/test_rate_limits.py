"""Rate and concurrency: with a simulated clock, and against a server's own counts."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalmake.gateway.proxy.rate_limits import RateLimit, RequestLimits
from tests.gateway.gateway_process import Gateway, MockServer, wait_until
from tests.gateway.simulated_clock import run_with_simulated_clock
from tests.support.http_replies import chat_completion, http_reply, numbered_replies
from tests.support.scripted_upstream import ConnectionEnd, Upstream


def most_within(times: Sequence[float], window: float) -> int:
    """The largest number of times in any window of so many seconds, its end not counted."""
    found = sorted(times)
    return max((bisect_left(found, t + window) - at for at, t in enumerate(found)), default=0)


PERIODS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@settings(deadline=None, max_examples=60)
@given(
    number=st.integers(1, 100),
    unit=st.sampled_from(sorted(PERIODS)),
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=200),
)
def test_no_window_holds_more_than_the_rate(number: int, unit: str, pauses: list[float]) -> None:
    """However requests come, no window of a period holds more than the declared rate."""
    period = PERIODS[unit]

    async def run(clock: Callable[[], float]) -> list[float]:
        limits, times = RequestLimits(f"{number}/{unit}", None, clock), []
        for pause in pauses:
            if pause > 2:
                await asyncio.sleep((pause - 2) * period)
            await limits.acquire()
            times.append(clock())
            limits.release()
        return times

    assert most_within(run_with_simulated_clock(run), period) <= number


@pytest.mark.parametrize("rate", ["1/s", "2/s", "3/m", "10/s", "60/m", "1000/h"])
def test_most_of_the_rate_is_used(rate: str) -> None:
    """Under constant load, requests get more than 80 % of the declared rate."""

    async def run(clock: Callable[[], float]) -> float:
        limits, begin = RequestLimits(rate, None, clock), clock()
        for _ in range(500):
            await limits.acquire()
            limits.release()
        return clock() - begin

    number, _, unit = rate.partition("/")
    assert 500 / run_with_simulated_clock(run) * PERIODS[unit] > 0.8 * int(number)


def test_those_who_left_take_nothing_of_the_rate() -> None:
    """Cancelled requests take nothing of the rate: those after them go at once."""

    async def run(clock: Callable[[], float]) -> float:
        limits = RequestLimits("60/m", None, clock)
        waiting = [asyncio.ensure_future(limits.acquire()) for _ in range(200)]
        await asyncio.sleep(0.1)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        begin = clock()
        await limits.acquire()
        return clock() - begin

    assert run_with_simulated_clock(run) < 2


def test_after_a_pause_the_rate_still_holds() -> None:
    """After a pause that the model asked for, the rate still holds."""

    async def run(clock: Callable[[], float]) -> tuple[float, list[float]]:
        limits, times = RequestLimits("10/s", 200, clock), []
        limits.record_throttling(30.0)
        begin = clock()

        async def one() -> None:
            await limits.acquire()
            times.append(clock())
            limits.release()

        await asyncio.gather(*(one() for _ in range(100)))
        return begin, times

    begin, times = run_with_simulated_clock(run)
    assert min(times) >= begin + 30
    assert most_within(times, 1) <= 10


@settings(deadline=None, max_examples=60)
@given(
    most=st.integers(1, 4),
    acts=st.lists(st.tuples(st.floats(0, 2), st.floats(0.01, 2), st.floats(0.01, 4)), max_size=40),
)
def test_places_are_never_lost(most: int, acts: list[tuple[float, float, float]]) -> None:
    """Whatever comes, stays and cancels, no more than `most` are in flight, and none is stuck."""

    async def run(clock: Callable[[], float]) -> tuple[int, int]:
        limits, inside, peak = RequestLimits("50/s", most, clock), 0, 0

        async def one(comes: float, stays: float, patience: float) -> None:
            nonlocal inside, peak
            await asyncio.sleep(comes)
            try:
                async with asyncio.timeout(patience):
                    await limits.acquire()
            except TimeoutError:
                return
            inside += 1
            peak = max(peak, inside)
            await asyncio.sleep(stays)
            inside -= 1
            limits.release()

        await asyncio.gather(*(one(*act) for act in acts))
        return peak, limits.in_flight

    peak, busy = run_with_simulated_clock(run)
    assert peak <= most
    assert busy == 0


def test_a_waiter_that_is_passed_over_and_cancelled() -> None:
    """A place that becomes free at the moment of a cancellation goes to the next request."""

    async def run(clock: Callable[[], float]) -> list[object]:
        limits = RequestLimits(None, 1, clock)
        await limits.acquire()
        first, second = (asyncio.ensure_future(limits.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        limits.release()
        await asyncio.wait_for(second, 1)
        limits.release()
        return [*await asyncio.gather(first, return_exceptions=True), limits.in_flight]

    cancelled, busy = run_with_simulated_clock(run)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert busy == 0


def test_refusals_lower_and_answers_raise() -> None:
    """429s lower concurrency and rate, once for all that come together; successes raise them."""

    async def run(clock: Callable[[], float]) -> list[Any]:
        limits = RequestLimits("100/s", 10, clock)
        states = [limits.summarize()]
        for _ in range(5):
            limits.record_throttling(None)
        states.append(limits.summarize())
        for _ in range(20):
            await asyncio.sleep(2)
            limits.record_throttling(None)
        states.append(limits.summarize())
        for _ in range(500):
            await asyncio.sleep(0.1)
            limits.record_success()
        return [*states, limits.summarize()]

    start, once, low, high = run_with_simulated_clock(run)
    assert (start["concurrency"], start["rate"]) == (10, 100)
    assert (once["concurrency"], once["rate"]) == (7, 70)
    assert (low["concurrency"], low["throttled"]) == (1, 25)
    assert 0 < low["rate"] < 5
    assert (high["concurrency"], high["rate"]) == (10, 100)


def test_a_lowered_rate_is_slower() -> None:
    """After a refusal requests are further apart."""
    now = [0.0]
    rate = RateLimit("100/s", lambda: now[0])
    rate.take()
    before = rate._next_arrival
    rate.lower()
    rate.take()
    assert rate._next_arrival - before > before


# Against a server


def test_the_rate_at_the_server(start_gateway: Callable[..., Gateway]) -> None:
    """With 60/s over six evaluations the server never counts more in any second.

    A busy machine may delay the server's own clock readings, so it has three chances.
    """
    gateway = start_gateway(rate="60/s", cache=None)
    for _ in range(3):
        upstream = Upstream(numbered_replies())
        evaluations = [gateway.open_evaluation(upstream) for _ in range(6)]
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda one: one.post_repeatedly(20, 4), evaluations))
        assert len(upstream.received) == 120
        if most_within([seen.at for seen in upstream.received], 1) <= 60:
            return
    raise AssertionError("more than 60 requests in a second, each time")


def test_the_concurrency_at_the_server(
    start_gateway: Callable[..., Gateway], start_mock: Callable[..., MockServer]
) -> None:
    """Several evaluations together never have more requests in flight than declared."""
    mock = start_mock(latency=0.02)
    gateway = start_gateway(concurrency=5)
    evaluations = [gateway.open_evaluation(mock.url, settings={"seed": str(n)}) for n in range(3)]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda one: one.post_repeatedly(30, 10), evaluations))
    assert mock.stats["requests"] == 90
    assert mock.stats["peak_in_flight"] == 5


def test_refusals_are_adapted_to(start_gateway: Callable[..., Gateway], start_mock: Callable[..., MockServer]) -> None:
    """The gateway slows down for a server that admits less, and every request is answered."""
    mock = start_mock(rate=40, retry_after=0.2, latency=0.05)
    gateway = start_gateway(cache=None)
    evaluation = gateway.open_evaluation(mock.url, retry=20)
    answers = evaluation.post_repeatedly(80, 24)
    assert [answer.status for answer in answers] == [200] * 80
    sums = evaluation.close()
    assert sums["limits"]["throttled"] > 0
    assert sums["limits"]["concurrency"] < 24
    assert sums["retries"] == mock.stats["statuses"]["429"]


def test_who_leaves_frees_its_place(start_gateway: Callable[..., Gateway]) -> None:
    """Clients that leave, while waiting or during a reply, delay nobody."""
    gateway = start_gateway(concurrency=1)
    upstream = Upstream([])
    upstream.use_scripts([ConnectionEnd.HANG], [http_reply(chat_completion("7"))])
    evaluation = gateway.open_evaluation(upstream)
    first, second = evaluation.connect(), evaluation.connect()
    first.sendall(evaluation.request_bytes(b"{}"))
    wait_until(lambda: upstream.received, "the first was sent")
    second.sendall(evaluation.request_bytes(b'{"n": 2}'))
    with ThreadPoolExecutor(1) as threads:
        third = threads.submit(evaluation.post)
        second.close()
        first.close()
        assert third.result().text == "7"
    assert len(upstream.received) == 2
