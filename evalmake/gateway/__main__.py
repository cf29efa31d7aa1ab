"""`python -m evalmake.gateway SETTINGS.json`: bind, say where, serve until TERM or INT."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from evalmake.gateway.exchange import Exchange
from evalmake.gateway.forwarding import Fixed
from evalmake.gateway.limits import Limits
from evalmake.gateway.progress import Progress
from evalmake.gateway.responses import Responses
from evalmake.gateway.server import Connection
from evalmake.gateway.sessions import Open, Sessions
from evalmake.gateway.settings import Settings
from evalmake.gateway.shared import Shared
from evalmake.gateway.wire import Headers, Request, header

_PREFIX = b"/t/"
_JSON: Headers = [(b"content-type", b"application/json")]
_TRIES = 5
_FLUSH = 0.5  # seconds between writings of rows and sums


class Gateway:
    """Routes requests to exchanges, and answers what is asked of the gateway itself."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        loop = asyncio.get_running_loop()
        cache, trouble = _cache(settings)
        limits = Limits(settings.rate, settings.concurrency, loop.time)
        fixed = Fixed(settings, environ)
        self.shared = Shared(cache, limits, fixed, trouble)
        self.sessions = Sessions(Path(settings.sessions), fixed.hide)
        self.progress = Progress(self.shared)

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
            opened.account.renew()
            written = self.flush()
            summary = opened.account.summary(self.shared.state())
            self.sessions.close(name)
            self.progress.tell(name, opened, finished=True)
            connection.reply(200 if written else 500, _JSON, json.dumps(summary).encode())
        else:
            await Exchange(self.shared, opened, request, slash + rest, connection).run()

    async def keep_records(self) -> None:
        """Write every evaluation's rows and sums now and then, and tell how far it is."""
        while True:
            await asyncio.sleep(_FLUSH)
            self.flush()
            for key, opened in self.sessions.open.items():
                self.progress.tell(key, opened)

    def flush(self) -> bool:
        """Write them now; whether all could be."""
        replaced, self.sessions.replaced = self.sessions.replaced, []
        return all([self._flush(one) for one in (*replaced, *self.sessions.open.values())])

    def _flush(self, opened: Open) -> bool:
        try:
            opened.account.flush(self.shared.state())
        except OSError as error:
            _tell(error)
            return False
        return True

    async def close(self) -> None:
        """Write all that is left."""
        self.flush()
        await self.progress.close()
        if self.shared.cache is not None:
            await self.shared.cache.close()


def main() -> int:
    """Serve; 0 after a signal, 1 if the address cannot be had, 2 for wrong settings."""
    parser = argparse.ArgumentParser(prog="python -m evalmake.gateway")
    parser.add_argument("settings", type=Path)
    parser.add_argument("--host", action="append", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="the one to have if it is free")
    parser.add_argument("--port-file", type=Path, help="where to write the port once listening")
    options = parser.parse_args()
    os.umask(0o077)
    sys.setswitchinterval(0.0005)  # the cache's threads hand over at once
    try:
        settings = Settings.read(options.settings)
        Fixed(settings, os.environ)
    except (OSError, ValueError, TypeError, LookupError) as error:
        _tell(error)
        return 2
    try:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            hosts = options.host or ["127.0.0.1"]
            runner.run(_serve(settings, hosts, options.port, options.port_file))
    except OSError as error:
        _tell(error)
        return 1
    return 0


async def _serve(settings: Settings, hosts: list[str], port: int, port_file: Path | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gateway = Gateway(settings, os.environ)

    servers = await _listen(gateway, hosts, port)
    bound = servers[0].sockets[0].getsockname()[1]
    if port_file is not None:
        unfinished = port_file.with_name(f".{port_file.name}.{os.getpid()}")
        unfinished.write_text(f"{bound}\n")
        unfinished.replace(port_file)
    print(f"listening on http://{hosts[0]}:{bound}", flush=True)
    records = loop.create_task(gateway.keep_records())
    await stop.wait()
    records.cancel()
    for server in servers:
        server.close()
    await gateway.close()


async def _listen(gateway: Gateway, hosts: list[str], port: int) -> list[asyncio.Server]:
    """A server on each host, all on one port: `port` if it is free, as that is a kindness."""
    if port:
        with suppress(OSError):
            return await _bound(gateway, hosts, port)
    for _ in range(_TRIES):
        with suppress(OSError):
            return await _bound(gateway, hosts, 0)
    return await _bound(gateway, hosts, 0)


async def _bound(gateway: Gateway, hosts: list[str], port: int) -> list[asyncio.Server]:
    loop = asyncio.get_running_loop()
    servers: list[asyncio.Server] = []
    try:
        for host in hosts:
            factory = lambda: Connection(gateway.handle, loop)  # noqa: E731
            servers.append(await loop.create_server(factory, host, port, backlog=1024))
            port = servers[0].sockets[0].getsockname()[1]
    except OSError:
        for server in servers:
            server.close()
        raise
    return servers


def _cache(settings: Settings) -> tuple[Responses | None, str]:
    """The response cache, or why there is none."""
    if not settings.cache:
        return None, ""
    try:
        return Responses(Path(settings.cache), settings.cache_size, settings.seeds), ""
    except Exception as error:  # of the disk or of the database: an evaluation goes on without
        _tell(error)
        return None, f"{settings.cache}: {error}"


def _tell(error: Exception) -> None:
    print(f"evalmake.gateway: {error}", file=sys.stderr, flush=True)


def _error(message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "evalmake_gateway"}}).encode()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


if __name__ == "__main__":
    sys.exit(main())
