"""What works where, as evalmake itself says of a plan: the page `what-works-where`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import dedent

from tests.executors.all_backends.places import BACKENDS, EXECUTORS
from tests.support.projects import Project
from tests.support.workspaces import SUMS

ELSEWHERE, LOOPBACK = "an endpoint elsewhere", "an endpoint of this host's loopback"
MODEL = 'model subject {{ endpoint = "{url}", name = "subject" }}\n'
DEPLOYED = """\
deployment server {{
    engine   = mock
    executor = {executor}
    {image}
}}
model subject {{ deployment = server }}
"""
NEEDS_IMAGE = ("box", "far")
SERVICES = {
    ELSEWHERE: MODEL.format(url="https://models.example/v1"),
    LOOPBACK: MODEL.format(url="http://127.0.0.1:9/v1"),
    **{
        f"a deployment on `{backend}`": DEPLOYED.format(
            executor=name, image='image = "acme/mock:1"' if name in NEEDS_IMAGE else ""
        )
        for name, backend in BACKENDS.items()
    },
}
"""What the model is."""
HARNESSES = {
    "native": SUMS.replace("benchmark sums", "benchmark asked"),
    "command": 'benchmark asked {\n    harness = command\n    run     = "true"\n    PACKAGES\n}\n',
    "lm-eval": 'benchmark asked {\n    harness = lm-eval\n    task    = "gsm8k"\n    PACKAGES\n}\n',
    "inspect": 'benchmark asked {\n    harness = inspect\n    task    = "evals/gsm8k"\n    PACKAGES\n}\n',
    "nemo": 'benchmark asked {\n    harness = nemo\n    task    = "simple_evals.mgsm"\n    PACKAGES\n}\n',
}
PACKAGES = {
    "lm-eval": "lm-eval[api]==0.4.13",
    "inspect": "inspect-ai==0.3.285",
    "nemo": "nvidia-simple-evals==26.3",
}
ASKED = "eval asked { model = subject, benchmark = asked, executor = WHERE }\n"
IMAGE = 'image = "acme/harness:1"'
PROVIDED = ("nothing", "`packages`", "`image` of the benchmark", "`image` of the executor")
"""What a harness of somebody else's is in."""
FAR_CLUSTER = 'executor login { backend = slurm, host = "login.example", container = pyxis }\n'


TEXT = """\
# What works where

Look up here whether a harness runs on an executor with a model. `yes` means that evalmake finds nothing wrong with the
plan. Otherwise evalmake refuses the plan before anything starts. The number leads to its message below the tables, and
`evalmake explain CODE` says more.

A test compares this page with what evalmake says of each of these plans. For `native` and `command`, tests also run
every evaluation that the page says `yes` to: with a Docker engine, a Slurm cluster and an emulator of Lepton.

In this table, the harnesses have their `packages` on `process` and `slurm`. On `docker` and `lepton` the executor has
an `image`.

{services}

This table is about a harness that evalmake does not bring, such as lm-eval, with an endpoint elsewhere. The rows say
where the harness comes from.

{ways}

{messages}
"""


@dataclass(frozen=True)
class Said:
    """What was said of a plan: `code` and `message` are empty where nothing was wrong."""

    code: str = ""
    message: str = ""


def said(project: Project, *texts: str) -> Said:
    """What evalmake says of an Evalfile's plan."""
    project.write("sums.jsonl", '{"question": "?", "answer": 1}\n')
    project.write("Evalfile", "".join(map(dedent, texts)))
    errors = project.run("-n", status=None).stderr
    found = re.findall(r"^error: (.*) \[([a-z-]+)\]$", errors, re.MULTILINE)
    assert found or not errors, errors
    return Said(found[0][1], found[0][0]) if found else Said()


def executors(image: bool = True) -> str:
    """All executors; those of containers have an image for what names none, or not."""
    text = EXECUTORS.format(
        engine="unix:///run/docker.sock",
        base="acme/evals:1",
        package="/src",
        packages="/packages",
        lepton="https://lepton.example/api/v2/workspaces/acme",
        volume="/mnt/shared",
        python="python3",
    )
    text = text.replace("backend = slurm", "backend   = slurm\n    container = pyxis") + FAR_CLUSTER
    return text if image else re.sub(r"^ *image .*\n", "", text, flags=re.MULTILINE)


def by_service(project: Project) -> Iterator[tuple[str, str, dict[str, Said]]]:
    """For each executor and each model, what is said of each harness."""
    for name, backend in BACKENDS.items():
        for service, model in SERVICES.items():
            row = {}
            for harness, text in HARNESSES.items():
                installed = harness in PACKAGES and name not in NEEDS_IMAGE
                packages = f'packages = ["{PACKAGES[harness]}"]' if installed else ""
                benchmark = text.replace("PACKAGES", packages)
                asked = ASKED.replace("WHERE", name)
                row[harness] = said(project, executors(), model, benchmark, asked)
            yield backend, service, row


def by_provision(project: Project) -> Iterator[tuple[str, str, Said]]:
    """For each executor, what is said of a harness by what it is in."""
    packages = f'packages = ["{PACKAGES["lm-eval"]}"]'
    own = {PROVIDED[1]: packages, PROVIDED[2]: IMAGE}
    for name, backend in {**BACKENDS, "login": "slurm by ssh"}.items():
        for provided in PROVIDED:
            benchmark = HARNESSES["lm-eval"].replace("PACKAGES", own.get(provided, ""))
            text = executors(image=False)
            if provided == PROVIDED[3]:
                text = text.replace(f"executor {name} {{", f"executor {name} {{\n    {IMAGE}\n   ")
            asked = ASKED.replace("WHERE", name)
            yield backend, provided, said(project, text, SERVICES[ELSEWHERE], benchmark, asked)


def rendered(project: Project) -> str:
    """The page as it must be."""
    notes: dict[Said, int] = {}

    def cell(found: Said) -> str:
        if not found.code:
            return "yes"
        return f"`{found.code}` ({notes.setdefault(found, len(notes) + 1)})"

    services = [(backend, service, *map(cell, row.values())) for backend, service, row in by_service(project)]
    provided: dict[str, list[str]] = {}
    for _backend, way, found in by_provision(project):
        provided.setdefault(way, []).append(cell(found))
    ways = [(way, *cells) for way, cells in provided.items()]
    messages = [f"{number}. {found.message}" for found, number in notes.items()]
    return TEXT.format(
        services=_table(("evaluations on", "their model", *HARNESSES), services),
        ways=_table(("the harness is in", *BACKENDS.values(), "slurm by ssh"), ways),
        messages="\n".join(messages),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)
