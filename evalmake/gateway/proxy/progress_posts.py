"""How far an evaluation is, told to a web address of its user's.

A POST of one JSON object, at most every few seconds while something changes, and at the end. Nothing
of the model's goes there, neither its key nor its headers; and whatever comes of it, the evaluation
goes on: what could not be told is counted, and the next object tells all of it anew.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from evalmake.gateway.proxy.http_messages import Headers, Request
from evalmake.gateway.proxy.request_rewrite import head
from evalmake.gateway.proxy.sessions import Open
from evalmake.gateway.proxy.shared_state import Shared
from evalmake.gateway.proxy.upstream_connection import UpstreamError

EVERY = 3.0  # seconds from one object to the next
_PATIENCE = 5.0
_FAREWELL = 2.0  # seconds that the end of the gateway waits for what is on its way
_TOLD = ("requests", "cached", "failed", "retries", "tokens_in", "tokens_out")
_HEADERS: Headers = [(b"content-type", b"application/json")]


@dataclass(slots=True)
class _Last:
    """What was told last, when the next may be, and the POST that is on its way."""

    state: dict[str, object] = field(default_factory=dict)
    due: float = 0.0
    post: asyncio.Task[None] | None = None


class Progress:
    """Tells it for all evaluations of a gateway."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._last: WeakKeyDictionary[Open, _Last] = WeakKeyDictionary()
        self._posts: set[asyncio.Task[None]] = set()

    def tell(self, key: str, opened: Open, finished: bool = False) -> None:
        """Tell how far an evaluation is, if that is due and news; the end is told in any case."""
        if not opened.adapter.progress_url:
            return
        last = self._last.setdefault(opened, _Last())
        counts = {name: opened.account.counts[name] for name in _TOLD}
        state = {"evaluation": key, **counts, "finished": finished}
        now = self._shared.loop.time()
        busy = last.post is not None and not last.post.done()
        if state == last.state or (not finished and (busy or now < last.due)):
            return
        last.state, last.due = state, now + EVERY
        last.post = self._shared.loop.create_task(self._post(opened, state, last.post))
        self._posts.add(last.post)
        last.post.add_done_callback(self._posts.discard)

    async def close(self) -> None:
        """Give what is on its way a moment."""
        if self._posts:
            await asyncio.wait(self._posts, timeout=_FAREWELL)

    async def _post(self, opened: Open, state: dict[str, object], before: asyncio.Task[None] | None) -> None:
        """Send one object, behind the one that is still on its way."""
        if before is not None:
            await asyncio.wait([before])
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._send(opened.adapter.progress_url or "", json.dumps(state).encode())
        except Exception:  # an address that makes no sense, or nobody there
            opened.account.count("progress_failed")

    async def _send(self, url: str, payload: bytes) -> None:
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        pool = self._shared.pool([url])
        request = Request(b"POST", b"", [], payload)
        top = head(request, path.encode(), pool.netloc, _HEADERS, len(payload))
        reply = await pool.ask(top + payload, _PATIENCE)
        reply.drop()
        if not 200 <= reply.status < 300:
            raise UpstreamError("refused", f"HTTP {reply.status}")
