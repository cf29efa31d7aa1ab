"""Declared faults: which request meets which, and when there are too many requests."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import Enum

from xxhash import xxh3_64_intdigest

from evalmake.engines.mock.settings import Settings


class Fault(Enum):
    """What goes wrong with one request."""

    ERROR = "error"
    TOO_MANY = "too many"
    HANG = "hang"
    MALFORMED = "malformed"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class FaultDraw:
    """What a request meets: a fault or none, the seconds before its answer, and a coin for variants of a fault."""

    fault: Fault | None
    delay: float
    coin: bool


class FaultSampler:
    """Draws from a request's digest and the number of times it came.

    A request that is sent again draws anew, and the same sequence of requests meets the same faults.
    """

    def __init__(self, settings: Settings) -> None:
        self._seed = settings.seed % 2**64
        self._latency = settings.latency
        self._shares = (
            (Fault.ERROR, settings.error_rate),
            (Fault.TOO_MANY, settings.too_many_rate),
            (Fault.HANG, settings.hang_rate),
            (Fault.MALFORMED, settings.malformed_rate),
            (Fault.RESET, settings.reset_rate),
        )
        self._repetitions: Counter[int] = Counter()

    def draw(self, digest: int) -> FaultDraw:
        """What the next request with this digest meets."""
        self._repetitions[digest] += 1
        draw = xxh3_64_intdigest(b"%d %d" % (digest, self._repetitions[digest]), self._seed)
        least, most = self._latency
        delay = least + (most - least) * ((draw & 0xFFFF) / 0xFFFF)
        return FaultDraw(self._pick_fault((draw >> 32) / 2**32), delay, bool(draw & 1 << 20))

    def _pick_fault(self, draw: float) -> Fault | None:
        for fault, share in self._shares:
            if draw < share:
                return fault
            draw -= share
        return None


class RateLimit:
    """At most `rate` requests a second: a sliding window of one second, longer for rates below 1."""

    def __init__(self, rate: float | None) -> None:
        self._most = max(1, int(rate or 1))
        self._window = self._most / rate if rate else 0.0
        self._taken: deque[float] = deque()

    def admit(self, now: float) -> bool:
        """Count a request at `now` (seconds, any origin) if it is within the rate; returns whether it is."""
        while self._taken and now - self._taken[0] >= self._window:
            self._taken.popleft()
        if len(self._taken) >= self._most:
            return False
        if self._window:
            self._taken.append(now)
        return True
