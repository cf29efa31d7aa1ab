"""The address of a model's server, in the forms in which people write it."""

from __future__ import annotations

import pytest

from evalmake.upstream.server_url import ServerUrl
from tests.gateway.gateway_process import Gateway
from tests.support.http_replies import chat_completion, http_reply
from tests.support.scripted_upstream import Upstream

AZURE = "https://x.example/openai/deployments/d"


@pytest.mark.parametrize(
    ("url", "rest", "target"),
    [
        ("http://h/v1", "/v1/chat/completions", "/v1/chat/completions"),
        ("http://h/v1/", "/v1/chat/completions?a=b", "/v1/chat/completions?a=b"),
        ("http://h/v1", "/tokenize", "/tokenize"),
        ("http://h", "/v1/models", "/models"),
        ("http://h/v1/chat/completions", "/v1/chat/completions", "/v1/chat/completions"),
        ("http://h/v1/chat/completions/", "/v1/models", "/v1/models"),
        ("http://h/v1/completions", "/v1/completions", "/v1/completions"),
        ("http://h/v1/completions", "/tokenize", "/tokenize"),
        (f"{AZURE}?api-version=2", "/v1/chat/completions", "/openai/deployments/d/chat/completions?api-version=2"),
        (
            f"{AZURE}/chat/completions?api-version=2",
            "/v1/chat/completions?x=1",
            "/openai/deployments/d/chat/completions?x=1&api-version=2",
        ),
        ("http://h/v1?key=a%20b", "/v1", "/v1?key=a%20b"),
    ],
)
def test_targets(url: str, rest: str, target: str) -> None:
    """A query is kept with every request, and a route at the end is that of the requests."""
    assert ServerUrl.parse(url).target(rest.encode()) == target.encode()


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://h:8000", 'endpoint = "http://h:8000/v1"'),
        ("https://h/api/", 'endpoint = "https://h/api/v1"'),
        ("https://h/chat/completions", 'endpoint = "https://h/v1"'),
        ("https://h/v1", ""),
        ("https://h/v1beta/openai", ""),
        ("https://h/api/v3", ""),
        (f"{AZURE}?api-version=2", ""),
    ],
)
def test_hints(url: str, hint: str) -> None:
    """An address without a version may lack `/v1`."""
    found = ServerUrl.parse(url).hint_at_version()
    assert found.endswith(hint)
    assert bool(found) == bool(hint)


def test_a_query_reaches_the_model(gateway: Gateway) -> None:
    """Every request of an evaluation carries the query of its endpoint."""
    upstream = Upstream([http_reply(chat_completion("7"))])
    url = upstream.url.removesuffix("/v1")
    evaluation = gateway.open_evaluation(f"{url}/openai/deployments/d/chat/completions?api-version=2")
    assert evaluation.post().text == "7"
    evaluation.request("GET", "/v1/models?limit=1")
    assert [seen.target for seen in upstream.received] == [
        b"/openai/deployments/d/chat/completions?api-version=2",
        b"/openai/deployments/d/models?limit=1&api-version=2",
    ]


def test_a_missing_version(gateway: Gateway) -> None:
    """A 404 from an endpoint without `/v1` ends the evaluation with what to write; other paths may be missing."""
    upstream = Upstream([http_reply({"detail": "Not Found"}, 404)])
    url = upstream.url.removesuffix("/v1")
    evaluation = gateway.open_evaluation(url)
    evaluation.request("GET", "/v1/models")
    assert evaluation.post().status == 404
    assert evaluation.post().status == 400
    assert evaluation.close()["fatal"].endswith(
        f'HTTP 404: {{"detail": "Not Found"}}; the endpoint has no `/v1`: most servers want endpoint = "{url}/v1"'
    )
