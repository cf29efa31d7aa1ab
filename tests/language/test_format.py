"""The formatter: its seven rules by example, and its two laws on anything."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalmake.language.formatter import WIDTH, format_source
from evalmake.language.parser import parse
from evalmake.language.source import Source
from tests.support import repository

EXAMPLES = sorted(repository.EXAMPLES.rglob("*.evalfile"))
FORMATS = repository.SPEC / "format"
TEXTS = [path.read_bytes().decode() for path in [*EXAMPLES, *sorted(FORMATS.glob("*.evalfile"))]]
TOKEN = re.compile(
    r"#[^\n]*|'''.*?'''|'[^'\n]*'|\"[^\"\n]*\"|sha256:\w+|\.\.|[<>=]=|\d+(?:\.\d+)?\w*%?"
    r"|[A-Za-z_*][\w.*?/-]*|\n|[^\s\w]",
    re.DOTALL,
)


def formatted(text: str) -> str:
    """`text` laid out."""
    return format_source(Source("t", text))


def meaning(text: str) -> Any:
    """The tree without places, and the words of the comments: what formatting must not change."""
    source = Source("t", text)
    parsed = parse(source)
    words = [source.text[start:end].lstrip("#").strip() for start, end in parsed.comments]
    return _unplaced(parsed.items), words


def _unplaced(node: Any) -> Any:
    if hasattr(node, "_fields"):
        kept = [getattr(node, name) for name in node._fields if name not in ("start", "end")]
        return type(node).__name__, [_unplaced(value) for value in kept]
    return [_unplaced(item) for item in node] if isinstance(node, tuple) else node


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_are_fixed_points(path: Path) -> None:
    """The shipped Evalfiles are laid out as the formatter would."""
    assert formatted(path.read_text()) == path.read_text()


@pytest.mark.parametrize("path", sorted(FORMATS.glob("*.evalfile")), ids=lambda p: p.stem)
def test_golden(path: Path) -> None:
    """Each text becomes the one beside it (UPDATE_GOLDEN=1 rewrites it), and stays as it is."""
    text = path.read_bytes().decode()
    result = formatted(text)
    golden = path.with_suffix(".formatted")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_bytes(result.encode())
    assert result == golden.read_bytes().decode()
    assert formatted(result) == result
    assert meaning(result) == meaning(text)


def test_empty() -> None:
    """A file of nothing but blank lines becomes empty."""
    assert formatted("\n \n\t\n") == ""


def test_width_counts_the_alignment() -> None:
    """A list that fits by itself but not in its aligned column is broken, once and for all."""
    items = ", ".join(f'"{i:04}"' for i in range(11))
    text = f"A = [{items}]\nA_VERY_LONG_NAME_INDEED = 1\nB = 2\n"
    assert len(text.splitlines()[0]) <= WIDTH
    result = formatted(text)
    assert result.startswith("A = [\n")
    assert formatted(result) == result


@st.composite
def _spaced_out(draw: st.DrawFn) -> str:
    """A text with its blanks, line breaks and separators changed where the language allows it."""
    text = draw(st.sampled_from(TEXTS)).replace("\\\n", "").replace("\r", "")
    salt = draw(st.randoms(use_true_random=False))
    out = ""
    depth: list[str] = []
    for match in TOKEN.finditer(text):
        token = match[0]
        if token in "[({":
            depth.append(token)
        elif token in "])}" and depth:
            depth.pop()
        if token == "\n":
            out += salt.choice(["\n", "\n", "\n\n", "\n\n\n", "\n  # note\n", " #note\n"])
        elif token == "," and depth:
            out += salt.choice([",", " , ", ",\n", "\n", ", # c\n"])
        elif token in "[{" and depth and token:
            out += token + salt.choice(["", " ", "\n", " # o\n"])
        elif token.startswith("#"):
            out += token
        else:
            out += token + salt.choice([" ", "  ", "\t"])
    return out


@given(_spaced_out())
@settings(max_examples=60, deadline=None)
def test_laws(text: str) -> None:
    """However a text is spaced out, formatting is idempotent and keeps meaning and comments."""
    before = meaning(text)
    result = formatted(text)
    assert formatted(result) == result
    assert meaning(result) == before
    outside = re.sub(r"'''.*?'''", "RAW", result, flags=re.DOTALL)
    assert not re.search(r"[ \t]$|\n\n\n|\r|\A\n", outside, re.MULTILINE)
