"""Malformed Evalfiles and the whole text of what is said of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from evalmake.language.diagnostic import EvalmakeError
from evalmake.language.malformed_examples import EXAMPLES
from evalmake.language.parser import parse
from evalmake.language.source import Source
from evalmake.terminal.diagnostics import render
from tests.support.repository import ROOT, SPEC

SYNTAX = SPEC / "syntax"
PAGES = ROOT / "evalmake" / "explanations"
WITHOUT_LABELLED_EXAMPLE = {
    *("syntax", "unclosed-block", "unclosed-bracket", "extra-bracket", "unterminated-string"),
    *("alias-recipe", "too-deep", "bad-digest"),
}


@pytest.mark.parametrize("path", sorted(SYNTAX.glob("*.evalfile")), ids=lambda p: p.stem)
def test_what_is_said(path: Path) -> None:
    """Each malformed file gives exactly the text beside it (UPDATE_GOLDEN=1 rewrites it)."""
    with pytest.raises(EvalmakeError) as raised:
        parse(Source(path.name, path.read_text()))
    said = render(raised.value.diagnostics) + "\n"
    golden = path.with_suffix(".err")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(said)
    assert said == golden.read_text()


@pytest.mark.parametrize("code", sorted({*EXAMPLES, *WITHOUT_LABELLED_EXAMPLE}))
def test_page_causes_and_mends(code: str) -> None:
    """The page of a syntax error shows a text that gives that very code, and one that parses."""
    page = (PAGES / f"{code}.md").read_text()
    bad, good = re.findall(r"^```\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    with pytest.raises(EvalmakeError) as raised:
        parse(Source("bad", bad))
    assert [d.code for d in raised.value.diagnostics] == [code]
    assert parse(Source("good", good)).items


def test_every_mistake_is_shown() -> None:
    """Every code of the table is the code of at least one golden file."""
    said = "".join(path.read_text() for path in SYNTAX.glob("*.err"))
    assert {*EXAMPLES, *WITHOUT_LABELLED_EXAMPLE} <= set(re.findall(r"\[([a-z-]+)\]$", said, re.M))
