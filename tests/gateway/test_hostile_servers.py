"""What a model's server gone wrong may send to the gateway: too much, without end, or the key itself."""

from __future__ import annotations

import base64
import gzip
import json
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from http.client import IncompleteRead
from typing import Any
from urllib.parse import quote

import pytest

from evalmake.gateway.proxy.request_rewrite import RequestRewrite
from evalmake.gateway.proxy.server_sent_events import ReplyAssembler
from evalmake.gateway.proxy.stream_redaction import StreamRedaction
from evalmake.gateway.settings import GatewaySettings
from evalmake.redaction import holds_secret
from evalmake.upstream import connection_pool
from evalmake.upstream.connection import LARGEST_HEAD, UpstreamError
from tests.gateway.gateway_process import KEY, Gateway, resident_bytes, wait_until
from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply
from tests.support.scripted_upstream import Step, Upstream

MIB = 2**20


def bomb() -> bytes:
    """A packed reply of a few kilobytes that unpacks to 200 MB."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(pack.compress(b" " * MIB) for _ in range(200)), pack.flush()])


ENDLESS: dict[str, Callable[[], list[Step]]] = {
    "body": lambda: [http_reply(chat_completion("x" * 3 * MIB))],
    "chunks": lambda: [*chunked_reply(*[b"x" * 2**16] * 64, kind="application/json")],
    "stream": lambda: [*chunked_reply(*[chat_event("x" * 2**16)] * 64, DONE)],
    "one event": lambda: [*chunked_reply(b"data: ", *[b"x" * 2**16] * 64)],
    "bomb": lambda: [http_reply(bomb(), content_encoding="gzip")],
    "headers": lambda: [http_reply({}, x_long="y" * LARGEST_HEAD)],
    "an unfinished header": lambda: [b"HTTP/1.1 200 OK\r\nx: " + b"y" * LARGEST_HEAD * 2],
    "interim replies": lambda: [b"HTTP/1.1 100 Continue\r\n\r\n" * LARGEST_HEAD],
    "trailers": lambda: [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: " + b"y" * LARGEST_HEAD * 4],
    "chunk extensions": lambda: [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=" + b"y" * LARGEST_HEAD * 4
    ],
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_more_than_enough(gateway: Gateway, kind: str) -> None:
    """A reply that is larger than `max_reply`, or whose headers are, fails once, and the gateway says why."""
    upstream = Upstream(ENDLESS[kind]())
    evaluation = gateway.open_evaluation(upstream, max_reply=2 * MIB, retry=3, timeout=20.0)
    before = resident_bytes(gateway.process.pid)
    with suppress(IncompleteRead):  # of a stream that had begun
        assert evaluation.post().status == 502
    assert "larger than" in evaluation.close()["last_error"]
    assert len(upstream.received) == 1
    assert resident_bytes(gateway.process.pid) - before < 60 * MIB


def test_members_of_gzip(gateway: Gateway) -> None:
    """A reply of many packed members is no reply, and a few members are one."""
    text = json.dumps(chat_completion("7")).encode()
    few = gzip.compress(text[:10]) + gzip.compress(text[10:])
    upstream = Upstream([]).use_scripts(
        [http_reply(few, content_encoding="gzip")], [http_reply(gzip.compress(b"") * 5000, content_encoding="gzip")]
    )
    evaluation = gateway.open_evaluation(upstream, retry=0)
    assert evaluation.post().text == "7"
    assert evaluation.post(temperature=1).status == 502


def test_trailers_of_a_reply(gateway: Gateway) -> None:
    """What follows a reply's body is no header of it."""
    body = json.dumps(chat_completion("7")).encode()
    reply = chunked_reply(body, kind="application/json", end=False)
    upstream = Upstream([*reply, b"0\r\nX-Late: 1\r\n\r\n"])
    answer = gateway.open_evaluation(upstream).post()
    assert answer.text == "7"
    assert "x-late" not in dict(answer.headers)


def assemble(pieces: list[bytes]) -> tuple[float, dict[str, Any]]:
    """The processor time to add up a stream, and the reply."""
    began = time.process_time()
    assembler = ReplyAssembler()
    for piece in pieces:
        assembler.feed(piece)
    reply = assembler.finish()
    return time.process_time() - began, reply


@pytest.mark.parametrize("kind", ["events", "one event"])
def test_time_is_linear(kind: str) -> None:
    """Ten times the stream takes about ten times the time, also where it is one event."""
    event = chat_event("word " * 20)
    shorter = [event] * 2000 if kind == "events" else [b"data: ", *[b"x" * 500] * 2000]
    longer = [event] * 20_000 if kind == "events" else [b"data: ", *[b"x" * 500] * 20_000]
    least = min(assemble(shorter)[0] for _ in range(2))
    seconds, reply = assemble(longer)
    assert seconds < 40 * least + 0.2
    if kind == "events":
        assert reply["choices"][0]["message"]["content"] == "word " * 400_000


def test_a_long_stream_is_replayed_in_turns(gateway: Gateway) -> None:
    """A stream of many megabytes comes back whole from the cache."""
    event = chat_event("word " * 2000)
    upstream = Upstream(chunked_reply(*[event] * 400, chat_event(finish="stop"), DONE))
    evaluation = gateway.open_evaluation(upstream)
    first, second = (evaluation.post(stream=True, temperature=0) for _ in range(2))
    assert second.cached
    assert first.body == second.body
    assert len(first.body) > 4_000_000


def rewrite() -> RequestRewrite:
    """The rewrite of a gateway that holds the key."""
    return RequestRewrite(GatewaySettings(sessions="", key_variable="A_KEY"), {"A_KEY": KEY})


def redact(pieces: list[bytes]) -> list[bytes]:
    """What of a stream is sent on."""
    redaction = StreamRedaction(rewrite())
    return [*map(redaction.feed, pieces), redaction.finish()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 1000])
def test_a_key_in_pieces(size: int) -> None:
    """However a stream is cut, the key in it is replaced, and nothing else is changed."""
    data = b"data: sk-0 " + KEY.encode() + b" and sk-01 " + KEY.encode() + KEY.encode() + b"\n\nsk-"
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join(redact(pieces)) == data.replace(KEY.encode(), b"***")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 1000])
@pytest.mark.parametrize("step", [1, 2, 5])
def test_an_escaped_key_in_pieces(size: int, step: int) -> None:
    """However a stream is cut, a key that its JSON escapes is replaced, and other escapes are not changed."""
    escaped = "".join(f"\\u{ord(one):04x}" if at % step == 0 else one for at, one in enumerate(KEY)).encode()
    data = b'data: {"a": "\\u0441 \\\\ sk-\\u0030 %b\\n%b"}\n\ndata: \\u00' % (escaped, escaped)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join(redact(pieces)) == data.replace(escaped, b"***")


def encode_key() -> list[bytes]:
    """The key as servers may write it in the messages of their errors."""
    escaped = "".join(f"%{ord(one):02X}" for one in KEY), "".join(f"&#{ord(one)};" for one in KEY), quote(KEY, safe="")
    header = base64.b64encode(f"Bearer {KEY}".encode()), base64.b64encode(f"user:{KEY}".encode())
    return [*(text.encode() for text in escaped), *header, KEY.encode().hex().encode()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 1000])
def test_an_encoded_key_in_pieces(size: int) -> None:
    """However a stream is cut, a key in base64, in digits, or escaped as in a URL or HTML, is replaced."""
    for encoded in encode_key():
        data = b'data: {"a": "100% & sk-0 ' + encoded + b'&"}\n\ndata: %'
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        sent = b"".join(redact(pieces))
        assert b"***" in sent
        assert not holds_secret(sent, KEY)
        assert sent.startswith(b'data: {"a": "100% & sk-0 ')
        assert sent.endswith(b'&"}\n\ndata: %')


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("encoded", encode_key())
def test_an_encoded_key_token_by_token(encoded: bytes, size: int) -> None:
    """A model that says the key token by token, in one of these codes, breaks the stream off, too."""
    text = encoded.decode()
    tokens = ["Your", " key is ", *(text[at : at + size] for at in range(0, len(text), size))]
    with pytest.raises(UpstreamError, match="repeats the model's key"):
        redact([chat_event(token) for token in tokens])


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize(
    "place", ['{"choices":[{"delta":{"content":%s}}]}', '{"choices":[{"text":%s}]}', '{"delta":%s}']
)
def test_a_key_token_by_token(place: str, size: int) -> None:
    """A key that a model says token by token breaks the stream off before more than its beginning is sent."""
    tokens = ["Your", " key is ", *(KEY[at : at + size] for at in range(0, len(KEY), size))]
    pieces = [f"data: {place % json.dumps(token)}\n\n".encode() for token in tokens]
    redaction = StreamRedaction(rewrite())
    sent: list[bytes] = []
    with pytest.raises(UpstreamError, match="repeats the model's key"):
        sent.extend(map(redaction.feed, pieces))
    assert b"key is" in b"".join(sent)
    assert KEY[3:].encode()[:size] not in b"".join(sent)


def test_text_that_begins_like_a_key() -> None:
    """Text that begins like the key and goes on otherwise is sent whole, in its order."""
    pieces = [chat_event(token) for token in ("sk-", "0123", "45 is", " no key")]
    assert b"".join(redact(pieces)) == b"".join(pieces)


def test_an_echo_by_the_server(gateway: Gateway) -> None:
    """A server that repeats the key in headers, in a body, in an error or in a split stream does not give it away."""
    half = len(KEY) // 2
    split = [b"data: bad key " + KEY[:half].encode(), KEY[half:].encode() + b"\n\n", DONE]
    tokens = [*(chat_event(letter) for letter in KEY), chat_event(finish="stop"), DONE]
    scripts: list[list[Step]] = [
        [http_reply(chat_completion(f"key {KEY}"), x_echo=f"Bearer {KEY}")],
        [http_reply({"error": {"message": f"bad key {KEY}"}}, 400, **{f"x_{KEY}": "1"})],
        [http_reply({"error": {"message": "x" * 170 + f" {KEY}"}}, 500)],
        [*chunked_reply(*split)],
        [*chunked_reply(*tokens)],
    ]
    for script in scripts:
        upstream = Upstream(script)
        evaluation = gateway.open_evaluation(upstream, retry=0, log=5)
        try:
            answer = evaluation.post(stream=True)
            seen = answer.body + repr(answer.headers).encode()
        except IncompleteRead as error:
            seen = error.partial
        evaluation.close()
        seen += b"".join(path.read_bytes() for path in evaluation.folder.iterdir())
        for beginning in (KEY, KEY[:10], KEY[-10:]):
            assert beginning.encode() not in seen
    assert KEY not in gateway.errors


def test_idle_connections(start_gateway: Callable[..., Gateway]) -> None:
    """After a crowd, few connections to the model are kept."""
    gateway = start_gateway()
    upstream = Upstream([0.5, http_reply(chat_completion("7"))])
    evaluation = gateway.open_evaluation(upstream, cache=False)
    crowd = connection_pool.MOST_IDLE + 50
    connections = [evaluation.connect() for _ in range(crowd)]
    for connection in connections:
        connection.sendall(evaluation.request_bytes(b"{}"))
    for connection in connections:
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.close()
    wait_until(lambda: upstream.connections - upstream.closed <= connection_pool.MOST_IDLE, "the others were closed")


def test_idle_connections_age() -> None:
    """A connection that nobody uses is closed after a minute, and younger ones stay until their time."""
    pool = connection_pool.ConnectionPool.__new__(connection_pool.ConnectionPool)
    loop, closed = _Timers(), []

    class Connection:
        def close(self) -> None:
            closed.append(loop.now)

    pool._loop, pool._idle, pool._aging = loop, {}, None  # type: ignore[assignment]
    for now in (0.0, 10.0, 50.0):
        loop.run_until(now)
        pool.release(Connection())  # type: ignore[arg-type]
    loop.run_until(300.0)
    assert closed == [60.0, 70.0, 110.0]


class _Timers:
    """A loop's timers, under a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], None]) -> object:
        self._due.append((self.now + seconds, call))
        return self

    def run_until(self, end: float) -> None:
        """Run what is due."""
        while due := sorted((item for item in self._due if item[0] <= end), key=lambda item: item[0]):
            self._due.remove(due[0])
            self.now = due[0][0]
            due[0][1]()
        self.now = end
