"""Replies of servers that pack although the gateway asks them not to."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable

import pytest

from tests.gateway.gateway_process import Gateway
from tests.support.http_replies import DONE, chat_completion, chat_event, http_reply
from tests.support.scripted_upstream import Upstream

PACKING: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "by its old name": ("X-GZIP", gzip.compress),
    "members": ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
    "zlib": ("deflate", zlib.compress),
    "raw": ("deflate", lambda data: zlib.compress(data)[2:-4]),
    "not at all": ("identity", bytes),
}


@pytest.mark.parametrize("name", PACKING)
@pytest.mark.parametrize("stream", [False, True])
def test_packed_replies_are_unpacked(gateway: Gateway, name: str, stream: bool) -> None:
    """A server that packs although asked not to: its replies are unpacked, counted, cached and rewritten."""
    encoding, pack = PACKING[name]
    plain = json.dumps({**chat_completion("<think>6</think>7"), "model": "m-2"}).encode()
    kind = "application/json"
    if stream:
        plain, kind = b"".join([chat_event("<think>6</think>"), chat_event("7", "stop"), DONE]), "text/event-stream"
    upstream = Upstream([http_reply(pack(plain), content_encoding=encoding, content_type=kind)])
    evaluation = gateway.open_evaluation(upstream, settings={"model": f"{name} {stream}"}, strip_reasoning=True)
    answers = [evaluation.post(temperature=0, stream=stream) for _ in range(2)]
    assert [b"think" in answer.body or b"7" not in answer.body for answer in answers] == [False, False]
    assert encoding == "identity" or "content-encoding" not in dict(answers[0].headers)
    [seen] = upstream.received
    assert seen.header(b"accept-encoding") == b"identity"
    sums = evaluation.close()
    assert (sums["finish"], sums["reasoned"]) == ({"stop": 2}, 2)


@pytest.mark.parametrize(
    ("encoding", "body", "why"),
    [
        ("gzip", b"\x1f\x8b\x08nonsense", "the reply cannot be unpacked: "),
        ("gzip", gzip.compress(b"{}" * 99, mtime=0)[:-9], "the reply cannot be unpacked: its end is missing"),
        ("br", b"\x0b", "the reply is packed as `br`, which nobody asked for"),
    ],
)
def test_replies_that_cannot_be_unpacked(gateway: Gateway, encoding: str, body: bytes, why: str) -> None:
    """A reply that nobody can read is a failure, which is tried again."""
    upstream = Upstream([]).use_scripts(
        [http_reply(body, content_encoding=encoding)], [http_reply(chat_completion("7"))]
    )
    evaluation = gateway.open_evaluation(upstream, retry=1)
    assert evaluation.post().text == "7"
    assert evaluation.close()["last_error"].startswith(f"{upstream.url}/chat/completions: {why}")
