"""A certificate for localhost, and servers behind TLS."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from tests.support.scripted_upstream import Upstream


def make_certificate(path: Path) -> Path:
    """Write a self-signed certificate for localhost, with its key, to `path`."""
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


def behind_tls(certificate: Path, upstream: Upstream) -> str:
    """A URL of the server behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return upstream.add_tls_url(context)
