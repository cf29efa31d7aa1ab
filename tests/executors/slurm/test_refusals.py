"""What a cluster cannot do is said before anything is submitted."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.support.projects import Project

FAR = 'executor cluster { backend = slurm, host = "nowhere.invalid" }\n'
NEAR = "executor cluster { backend = slurm }\n"
HOSTED = 'model subject { endpoint = "http://127.0.0.1:9/v1", name = "subject" }\n'
SCRIPTED = 'benchmark scripted { harness = command, run = "true" }\n'
ASKED = "eval asked { model = subject, benchmark = scripted, executor = cluster }\n"
INSTALLED = """\
benchmark scripted {
    harness  = lm-eval
    packages = ["lm-eval[api]==0.4.13"]
    task     = "gsm8k"
}
"""
SERVED = """\
deployment server {
    engine   = vllm
    executor = EXECUTOR
    MORE
}
model subject { deployment = server }
"""


def served(executor: str, more: str = 'weights = "/models/acme"') -> str:
    """A model that a server on an executor is to stand for."""
    return SERVED.replace("EXECUTOR", executor).replace("MORE", more)


def said(project: Project, *texts: str, words: tuple[str, ...] = ()) -> str:
    """What evalmake says of an Evalfile that it refuses to run."""
    project.write("Evalfile", "".join(map(dedent, texts)))
    told = project.run(*words, status=2).stderr
    assert not (project.root / ".evalmake" / "work").exists()
    return told


@pytest.mark.parametrize("harness", ["benchmark", "deployment"])
def test_packages_behind_ssh(harness: str, project: Project) -> None:
    """Packages of this host do not exist on the cluster: the message suggests an image or the executor's Python."""
    if harness == "benchmark":
        told = said(project, FAR, HOSTED, INSTALLED, ASKED)
    else:
        more = 'weights = "/models/acme"\n    packages = ["vllm==0.11.0"]'
        told = said(project, FAR, served("cluster", more), SCRIPTED, ASKED)
    assert "executor `cluster` (slurm) does not see this host's files" in told
    assert "but `packages` are installed here [executor-lacks]" in told
    assert "help: use an `image` that contains them" in told
    assert "help: or install them for the executor's `python`, and leave out `packages`" in told


def test_weights_behind_ssh(project: Project) -> None:
    """Weights of this host are refused for a cluster behind ssh."""
    project.write("acme/config.json", "{}")
    told = said(project, FAR, served("cluster", 'weights = glob("acme/*")'), SCRIPTED, ASKED)
    assert "such as the weights [executor-lacks]" in told


@pytest.mark.parametrize("executor", ["local", "other"])
def test_server_elsewhere(executor: str, project: Project) -> None:
    """A job on a cluster with a server on this host or on another cluster is refused."""
    places = "executor local { backend = process }\nexecutor other { backend = slurm }\n"
    told = said(project, NEAR, places, served(executor), SCRIPTED, ASKED)
    assert "evaluations on `cluster` (slurm) reach only servers on it" in told
    assert f"help: give the deployment `executor = cluster`, or the eval `executor = {executor}`" in told


def test_several_nodes(project: Project) -> None:
    """A server that cannot be on several nodes is not given them, nor is what runs images on one node only."""
    nodes = NEAR.replace("slurm", "slurm, nodes = 2")
    server = served("cluster", "").replace("vllm", "mock")
    told = said(project, nodes, server, SCRIPTED, ASKED)
    assert "executor `cluster` gives 2 nodes, but the `mock` engine uses only one [executor-lacks]" in told
    podman = nodes.replace("nodes = 2", "nodes = 2, container = podman")
    told = said(project, podman, served("cluster"), SCRIPTED, ASKED)
    assert "podman runs images on one node only: remove `nodes`, or use another container runtime [bad-value]" in told


def test_harness_of_the_executors_python(project: Project) -> None:
    """A harness without packages is looked for here only where it would run in evalmake's own Python."""
    harness = INSTALLED.replace('    packages = ["lm-eval[api]==0.4.13"]\n', "")
    secret = HOSTED.replace(" }", ', api_key = secret("NO_SUCH_KEY") }')  # so that nothing is submitted
    told = said(project, NEAR, secret, harness, ASKED)
    assert "[missing-harness]" in told
    told = said(project, FAR, secret, harness, ASKED)
    assert "[missing-harness]" not in told
    assert "[missing-secret]" in told


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (("executor cluster { backend = process }\n", HOSTED), "(process) need evalmake while they run"),
        ((NEAR, served("cluster")), "evalmake watches deployment `server`"),
    ],
)
def test_detached(texts: tuple[str, ...], why: str, project: Project) -> None:
    """`--detach` is refused for jobs that need evalmake while they run."""
    told = said(project, *texts, SCRIPTED, ASKED, words=("--detach",))
    assert "eval `asked` cannot be detached: " in told
    assert why in told
    assert "[not-available]" in told
    assert "help: leave out --detach" in told


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ('container = apptainer, work = "/scratch/a,b"', "apptainer cannot give `/scratch/a,b` to a container: `,`"),
        ('container = docker, work = "/scratch/a:b"', "docker cannot give `/scratch/a:b` to a container: `:`"),
        ('container = pyxis, mounts = ["/data,old:/data"]', "pyxis cannot give `/data,old` to a container: `,`"),
    ],
)
def test_paths_that_no_container_can_be_given(settings: str, part: str, project: Project) -> None:
    """Commas and colons separate paths in the options of runtimes, so a path with one is refused."""
    far = f'executor cluster {{ backend = slurm, host = "nowhere.invalid", {settings} }}\n'
    boxed = 'benchmark scripted { harness = command, run = "true", image = "python:3.12" }\n'
    assert part in said(project, far, HOSTED, boxed, ASKED)
