"""The pages behind the codes of diagnostics, and what stands in them."""

from __future__ import annotations

import re
from pathlib import Path

import evalmake

PACKAGE = Path(evalmake.__file__).parent
PAGES = {path.stem: path.read_text() for path in (PACKAGE / "explanations").glob("*.md")}
CAUSES = "## An Evalfile that causes it"
MENDED = "\n## Mended\n"


def blocks(page: str) -> list[str]:
    """The fenced blocks of a page, or of a part of one."""
    return re.findall(r"^```\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
