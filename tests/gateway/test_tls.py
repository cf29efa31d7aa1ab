"""A model behind TLS, as hosted ones are."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gateway.gateway_process import Gateway
from tests.support.scripted_upstream import (
    ConnectionEnd,
    Upstream,
    chat_completion,
    chat_event,
    chunked_reply,
    http_reply,
)

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            str(path),
            "-out",
            str(path.with_suffix(".crt")),
        ],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


def _behind(certificate: Path, upstream: Upstream) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return upstream.add_tls_url(context)


def test_a_trusted_certificate(
    start_gateway: Callable[..., Gateway], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replies and streams come over TLS, on one connection, and broken ones are noticed."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    upstream = Upstream([http_reply(chat_completion("7"))])
    evaluation = start_gateway(cache=None).open_evaluation(_behind(certificate, upstream), retry=1)
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
    url = _behind(certificate, upstream)
    answer = gateway.open_evaluation(url, retry=0).post()
    assert answer.status == 502
    assert answer.json["error"]["message"].startswith(f"{url}/chat/completions: cannot connect: ")
    assert "certificate" in answer.json["error"]["message"]
    assert not upstream.received
