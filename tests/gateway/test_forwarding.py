"""What the gateway forwards, and what it never does."""

from __future__ import annotations

import itertools
import json
import re
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalmake.gateway.proxy.request_target import (
    ASKABLE_BESIDE_BASE,
    READABLE_BESIDE_BASE,
    is_ambiguous,
    read_azure_path,
)
from tests.gateway.gateway_process import CHAT, KEY, Gateway
from tests.support.http_replies import chat_completion, chunked_reply, http_reply
from tests.support.repository import ROOT
from tests.support.scripted_upstream import ConnectionEnd, ReceivedRequest, Upstream

few = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
_NOT_PASSED = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "host",
    "authorization",
    "accept-encoding",
    "expect",
    "content-type",
}
NAMES = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,16}", fullmatch=True).filter(
    lambda name: name.lower() not in _NOT_PASSED
)
PATHS = st.from_regex(
    r"/v1/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,20}(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,20})?",
    fullmatch=True,
).filter(lambda path: not is_ambiguous(path.encode()))
HEADERS = st.lists(st.tuples(NAMES, TEXT), max_size=5, unique_by=lambda item: item[0].lower())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(
    st.sampled_from(["messages", "choices", "usage", "temperature", "n", "data"]) | st.text(),
    JSON | st.just([{"index": [], "message": {"tool_calls": 1}, "delta": {"tool_calls": 1}}]),
    max_size=5,
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut at some places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(places) if a < b]


@few
@given(
    rest=PATHS,
    body=st.binary(max_size=300),
    answer=st.binary(max_size=300),
    sent=HEADERS,
    told=HEADERS,
    cuts=st.lists(st.integers(0, 1000), max_size=4),
    chunks=st.booleans(),
    kind=st.sampled_from(["text/plain", "application/octet-stream", "text/event-stream"]),
    framing=st.sampled_from(["length", "chunks", "end"]),
    status=st.sampled_from([200, 201, 299, 302, 400, 404, 418, 422, 501]),
)
def test_bytes_pass(
    gateway: Gateway,
    rest: str,
    body: bytes,
    answer: bytes,
    sent: Any,
    told: Any,
    cuts: list[int],
    chunks: bool,
    kind: str,
    framing: str,
    status: int,
) -> None:
    """Any path, body and headers reach the other side byte for byte, however they are framed."""
    parts = pieces(answer, cuts)
    head = b"HTTP/1.1 %d X\r\ncontent-type: %b\r\n" % (status, kind.encode())
    head += b"".join(b"%b: %b\r\n" % (name.encode(), value.encode()) for name, value in told)
    script: list[Any] = {
        "length": [head + b"content-length: %d\r\n\r\n" % len(answer), *parts],
        "chunks": [head + b"transfer-encoding: chunked\r\n\r\n", *chunked_reply(*parts)[1:]],
        "end": [head + b"connection: close\r\n\r\n", *parts, ConnectionEnd.CLOSE],
    }[framing]
    upstream = Upstream(script)
    evaluation = gateway.open_evaluation(upstream)
    got = evaluation.request("POST", rest, pieces(body, cuts) if chunks else body, sent)
    [seen] = upstream.received
    assert (seen.method, seen.target, seen.body) == (b"POST", rest.encode(), body)
    assert [one for one in seen.headers if one[0].decode().lower() not in _NOT_PASSED] == [
        (name.encode(), value.encode()) for name, value in sent
    ]
    assert (got.status, got.body) == (status, answer)
    passed = [one for one in got.headers if one[0] not in ("content-length", "transfer-encoding")]
    assert passed == [("content-type", kind), *((name.lower(), value) for name, value in told)]


@few
@given(body=OBJECTS, answer=OBJECTS, spaces=st.sampled_from([None, 1, "\t"]), head=st.integers(0, 2))
def test_json_passes_as_it_was_written(gateway: Gateway, body: Any, answer: Any, spaces: Any, head: int) -> None:
    """Without interceptors, JSON keeps its spaces, escapes and order of keys."""
    sent = b"\n" * head + json.dumps(body, indent=spaces).encode()
    told = json.dumps(answer, indent=spaces, ensure_ascii=False).encode("utf-8", "replace")
    upstream = Upstream([http_reply(told)])
    evaluation = gateway.open_evaluation(upstream)
    got = evaluation.request("POST", "/v1/odd", sent)
    assert upstream.received[0].body == sent
    assert (got.status, got.body) == (200, told)


ODD = b' {"choices" : [{"index":0,"message":{"content":"\\u00e9"},"finish_reason":"stop"}], "a":1e2}\n'
ODD_STREAM = [
    b": hm\r\n\r\n",
    b"data:" + ODD.strip().replace(b"message", b"delta") + b"\r\n\r\n",
    b"data: [DONE]\n\n",
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "adapter",
    [
        {"system": "Think."},
        {"params": {"top_k": 5}},
        {"drop": ["seed"]},
        {"rename": {"seed": "s"}},
        {"headers": {"X-A": "1"}},
        {"drop_headers": ["X-B"]},
        {"reseed": True},
        {"log": 9},
    ],
)
def test_what_changes_requests_leaves_replies(gateway: Gateway, adapter: Any, stream: bool) -> None:
    """If interceptors rewrite only requests, replies pass byte for byte, also from the cache."""
    upstream = Upstream(chunked_reply(*ODD_STREAM) if stream else [http_reply(ODD)])
    evaluation = gateway.open_evaluation(upstream, **adapter)
    for _ in range(2):
        got = evaluation.post(seed=1, temperature=0, stream=stream)
        assert got.body == (b"".join(ODD_STREAM) if stream else ODD)
    assert got.cached


@pytest.mark.parametrize("stream", [b"false", b"true"])
def test_what_changes_replies_leaves_requests(gateway: Gateway, stream: bytes) -> None:
    """If interceptors rewrite only replies, requests pass byte for byte."""
    sent = b' {"messages" : [{"content":"\\u00e9"}],\n"a":1e2, "stream":%b}' % stream
    upstream = Upstream(chunked_reply(*ODD_STREAM) if stream == b"true" else [http_reply(ODD)])
    assert gateway.open_evaluation(upstream, strip_reasoning=True).request("POST", CHAT, sent).status == 200
    assert upstream.received[0].body == sent


@pytest.mark.parametrize(
    ("method", "rest", "target"),
    [
        ("GET", "/v1/models", b"/base/v1/models"),
        ("GET", "/v1/models?limit=3&after=a%2Fb", b"/base/v1/models?limit=3&after=a%2Fb"),
        ("GET", "/v1", b"/base/v1"),
        ("POST", "/tokenize", b"/base/tokenize"),
        ("GET", "/tokenizer_info", b"/base/tokenizer_info"),
        ("POST", "/v2/rerank", b"/base/v2/rerank"),
        ("GET", "/metrics?name=x", b"/base/metrics?name=x"),
        ("POST", "/v1/ranking", b"/base/v1/ranking"),
        ("GET", "/v1/unheard-of", b"/base/v1/unheard-of"),
    ],
)
def test_every_path_below_the_endpoint_is_forwarded(gateway: Gateway, method: str, rest: str, target: bytes) -> None:
    """`/v1/x` goes to the base URL, whatever `x` is, and what vLLM serves next to `/v1` goes there."""
    upstream = Upstream([http_reply({"ok": True})])
    evaluation = gateway.open_evaluation(f"http://127.0.0.1:{upstream.port}/base/v1/")
    assert evaluation.request(method, rest).json == {"ok": True}
    assert [(seen.method, seen.target) for seen in upstream.received] == [(method.encode(), target)]


def test_the_manual_lists_the_paths_beside_the_endpoint() -> None:
    """The manual's table has each path that goes to the server from outside `/v1`, with its method, and no other."""
    page = (ROOT / "evalmake/manual/gateway-and-cache.md").read_text()
    rows = re.findall(r"^\| (GET|POST) \| (.+) \|$", page, re.M)
    listed = {method: {path.encode() for path in re.findall(r"`(/[^`]+)`", paths)} for method, paths in rows}
    assert listed == {"GET": set(READABLE_BESIDE_BASE), "POST": set(ASKABLE_BESIDE_BASE)}


def test_what_belongs_to_a_connection_is_not_passed(gateway: Gateway) -> None:
    """Hop-by-hop headers end at the gateway in both directions, those named in Connection too."""
    answer = http_reply({}, connection="keep-alive, x-hop", x_hop="1", keep_alive="timeout=5", x_end="2")
    upstream = Upstream([answer])
    hops = [
        ("Connection", "keep-alive, X-Mine"),
        ("X-Mine", "1"),
        ("TE", "trailers"),
        ("X-Our", "2"),
    ]
    got = gateway.open_evaluation(upstream).request("GET", "/v1/models", None, hops)
    assert [name for name, _ in got.headers] == ["content-type", "x-end", "content-length"]
    assert [name.lower() for name, _ in upstream.received[0].headers] == [
        b"host",
        b"authorization",
        b"x-our",
        b"accept-encoding",
    ]


def test_the_length_of_a_reply_to_head_is_passed(gateway: Gateway) -> None:
    """HEAD returns the length that GET would have, and no body; the connection stays usable."""
    upstream = Upstream([b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n"])
    evaluation = gateway.open_evaluation(upstream)
    line = "HEAD {} HTTP/1.1"
    with evaluation.connect() as connection:
        connection.sendall(evaluation.request_bytes(rest="/v1/models", line=line))
        head = _until(connection, b"\r\n\r\n")
        assert b"content-length: 1234" in head
        upstream.use_scripts([b"HTTP/1.1 204 No Content\r\n\r\n"])
        connection.sendall(evaluation.request_bytes(rest="/v1/models", line="GET {} HTTP/1.1"))
        assert _until(connection, b"\r\n\r\n") == b"HTTP/1.1 204 No Content\r\n\r\n"
        upstream.use_scripts([http_reply({"ok": 1})])
        connection.sendall(evaluation.request_bytes(rest="/v1/models", line="GET {} HTTP/1.1"))
        assert b'{"ok": 1}' in _until(connection, b"}")


def _until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        piece = connection.recv(1)
        assert piece, data
        data += piece
    return data


def test_a_reply_without_content_has_no_length(gateway: Gateway) -> None:
    """An answer 204 passes as such."""
    upstream = Upstream([b"HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n"])
    got = gateway.open_evaluation(upstream).request("GET", "/v1/files/1")
    assert (got.status, got.headers, got.body) == (204, [("x-a", "b")], b"")


# Who may ask, and what is said on whose behalf


def test_only_the_key_reaches_the_model(gateway: Gateway) -> None:
    """The harness's token is never forwarded, whichever header it is in; the key replaces it."""
    upstream = Upstream([http_reply(chat_completion("4"))])
    evaluation = gateway.open_evaluation(upstream)
    more = [("api-key", evaluation.token), ("X-Api-Key", f"Bearer {evaluation.token}")]
    assert evaluation.request("POST", CHAT, b"{}", more).status == 200
    [seen] = upstream.received
    assert seen.header(b"authorization") == f"Bearer {KEY}".encode()
    assert evaluation.token.encode() not in seen.raw


def test_declared_headers_are_sent_once(start_gateway: Any) -> None:
    """The model's headers replace the harness's of the same name."""
    secret = "PATH"  # any variable that is set
    gateway = start_gateway(headers={"X-Org": "ours", "authorization": "Basic us"}, secret_headers={"Api-Key": secret})
    upstream = Upstream([http_reply(chat_completion("4"))])
    mine = [("x-org", "theirs"), ("api-key", "theirs"), ("X-Other", "theirs")]
    assert gateway.open_evaluation(upstream).request("POST", CHAT, b"{}", mine).status == 200
    [seen] = upstream.received
    names = [name.lower() for name, _ in seen.headers]
    assert len(names) == len(set(names))
    assert seen.header(b"x-org") == b"ours"
    assert seen.header(b"authorization") == b"Basic us"
    assert seen.header(b"api-key") not in (b"theirs", None)
    assert seen.header(b"x-other") == b"theirs"


@pytest.mark.parametrize(
    ("target", "token"),
    [
        ("/t/{key}/v1/models", "Bearer wrong"),
        ("/t/{key}/v1/models", "Bearer "),
        ("/t/{key}/v1/models", "Basic {token}"),
        ("/t/{key}/v1/models", "{token}"),
        ("/t/{key}/v1/models", "Bearer {token}\xe9"),
        ("/t/{key}/close", "Bearer wrong"),
        ("/t/nobody/v1/models", "Bearer {token}"),
        ("/t/../{key}/v1/models", "Bearer {token}"),
        ("/t/..%2Fsessions%2F{key}/v1/models", "Bearer {token}"),
        ("/t/.{key}/v1/models", "Bearer {token}"),
        ("/t/{key}.json/v1/models", "Bearer {token}"),
        ("/t//v1/models", "Bearer {token}"),
        ("/t/{key}?/v1/models", "Bearer {token}"),
    ],
)
def test_nobody_else_gets_in(gateway: Gateway, target: str, token: str) -> None:
    """A request without the evaluation's token, or under another path, is answered 401."""
    upstream = Upstream([http_reply({})])
    evaluation = gateway.open_evaluation(upstream)
    names = {"key": evaluation.key, "token": evaluation.token}
    with evaluation.connect() as connection:
        head = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
        connection.sendall(head.format(**names).encode("latin-1"))
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")
    assert not upstream.received


def test_a_client_of_azures_gets_in(gateway: Gateway) -> None:
    """With its path and its `api-key`, of which neither goes upstream; a wrong key does not."""
    upstream = Upstream([http_reply(chat_completion("yes"))])
    evaluation = gateway.open_evaluation(upstream, params={"model": "judge"})
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "?"}]})
    path = "/v1/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"

    def ask(token: str) -> bytes:
        head = f"POST /t/{evaluation.key}{path} HTTP/1.1\r\nHost: x\r\napi-key: {token}\r\n"
        head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        with evaluation.connect() as connection:
            connection.sendall((head + body).encode())
            return _until(connection, b"\r\n\r\n")

    assert b" 200 " in ask(evaluation.token)
    (received,) = upstream.received
    assert received.target == b"/v1/chat/completions"
    assert json.loads(received.body)["model"] == "judge"
    assert not any(name.lower() == b"api-key" for name, _ in received.headers)
    assert b" 401 " in ask("wrong")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/v1/openai/deployments/d/chat/completions", b"/v1/chat/completions"),
        (b"/v1/openai/deployments/d/embeddings?api-version=1", b"/v1/embeddings"),
        (b"/v1/openai/deployments/d/x?api-version=1&y=2", b"/v1/openai/deployments/d/x?api-version=1&y=2"),
        (b"/v1/openai/deployments/d", b"/v1/openai/deployments/d"),
        (b"/v1/chat/completions?api-version=1", b"/v1/chat/completions?api-version=1"),
    ],
)
def test_a_path_of_azures_is_one_of_openais(target: bytes, path: bytes) -> None:
    """Only the whole form is; what is none stays as it is."""
    assert read_azure_path(target) == path


def test_the_root_is_nobodys(gateway: Gateway) -> None:
    """Outside of `/t/` there is only /health, and the gateway listens only on loopback."""
    for target, status in (("/health", b"200"), ("/", b"404"), ("/v1/models", b"404")):
        with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert connection.recv(100).split()[1] == status
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", gateway.port))


def test_a_closed_evaluation_is_over(gateway: Gateway) -> None:
    """After /close the token is invalid, also on connections that were open before."""
    upstream = Upstream([http_reply({"ok": 1})])
    evaluation = gateway.open_evaluation(upstream)
    with evaluation.connect() as connection:
        connection.sendall(evaluation.request_bytes(rest="/v1/models", line="GET {} HTTP/1.1"))
        assert b" 200 " in _until(connection, b"}")
        assert evaluation.close()["requests"] == 1
        connection.sendall(evaluation.request_bytes(rest="/v1/models", line="GET {} HTTP/1.1"))
        assert b" 401 " in connection.recv(100)
    assert evaluation.request("POST", "/close").status == 401
    assert len(upstream.received) == 1


def test_an_attempt_has_its_own_token(gateway: Gateway) -> None:
    """A session that is written again is a new attempt: the old token is invalid."""

    def script(seen: ReceivedRequest) -> list[bytes]:
        return [http_reply({"ok": 1})]

    evaluation = gateway.open_evaluation(Upstream(script))
    assert evaluation.request("GET", "/v1/models").status == 200
    old = evaluation.token
    assert evaluation.restart().request("GET", "/v1/models").status == 200
    assert evaluation.request("GET", "/v1/models", token=old).status == 401


def test_settings_that_make_no_sense_are_told(start_gateway: Any) -> None:
    """A session that makes no sense is an error in the log, and admits nobody."""
    gateway = start_gateway()
    evaluation = gateway.open_evaluation("http://127.0.0.1:9/v1", plugins={"unheard-of": {}})
    assert evaluation.request("GET", "/v1/models").status == 401
    assert "no interceptor is named `unheard-of`" in gateway.errors
