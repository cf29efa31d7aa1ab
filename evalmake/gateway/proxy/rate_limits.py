"""Rate and concurrency, shared by all evaluations of one model, and lowered when it says 429.

The rate is the generic cell rate algorithm (ITU-T I.371): a theoretical arrival time moves on by
one interval for each request, and a request may be early by a burst of a tenth of the rate. The
interval is widened so that burst and flow together never exceed the declared count in a window.
Concurrency follows additive increase, multiplicative decrease (Chiu and Jain, 1989).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

_PERIODS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SLACK = 0.95  # clocks and networks jitter: stay below what is allowed
_SLOWEST = 1 / 32
_RECOVER = 0.05  # of the declared rate, a second


class Rate:
    """At most `count` requests in any period."""

    def __init__(self, text: str, clock: Callable[[], float]) -> None:
        count, _, unit = text.partition("/")
        self.count = int(count)
        self._period = _PERIODS[unit]
        self._clock = clock
        burst = max(0, self.count // 10 - 1)
        self._interval = self._period / (self.count - burst) / _SLACK
        self._tolerance = burst * self._interval
        self._arrival = self._changed = 0.0
        self.factor = 1.0

    def delay(self) -> float:
        """Seconds until the next request may go."""
        return max(0.0, self._arrival - self._tolerance - self._clock())

    def take(self) -> None:
        """A request goes now."""
        self._arrival = max(self._arrival, self._clock()) + self._interval / self.factor

    def lower(self) -> None:
        """The model refused: ask less often."""
        self.factor = max(_SLOWEST, self.factor * 0.7)
        self._changed = self._clock()

    def recover(self) -> None:
        """The model answered: dare a little more, by time and not by answers."""
        now = self._clock()
        if self.factor < 1.0:
            self.factor = min(1.0, self.factor + (now - self._changed) * _RECOVER)
            self._changed = now


class Limits:
    """Admits requests; evaluations wait in the order in which they came."""

    def __init__(self, rate: str | None, concurrency: int | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rate = Rate(rate, clock) if rate else None
        self._most = concurrency
        self._room: float | None = concurrency
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._gate = asyncio.Lock()
        self._closed_until = 0.0
        self._lowered = 0.0
        self.busy = 0
        self.throttled = 0

    async def enter(self) -> None:
        """Wait for a place and for the rate; `leave` must follow.

        Who stops waiting takes nothing: only the first in the row holds a claim on the rate.
        """
        await self._place()
        if self._rate is None and self._closed_until <= self._clock():
            return
        try:
            async with self._gate:
                while (delay := self._delay()) > 0:
                    await asyncio.sleep(delay)
                if self._rate is not None:
                    self._rate.take()
        except asyncio.CancelledError:
            self.leave()
            raise

    def _delay(self) -> float:
        rate = self._rate.delay() if self._rate is not None else 0.0
        return max(rate, self._closed_until - self._clock())

    async def _place(self) -> None:
        if self._waiting or not self._free():
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self.leave()
                else:
                    with suppress(ValueError):  # `leave` may have passed over it already
                        self._waiting.remove(place)
                raise
        else:
            self.busy += 1

    def leave(self) -> None:
        """A request is over: its place is the next one's."""
        self.busy -= 1
        while self._waiting and self._free():
            place = self._waiting.popleft()
            if not place.done():
                self.busy += 1
                place.set_result(None)

    def refused(self, after: float | None) -> None:
        """The model said 429: nobody asks before `after` seconds, and fewer at once after that."""
        now = self._clock()
        self.throttled += 1
        self._closed_until = max(self._closed_until, now + (after or 0.0))
        if now < self._lowered + 1.0:
            return  # the others that were on their way meet the same refusal
        self._lowered = now
        self._room = max(1.0, (self._room or self.busy) * 0.7)
        if self._rate is not None:
            self._rate.lower()

    def answered(self) -> None:
        """The model answered: a little more room, up to what was declared."""
        if self._room is not None and (self._most is None or self._room < self._most):
            self._room += 1.0 / max(self._room, 1.0)
            if self._most is not None:
                self._room = min(self._room, self._most)
        if self._rate is not None:
            self._rate.recover()

    def state(self) -> dict[str, float | None]:
        """What the limits are now, for the record."""
        return {
            "concurrency": None if self._room is None else round(self._room, 1),
            "rate": round(self._rate.count * self._rate.factor, 2) if self._rate else None,
            "throttled": self.throttled,
        }

    def _free(self) -> bool:
        return self._room is None or self.busy < int(self._room)
