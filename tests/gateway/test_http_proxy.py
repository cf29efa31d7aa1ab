"""`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`: through which proxy a model is reached."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalmake.upstream.http_proxy import ProxyError, find_proxy
from evalmake.upstream.server_url import ServerUrl
from tests.gateway.gateway_process import Gateway
from tests.support.certificates import behind_tls
from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply
from tests.support.scripted_upstream import Upstream
from tests.support.small_proxy import SmallProxy

BOTH = {"https_proxy": "http://p:3128", "HTTP_PROXY": "q:8080"}


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://h/v1", BOTH, "p:3128"),
        ("http://h/v1", BOTH, "q:8080"),
        ("http://h/v1", {"https_proxy": "http://p:3128"}, ""),
        ("http://h/v1", {"ALL_PROXY": "http://p"}, "p:80"),
        ("https://h/v1", {"HTTPS_PROXY": ""}, ""),
        ("https://h/v1", {"HTTPS_PROXY": "http://user:p%40ss@p:1"}, "p:1"),
        # exceptions
        ("https://h/v1", {**BOTH, "NO_PROXY": "*"}, ""),
        ("https://h/v1", {**BOTH, "NO_PROXY": "other, h"}, ""),
        ("https://a.h.example/v1", {**BOTH, "no_proxy": ".h.example"}, ""),
        ("https://a.h.example/v1", {**BOTH, "no_proxy": "h.example"}, ""),
        ("https://a.h.example/v1", {**BOTH, "no_proxy": "*.h.example"}, ""),
        ("https://ah.example/v1", {**BOTH, "no_proxy": "h.example"}, "p:3128"),
        ("https://h:8443/v1", {**BOTH, "no_proxy": "h:443"}, "p:3128"),
        ("https://h/v1", {**BOTH, "no_proxy": "h:443"}, ""),
        ("https://10.1.2.3/v1", {**BOTH, "no_proxy": "10.0.0.0/8"}, ""),
        ("https://[::1]:8443/v1", {**BOTH, "no_proxy": "::1"}, ""),
        # this machine: a proxy elsewhere does not reach it
        ("http://127.0.0.1:8000/v1", BOTH, ""),
        ("http://localhost:8000/v1", BOTH, ""),
        ("http://localhost:8000/v1", {"http_proxy": "http://127.0.0.1:3128"}, "127.0.0.1:3128"),
    ],
)
def test_which_proxy(url: str, environ: dict[str, str], proxy: str) -> None:
    """The variables mean what they mean to other programs."""
    found = find_proxy(ServerUrl.parse(url), environ)
    assert str(found or "") == proxy


def test_own_servers_need_no_proxy() -> None:
    """Plain HTTP to a server that evalmake started is direct."""
    assert find_proxy(ServerUrl.parse("http://10.0.0.1:8000/v1"), BOTH, is_own=True) is None
    assert find_proxy(ServerUrl.parse("https://pods.example/v1"), BOTH, is_own=True) is not None


@pytest.mark.parametrize("url", ["socks5://p:1080", "https://p:443", "http://", "http://p:port"])
def test_what_is_no_http_proxy(url: str) -> None:
    """An address of another kind is refused with the name of the variable, and not shown: it may hold a password."""
    with pytest.raises(ProxyError, match=r"^HTTPS_PROXY is not the address of an HTTP proxy: http://HOST:PORT$"):
        find_proxy(ServerUrl.parse("https://h/v1"), {"HTTPS_PROXY": url})


def test_plain_requests(start_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain request goes to the proxy with the whole URL, and the key reaches the model alone."""
    upstream = Upstream([http_reply(chat_completion("7"))])
    proxy = SmallProxy({"model.example": ("127.0.0.1", upstream.port)}, authorization="Basic dXNlcjpwQHNz")
    monkeypatch.setenv("HTTP_PROXY", f"http://user:p%40ss@127.0.0.1:{proxy.port}")
    evaluation = start_gateway(cache=None).open_evaluation("http://model.example/v1?a=1")
    assert [answer.text for answer in evaluation.post_repeatedly(2)] == ["7", "7"]
    assert set(proxy.requests) == {"POST http://model.example/v1/chat/completions?a=1"}
    assert upstream.received[0].header(b"host") == b"model.example"


def test_tunnels(start_gateway: Callable[..., Gateway], certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS goes through a tunnel, which replies, streams and further requests share."""
    upstream = Upstream([http_reply(chat_completion("7"))])
    url, proxy = behind_tls(certificate, upstream), SmallProxy()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    evaluation = start_gateway(cache=None, ca=certificate.read_text()).open_evaluation(url)
    assert [answer.text for answer in evaluation.post_repeatedly(2)] == ["7", "7"]
    upstream.use_scripts(chunked_reply(chat_event("7", "stop"), DONE))
    assert evaluation.post(stream=True).body == chat_event("7", "stop") + DONE
    assert proxy.requests == [f"CONNECT {upstream.address}"]
    assert upstream.received[0].header(b"host") == upstream.address.encode()


def test_an_excepted_host(start_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
    """A host in NO_PROXY is reached without the proxy."""
    upstream, proxy = Upstream([http_reply(chat_completion("7"))]), SmallProxy()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert start_gateway(cache=None).open_evaluation(upstream).post().text == "7"
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("http://user:secret-of-the-proxy@127.0.0.1:{port}", "the proxy 127.0.0.1:{port} refuses: HTTP/1.1 407 "),
        ("http://127.0.0.1:9", "cannot connect to the proxy 127.0.0.1:9: Connection refused"),
        ("socks5://secret-of-the-proxy@127.0.0.1:9", "cannot connect: HTTPS_PROXY is not the address of an HTTP proxy"),
    ],
)
def test_a_proxy_that_refuses(
    start_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch, proxy: str, why: str
) -> None:
    """The error names the proxy and never its password."""
    port = SmallProxy(authorization="Basic other").port
    monkeypatch.setenv("HTTPS_PROXY", proxy.format(port=port))
    answer = start_gateway(cache=None).open_evaluation("https://model.example/v1", retry=0).post()
    assert answer.status == 502
    assert why.format(port=port) in answer.json["error"]["message"]
    assert "secret-of-the-proxy" not in answer.json["error"]["message"]
