"""`python -m tests.benchmarks.passthrough PORT UPSTREAM`: the least proxy that aiohttp makes.

The yardstick: no routes, no features, no record; each request is passed on as it came.
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import uvloop
from aiohttp import web

_OWN = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


async def main(port: int, upstream: str) -> None:
    """Serve until killed."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as client:

        async def forward(request: web.BaseRequest) -> web.Response:
            headers = [pair for pair in request.headers.items() if pair[0].lower() not in _OWN]
            body = await request.read()
            target = upstream + request.path_qs
            async with client.request(request.method, target, data=body, headers=headers) as reply:
                kept = [pair for pair in reply.headers.items() if pair[0].lower() not in _OWN]
                return web.Response(status=reply.status, headers=kept, body=await reply.read())

        runner = web.ServerRunner(web.Server(forward, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
