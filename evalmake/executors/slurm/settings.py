"""The settings of `backend = slurm`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from evalmake.executors.setting_types import Mounts, Unquoted
from evalmake.language.values import Duration
from evalmake.project.key_types import Block, Texts, define_key

_RESERVED = (
    "array",
    "chdir",
    "clusters",
    "comment",
    "error",
    "job-name",
    "no-requeue",
    "output",
    "parsable",
    "requeue",
    "test-only",
    "wait",
    "wrap",
)
_RESERVED_LETTERS = "aDeJMoW"


def _check_lines(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        if "\n" in text:
            raise ValueError("each is one line: write several as a list")
    return texts


def _check_directives(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in _check_lines(texts):
        if not text.startswith("-"):
            raise ValueError(f'`{text}` is not an option of sbatch, such as "--exclusive"')
        name = re.split(r"[=\s]", text)[0]
        if name.startswith("--"):  # sbatch accepts abbreviations of names
            is_reserved = len(name) > 3 and any(one.startswith(name[2:]) for one in _RESERVED)
        else:
            is_reserved = name[1:2] in _RESERVED_LETTERS
        if is_reserved:
            raise ValueError(f"evalmake sets `{name}` itself, to find jobs again")
    return texts


def _check_host(host: str | None) -> str | None:
    if host is not None and (host.startswith("-") or re.search(r"\s", host)):
        raise ValueError("write a host as for ssh: HOST, USER@HOST or ssh://USER@HOST:PORT")
    return host


def _check_one_node(container: str, info: ValidationInfo) -> str:
    if container in ("docker", "podman") and (info.data.get("nodes") or 1) > 1:
        raise ValueError(f"{container} runs images on one node only: remove `nodes`, or use another container runtime")
    return container


def _check_total_time(total: Duration | None, info: ValidationInfo) -> Duration | None:
    time: Duration | None = info.data.get("time")
    if total is not None and time is not None and total.seconds < time.seconds:
        raise ValueError(f"it is less than the `time` of one job, {time}: raise `total_time`, or lower `time`")
    return total


Lines = Annotated[Texts, AfterValidator(_check_lines)]


class Settings(Block):
    """Jobs are jobs of a Slurm cluster."""

    host: Annotated[str | None, AfterValidator(_check_host)] = define_key(
        None, "The login node, reached by ssh.", '"me@login.acme.com"', unset="Slurm is on this host"
    )
    work: str | None = define_key(
        None,
        "The folder of jobs on the cluster; the nodes must see it.",
        '"/scratch/evals"',
        unset=".evalmake/jobs in your home folder there",
    )
    account: str | None = define_key(None, "The account to charge, as for `sbatch`.", '"evals"')
    partition: str | None = define_key(None, "The partition, as for `sbatch`.", '"gpu"')
    qos: str | None = define_key(None, "The quality of service, as for `sbatch`.", '"high"')
    reservation: str | None = define_key(None, "The reservation, as for `sbatch`.", '"audit"')
    constraint: str | None = define_key(None, "The features that a node must have, as for `sbatch`.", '"h100"')
    nodes: Annotated[int, Field(ge=1)] | None = define_key(None, "How many nodes a model server spans.", "2", unset="1")
    gres: str | None = define_key(None, "Generic resources, as for `sbatch`.", '"tmpdisk:100"')
    time: Duration | None = define_key(None, "The time limit of a job.", "4h", unset="the default of the partition")
    total_time: Annotated[Duration | None, AfterValidator(_check_total_time)] = define_key(
        None, "How long a job and those that resume it may run in all.", "24h", unset="jobs are not resumed"
    )
    comment: str | None = define_key(None, "A comment on each job, as for `sbatch`.", '"nightly"')
    directives: Annotated[Texts, AfterValidator(_check_directives)] = define_key(
        (), "More options for `sbatch`.", '["--exclusive"]'
    )
    modules: Lines = define_key((), "Environment modules that each job loads.", '["cuda/12.4"]')
    prologue: Lines = define_key((), "Lines of shell that run before each job.", '["export HF_HOME=/scratch/hub"]')
    container: Annotated[
        Literal["none", "pyxis", "apptainer", "docker", "podman"],
        Unquoted,
        AfterValidator(_check_one_node),
    ] = define_key("none", "The program that runs images on the nodes.", "pyxis")
    image: str | None = define_key(None, "The image for benchmarks that name none.", '"acme/evals:1"')
    mounts: Mounts = define_key(
        (), "Folders of the node that containers see; read-only unless they end in `:rw`.", '["/lustre/data:/data"]'
    )
    python: str | None = define_key(
        None,
        "The Python on the nodes; evalmake must be installed for it.",
        '"/opt/evalmake/bin/python"',
        unset="the Python that runs evalmake; with `host`, python3",
    )
    array: Annotated[int, Field(ge=1)] = define_key(500, "How many jobs at most are submitted as one array.", "100")
    poll: Duration = define_key(
        Duration(30), "How long evalmake waits at most before it asks the controller again.", "1m"
    )
    colocate: bool = define_key(
        False, "Runs evaluations inside the allocation of the model server that they use.", "true"
    )
