"""One list of checks, which `evalmake -n` and a build both run before anything starts."""

from __future__ import annotations

import inspect

import pytest

from evalmake.language.diagnostic import Diagnostics
from evalmake.preflight import run_all
from evalmake.preflight.hub_datasets import check_hub_datasets
from evalmake.preflight.secrets import check_secrets
from tests.support.projects import Project

EVALFILE = """\
model m {
    endpoint = "http://127.0.0.1:1/v1"
    name     = "m"
    api_key  = secret("UNSET_KEY")
}

benchmark b {
    harness = command
    run     = "touch ../../../started"
}

eval e {
    model     = m
    benchmark = b
}

report r {
    of   = [e]
    path = "r.md"
}
"""
CHECKS = (*run_all.GRAPH_CHECKS, *run_all.BUILD_CHECKS)


@pytest.fixture
def refusing(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with an unset secret, whose key is set when a test says so."""
    project.write("Evalfile", EVALFILE)
    monkeypatch.delenv("UNSET_KEY", raising=False)
    return project


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("flags", [("-n",), ()], ids=["dry-run", "build"])
def test_both_run_each_check(
    check: object, flags: tuple[str, ...], refusing: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What any check finds is an error of `-n` and of a build, with status 2, and nothing has started."""

    def refuse(context: object, found: Diagnostics) -> None:
        found.error("not-available", "this check was run")

    for name in ("GRAPH_CHECKS", "BUILD_CHECKS"):
        checks = tuple(refuse if each is check else each for each in getattr(run_all, name))
        monkeypatch.setattr(run_all, name, checks)
    said = refusing.run(*flags, env={"UNSET_KEY": "key"}, status=2)
    assert "error: this check was run [not-available]" in said.stderr
    assert not (refusing.root / "started").exists()


def test_an_unset_secret_is_a_note_of_the_plan(refusing: Project) -> None:
    """`-n` needs no key: it names the secret, and its status is 0. A build refuses."""
    planned = refusing.run("-n")
    assert "unset: UNSET_KEY; " in planned.stdout
    assert planned.stderr == ""
    assert "[missing-secret]" in refusing.run(status=2).stderr
    assert frozenset({check_secrets, check_hub_datasets}) == run_all.NOTES_OF_DRY_RUN


def test_the_plan_is_shown_before_its_errors(refusing: Project) -> None:
    """`-n` shows a plan that cannot be built, then why; a build ends with the same error."""
    refusing.write("Evalfile", EVALFILE.replace('"r.md"', '"r.md"\n    format = in-toto'))
    planned = refusing.run("-n", status=2, env={"UNSET_KEY": "key"})
    assert "  + e   never run\n" in planned.stdout
    built = refusing.run(status=2, env={"UNSET_KEY": "key"})
    assert planned.stderr == built.stderr
    assert "error: report `r` has no key to sign with [missing-key]" in built.stderr
    assert not (refusing.root / "started").exists()


def test_evidence_needs_a_key(refusing: Project) -> None:
    """Evidence without a key is refused with how to make one."""
    refusing.write("Evalfile", EVALFILE.replace('"r.md"', '"r.md"\n    format = in-toto'))
    said = refusing.run("-n", status=2, env={"UNSET_KEY": "key"}).stderr
    assert 'help: make one by `evalmake key new audit`, and add `sign = file("audit.key")`' in said


def test_a_shortage_is_reported_before_packages_are_installed(refusing: Project) -> None:
    """Too few GPUs, and packages that no index has: the shortage is the error."""
    text = EVALFILE.replace("    run ", '    packages = ["no-such-package==1"]\n    run ')
    text = text.replace("benchmark = b\n", "benchmark = b\n    resources = { gpus = 99 }\n")
    refusing.write("Evalfile", f"executor local {{ backend = process, gpus = 2 }}\n{text}")
    for flags in (("-n",), ()):
        said = refusing.run(*flags, status=2, env={"UNSET_KEY": "key"})
        assert "executor `local` has 2 GPUs, and e needs 99 at once [executor-lacks]" in said.stderr
        assert "no-such-package" not in said.stderr


def test_every_check_says_what_it_checks() -> None:
    """The list has a comment for each check, and each check a docstring."""
    source = inspect.getsource(run_all)
    for check in CHECKS:
        assert f"    {check.__name__},  # " in source
        assert check.__doc__
