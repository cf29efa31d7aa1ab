"""The gateway itself: it routes requests to exchanges, and answers what is asked of the gateway."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from evalmake.gateway.proxy.exchange import Exchange
from evalmake.gateway.proxy.http_messages import Headers, Request, header
from evalmake.gateway.proxy.http_server import Connection
from evalmake.gateway.proxy.progress_posts import Progress
from evalmake.gateway.proxy.rate_limits import Limits
from evalmake.gateway.proxy.request_rewrite import Fixed
from evalmake.gateway.proxy.sessions import Open, Sessions
from evalmake.gateway.proxy.shared_state import Shared
from evalmake.gateway.reply_cache.cache import ReplyCache
from evalmake.gateway.settings import GatewaySettings

FLUSH_INTERVAL = 0.5
"""Seconds between writings of rows and sums."""
BACKLOG = 1024
_PREFIX = b"/t/"
_JSON: Headers = [(b"content-type", b"application/json")]


class Gateway:
    """One model's, for all evaluations whose sessions are in its folder."""

    def __init__(self, settings: GatewaySettings, environ: Mapping[str, str]) -> None:
        """LookupError where `environ` lacks a secret."""
        self._loop = asyncio.get_running_loop()
        fixed = Fixed(settings, environ)
        cache, trouble = _cache(settings)
        limits = Limits(settings.rate, settings.concurrency, self._loop.time)
        self.shared = Shared(cache, limits, fixed, trouble)
        self.sessions = Sessions(Path(settings.sessions), fixed.hide)
        self.progress = Progress(self.shared)

    def accept_connection(self) -> Connection:
        """For a harness that connects."""
        return Connection(self.handle, self._loop)

    async def handle(self, request: Request, connection: Connection) -> None:
        """Answer one request."""
        target = request.target
        if not target.startswith(_PREFIX):
            known = target == b"/health"
            text = b'{"status": "ok"}' if known else _error("there is nothing here")
            connection.reply(200 if known else 404, _JSON, text)
            return
        key, slash, rest = target[len(_PREFIX) :].partition(b"/")
        name = key.decode("latin-1")
        opened = self.sessions.admit(name, header(request.headers, b"authorization"))
        if opened is None:
            connection.reply(401, _JSON, _error("the token is not this evaluation's"))
        elif slash + rest == b"/close":
            written = self.end_session(name, opened)
            summary = opened.account.summary(self.shared.state())
            connection.reply(200 if written else 500, _JSON, json.dumps(summary).encode())
        else:
            await Exchange(self.shared, opened, request, slash + rest, connection).run()

    def write_records(self) -> None:
        """Write every evaluation's rows and sums, and tell how far it is."""
        self._flush()
        for key, opened in self.sessions.admitted.items():
            self.progress.tell(key, opened)

    def stop_reason(self) -> str:
        """Why an evaluation is to end now; empty where none is."""
        found = (one.account.fatal for one in self.sessions.admitted.values())
        return self.shared.fixed.hide(next(filter(None, found), ""))

    def end_session(self, key: str, opened: Open) -> bool:
        """An evaluation is over: its token is worth nothing; whether all of it could be written."""
        opened.account.renew()
        written = self._flush()
        self.sessions.close(key)
        self.progress.tell(key, opened, finished=True)
        return written

    async def close(self) -> None:
        """Write all that is left."""
        self._flush()
        await self.progress.close()
        if self.shared.cache is not None:
            await self.shared.cache.close()

    def _flush(self) -> bool:
        replaced, self.sessions.replaced = self.sessions.replaced, []
        return all([self._written(one) for one in (*replaced, *self.sessions.admitted.values())])

    def _written(self, opened: Open) -> bool:
        try:
            opened.account.flush(self.shared.state())
        except OSError as error:
            tell(error)
            return False
        return True


def tell(error: Exception) -> None:
    """Say what went wrong, in the log."""
    print(f"evalmake.gateway: {error}", file=sys.stderr, flush=True)


def new_loop() -> asyncio.AbstractEventLoop:
    """The fastest there is."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _cache(settings: GatewaySettings) -> tuple[ReplyCache | None, str]:
    """The reply cache, or why there is none."""
    if not settings.cache:
        return None, ""
    try:
        return ReplyCache(Path(settings.cache), settings.cache_size, settings.read_only_caches), ""
    except Exception as error:  # of the disk or of the database: an evaluation goes on without
        tell(error)
        return None, f"{settings.cache}: {error}"


def _error(message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "evalmake_gateway"}}).encode()
