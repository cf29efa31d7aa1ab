"""Evalfiles with slips of the pen: always a message, never a traceback."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalmake.language.diagnostic import Diagnostic, EvalmakeError
from evalmake.language.formatter import format_source
from evalmake.language.source import Source
from evalmake.planning import make_plan
from evalmake.terminal.diagnostics import render, to_json
from evalmake.workspace import Workspace
from tests.support.repository import EXAMPLES

TEXTS = [path.read_text() for path in sorted(EXAMPLES.glob("*.evalfile"))]
TOKEN = re.compile(r'"[^"\n]*"|[\w.%-]+|[^\s\w]|\n')
VALUES = (
    "0",
    "-1",
    "1.5",
    '"text"',
    "none",
    "true",
    "[]",
    "[1, 1]",
    "{}",
    "{ a = none }",
    "90s",
    "16GiB",
    "95%",
    "1..3",
    "3..1",
    "bare",
    "LIMIT",
    'secret("KEY")',
    'env("NONE_SUCH")',
    'file("none")',
    "sha256:12",
    '"${LIMIT}"',
    '"${model}"',
    "[[1], { a = [b] }]",
    '"https://u:p@host"',
    '[secret("KEY")]',
    "1e400",
    "9" * 30,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples to write mutated files in."""
    root = tmp_path_factory.mktemp("mutated") / "Evalfiles"
    shutil.copytree(EXAMPLES, root, ignore=shutil.ignore_patterns(".evalmake"))
    return root


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """An example with one to three slips."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 3))):
        tokens = list(TOKEN.finditer(re.sub(r"(?m)^\s*#.*$", lambda m: " " * len(m[0]), text)))
        if len(tokens) < 3:
            break
        at = draw(st.integers(0, len(tokens) - 2))
        one, two = tokens[at], tokens[at + 1]
        slip = draw(st.sampled_from(("delete", "swap", "misspell", "double", "value", "value")))
        if slip == "value":
            after = [i for i, t in enumerate(tokens[:-1]) if t[0] in ("=", "in")]
            one = tokens[draw(st.sampled_from(after or [at])) + 1]
        new = {
            "delete": "",
            "swap": f"{two[0]} {one[0]}",
            "misspell": one[0][1:] + one[0][:1],
            "double": f"{one[0]} {one[0]}",
            "value": draw(st.sampled_from(VALUES)),
        }[slip]
        end = two.end() if slip == "swap" else one.end()
        text = text[: one.start()] + new + text[end:]
    return text


def planned(path: Path) -> str:
    """The digest of a file's plan, nothing having run; EvalmakeError with what is wrong."""
    workspace = Workspace.open(path)
    with workspace.store() as store:
        return make_plan(workspace, workspace.graph(()), store).digest


def mistakes(path: Path) -> Sequence[Diagnostic]:
    """What is said to be wrong with a file; nothing where it plans."""
    try:
        planned(path)
    except EvalmakeError as error:
        return error.diagnostics
    return ()


LIMITS = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@LIMITS
@given(text=mutated())
def test_slips_are_told(folder: Path, text: str) -> None:
    """A mutated file plans, or fails with diagnostics that render, each at a place or with a hint."""
    path = folder / "mutated.evalfile"
    path.write_text(text)
    for diagnostic in mistakes(path):
        assert render([diagnostic]).startswith("error: ")
        shown = to_json(diagnostic)
        assert shown["labels"]
        for label in shown["labels"]:
            assert 0 <= label["start"] <= label["end"]


@LIMITS
@given(text=mutated())
def test_formatting_keeps_the_plan(folder: Path, text: str) -> None:
    """A file that plans has the same plan after formatting."""
    path = folder / "mutated.evalfile"
    path.write_text(text)
    try:
        before = planned(path)
    except EvalmakeError:
        return
    path.write_text(format_source(Source("mutated", text)))
    assert planned(path) == before
