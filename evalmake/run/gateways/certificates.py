"""The certificates that a model's endpoint needs beside the system's."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from evalmake.language.regular_file import read_regular
from evalmake.language.values import Files
from evalmake.project.boundary import Boundary
from evalmake.project.declarations import Declaration

_LARGEST = 4 << 20  # bytes: all authorities that browsers trust take a quarter of one
_SYSTEM_FOLDERS = (
    "/etc/ssl/certs",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
)


def read_certificates(model: Declaration, folder: Path) -> str:
    """The text of a model's `ca`, empty if it has none; a path is relative to `folder`.

    Raises OSError where it cannot be read, and ValueError where it holds no certificate.
    """
    paths = _find_paths(model, folder)
    if not paths:
        return ""
    text = "\n".join(read_regular(path, _LARGEST).decode("ascii", "replace") for path in paths)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise ValueError("it holds no certificate in PEM form: -----BEGIN CERTIFICATE-----") from None
    return text


def find_outside_certificate(model: Declaration, folder: Path, boundary: Boundary) -> Path | None:
    """A file of a model's `ca` that is neither in the project nor in a folder of the system's certificates."""
    paths = _find_paths(model, folder)
    return next((path for path in paths if not (boundary.holds(path) or _is_of_system(path))), None)


def _find_paths(model: Declaration, folder: Path) -> list[Path]:
    ca = model.block.ca
    if ca is None:
        return []
    return [file.path for file in ca.files] if isinstance(ca, Files) else [folder / os.path.expanduser(ca)]


def _is_of_system(path: Path) -> bool:
    return any(Path(os.path.realpath(path)).is_relative_to(folder) for folder in _SYSTEM_FOLDERS)
