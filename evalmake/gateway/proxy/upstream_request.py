"""One request to the model: in its turn, with the key, to the least busy server."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import NoReturn

from evalmake.gateway.proxy.circuit_breaker import EvaluationStopped
from evalmake.gateway.proxy.rate_limits import LONGEST_WAIT, WaitTooLong
from evalmake.gateway.proxy.request_rewrite import request_head
from evalmake.gateway.proxy.sessions import AdmittedSession
from evalmake.gateway.proxy.shared_state import SharedState
from evalmake.http_protocol.messages import Request, find_header
from evalmake.upstream.connection import UpstreamError, UpstreamReply
from evalmake.upstream.connection_pool import ConnectionPool
from evalmake.upstream.server_url import ServerUrl

_EXCERPT = 200  # characters of a reply that a message quotes


class UpstreamRequest:
    """A request of an evaluation to its model; `rest` is its target without the evaluation's prefix.

    With `server`, it goes to that server alone, as long as the model is served there.
    """

    def __init__(
        self, shared: SharedState, session: AdmittedSession, request: Request, rest: bytes, server: str = ""
    ) -> None:
        self.shared = shared
        self.session = session
        self.path = rest.partition(b"?")[0].decode("latin-1")
        self.tries = 0
        self._request = request
        self._rest = rest
        self._server = server
        self._url = server or session.settings.upstreams[0]
        self._began = perf_counter()
        self._admitted = False

    @property
    def address(self) -> str:
        """The URL that the request goes to, for messages."""
        return ServerUrl.parse(self._url).url_of(self.path)

    def hint_at_version(self) -> str:
        """What may be wrong with the server's address, if it does not know the path; else empty."""
        return ServerUrl.parse(self._url).hint_at_version()

    async def send_once(self, payload: bytes) -> tuple[UpstreamReply, bytes | None]:
        """Wait for a place and send; returns the reply, with a stream's first piece. `release` must follow.

        Raises UpstreamError without a reply, and EvaluationStopped.
        """
        try:
            await self.shared.limits.acquire()
        except WaitTooLong as wait:
            self.stop_evaluation(wait.seconds, "another request was refused")
        self._admitted = True
        self.session.breaker.raise_if_stopped()
        servers = self.session.settings.upstreams
        pool = self.shared.least_busy_pool([self._server] if self._server in servers else servers)
        self._url = pool.url
        self.tries += 1
        self.session.usage.add_count("sent")
        return await self._send_to(pool, payload)

    async def _send_to(self, pool: ConnectionPool, payload: bytes) -> tuple[UpstreamReply, bytes | None]:
        request, session, rewrite = self._request, self.session, self.shared.request_rewrite
        headers = rewrite.forwarded_headers(request.headers, session.token)
        for interceptor in session.interceptors:
            headers = interceptor.rewrite_headers(headers)
        headers = [*rewrite.headers, *pool.headers, *headers]
        head = request_head(request, pool.target(self._rest), pool.netloc, headers, len(payload))
        adapter = session.adapter
        reply = await pool.send(head + payload, adapter.timeout, request.method == b"HEAD", adapter.max_reply)
        reply.headers = rewrite.redact_headers(reply.headers)
        if (redacted := rewrite.redact_bytes(reply.body)) is not reply.body:
            reply.body, reply.redacted = redacted, True
        try:
            return reply, await reply.next_piece() if reply.stream else None
        except asyncio.CancelledError:
            reply.discard()
            raise

    def stop_evaluation(self, seconds: float, problem: str) -> NoReturn:
        """Stop the evaluation because the server asks for a long pause; raises EvaluationStopped."""
        asked = (
            f"its server asks to wait {seconds:.0f} s (Retry-After), and the gateway waits at most {LONGEST_WAIT:g} s"
        )
        reason = f"{self.address}: {problem}; {asked}"
        self.session.breaker.stop(reason)
        raise EvaluationStopped(reason)

    def release(self) -> None:
        """Give the request's place to the next one."""
        if self._admitted:
            self._admitted = False
            self.shared.limits.release()

    def may_await_restart(self, error: UpstreamError) -> bool:
        """Whether the server may be starting again, so that the try does not count."""
        waited = perf_counter() - self._began
        return error.kind == "connect" and waited < self.session.settings.restart_timeout


def describe_reply(reply: UpstreamReply, piece: bytes | None = None) -> str:
    """A reply's status and the beginning of its body, or a stream's first piece, in one line."""
    named = f", with an error {reply.status}" if reply.status != reply.sent_status else ""
    place = find_redirect(reply)
    named += f", to {place}" if place else ""
    return f"HTTP {reply.sent_status}{named}: {excerpt(piece or reply.body)}"


def find_redirect(reply: UpstreamReply) -> str:
    """Where a reply sends the request on to; empty if it does not."""
    place = find_header(reply.headers, b"location") if 300 <= reply.status < 400 else None
    return excerpt(place) if place else ""


def excerpt(body: bytes) -> str:
    """The beginning of a reply in one line."""
    return " ".join(body[: _EXCERPT * 4].decode("utf-8", "replace").split())[:_EXCERPT] or "(empty)"
