"""One request's way to the model: in its turn, with the key, and again where that may help."""

from __future__ import annotations

import asyncio
import json
from time import perf_counter
from typing import Any

from evalmake.gateway.proxy.http_messages import Request, header
from evalmake.gateway.proxy.request_rewrite import head
from evalmake.gateway.proxy.retry import TRANSIENT, retry_after, wait
from evalmake.gateway.proxy.server_sent_events import listed
from evalmake.gateway.proxy.sessions import Open
from evalmake.gateway.proxy.shared_state import Shared
from evalmake.gateway.proxy.upstream_connection import Pool, Reply, UpstreamError
from evalmake.gateway.reply_cache.completeness import FAILED_FINISH_REASONS

_EXCERPT = 200  # characters of a reply that a message quotes


class Ended(Exception):
    """The evaluation ends, or ended while a request of its waited."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"this evaluation is to end: {reason}")


class Asking:
    """A request on its way; `rest` is its target behind the evaluation's prefix.

    It goes to one `server` alone, as long as that is one of the model's.
    """

    def __init__(self, shared: Shared, opened: Open, request: Request, rest: bytes, server: str = "") -> None:
        self.path = rest.partition(b"?")[0].decode("latin-1")
        self.tries = 0
        self._shared = shared
        self._opened = opened
        self._request = request
        self._rest = rest
        self._server = server
        self._url = server or opened.session.upstreams[0]
        self._began = perf_counter()
        self._inside = False

    @property
    def where(self) -> str:
        """The address that is asked."""
        return self._url.rstrip("/") + self.path.removeprefix("/v1")

    async def reply(self, payload: bytes, as_json: bool) -> tuple[Reply, bytes | None]:
        """The model's reply, with a stream's first piece; UpstreamError after the last try, Ended.

        Where it is to be JSON, any other is tried again too. `leave` must follow.
        """
        opened, limits = self._opened, self._shared.limits
        left = opened.adapter.retry
        while True:
            await self._enter()
            if opened.breaker.reason:
                raise Ended(opened.breaker.reason)
            servers = opened.session.upstreams
            pool = self._shared.pool([self._server] if self._server in servers else servers)
            self._url = pool.url
            self.tries += 1
            opened.account.count("sent")
            after: float | None = None
            try:
                reply, piece = await self._try(pool, payload)
                trouble = _trouble(reply, as_json)
                after = retry_after(header(reply.headers, b"retry-after"))
            except UpstreamError as error:
                left -= not self._waited_for(error)
                if left < 0:
                    raise
                trouble = str(error)
            else:
                if reply.status == 429:
                    limits.refused(after)
                if not trouble:
                    limits.answered()
                    return reply, piece
                left -= 1
                if left < 0:
                    if reply.status == 200:
                        raise UpstreamError("broken", trouble)
                    return reply, piece
                reply.drop()
            self.leave()
            opened.account.count("retries")
            opened.account.last_error = f"{self.where}: {trouble}"
            await asyncio.sleep(wait(self.tries, after))
            opened.look_again()

    def leave(self) -> None:
        """It is over: its place is the next one's."""
        if self._inside:
            self._inside = False
            self._shared.limits.leave()

    def _waited_for(self, error: UpstreamError) -> bool:
        """Whether the server is being started again, so that the try does not count."""
        waited = perf_counter() - self._began
        return error.kind == "connect" and waited < self._opened.session.restart_timeout

    async def _enter(self) -> None:
        await self._shared.limits.enter()
        self._inside = True

    async def _try(self, pool: Pool, payload: bytes) -> tuple[Reply, bytes | None]:
        """Ask once."""
        request, opened, fixed = self._request, self._opened, self._shared.fixed
        headers = fixed.without(request.headers, opened.token)
        for one in opened.interceptors:
            headers = one.headers(headers)
        headers = [*fixed.headers, *headers]
        top = head(request, pool.path(self._rest), pool.netloc, headers, len(payload))
        timeout = opened.adapter.timeout
        reply = await pool.ask(top + payload, timeout, request.method == b"HEAD")
        if (clean := fixed.clean(reply.body)) is not reply.body:
            reply.body, reply.cleaned = clean, True
        try:
            return reply, await reply.piece() if reply.stream else None
        except asyncio.CancelledError:
            reply.drop()
            raise


def written(body: dict[str, Any]) -> bytes:
    """A request's JSON as it is sent."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def said(reply: Reply) -> str:
    """What a reply says, in a line."""
    return f"HTTP {reply.status}: {_excerpt(reply.body)}"


def _trouble(reply: Reply, as_json: bool) -> str:
    """Why a reply is to be asked for again, if it is."""
    if reply.status in TRANSIENT:
        return said(reply)
    packed = header(reply.headers, b"content-encoding") not in (b"", b"identity")
    if reply.status == 200 and as_json and not reply.stream and not packed:
        try:
            parsed = reply.json()
        except ValueError:
            return f"the reply is not JSON: {_excerpt(reply.body)}"
        choices = listed(parsed.get("choices")) if isinstance(parsed, dict) else []
        if broken := [c["finish_reason"] for c in choices if c.get("finish_reason") in FAILED_FINISH_REASONS]:
            return f"the reply's finish reason is `{broken[0]}`"
    return ""


def _excerpt(body: bytes) -> str:
    """The beginning of a reply on one line."""
    return " ".join(body[: _EXCERPT * 4].decode("utf-8", "replace").split())[:_EXCERPT] or "(empty)"
