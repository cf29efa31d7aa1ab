"""`python -m tests.benchmarks.upstream PORT`: a model that costs next to nothing.

Every POST gets the same chat completion; a GET gets the number of POSTs so far.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import httptools
import uvloop

_TEXT = "The answer follows from the third paragraph of the passage. " * 6
_REPLY = {
    "id": "chatcmpl-0",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": f"{_TEXT}Answer: B"},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 190, "completion_tokens": 75, "total_tokens": 265},
}


def _written(body: bytes) -> bytes:
    head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """One proxy's, or the load generator's own."""

    posts = 0
    answer = _written(json.dumps(_REPLY).encode())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Answer."""
        if self._parser.get_method() == b"POST":
            Connection.posts += 1
            self._transport.write(self.answer)
        else:
            self._transport.write(_written(b"%d" % Connection.posts))
        if not self._parser.should_keep_alive():
            self._transport.close()


async def main(port: int) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
