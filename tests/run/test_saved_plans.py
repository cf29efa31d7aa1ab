"""A plan that was approved is compared before anything of the Evalfile runs."""

from __future__ import annotations

import pytest

from tests.support.workspaces import SCORE, TRIED, Bench


@pytest.mark.parametrize("words", [(), ("tried", "more")])
def test_no_package_is_installed_that_the_plan_does_not_have(bench: Bench, words: tuple[str, ...]) -> None:
    """To build a package is to run its code: one that was added after the approval is told, and nothing of it runs."""
    bench.job(SCORE)
    bench.evalfile(TRIED)
    assert bench.run("-n", "-o", "plan.json", "tried").status == 0
    package, mark = bench.root / "package", bench.root / "ran"
    package.mkdir()
    (package / "setup.py").write_text(f"open({str(mark)!r}, 'w')\nfrom setuptools import setup\nsetup(name='evil')\n")
    added = TRIED.replace("harness = command", f'harness = command\n    packages = ["evil @ file://{package}"]')
    bench.evalfile(added + ("eval more from tried {}\n" if words else ""))
    ended = bench.run("--plan", "plan.json", *words)
    assert ended.status == 2
    assert "[plan-moved]" in ended.err
    assert "tried/1 and 7 more: packages[0]: (none) -> " in ended.err
    assert ("more/1 was not in the plan" in ended.err) is bool(words)
    assert not mark.exists()
