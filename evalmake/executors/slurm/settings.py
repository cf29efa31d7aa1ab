"""What `backend = slurm` may say."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from evalmake.executors.setting_types import Bare, Mounts
from evalmake.language.values import Duration
from evalmake.project.key_types import Block, Texts

_OURS = (
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
_OUR_LETTERS = "aDeJMoW"


def _lines(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        if "\n" in text:
            raise ValueError("each is one line: a list has several")
    return texts


def _directives(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in _lines(texts):
        if not text.startswith("-"):
            raise ValueError(f'`{text}` is no option of sbatch, such as "--exclusive"')
        name = re.split(r"[=\s]", text)[0]
        if name.startswith("--"):  # sbatch takes beginnings of names, too
            ours = len(name) > 3 and any(one.startswith(name[2:]) for one in _OURS)
        else:
            ours = name[1:2] in _OUR_LETTERS
        if ours:
            raise ValueError(f"`{name}` is evalmake's own: jobs are found by it")
    return texts


def _plain(host: str | None) -> str | None:
    if host is not None and (host.startswith("-") or re.search(r"\s", host)):
        raise ValueError("a host is what ssh takes: HOST, USER@HOST, ssh://USER@HOST:PORT")
    return host


def _on_one_node(container: str, info: ValidationInfo) -> str:
    if container in ("docker", "podman") and (info.data.get("nodes") or 1) > 1:
        raise ValueError(f"{container} runs images on one node: leave out `nodes`, or take another")
    return container


Lines = Annotated[Texts, AfterValidator(_lines)]


class Settings(Block):
    """`host` is the login node, reached by ssh; without it, sbatch and the others are on this host.

    `work` is the folder of jobs on the login node and the nodes, below the home folder there unless it
    is absolute; without `host` jobs are in the workspace itself, which nodes must have, too. `python`
    runs gateways on the nodes, and needs evalmake. `array` is how many jobs at most go out as one array;
    `poll` how long the controller is left alone at most. With `colocate` evaluations that ask a server of
    the same executor run in that server's allocation. `modules` are loaded, and the lines of
    `prologue` run, before each job. `image` is what evaluations run in whose benchmark names none.
    """

    host: Annotated[str | None, AfterValidator(_plain)] = None
    work: str | None = None
    account: str | None = None
    partition: str | None = None
    qos: str | None = None
    reservation: str | None = None
    constraint: str | None = None
    nodes: Annotated[int, Field(ge=1)] | None = None
    gres: str | None = None
    time: Duration | None = None
    comment: str | None = None
    directives: Annotated[Texts, AfterValidator(_directives)] = ()
    modules: Lines = ()
    prologue: Lines = ()
    container: Annotated[
        Literal["none", "pyxis", "apptainer", "docker", "podman"],
        Bare,
        AfterValidator(_on_one_node),
    ] = "none"
    image: str | None = None
    mounts: Mounts = ()
    python: str | None = None
    array: Annotated[int, Field(ge=1)] = 500
    poll: Duration = Duration(30)
    colocate: bool = False
