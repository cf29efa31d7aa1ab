"""Connections on both sides: what HTTP/1.1 allows, and what happens when somebody is slow or leaves."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evalmake.gateway.proxy.harness_connection import LARGEST_BODY
from tests.gateway.gateway_process import CHAT, Evaluation, Gateway, resident_bytes, start_module, wait_until
from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply, numbered_replies
from tests.support.scripted_upstream import ConnectionEnd, ReceivedRequest, Step, Upstream


def read_reply(connection: socket.socket) -> http.client.HTTPResponse:
    """The next reply on a connection, its body still to be read."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response


def replies(connection: socket.socket, number: int) -> list[bytes]:
    """The bodies of so many replies, which have lengths."""
    data, bodies = b"", list[bytes]()
    while len(bodies) < number:
        head, found, rest = data.partition(b"\r\n\r\n")
        size = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15] == b"content-length:"), 0)
        if found and len(rest) >= size:
            bodies.append(rest[:size])
            data = rest[size:]
        else:
            piece = connection.recv(65536)
            assert piece, data
            data += piece
    return bodies


def echo(seen: ReceivedRequest) -> list[Step]:
    """A script that replies with the request's number, after the pause that the body asks for."""
    body = json.loads(seen.body or b"{}")
    return [
        body.get("wait", 0.0),
        http_reply({**chat_completion("7"), "number": body.get("number"), "target": seen.target.decode()}),
    ]


def test_pipelining(gateway: Gateway) -> None:
    """Requests that are sent together are answered in order, however long each takes."""
    evaluation = gateway.open_evaluation(Upstream(echo), cache=False)
    waits = [0.2, 0.0, 0.1, 0.0, 0.0]
    bodies = [json.dumps({"number": n, "wait": wait}).encode() for n, wait in enumerate(waits)]
    with evaluation.connect() as connection:
        connection.sendall(b"".join(map(evaluation.request_bytes, bodies)))
        assert [json.loads(body)["number"] for body in replies(connection, 5)] == [0, 1, 2, 3, 4]


def test_pieces_of_a_request(gateway: Gateway) -> None:
    """A request may come in pieces of any size, one byte at a time too."""
    evaluation = gateway.open_evaluation(Upstream(echo), cache=False)
    with evaluation.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = evaluation.request_bytes(b'{"number": 1}') + evaluation.request_bytes(b'{"number": 2}')
        for at in range(len(data)):
            connection.sendall(data[at : at + 1])
        assert [json.loads(body)["number"] for body in replies(connection, 2)] == [1, 2]


def test_connections_are_kept_on_both_sides(gateway: Gateway) -> None:
    """One connection serves many requests, to the model as well."""
    upstream = Upstream(echo)
    evaluation = gateway.open_evaluation(upstream)
    with evaluation.connect() as connection:
        for n in range(20):
            connection.sendall(evaluation.request_bytes(b'{"number": %d}' % n))
            assert json.loads(replies(connection, 1)[0])["number"] == n
    assert (len(upstream.received), upstream.connections) == (20, 1)


def test_a_client_that_wants_no_more(gateway: Gateway) -> None:
    """`Connection: close` is obeyed and returned."""
    evaluation = gateway.open_evaluation(Upstream(echo))
    with evaluation.connect() as connection:
        connection.sendall(evaluation.request_bytes(b'{"number": 1}', more="Connection: close\r\n"))
        data = _all(connection)
    assert b"connection: close\r\n" in data
    assert data.endswith(b'"target": "/v1/chat/completions"}')


def _all(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def test_http_1_0(gateway: Gateway) -> None:
    """A client of HTTP/1.0 gets no chunks: a stream ends with its connection."""
    upstream = Upstream(chunked_reply(chat_event("7"), chat_event(finish="stop")))
    evaluation = gateway.open_evaluation(upstream)
    line = "POST {} HTTP/1.0"
    for _ in range(2):  # from the model, and from the cache
        with evaluation.connect() as connection:
            connection.sendall(evaluation.request_bytes(b'{"temperature": 0, "stream": true}', line=line))
            head, _, body = _all(connection).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert b"connection: close" in head
        assert body == chat_event("7") + chat_event(finish="stop")
    assert len(upstream.received) == 1


def test_expect_continue(gateway: Gateway) -> None:
    """A client that waits for `100 Continue` gets it before it sends the body."""
    evaluation = gateway.open_evaluation(Upstream(echo))
    head, body = evaluation.request_bytes(b'{"number": 1}', more="Expect: 100-continue\r\n").split(b"\r\n\r\n")
    with evaluation.connect() as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert json.loads(replies(connection, 1)[0])["number"] == 1


def test_a_model_that_says_continue(gateway: Gateway) -> None:
    """An interim reply is not mistaken for the reply."""
    upstream = Upstream([b"HTTP/1.1 100 Continue\r\nx-a: b\r\n\r\n", http_reply(chat_completion("7"))])
    answer = gateway.open_evaluation(upstream).post()
    assert answer.text == "7"
    assert "x-a" not in dict(answer.headers)


def test_what_is_no_http(gateway: Gateway) -> None:
    """Nonsense is answered 400, and the connection closed."""
    for nonsense in (
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", gateway.port), 60) as connection:
            connection.sendall(nonsense)
            assert _all(connection).startswith(b"HTTP/1.1 400 ")


def test_an_upgrade_is_an_ordinary_request(gateway: Gateway) -> None:
    """A request to upgrade the protocol is answered as an ordinary one."""
    evaluation = gateway.open_evaluation(Upstream(echo))
    with evaluation.connect() as connection:
        more = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        connection.sendall(evaluation.request_bytes(rest="/v1/x", more=more, line="GET {} HTTP/1.1"))
        assert json.loads(replies(connection, 1)[0])["target"] == "/v1/x"


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_a_connection_that_the_model_closed(gateway: Gateway, kind: str) -> None:
    """An idle connection that the server closes is no failure."""
    body = [
        *chunked_reply(json.dumps(chat_completion("7")).encode() if kind == "application/json" else DONE, kind=kind)
    ]
    upstream = Upstream([*body, ConnectionEnd.CLOSE])
    evaluation = gateway.open_evaluation(upstream, retry=0)
    assert [evaluation.post().status for _ in range(3)] == [200, 200, 200]
    # and in the very moment in which the next request is sent: it was read, and never answered
    upstream.use_scripts([*body], [ConnectionEnd.CLOSE], [*body])
    assert [evaluation.post().status for _ in range(2)] == [200, 200]
    sums = evaluation.close()
    assert (sums["requests"], "retries" in sums, "failed" in sums) == (5, False, False)


def test_a_dead_connection_is_tried_once(gateway: Gateway) -> None:
    """Several dead idle connections do not multiply the tries: the second try uses a new one."""
    upstream = Upstream([0.1, http_reply(chat_completion("7"))])
    evaluation = gateway.open_evaluation(upstream, retry=0, cache=False)
    evaluation.post_repeatedly(6, 6)
    upstream.use_scripts([ConnectionEnd.CLOSE])
    before = len(upstream.received)
    assert evaluation.post().status == 502
    assert len(upstream.received) - before == 2


def test_what_nobody_asked_for(gateway: Gateway) -> None:
    """A second reply to one request belongs to nobody, and its connection is closed."""
    upstream = Upstream([]).use_scripts(
        [http_reply(chat_completion("1")) + http_reply(chat_completion("stray"))],
        [http_reply(chat_completion("2")), 0.1, http_reply(chat_completion("late"))],
        [http_reply(chat_completion("3"))],
    )
    evaluation = gateway.open_evaluation(upstream, cache=False)
    assert evaluation.post().text == "1"
    assert evaluation.post().text == "2"
    time.sleep(0.3)
    assert [answer.text for answer in evaluation.post_repeatedly(4, 4)] == ["3"] * 4


def test_a_client_that_leaves(gateway: Gateway) -> None:
    """Whenever a client leaves, before the reply, at a stream's beginning or in its middle, the
    connection to the model is closed too."""
    head = chunked_reply()[0]
    scripts: list[list[Step]] = [
        [ConnectionEnd.HANG],
        [head, ConnectionEnd.HANG],
        [*chunked_reply(chat_event("7"), end=False), ConnectionEnd.HANG],
        [http_reply(chat_completion("7"))[:-5], ConnectionEnd.HANG],
    ]
    for script in scripts:
        upstream = Upstream(script)
        evaluation = gateway.open_evaluation(upstream)
        with evaluation.connect() as connection:
            connection.sendall(evaluation.request_bytes(b'{"stream": true}'))
            wait_until(lambda upstream=upstream: upstream.received, "the request arrived")
            time.sleep(0.1)
        wait_until(lambda upstream=upstream: upstream.abandoned == 1, "the model saw it")
        assert "failed" not in evaluation.close()


def _steady(upstream: Upstream) -> None:
    """Wait until the server cannot write any more."""
    before = -1
    deadline = time.monotonic() + 60
    while before != upstream.written:
        assert time.monotonic() < deadline
        before = upstream.written
        time.sleep(0.4)


def test_a_slow_reader(start_gateway: Callable[..., Gateway]) -> None:
    """Who does not read a large stream stops the model from writing it, instead of filling memory;
    silence by such a reader is not the model's; and when it reads, all is there."""
    gateway = start_gateway()
    piece = b"data: " + b"x" * 2**16 + b"\n\n"
    number = 2000  # 131 MB
    upstream = Upstream(chunked_reply(*[piece] * number, DONE))
    evaluation = gateway.open_evaluation(upstream, timeout=0.5)
    gateway.open_evaluation(Upstream(echo)).post()
    before = resident_bytes(gateway.process.pid)
    with evaluation.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        connection.sendall(evaluation.request_bytes(b'{"stream": true}', more="Connection: close\r\n"))
        wait_until(lambda: upstream.written, "it began")
        _steady(upstream)
        assert upstream.written < 70_000_000
        assert resident_bytes(gateway.process.pid) - before < 70_000_000
        time.sleep(0.6)
        response = read_reply(connection)
        size = 0
        while data := response.read(2**20):
            size += len(data)
        assert size == len(piece) * number + len(DONE)


@pytest.mark.parametrize("path", [CHAT, "/v1/odd"])
def test_large_bodies(gateway: Gateway, path: str) -> None:
    """20 MB pass in both directions."""
    big = json.dumps(chat_completion("y" * 20_000_000)).encode()
    upstream = Upstream([http_reply(big)])
    answer = gateway.open_evaluation(upstream).request("POST", path, big)
    assert upstream.received[0].body == big
    assert answer.body == big


def test_a_body_beyond_all_bounds(gateway: Gateway) -> None:
    """A body that is too large is answered 413."""
    evaluation = gateway.open_evaluation(Upstream(echo))
    block = b"x" * 2**22
    with evaluation.connect() as connection:
        head = evaluation.request_bytes().replace(b"Content-Length: 0", b"Content-Length: %d" % (LARGEST_BODY + 1))
        connection.sendall(head)
        for _ in range(LARGEST_BODY // len(block)):
            connection.sendall(block)
        connection.sendall(b"x")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_many_connections(gateway: Gateway) -> None:
    """Hundreds of clients at once are all answered, each with its own reply."""
    upstream = Upstream(echo)
    evaluation = gateway.open_evaluation(upstream, cache=False)
    connections = [evaluation.connect() for _ in range(300)]
    for n, connection in enumerate(connections):
        connection.sendall(evaluation.request_bytes(b'{"number": %d, "wait": 0.05}' % n))
    got = [json.loads(replies(connection, 1)[0])["number"] for connection in connections]
    for connection in connections:
        connection.close()
    assert got == list(range(300))


def test_a_signal_ends_it(start_gateway: Callable[..., Gateway]) -> None:
    """TERM ends the gateway with status 0 during a request, and the record has the request."""
    gateway = start_gateway()
    upstream = Upstream([]).use_scripts([http_reply(chat_completion("7"))], [ConnectionEnd.HANG])
    evaluation: Evaluation = gateway.open_evaluation(upstream)
    evaluation.post()
    with evaluation.connect() as connection:
        connection.sendall(evaluation.request_bytes(b"{}"))
        wait_until(lambda: len(upstream.received) == 2, "the second was sent")
        gateway.stop()
    assert gateway.process.returncode == 0
    assert json.loads((evaluation.folder / "usage.json").read_text())["requests"] == 1


def test_the_port_stays(start_gateway: Callable[..., Gateway]) -> None:
    """The gateway takes the preferred port if it is free, another one otherwise."""
    gateway = start_gateway()
    settings = str(gateway.folder / "settings.json")
    arguments = ("--port", str(gateway.port))
    other, port = start_module("evalmake.gateway", gateway.folder / "other", settings, *arguments)
    other.terminate()
    assert other.wait(30) == 0
    assert port != gateway.port
    gateway.stop()
    again, port = start_module("evalmake.gateway", gateway.folder / "again", settings, *arguments)
    again.terminate()
    assert again.wait(30) == 0
    assert port == gateway.port


@pytest.mark.parametrize("text", ["", "[]", '{"sessions": 1, "unheard": 2}', '{"rate": "60/m"}'])
def test_wrong_settings(tmp_path: Path, text: str) -> None:
    """Wrong settings end the gateway with status 2 and one line."""
    (tmp_path / "settings.json").write_text(text)
    command = [sys.executable, "-m", "evalmake.gateway", str(tmp_path / "settings.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("evalmake.gateway: ")
    assert done.stderr.count("\n") == 1


def test_another_that_has_the_port_on_one_host(tmp_path: Path) -> None:
    """If a port is in use on one of several hosts, the gateway takes another one on all."""
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        (tmp_path / "settings.json").write_text(json.dumps({"sessions": str(tmp_path)}))
        hosts = ["--host", "127.0.0.1", "--host", "127.0.0.2"]
        settings = str(tmp_path / "settings.json")
        process, port = start_module("evalmake.gateway", tmp_path, settings, "--port", taken, *hosts)
        for host in hosts[1::2]:
            socket.create_connection((host, port), 30).close()
        process.terminate()
        assert process.wait(30) == 0
        assert port != int(taken)


def test_a_stranger_changes_nothing(gateway: Gateway) -> None:
    """A wrong token creates no folder, and does not restart an evaluation with a new session."""
    upstream = Upstream(numbered_replies())
    evaluation = gateway.open_evaluation(upstream)
    assert evaluation.request("GET", "/v1/models", token="wrong").status == 401
    assert not evaluation.folder.exists()
    first = [evaluation.post(temperature=1).text for _ in range(3)]
    evaluation.write()
    assert evaluation.request("GET", "/v1/models", token="wrong").status == 401
    second = [evaluation.post(temperature=1).text for _ in range(3)]
    assert [*first, *second] == [f"sample {at}" for at in range(6)]
    assert evaluation.close()["requests"] == 6


def test_notes_that_cannot_be_written(start_gateway: Callable[..., Gateway]) -> None:
    """Closing an evaluation fails if its record could not be written."""
    gateway = start_gateway()
    gateway.may_fail = True
    evaluation = gateway.open_evaluation(Upstream(numbered_replies()))
    (evaluation.folder / "requests.jsonl").mkdir(parents=True)
    evaluation.post()
    assert evaluation.request("POST", "/close").status == 500
