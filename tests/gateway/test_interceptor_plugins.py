"""Interceptors of third parties, found by their entry points."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

import pytest

from tests.gateway.gateway_process import Gateway
from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply
from tests.support.scripted_upstream import Upstream

PLUGIN = """
from pydantic import BaseModel
from evalmake.gateway.interceptors.interceptor import EventRewriter, Interceptor

class Shouts(EventRewriter):
    def __init__(self, word):
        self.word = word
    def rewrite_event(self, event):
        for choice in event["choices"]:
            choice["delta"]["content"] = choice["delta"].get("content", "").upper()
        yield event
    def flush(self):
        yield {"choices": [{"index": 0, "delta": {"content": self.word}}]}

class Loud(Interceptor):
    rewrites_requests = rewrites_replies = True
    class Settings(BaseModel):
        word: str
    def __init__(self, settings):
        self.settings = settings
    def rewrite_request(self, body, path):
        body["loud"] = self.settings.word
        return body
    def rewrite_headers(self, headers):
        return [*headers, (b"x-loud", b"1")]
    def rewrite_reply(self, body, record):
        record.add_count("shouted")
        body["choices"][0]["message"]["content"] += self.settings.word
        return body
    def new_event_rewriter(self, record):
        return Shouts(self.settings.word)

class Broken(Interceptor):
    rewrites_requests = True
    def rewrite_request(self, body, path):
        raise ZeroDivisionError("what a plugin may do")
"""


@pytest.fixture(scope="module")
def with_plugins(start_gateway: Callable[..., Gateway], tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """A gateway with a third party's package installed."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "loud-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    points = "[evalmake.interceptors]\nloud = loud:Loud\nbroken = loud:Broken\n"
    (info / "entry_points.txt").write_text(points)
    (folder / "loud.py").write_text(PLUGIN)
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, sys.path)]))
    gateway = start_gateway()
    patch.undo()
    gateway.may_fail = True
    return gateway


def test_a_third_partys(with_plugins: Gateway) -> None:
    """A class under an entry point changes requests, headers, replies and streams, and counts."""
    upstream = Upstream([])
    upstream.use_scripts(
        [http_reply(chat_completion("7"))], chunked_reply(chat_event("seven"), chat_event(finish="stop"), DONE)
    )
    evaluation = with_plugins.open_evaluation(upstream, plugins={"loud": {"word": "!"}}, strip_reasoning=True)
    assert evaluation.post(temperature=0).text == "7!"
    got = evaluation.post(stream=True, temperature=0).body.split(b"\n\n")
    assert got[-2:] == [b"data: [DONE]", b""]
    contents = [json.loads(one[6:])["choices"][0]["delta"].get("content") for one in got[:-2]]
    assert "".join(contents) == "SEVEN!"
    assert [body["loud"] for body in upstream.bodies] == ["!", "!"]
    assert upstream.received[0].header(b"x-loud") == b"1"
    assert evaluation.close()["shouted"] == 1


def test_a_third_partys_mistake(with_plugins: Gateway) -> None:
    """An interceptor's error fails the request with the reason, and soon stops the evaluation."""
    upstream = Upstream([http_reply(chat_completion("7"))])
    evaluation = with_plugins.open_evaluation(upstream, plugins={"broken": {}})
    statuses = [evaluation.post().status for _ in range(4)]
    assert statuses == [500, 500, 500, 400]
    assert "ZeroDivisionError: what a plugin may do" in evaluation.post().json["error"]["message"]
    assert "ZeroDivisionError" in evaluation.close()["fatal"]
    assert not upstream.received
