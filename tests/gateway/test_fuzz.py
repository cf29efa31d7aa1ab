"""Random and malformed bytes for the gateway: from clients to its parser, and from servers as replies."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from typing import Any

from evalmake.gateway.proxy.harness_connection import HarnessConnection
from evalmake.gateway.proxy.request_target import is_ambiguous
from evalmake.http_protocol.messages import Request
from evalmake.http_protocol.server_connection import LARGEST_HEAD
from tests.gateway.gateway_process import Gateway, resident_bytes
from tests.gateway.written_transport import WrittenTransport
from tests.support.fuzz import fuzz_cases, mutate
from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply
from tests.support.scripted_upstream import ConnectionEnd, Upstream

END = ConnectionEnd.CLOSE
STUMBLES = (
    b"\r\n",
    b"\n\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"Content-Length: 5\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"ffffffffffffffff\r\n",
    b"0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"x: " + b"y" * LARGEST_HEAD * 5,
)
BODY = b'{"model": "m", "messages": []}'
REQUESTS = (
    b"POST /t/k/v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY),
    b"POST /t/k/v1/x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-late: 1\r\n\r\n",
    b"GET /health HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
    b"PUT /t/k/v1/../%2e%2e/x HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\nx",
)


async def feed(chance: random.Random, number: int = 3) -> tuple[list[Request], bytes, HarnessConnection]:
    """Some mutated requests in random pieces: what was handled, and the answers."""
    handled: list[Request] = []

    async def handle(request: Request, connection: HarnessConnection) -> None:
        handled.append(request)
        connection.send_reply(200, [], b"fine")

    transport = WrittenTransport()
    connection = HarnessConnection(handle, lambda head: None, asyncio.get_running_loop())
    connection.connection_made(transport)
    data = mutate(chance, b"".join(chance.choices(REQUESTS, k=number)), STUMBLES)
    while data and not transport.closed:
        size = chance.choice((1, 7, 100, 10_000, 200_000))
        connection.data_received(data[:size])
        data = data[size:]
        await asyncio.sleep(0)
    for _ in range(3 * number):
        await asyncio.sleep(0)
    connection.connection_lost(None)
    return handled, transport.written, connection


def test_requests() -> None:
    """Whatever a client sends, each request is answered once, and nothing of it stays when it has gone."""
    for chance in fuzz_cases():
        handled, written, connection = asyncio.run(feed(chance))
        assert written.count(b"fine") == sum(request.method != b"HEAD" for request in handled)
        assert written.count(b"HTTP/1.1 4") <= 1
        assert connection._parser is None
        assert not connection._chunks
        assert not connection._headers
        for request in handled:
            assert sum(len(name) + len(value) for name, value in request.headers) <= LARGEST_HEAD


def test_targets() -> None:
    """A path that goes upstream has no dot segments, however it is decoded."""
    parts = ("/", "..", ".", "%2e", "%2E", "%2f", "%5c", "%25", "2e", "a", ";x", "\\", "v1", "?", "%00", "%")
    for chance in fuzz_cases():
        for _ in range(100):
            target = ("/" + "".join(chance.choices(parts, k=chance.randrange(8)))).encode()
            if is_ambiguous(target):
                continue
            path = target.partition(b"?")[0]
            assert b"\\" not in path
            segments = path.lower().replace(b"%2e", b".").replace(b"%2f", b"/").split(b"/")
            assert not {b".", b".."} & set(segments), target


def deep(depth: int) -> str:
    """A list in lists."""
    return "[" * depth + "]" * depth


def odd_values(chance: random.Random) -> str:
    """JSON that is valid for Python, or nearly, and seldom what a program expects."""
    return chance.choice(
        (
            "NaN",
            "-Infinity",
            "1e999",
            "9" * 4300,
            "9" * 5000,
            "-1",
            "true",
            "null",
            '""',
            '"\\ud800"',
            '"\\u0000"',
            "{}",
            "[]",
            "[[]]",
            '{"a": null}',
            '"' + "x" * 100_000 + '"',
            *map(deep, (50, 400, 900, 990, 5000, 100_000)),
        )
    )


def odd_reply(chance: random.Random, stream: bool) -> bytes:
    """A reply in which some values are odd."""
    if stream:
        body: dict[str, Any] = json.loads(chat_event("7", "stop")[6:])
        body |= {"usage": {"prompt_tokens": 1, "completion_tokens": 2}, "model": "m"}
    else:
        body = chat_completion("7") | {"model": "m", "error": None, "system_fingerprint": "f"}
    text = json.dumps(body)
    places = [f'"{key}": ' for key in ("content", "finish_reason", "index", "choices", "message", "delta", "usage")]
    places += [f'"{key}": ' for key in ("prompt_tokens", "completion_tokens", "model", "error", "system_fingerprint")]
    for place in chance.choices(places, k=chance.choice((1, 1, 2))):
        text = text.replace(place, f'{place}{odd_values(chance)}, "was": ', 1)
    return text.encode()


def reply_script(chance: random.Random) -> list[Any]:
    """How a server answers: with odd JSON, packed or streamed, and then perhaps with broken bytes."""
    status = chance.choice((200, 200, 200, 200, 204, 304, 400, 401, 500, 600, 999))
    kind = chance.randrange(4)
    if kind == 0:
        parts = [http_reply(odd_reply(chance, False), status)]
    elif kind == 1:
        packed = mutate(chance, gzip.compress(odd_reply(chance, False)), STUMBLES)
        parts = [http_reply(packed, content_encoding=chance.choice(("gzip", "deflate", "br", "identity")))]
    else:
        events = [b"data: " + odd_reply(chance, True) + b"\n\n" for _ in range(chance.randrange(4))]
        parts = chunked_reply(*events, chat_event(finish="stop"), DONE, end=chance.random() < 0.8)
    if chance.random() < 0.5:
        parts = [mutate(chance, b"".join(parts), STUMBLES)]
    return [*parts, *([] if chance.random() < 0.5 else [END])]


def test_replies(start_gateway: Callable[..., Gateway]) -> None:
    """Whatever a server replies, the harness gets an answer or a broken connection, and the gateway goes on."""
    gateway = start_gateway()
    upstream = Upstream([])
    before = 0
    for number, chance in enumerate(fuzz_cases()):
        upstream.use_scripts(reply_script(chance))
        evaluation = gateway.open_evaluation(
            upstream, retry=0, timeout=0.3, log=2, strip_reasoning=chance.random() < 0.5, max_reply=2**22
        )
        for _ in range(2):
            with suppress(HTTPException, ConnectionError):
                evaluation.post(stream=chance.random() < 0.5, n=chance.choice((1, 2)), temperature=0)
        sums = evaluation.close()
        assert sums["requests"] >= 1
        assert json.loads((evaluation.folder / "usage.json").read_text())
        assert gateway.process.poll() is None
        assert "Traceback" not in gateway.errors
        if number == 20:
            before = resident_bytes(gateway.process.pid)
    if before:
        assert resident_bytes(gateway.process.pid) - before < 300 * 2**20
    upstream.use_scripts([http_reply(chat_completion("7"))])
    assert gateway.open_evaluation(upstream).post().text == "7"
