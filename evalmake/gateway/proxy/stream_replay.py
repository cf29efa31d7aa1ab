"""A cached stream on its way to the harness: in pieces, so that other requests get their turn between them."""

from __future__ import annotations

import asyncio

from evalmake.gateway.proxy.harness_connection import HarnessConnection
from evalmake.gateway.proxy.server_sent_events import Body, ReplyAssembler
from evalmake.gateway.proxy.stream_rewrite import StreamRewrite
from evalmake.http_protocol.messages import Headers

_PIECE = 2**18  # bytes


async def replay_stream(
    connection: HarnessConnection, body: bytes, headers: Headers, rewrite: StreamRewrite | None
) -> Body:
    """Send a whole stream; returns the reply that it adds up to."""
    assembler = ReplyAssembler()
    connection.start_stream(200, headers)
    for start in range(0, len(body), _PIECE):
        piece = body[start : start + _PIECE]
        assembler.feed(piece)
        for part in rewrite.feed(piece) if rewrite else (piece,):
            await connection.send_piece(part)
        if len(body) > _PIECE:
            await asyncio.sleep(0)
    for part in rewrite.finish() if rewrite else ():
        await connection.send_piece(part)
    connection.end_stream()
    return assembler.finish()
