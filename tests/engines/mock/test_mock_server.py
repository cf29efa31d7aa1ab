"""The server on the wire, as a subprocess."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from evalmake.engines.mock.http_server import LARGEST_BODY

CHAT = "/v1/chat/completions"
Start = Callable[..., tuple["subprocess.Popen[str]", int]]

_WITHOUT_UVLOOP = (
    "-c",
    "import sys; sys.modules['uvloop'] = None; from evalmake.engines.mock.__main__ import main; sys.exit(main())",
)


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def port(request: pytest.FixtureRequest, start: Start) -> int:
    """A server without faults, on either loop."""
    launch = {} if request.param == "uvloop" else {"launch": _WITHOUT_UVLOOP}
    return start(**launch)[1]


@pytest.fixture(scope="module")
def slow(start: Start) -> int:
    """A server that takes a fifth of a second."""
    return start({"latency": 0.2})[1]


def _body(text: str, **more: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()


def _raw(path: str, body: bytes, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "host: x", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def _connect(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        yield connection


def _read(connection: socket.socket) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response


def _call(
    port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response, data


def _content(data: bytes) -> str:
    content: str = json.loads(data)["choices"][0]["message"]["content"]
    return content


def _events(data: bytes) -> list[Any]:
    lines = data.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def test_a_chat_is_answered(port: int) -> None:
    """The whole reply has OpenAI's shape."""
    response, data = _call(port, "POST", CHAT, _body("What is 17 plus 25?"))
    reply = json.loads(data)
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    assert reply.pop("id").startswith("chatcmpl-")
    assert isinstance(reply.pop("created"), int)
    assert reply == {
        "object": "chat.completion",
        "model": "mock",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "42"},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 6, "completion_tokens": 1, "total_tokens": 7},
    }


def test_models_and_health_are_told(port: int) -> None:
    """One model, by name."""
    assert json.loads(_call(port, "GET", "/health")[1]) == {"status": "ok"}
    models = json.loads(_call(port, "GET", "/v1/models?x=1")[1])
    assert [model["id"] for model in models["data"]] == ["mock"]


def test_a_chat_streams(port: int) -> None:
    """Role, tokens, reason, usage, `[DONE]`: joined they are the answer."""
    asked = {"stream": True, "stream_options": {"include_usage": True}, "temperature": 0, "n": 2}
    response, data = _call(port, "POST", CHAT, _body("Say something.", **asked))
    *parts, last = _events(data)
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["transfer-encoding"] == "chunked"
    assert {part["object"] for part in parts} == {"chat.completion.chunk"}
    assert len({part["id"] for part in parts}) == 1
    assert all(part["usage"] is None for part in parts)
    plain = json.loads(_call(port, "POST", CHAT, _body("Say something.", temperature=0, n=2))[1])
    for choice in plain["choices"]:
        mine = [p["choices"][0] for p in parts if p["choices"][0]["index"] == choice["index"]]
        assert mine[0]["delta"] == {"role": "assistant", "content": ""}
        said = [part["delta"].get("content", "") for part in mine]
        assert len(said) > 3
        assert "".join(said) == choice["message"]["content"]
        assert [part["finish_reason"] for part in mine] == [None] * (len(mine) - 1) + ["stop"]
    assert (last["choices"], last["usage"]) == ([], plain["usage"])


def test_a_completion_streams(port: int) -> None:
    """The parts join to the text; without `include_usage` there is no usage."""
    body = {"prompt": "Once", "stream": True, "temperature": 0}
    events = _events(_call(port, "POST", "/v1/completions", json.dumps(body))[1])
    plain = json.loads(_call(port, "POST", "/v1/completions", json.dumps({**body, "stream": False}))[1])
    assert "".join(event["choices"][0]["text"] for event in events) == plain["choices"][0]["text"]
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    assert all("usage" not in event for event in events)


def test_an_old_client_gets_a_stream_in_one_piece(port: int) -> None:
    """HTTP/1.0 knows no chunks and no keep-alive."""
    with _connect(port) as connection:
        connection.sendall(_raw(CHAT, _body("1 + 1", stream=True), version="1.0"))
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert len(_events(body)) == 3


def test_a_connection_is_kept_and_requests_are_pipelined(port: int) -> None:
    """Many requests in one packet are answered in order on one connection."""
    with _connect(port) as connection:
        connection.sendall(b"".join(_raw(CHAT, _body(f"{n} + 1")) for n in range(50)))
        answers = []
        reader = connection.makefile("rb")
        for _ in range(50):
            length = 0
            while (line := reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answers.append(_content(reader.read(length)))
    assert answers == [str(n + 1) for n in range(50)]


def test_a_delayed_reply_keeps_its_place(slow: int) -> None:
    """A request behind a delayed one waits for its turn."""
    with _connect(slow) as connection:
        get = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        connection.sendall(_raw(CHAT, _body("1 + 1")) + get)
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    assert data.index(b"chat.completion") < data.index(b'"ok"')
    assert b"connection: close" in data


def test_a_client_that_asks_to_close_is_closed(port: int) -> None:
    """`Connection: close` is honoured and said."""
    with _connect(port) as connection:
        connection.sendall(_raw(CHAT, _body("1 + 1"), "connection: close"))
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"connection: close\r\n" in data


def test_a_chunked_body_is_read(port: int) -> None:
    """A body without a length, in pieces."""
    body = _body("What is 6 times 7?")
    response, data = _call(port, "POST", CHAT, iter([body[:5], body[5:]]))
    assert response.status == 200
    assert _content(data) == "42"


def test_a_client_that_waits_is_told_to_continue(port: int) -> None:
    """`Expect: 100-continue` is answered before the body is sent."""
    body = _body("What is 6 times 7?")
    request = _raw(CHAT, body, "expect: 100-continue")
    with _connect(port) as connection:
        connection.sendall(request.removesuffix(body))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert _content(_read(connection).read()) == "42"


def test_large_bodies_are_read_and_larger_ones_refused(port: int) -> None:
    """Fifty megabytes pass, more is 413."""
    rest = LARGEST_BODY - len(_body("1 + 1", image=""))
    response, data = _call(port, "POST", CHAT, _body("1 + 1", image="x" * rest))
    assert (response.status, _content(data)) == (200, "2")
    response, data = _call(port, "POST", CHAT, _body("1 + 1", image="x" * (rest + 1)))
    assert response.status == 413
    assert "larger than" in json.loads(data)["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/nothing", b"{}", 404),
        ("GET", "/", None, 404),
        ("GET", CHAT, None, 405),
        ("POST", "/v1/models", b"{}", 405),
        ("POST", CHAT, b"{", 400),
        ("POST", CHAT, b"", 400),
        ("POST", CHAT, b"[]", 400),
        ("POST", CHAT, b"\xff", 400),
        ("POST", CHAT, b"[" * 200_000, 400),
        ("POST", CHAT, b'{"messages": [{"role": "user", "content": "\\ud800"}]}', 200),
    ],
)
def test_a_bad_request_is_answered_in_openais_form(
    port: int, method: str, path: str, body: bytes | None, status: int
) -> None:
    """An error object with a message and a type; and what is merely odd is answered."""
    response, data = _call(port, method, path, body)
    assert response.status == status
    if status != 200:
        assert set(json.loads(data)["error"]) == {"message", "type", "param", "code"}


def test_what_is_not_http_is_refused(port: int) -> None:
    """400, and the connection is closed."""
    with _connect(port) as connection:
        connection.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    assert data.startswith(b"HTTP/1.1 400 ")


def test_in_flight_requests_are_counted(slow: int) -> None:
    """Five at once are five in flight, and none when they are answered or given up."""
    connections = [socket.create_connection(("127.0.0.1", slow), timeout=60) for _ in range(5)]
    for connection in connections:
        connection.sendall(_raw(CHAT, _body("2 + 2")))
    connections.pop().close()
    for connection in connections:
        assert _content(_read(connection).read()) == "4"
        connection.close()
    stats = json.loads(_call(slow, "GET", "/stats")[1])
    assert stats["in_flight"] == 0
    assert stats["peak_in_flight"] >= 4


def test_a_reset_breaks_off_in_the_body(start: Start) -> None:
    """Plain and streamed replies end before their end."""
    _, port = start({"reset_rate": 1})
    for stream in (False, True):
        with pytest.raises(http.client.IncompleteRead):
            _call(port, "POST", CHAT, _body("1 + 1", stream=stream))
    assert json.loads(_call(port, "GET", "/stats")[1])["statuses"] == {"reset": 2}


def test_a_hanging_request_is_never_answered_and_term_still_ends_the_server(start: Start) -> None:
    """Nothing comes; the request stays in flight; TERM ends all with status 0."""
    process, port = start({"hang_rate": 1})
    with _connect(port) as connection:
        connection.sendall(_raw(CHAT, _body("1 + 1")))
        stats: dict[str, Any] = {}
        while stats.get("statuses") != {"hang": 1}:
            stats = json.loads(_call(port, "GET", "/stats")[1])
        assert stats["in_flight"] == 1
        process.terminate()
        assert process.wait(timeout=60) == 0
        assert connection.recv(1) == b""


def test_an_api_key_is_demanded(start: Start) -> None:
    """From the environment; /health needs none."""
    _, port = start(MOCK_API_KEY="sesame")
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer sesame"}, 200),
    ):
        assert _call(port, "POST", CHAT, _body("1 + 1"), headers)[0].status == status
    assert _call(port, "GET", "/v1/models")[0].status == 401
    assert _call(port, "GET", "/health")[0].status == 200
