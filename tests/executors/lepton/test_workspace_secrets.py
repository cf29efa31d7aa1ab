"""Secrets that a workspace has: jobs get them by their names, and they outlive everything that evalmake makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.executors.contract import ended, job
from tests.executors.lepton.renting import Made, making
from tests.executors.lepton.test_emulator import ask
from tests.executors.lepton.test_lepton import ready, served
from tests.support.lepton_service import Lepton
from tests.support.projects import Project

HELD = {"hf-read": "theirs", "other": "no"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The executor's folder."""
    return tmp_path / "work"


@pytest.fixture
def make(root: Path, service: Lepton) -> Iterator[Made]:
    """An executor in a workspace that has two secrets."""
    ask(service, "POST", "/usersecrets", [{"name": name, "value": value} for name, value in HELD.items()])
    with making(root, service) as make:
        yield make
    for name in HELD:
        ask(service, "DELETE", f"/usersecrets/{name}")


def test_a_job_gets_them(make: Made, root: Path, service: Lepton) -> None:
    """A variable has its value from the secret that is named; the job's own variables win, and all secrets stay."""
    executor = make(secrets={"TOKEN": "hf-read", "A_KEY": "other", "PLAIN": "other"})
    one = job(root, 'echo "$TOKEN $A_KEY $PLAIN" > out/seen')
    executor.submit(replace(one, env={**one.env, "PLAIN": "own"}), {"A_KEY": "ours"})
    assert ended(executor).status == 0
    [seen] = service.client("client.job.list_all()")
    named = {env["name"]: env["value_from"]["secret_name_ref"] for env in seen["spec"]["envs"]}
    assert named == {"TOKEN": "hf-read", "A_KEY": f"{seen['metadata']['name']}-A_KEY"}
    executor.fetch("job.1", root / "job.1")
    assert (root / "job.1" / "out" / "seen").read_text() == "theirs ours own\n"
    executor.sweep()
    assert sorted(service.state()["secrets"]) == sorted(HELD)


def test_they_outlive_an_endpoint_that_a_later_build_removes(make: Made, root: Path, service: Lepton) -> None:
    """An endpoint that is found again takes its own secrets with it, and none of the workspace's."""
    first = make(secrets={"TOKEN": "hf-read"})
    first.submit(served(root), {"A_KEY": "ours"})
    ready(first)
    again = make(secrets={"TOKEN": "hf-read"})
    ready(again)
    again.cancel("served.s1")
    assert sorted(service.state()["secrets"]) == sorted(HELD)


def test_unknown_secrets(make: Made, root: Path, service: Lepton) -> None:
    """A secret that the workspace lacks is refused before anything is created; the error lists those that it has."""
    with pytest.raises(OSError, match="the workspace has no secret named hf-red; there are: hf-read, other"):
        make(secrets={"TOKEN": "hf-red"}).submit(job(root, "true"), {})
    assert service.state()["made"]["jobs"] == 0


@pytest.mark.parametrize(
    ("secrets", "why"),
    [
        ('{ "MY TOKEN" = "hf" }', "`MY TOKEN` is no name of a variable"),
        ('{ TOKEN = "" }', "`TOKEN`: write the name of a secret of the workspace"),
        ('{ TOKEN = secret("TOKEN") }', "secret"),
    ],
)
def test_mistakes(project: Project, secrets: str, why: str) -> None:
    """Each has a message."""
    project.write("Evalfile", f"executor lepton {{\n    backend = lepton\n    secrets = {secrets}\n}}\n")
    told = project.run("list", status=2).stderr
    assert why in told
    assert "[bad-value]" in told or "[wrong-type]" in told or "[secret-place]" in told


def test_the_catalog_knows_them(project: Project) -> None:
    """A variable that a public benchmark requires may come from the workspace."""
    text = """\
    include "catalog:simple-evals"
    executor lepton {
        backend = lepton
        shape   = "cpu.small"
        work    = "node-nfs:shared:/"
        here    = "/mnt"
        SECRETS
    }
    model hosted {
        endpoint = "https://api.example.com/v1"
        name     = "m"
    }
    eval asked {
        model     = hosted
        benchmark = simple-evals.gpqa-diamond
        executor  = lepton
    }
    """
    note = "HF_TOKEN in the `env` of executor `lepton`"
    project.write("Evalfile", text.replace("SECRETS", ""))
    without = project.run("-n")
    project.write("Evalfile", text.replace("SECRETS", 'secrets = { HF_TOKEN = "hf" }'))
    held = project.run("-n")
    assert (note in without.stdout + without.stderr, note in held.stdout + held.stderr) == (True, False)
