"""What all exchanges of one gateway share."""

from __future__ import annotations

import asyncio

from evalmake.gateway.proxy.logprob_probe import Finding
from evalmake.gateway.proxy.rate_limits import Limits
from evalmake.gateway.proxy.request_rewrite import Fixed
from evalmake.gateway.proxy.upstream_connection import Pool
from evalmake.gateway.reply_cache.cache import ReplyCache


class Shared:
    """The cache, the limits, the key, the connections, and what is under way."""

    def __init__(self, cache: ReplyCache | None, limits: Limits, fixed: Fixed, trouble: str = "") -> None:
        self.cache = cache
        self.limits = limits
        self.fixed = fixed
        self.loop = asyncio.get_running_loop()
        self.under_way: dict[str, asyncio.Future[bool]] = {}
        """By key in the cache; done with whether an answer came that is not to be kept."""
        self.probes: dict[tuple[str, str, str], asyncio.Task[Finding]] = {}
        """By server, model and what was tested; under way, or done."""
        self._pools: dict[str, Pool] = {}
        self._trouble = trouble

    def state(self) -> dict[str, object]:
        """What every evaluation's sums tell of the whole."""
        trouble = self.cache.trouble if self.cache is not None else self._trouble
        return {"limits": self.limits.state(), "cache_trouble": trouble}

    def pool(self, urls: list[str]) -> Pool:
        """The least loaded of the servers."""
        for url in urls:
            if url not in self._pools:
                self._pools[url] = Pool(url, self.loop)
        return min((self._pools[url] for url in urls), key=lambda pool: pool.busy)
