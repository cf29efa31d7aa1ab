"""Text of others within Markdown."""

from __future__ import annotations

import re


def escape(text: str) -> str:
    """Text that Markdown takes literally, on one line; underscores inside words already are."""
    return re.sub(r"[\\`*|<]|\](?=\()", r"\\\g<0>", " ".join(text.split()))
