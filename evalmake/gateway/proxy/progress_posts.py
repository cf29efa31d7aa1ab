"""Posts of an evaluation's progress to an address of the user's.

One JSON object, every few seconds while something changes, and at the end. The model's key and headers are not
sent. A failed post never stops the evaluation: it is counted, and the next object holds all counts again.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from evalmake.gateway.proxy.request_rewrite import request_head
from evalmake.gateway.proxy.sessions import AdmittedSession
from evalmake.gateway.proxy.shared_state import SharedState
from evalmake.http_protocol.messages import Headers, Request
from evalmake.upstream.connection import UpstreamError

POST_INTERVAL = 3.0  # seconds between objects
_TIMEOUT = 5.0
_CLOSE_TIMEOUT = 2.0  # seconds that the end of the gateway waits for posts on their way
_COUNTS = ("requests", "cached", "failed", "retries", "tokens_in", "tokens_out")
_HEADERS: Headers = [(b"content-type", b"application/json")]


@dataclass(slots=True)
class _LastPost:
    """What was posted last, when the next post is due, and the post on its way."""

    progress: dict[str, object] = field(default_factory=dict)
    next_due: float = 0.0
    task: asyncio.Task[None] | None = None


class ProgressPosts:
    """Posts the progress of all evaluations of a gateway."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared
        self._last: WeakKeyDictionary[AdmittedSession, _LastPost] = WeakKeyDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    def post_progress(self, key: str, session: AdmittedSession, finished: bool = False) -> None:
        """Post an evaluation's progress if it has changed and a post is due; at the end in any case."""
        if not session.adapter.progress_url:
            return
        last = self._last.setdefault(session, _LastPost())
        counts = {name: session.usage.counts[name] for name in _COUNTS}
        progress = {"evaluation": key, **counts, "finished": finished}
        now = self._shared.loop.time()
        posting = last.task is not None and not last.task.done()
        if progress == last.progress or (not finished and (posting or now < last.next_due)):
            return
        last.progress, last.next_due = progress, now + POST_INTERVAL
        last.task = self._shared.loop.create_task(self._post(session, progress, last.task))
        self._tasks.add(last.task)
        last.task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait a moment for the posts on their way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_TIMEOUT)

    async def _post(
        self, session: AdmittedSession, progress: dict[str, object], previous: asyncio.Task[None] | None
    ) -> None:
        """Post one object, after the previous one: the receiver takes the last as the newest."""
        if previous is not None:
            await asyncio.wait([previous])
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._send(session.adapter.progress_url or "", json.dumps(progress).encode())
        except Exception:  # an address that makes no sense, or nobody there
            session.usage.add_count("progress_failed")

    async def _send(self, url: str, payload: bytes) -> None:
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        pool = self._shared.least_busy_pool([url])
        request = Request(b"POST", b"", [], payload)
        head = request_head(request, path.encode(), pool.netloc, _HEADERS, len(payload))
        reply = await pool.send(head + payload, _TIMEOUT)
        reply.discard()
        if not 200 <= reply.status < 300:
            raise UpstreamError("refused", f"HTTP {reply.status}")
