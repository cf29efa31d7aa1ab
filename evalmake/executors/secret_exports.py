"""Secrets as text for a shell, which reads them from its input."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

READ_EXPORTS = (
    'exports=$(while IFS= read -r line; do printf "%s\\n" "$line"; done); eval "$exports"; '
    'unset exports line; exec "$@" </dev/null'
)
"""A shell's commands that read `export_lines` from its input, and become a program with these variables.

So the program alone has them in its environment, and not the shell, whose /proc/PID/environ others can read.
"""


def export_lines(secrets: Mapping[str, str]) -> bytes:
    """Return the lines that set the variables of secrets in a shell that reads them."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items()]
    return "".join(lines).encode(errors="surrogateescape")
