"""Rate and concurrency, shared by all evaluations of one model, and lowered when it replies 429.

The rate is the generic cell rate algorithm (ITU-T I.371): a theoretical arrival time moves on by one interval for
each request, and a request may be early by a burst of a tenth of the rate. The interval is widened so that burst
and flow together never exceed the declared count in a window. Concurrency follows additive increase,
multiplicative decrease (Chiu and Jain, 1989).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

_PERIODS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SLACK = 0.95  # clocks and networks jitter: stay below what is allowed
_DECREASE = 0.7
_LOWEST_FACTOR = 1 / 32
_RECOVERY = 0.05  # of the declared rate, a second
LONGEST_WAIT = 300.0
"""Seconds that a server may ask to wait. An evaluation does not wait longer: it ends with the reason."""


class WaitTooLong(Exception):
    """The server has asked for a longer pause than the gateway waits."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class RateLimit:
    """At most `count` requests in any period."""

    def __init__(self, text: str, clock: Callable[[], float]) -> None:
        count, _, unit = text.partition("/")
        self.count = int(count)
        self._clock = clock
        burst = max(0, self.count // 10 - 1)
        self._interval = _PERIODS[unit] / (self.count - burst) / _SLACK
        self._tolerance = burst * self._interval
        self._next_arrival = self._changed_at = 0.0
        self.factor = 1.0

    def delay(self) -> float:
        """Seconds until the next request may go."""
        return max(0.0, self._next_arrival - self._tolerance - self._clock())

    def take(self) -> None:
        """Count a request that goes now."""
        self._next_arrival = max(self._next_arrival, self._clock()) + self._interval / self.factor

    def lower(self) -> None:
        """Lower the rate after a 429."""
        self.factor = max(_LOWEST_FACTOR, self.factor * _DECREASE)
        self._changed_at = self._clock()

    def recover(self) -> None:
        """Raise a lowered rate after a success, by the time that passed and not by the number of replies."""
        now = self._clock()
        if self.factor < 1.0:
            self.factor = min(1.0, self.factor + (now - self._changed_at) * _RECOVERY)
            self._changed_at = now


class RequestLimits:
    """Admits requests; they wait in the order in which they came."""

    def __init__(self, rate: str | None, concurrency: int | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rate = RateLimit(rate, clock) if rate else None
        self._declared_concurrency = concurrency
        self._concurrency: float | None = concurrency
        """The present limit; None: no limit."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._rate_lock = asyncio.Lock()
        self._closed_until = 0.0
        self._lowered_at = 0.0
        self.in_flight = 0
        self.throttled = 0

    async def acquire(self) -> None:
        """Wait for a place and for the rate; `release` must follow. Raises WaitTooLong.

        A request takes from the rate only when it goes, and the first in the queue holds the lock. So one that
        stops waiting has taken nothing.
        """
        await self._acquire_place()
        if self._rate is None and self._closed_until <= self._clock():
            return
        try:
            async with self._rate_lock:
                while (delay := self._delay()) > 0:
                    if delay > LONGEST_WAIT and self._closed_until - self._clock() > LONGEST_WAIT:
                        raise WaitTooLong(delay)
                    await asyncio.sleep(delay)
                if self._rate is not None:
                    self._rate.take()
        except (asyncio.CancelledError, WaitTooLong):
            self.release()
            raise

    def _delay(self) -> float:
        rate = self._rate.delay() if self._rate is not None else 0.0
        return max(rate, self._closed_until - self._clock())

    async def _acquire_place(self) -> None:
        if not self._waiting and self._has_place():
            self.in_flight += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it got the place in the same turn of the loop
                self.release()
            else:
                with suppress(ValueError):  # `release` may have passed over it already
                    self._waiting.remove(place)
            raise

    def release(self) -> None:
        """Give a request's place to the next one."""
        self.in_flight -= 1
        while self._waiting and self._has_place():
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)

    def record_throttling(self, retry_after: float | None) -> None:
        """Pause all requests after a 429 for as long as it asks, then allow fewer at the same time."""
        now = self._clock()
        self.throttled += 1
        self._closed_until = max(self._closed_until, now + (retry_after or 0.0))
        if now < self._lowered_at + 1.0:
            return  # requests that were on their way meet the same refusal: it counts once
        self._lowered_at = now
        self._concurrency = max(1.0, (self._concurrency or self.in_flight) * _DECREASE)
        if self._rate is not None:
            self._rate.lower()

    def record_success(self) -> None:
        """Allow a little more, up to what was declared."""
        declared = self._declared_concurrency
        if self._concurrency is not None and (declared is None or self._concurrency < declared):
            self._concurrency += 1.0 / max(self._concurrency, 1.0)
            if declared is not None:
                self._concurrency = min(self._concurrency, declared)
        if self._rate is not None:
            self._rate.recover()

    def summarize(self) -> dict[str, float | None]:
        """The present limits, for the record."""
        return {
            "concurrency": None if self._concurrency is None else round(self._concurrency, 1),
            "rate": round(self._rate.count * self._rate.factor, 2) if self._rate else None,
            "throttled": self.throttled,
        }

    def _has_place(self) -> bool:
        return self._concurrency is None or self.in_flight < int(self._concurrency)
