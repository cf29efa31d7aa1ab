"""The mock server's connections: each response is decided at once, and sent in one write."""

from __future__ import annotations

import asyncio
from collections import deque

from evalmake.engines.mock.request_fields import ApiError
from evalmake.engines.mock.service import ApiRequest, ApiResponse, Service
from evalmake.http_protocol.messages import LAST_CHUNK, Request, chunk, find_header, response_head
from evalmake.http_protocol.server_connection import ServerConnection

LARGEST_BODY = 50 * 2**20


class ClientConnection(ServerConnection):
    """One client's connection. Responses leave in the order of their requests."""

    largest_body = LARGEST_BODY

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._service = service
        self._waiting: deque[tuple[Request, ApiRequest, ApiResponse]] = deque()
        """The first response is the one that is delayed now."""
        self._timer: asyncio.TimerHandle | None = None

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the responses that wait."""
        super().connection_lost(error)
        if self._timer is not None:
            self._timer.cancel()
        for _, request, _ in self._waiting:
            self._service.end_request(request)
        self._waiting.clear()

    def has_unanswered(self) -> bool:
        """Whether a response waits."""
        return bool(self._waiting)

    def receive_request(self, request: Request) -> None:
        """Decide the response, and send it if no other waits."""
        api_request = ApiRequest(
            request.method.decode("latin-1"),
            request.target.partition(b"?")[0].decode("latin-1"),
            find_header(request.headers, b"authorization").decode("latin-1"),
            request.body,
            self._loop.time(),
        )
        self._waiting.append((request, api_request, self._service.respond(api_request)))
        if len(self._waiting) == 1:
            self._send_waiting()

    def _send_waiting(self) -> None:
        """Send what can be sent now, and set a timer for the rest."""
        while self._waiting and not self._transport.is_closing():
            response = self._waiting[0][2]
            if response.hangs:
                return
            if response.delay:
                self._timer = self._loop.call_later(response.delay, self._send_delayed)
                return
            self._send_first()

    def _send_delayed(self) -> None:
        self._send_first()
        self._send_waiting()

    def _send_first(self) -> None:
        request, api_request, response = self._waiting.popleft()
        self._transport.write(render_response(response, request.keep_alive, request.accepts_chunks))
        self._service.end_request(api_request)
        if response.breaks or not request.keep_alive:
            self._transport.close()

    def refuse(self, status: int, message: str) -> None:
        """Answer what never became a request, and close."""
        response = self._service.error_response(ApiError(status, message))
        self._transport.write(render_response(response, False, True))
        self.linger()


def render_response(response: ApiResponse, keep_alive: bool, chunked: bool) -> bytes:
    """A response's bytes. One that `breaks` lacks its end; without `chunked`, a stream is one piece."""
    headers = [(b"content-type", response.content_type), *response.headers]
    if response.parts is not None and chunked:
        body = b"".join(chunk(part) for part in response.parts)
        body += b"" if response.breaks else LAST_CHUNK
        headers.append((b"transfer-encoding", b"chunked"))
    else:
        body = response.body if response.parts is None else b"".join(response.parts)
        length = len(body) * 2 if response.breaks else len(body)
        headers.append((b"content-length", b"%d" % length))
    return response_head(response.status, headers, keep_alive) + body
