"""A model behind TLS, as hosted ones are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gateway.gateway_process import Gateway
from tests.support.certificates import behind_tls
from tests.support.http_replies import chat_completion, chat_event, chunked_reply, http_reply
from tests.support.scripted_upstream import ConnectionEnd, Upstream


def test_a_trusted_certificate(
    start_gateway: Callable[..., Gateway], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replies and streams come over TLS, on one connection, and broken ones are noticed."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    upstream = Upstream([http_reply(chat_completion("7"))])
    evaluation = start_gateway(cache=None).open_evaluation(behind_tls(certificate, upstream), retry=1)
    assert [answer.text for answer in evaluation.post_repeatedly(2)] == ["7", "7"]
    upstream.use_scripts(chunked_reply(chat_event("7", "stop")))
    assert evaluation.post(stream=True).body == chat_event("7", "stop")
    assert upstream.connections == 1
    upstream.use_scripts(
        [http_reply(chat_completion("7"))[:-5], ConnectionEnd.CLOSE], [http_reply(chat_completion("8"))]
    )
    assert evaluation.post().text == "8"
    assert upstream.received[0].header(b"host") == upstream.address.encode()


def test_a_certificate_that_nobody_knows(gateway: Gateway, certificate: Path) -> None:
    """A server without a valid certificate gets no request, and the error says why."""
    upstream = Upstream([http_reply(chat_completion("7"))])
    url = behind_tls(certificate, upstream)
    answer = gateway.open_evaluation(url, retry=0).post()
    assert answer.status == 502
    assert answer.json["error"]["message"].startswith(f"{url}/chat/completions: cannot connect: ")
    assert "certificate" in answer.json["error"]["message"]
    assert not upstream.received


def test_a_certificate_of_ones_own(start_gateway: Callable[..., Gateway], certificate: Path) -> None:
    """With `ca` a server with such a certificate is trusted; other servers are still checked."""
    upstream = Upstream([http_reply(chat_completion("7"))])
    url = behind_tls(certificate, upstream)
    gateway = start_gateway(ca=certificate.read_text(), cache=None)
    assert gateway.open_evaluation(url).post().text == "7"
    wrong_name = gateway.open_evaluation(url.replace("localhost", "127.0.0.1"), retry=0).post()
    assert "certificate" in wrong_name.json["error"]["message"]
    assert len(upstream.received) == 1


def test_without_verification(start_gateway: Callable[..., Gateway], certificate: Path) -> None:
    """`verify = false` accepts any certificate."""
    upstream = Upstream([http_reply(chat_completion("7"))])
    evaluation = start_gateway(verify=False, cache=None).open_evaluation(behind_tls(certificate, upstream))
    assert evaluation.post().text == "7"
