"""Every code has a page, every page a code, and what the pages show is true."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalmake.language.malformed_examples import EXAMPLES
from tests.support.pages import CAUSES, MENDED, PACKAGE, PAGES, blocks
from tests.support.projects import Project

TOO_LONG = (f'TEXT = "{"x" * 300_000}"\n', "TEXT = 'x'\n")  # the page only speaks of it


def codes_in(path: Path) -> Iterator[str]:
    """The codes that a source file gives to `error`, `make_error` or `make_diagnostic`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        first = node.args[0]
        branches = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
        for branch in branches:
            code = getattr(branch, "value", None)
            plain = isinstance(code, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
            if plain and len(node.args) > 1 and name in ("error", "make_error", "make_diagnostic"):
                yield code


def codes_said(text: str) -> set[str]:
    """The codes of the errors in what evalmake prints."""
    return set(re.findall(r"^error: .* \[([a-z0-9-]+)\]$", text, re.MULTILINE))


def test_every_code_has_a_page() -> None:
    """A code without a page, or a page without a code, is a mistake."""
    codes = {code for path in PACKAGE.rglob("*.py") for code in codes_in(path)} | set(EXAMPLES)
    assert len(codes) > 60
    assert set(PAGES) == codes


@pytest.mark.parametrize("code", sorted(PAGES))
def test_pages_have_one_form(code: str, project: Project) -> None:
    """A page begins with its code, ends in how to mend it, and `explain` prints it."""
    page = PAGES[code]
    assert page.startswith(f"# {code}\n\n")
    assert MENDED in page
    assert CAUSES in page or "\n## How it looks\n\n```\n$ evalmake" in page
    prose = re.sub(r"^```\n.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    assert max(map(len, prose.splitlines())) <= 120
    assert page.strip() in project.run("explain", code).stdout


def test_the_list_has_whole_sentences(project: Project) -> None:
    """A line of the list ends with its sentence, not at a colon, or shows that it was cut."""
    lines = project.run("explain").stdout.partition("\n\n")[0].splitlines()
    assert len(lines) == len(PAGES)
    assert all(line.endswith((".", "...")) for line in lines)


@pytest.mark.parametrize("code", sorted(code for code, page in PAGES.items() if CAUSES in page))
def test_causes_and_mends(code: str, project: Project) -> None:
    """The first Evalfile gives exactly that code when it is planned, the second plans.

    To be short, the second may have nothing to plan.
    """
    bad, good = TOO_LONG if code == "too-large" else blocks(PAGES[code])
    project.write("Evalfile", bad)
    said = project.run("-n", status=2).stderr
    assert codes_said(said) == {code}
    project.write("Evalfile", good)
    planned = project.run("-n", status=None)
    assert planned.stdout or codes_said(planned.stderr) == {"no-targets"}
