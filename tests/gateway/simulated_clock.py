"""An event loop with a simulated clock: waiting takes no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any


class _ClockSelector(selectors.DefaultSelector):
    """A selector that moves the clock instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; otherwise nothing, with the clock `timeout` seconds later."""
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits for ever"
            self.now += timeout
        return ready


def run_with_simulated_clock(run: Callable[[Callable[[], float]], Awaitable[Any]]) -> Any:
    """Run a coroutine with a simulated clock, which it gets as its argument."""
    selector = _ClockSelector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(asyncio.wait_for(run(loop.time), None))
    finally:
        loop.close()
