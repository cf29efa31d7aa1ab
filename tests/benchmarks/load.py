"""`python -m tests.benchmarks.load PORT PATH`: one measurement of one server, printed as JSON.

Every connection asks again as soon as it is answered. Each request has a number of its own in its
prompt, so that no cache knows it, unless `--distinct` says after how many they begin anew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from functools import partial
from time import perf_counter
from typing import cast

import httptools
import uvloop

TOKEN = "bench"
_PASSAGE = "A passage to read, of about the length that a question with choices has. " * 9
_BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": f"{_PASSAGE}What follows from it? (number)"}],
    "temperature": 0,
    "max_tokens": 256,
}


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: requests per second, and milliseconds of latency."""

    rate: float
    p50: float
    p99: float
    requests: int
    """All of them, those before and after the measured time too."""
    failed: int
    """Those that were not answered with 200."""


class Meter:
    """Hands out the requests' numbers, and measures between `begin` and `end`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.begin = perf_counter() + options.warm
        self.end = self.begin + options.seconds
        self.failed = self.requests = self._within = 0
        self._first, self._distinct = options.first, options.distinct
        self._most = options.requests
        self._taken = 0
        self._spent: list[float] = []

    def take(self, now: float) -> int | None:
        """The next request's number; None when it is over."""
        if now >= self.end or self._taken == self._most:
            return None
        number = self._taken % self._distinct if self._distinct else self._taken
        self._taken += 1
        return int(self._first + number)

    def answered(self, asked: float, now: float, status: int) -> None:
        """A request is over."""
        self.requests += 1
        self.failed += status != 200
        self._within += self.begin <= now < self.end
        if asked >= self.begin:
            self._spent.append(now - asked)

    def load(self) -> Load:
        """The sum."""
        spent = sorted(self._spent) or [0.0]
        return Load(
            self._within / (self.end - self.begin),
            spent[len(spent) // 2] * 1000,
            spent[int(len(spent) * 0.99)] * 1000,
            self.requests,
            self.failed,
        )


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, meter: Meter, path: str, over: asyncio.Future[None]) -> None:
        self._meter = meter
        self._over = over
        self._head, self._tail = _request(path)
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._ask(perf_counter())

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        """The server closed, unless we did."""
        if not self._over.done():
            self._over.set_exception(error or ConnectionError("the server closed the connection"))

    def on_message_complete(self) -> None:
        """Ask again."""
        now = perf_counter()
        self._meter.answered(self._asked, now, self._parser.get_status_code())
        self._ask(now)

    def _ask(self, now: float) -> None:
        number = self._meter.take(now)
        if number is None:
            self._over.set_result(None)
            self._transport.close()
            return
        self._asked = now
        self._transport.write(b"%b%012d%b" % (self._head, number, self._tail))


def _request(path: str) -> tuple[bytes, bytes]:
    """What stands before a request's number, of twelve digits, and what behind it."""
    before, _, behind = json.dumps(_BODY).partition("number")
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n"
        "accept: application/json\r\nuser-agent: load\r\ncontent-type: application/json\r\n"
        f"content-length: {len(before) + 12 + len(behind)}\r\n\r\n"
    )
    return (head + before).encode(), behind.encode()


async def measured(options: argparse.Namespace) -> Load:
    """Ask until time or number is up; OSError when a connection breaks."""
    loop = asyncio.get_running_loop()
    meter = Meter(options)
    overs: list[asyncio.Future[None]] = [loop.create_future() for _ in range(options.connections)]
    for over in overs:
        made = partial(Connection, meter, options.path, over)
        await loop.create_connection(made, "127.0.0.1", options.port)
    await asyncio.gather(*overs)
    return meter.load()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.load", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0, help="measured")
    parser.add_argument("--warm", type=float, default=0.5, help="seconds before that")
    parser.add_argument("--requests", type=int, help="no more than that")
    parser.add_argument("--first", type=int, default=0, help="the first one's number")
    parser.add_argument("--distinct", type=int, default=0)
    print(json.dumps(asdict(uvloop.run(measured(parser.parse_args())))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
