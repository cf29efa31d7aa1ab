"""What all exchanges of one gateway share."""

from __future__ import annotations

import asyncio

from evalmake.gateway.proxy.logprob_probe import ProbeResult
from evalmake.gateway.proxy.rate_limits import RequestLimits
from evalmake.gateway.proxy.request_rewrite import RequestRewrite
from evalmake.gateway.reply_cache.cache import ReplyCache
from evalmake.upstream.connection_pool import ConnectionPool, Network


class SharedState:
    """The cache, the limits, the key, the connections, and the requests that others wait for."""

    def __init__(
        self,
        cache: ReplyCache | None,
        limits: RequestLimits,
        request_rewrite: RequestRewrite,
        network: Network,
        cache_trouble: str = "",
    ) -> None:
        self.cache = cache
        self.limits = limits
        self.request_rewrite = request_rewrite
        self.loop = asyncio.get_running_loop()
        self.leaders: dict[str, asyncio.Future[bool]] = {}
        """Cache key -> the end of the one exchange that asks the model; its result: see `Exchange`."""
        self.probes: dict[tuple[str, str, str], asyncio.Task[ProbeResult]] = {}
        """(server, model, kind) -> its probe, running or done."""
        self._network = network
        self._pools: dict[str, ConnectionPool] = {}
        self._cache_trouble = cache_trouble

    def summarize(self) -> dict[str, object]:
        """What is the same for all evaluations, for their sums."""
        trouble = self.cache.trouble if self.cache is not None else self._cache_trouble
        return {"limits": self.limits.summarize(), "cache_trouble": trouble}

    def least_busy_pool(self, urls: list[str]) -> ConnectionPool:
        """The connections to the server with the fewest open requests."""
        for url in urls:
            if url not in self._pools:
                self._pools[url] = ConnectionPool(url, self._network, self.loop)
        return min((self._pools[url] for url in urls), key=lambda pool: pool.busy)
