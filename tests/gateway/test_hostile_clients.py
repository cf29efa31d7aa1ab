"""What a stranger, or a job gone wrong, may send to the gateway."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable

import pytest

from evalmake.gateway.proxy.harness_connection import HarnessConnection
from evalmake.http_protocol import server_connection
from evalmake.http_protocol.messages import Request
from evalmake.http_protocol.server_connection import BODY_TIMEOUT, HEAD_TIMEOUT, IDLE_TIMEOUT, LARGEST_HEAD
from tests.gateway.gateway_process import CHAT, Gateway, resident_bytes, wait_until
from tests.gateway.written_transport import WrittenTransport
from tests.support.http_replies import chat_completion, http_reply
from tests.support.scripted_upstream import Upstream

GOOD = [http_reply(chat_completion("7"))]


def read_until_closed(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def exchange(gateway: Gateway, data: bytes) -> bytes:
    """The gateway's answer to some bytes, up to the connection's end."""
    with socket.create_connection(("127.0.0.1", gateway.port), 60) as connection:
        connection.sendall(data)
        return read_until_closed(connection)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /health HTTP/1.1\r\nx: " + b"y" * LARGEST_HEAD, 431),
        (b"GET /health HTTP/1.1\r\nx: " + b"y" * LARGEST_HEAD + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * LARGEST_HEAD, 431),
        (b"GET /health HTTP/1.1\r\n" + b"x: y\r\n" * LARGEST_HEAD, 431),
        (b"CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n", 405),
        (b"POST /elsewhere HTTP/1.1\r\ncontent-length: 1000000000\r\n\r\n", 404),
    ],
)
def test_heads(gateway: Gateway, head: bytes, status: int) -> None:
    """A head that is too large, a tunnel, and an unknown address are refused, and the connection closed."""
    assert exchange(gateway, head).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("more", ["", "Transfer-Encoding: chunked\r\n"])
def test_a_wrong_token_sends_no_body(gateway: Gateway, more: str) -> None:
    """A request with a wrong token is refused by its head, before a byte of its body came."""
    evaluation = gateway.open_evaluation(Upstream(GOOD))
    head = evaluation.request_bytes(more=more).replace(b"Content-Length: 0", b"Content-Length: 100000000")
    head = head.replace(b"Content-Length: 100000000\r\n", b"") if more else head
    answer = exchange(gateway, head.replace(evaluation.token.encode(), b"wrong"))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer


def test_a_refusal_waits_for_its_turn(gateway: Gateway) -> None:
    """A request that is refused is answered after those before it on its connection."""
    evaluation = gateway.open_evaluation(Upstream([0.2, *GOOD]), cache=False)
    data = evaluation.request_bytes(b"{}")
    answer = exchange(gateway, data + data.replace(evaluation.token.encode(), b"wrong") + data)
    assert [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]] == [200, 401]


def test_memory_of_closed_connections(start_gateway: Callable[..., Gateway]) -> None:
    """Bodies that never end leave nothing behind when their connections close."""
    gateway = start_gateway()
    evaluation = gateway.open_evaluation(Upstream(GOOD))
    evaluation.post()
    before = resident_bytes(gateway.process.pid)
    head = evaluation.request_bytes().replace(b"Content-Length: 0", b"Content-Length: 50000000")
    for _ in range(4):
        with evaluation.connect() as connection:
            connection.sendall(head + b"x" * 40_000_000)
    wait_until(lambda: resident_bytes(gateway.process.pid) - before < 20_000_000, "the memory was freed")


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods(gateway: Gateway, method: str) -> None:
    """Methods that no model's server needs are refused, with a right token, too."""
    upstream = Upstream(GOOD)
    evaluation = gateway.open_evaluation(upstream)
    assert evaluation.request(method, CHAT).status == 405
    assert not upstream.received


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1/models/org%2Fname", b"200"),
        ("/v1/models/gpt-4.1", b"200"),
        ("/v1/models/%C3%A4?a=../b", b"200"),
        ("/v1//models", b"200"),
        ("/v1/../admin", b"400"),
        ("/v1/%2e%2E/admin", b"400"),
        ("/v1/./models/.", b"400"),
        ("/v1/..%2fadmin", b"400"),
        ("/v1/%252e%252e/admin", b"400"),
        ("/v1/%c0%ae%c0%ae/admin", b"400"),
        ("/v1/%25c0%25ae%25c0%25ae/admin", b"400"),
        ("/v1/..\\admin", b"400"),
        ("/v1/..;x/admin", b"400"),
        ("/v1/%00", b"400"),
        ("/v1/a#b", b"400"),
        ("/v2/secret", b"404"),
        ("/v10/x", b"404"),
        ("/v1%2fmodels", b"404"),
        ("//v1/models", b"404"),
        ("/tokenize/x", b"404"),
        ("/health", b"200"),
        ("/health/../admin", b"400"),
        ("/rerank", b"404"),
        ("/sleep", b"404"),
        ("/shutdown", b"404"),
        ("/", b"404"),
        ("", b"404"),
    ],
)
def test_targets(gateway: Gateway, target: str, expected: bytes) -> None:
    """A path goes upstream as it is, or not at all: not if it is ambiguous or outside the endpoint."""
    upstream = Upstream(GOOD)
    evaluation = gateway.open_evaluation(upstream)
    with evaluation.connect() as connection:
        line, more = "GET {} HTTP/1.1", "Connection: close\r\n"
        connection.sendall(evaluation.request_bytes(rest=target, line=line, more=more))
        answer = read_until_closed(connection)
    assert answer[9:12] == expected
    assert (b"outside the model's endpoint" in answer) == (expected == b"404")
    assert [request.target for request in upstream.received] == ([target.encode()] if expected == b"200" else [])


def test_trailers(gateway: Gateway) -> None:
    """What follows a chunked body is dropped: it would pass as headers that nobody has checked."""
    upstream = Upstream(GOOD)
    evaluation = gateway.open_evaluation(upstream)
    head = evaluation.request_bytes(more="Transfer-Encoding: chunked\r\nConnection: close\r\n")
    head = head.replace(b"Content-Length: 0\r\n", b"")
    with evaluation.connect() as connection:
        connection.sendall(head + b"2\r\n{}\r\n0\r\nX-Late: 1\r\n\r\n")
        assert read_until_closed(connection).startswith(b"HTTP/1.1 200 ")
    assert upstream.received[0].header(b"x-late") is None
    assert upstream.received[0].body == b"{}"


def test_endless_trailers(gateway: Gateway) -> None:
    """Trailers and chunk heads without end are refused."""
    evaluation = gateway.open_evaluation(Upstream(GOOD))
    head = evaluation.request_bytes(more="Transfer-Encoding: chunked\r\n").replace(b"Content-Length: 0\r\n", b"")
    assert b"HTTP/1.1 400 " in exchange(gateway, head + b"2\r\n{}\r\n0\r\nX-Late: " + b"y" * 2**17)


@pytest.mark.parametrize("key", ["k" * 300, "k" * 5000, "%00", "a%2fb"])
def test_odd_keys(gateway: Gateway, key: str) -> None:
    """A session's name that no file can have is answered like any other that is not known."""
    answer = exchange(gateway, f"GET /t/{key}/v1/models HTTP/1.1\r\nauthorization: Bearer x\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_more_requests_than_answers(gateway: Gateway) -> None:
    """Many requests in one connection are all answered, though few of them are read ahead."""
    evaluation = gateway.open_evaluation(Upstream(GOOD), cache=False)
    number = 200
    with evaluation.connect() as connection:
        connection.sendall(evaluation.request_bytes(b"{}" + b" " * 5000) * (number - 1))
        connection.sendall(evaluation.request_bytes(b"{}", more="Connection: close\r\n"))
        assert read_until_closed(connection).count(b"HTTP/1.1 200 ") == number


class _Clock(asyncio.SelectorEventLoop):
    """A loop whose time passes when a test says so."""

    now = 1000.0

    def time(self) -> float:
        return self.now

    async def pass_seconds(self, seconds: float) -> None:
        """Let time pass, and what is due happen."""
        await asyncio.sleep(0)
        self.now += seconds
        for _ in range(5):
            await asyncio.sleep(0)


HEAD = b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "seconds", "status"),
    [
        (b"", HEAD_TIMEOUT, b""),
        (b"POST / HTT", HEAD_TIMEOUT, b"408"),
        (HEAD, BODY_TIMEOUT, b"408"),
        (HEAD + b"hello", IDLE_TIMEOUT, b"200"),
        (HEAD + b"hello" + b"POST", HEAD_TIMEOUT, b"408"),
    ],
)
def test_silence(data: bytes, seconds: float, status: bytes) -> None:
    """Silence before a head, in it, in a body and between requests ends a connection, each after its own time."""
    loop, transport = _Clock(), WrittenTransport()

    async def answer(request: Request, connection: HarnessConnection) -> None:
        connection.send_reply(200, [], b"")

    async def pass_time() -> None:
        connection = HarnessConnection(answer, lambda head: None, loop)
        connection.connection_made(transport)
        connection.data_received(data)
        await loop.pass_seconds(seconds - 1)
        assert not transport.closed
        await loop.pass_seconds(2)
        assert transport.closed
        connection.connection_lost(None)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(pass_time())
    assert status in transport.written
    assert bool(transport.written) == bool(status)


def test_a_head_by_single_bytes() -> None:
    """A head that comes byte by byte has the same time as one that does not come."""
    assert server_connection.HEAD_TIMEOUT < server_connection.IDLE_TIMEOUT
    loop, transport = _Clock(), WrittenTransport()

    async def drip() -> None:
        connection = HarnessConnection(lambda request, one: asyncio.sleep(0), lambda head: None, loop)
        connection.connection_made(transport)
        for byte in b"GET /health HTT":
            connection.data_received(bytes([byte]))
            await loop.pass_seconds(3)
        connection.connection_lost(None)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(drip())
    assert b"408" in transport.written


def test_errors_are_json(gateway: Gateway) -> None:
    """Clients of OpenAI's API find the message of a refusal where they look for it."""
    answer = exchange(gateway, b"nonsense\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"].startswith("not HTTP")
