"""Secrets as text for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping


def export_lines(secrets: Mapping[str, str]) -> bytes:
    """Return the lines that set the variables of secrets in a shell that reads them."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items()]
    return "".join(lines).encode(errors="surrogateescape")
