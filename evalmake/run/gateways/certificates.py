"""The certificates that a model's endpoint needs beside the system's."""

from __future__ import annotations

import ssl
from pathlib import Path

from evalmake.language.values import Files
from evalmake.project.declarations import Declaration


def read_certificates(model: Declaration, folder: Path) -> str:
    """The text of a model's `ca`, empty if it has none; a path is relative to `folder`.

    Raises OSError where it cannot be read, and ValueError where it holds no certificate.
    """
    ca = model.block.ca
    if ca is None:
        return ""
    paths = [file.path for file in ca.files] if isinstance(ca, Files) else [folder / Path(ca).expanduser()]
    text = "\n".join(path.read_text(encoding="ascii", errors="replace") for path in paths)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise ValueError("it holds no certificate in PEM form: -----BEGIN CERTIFICATE-----") from None
    return text
