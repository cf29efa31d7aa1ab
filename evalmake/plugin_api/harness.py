"""A harness writes the command of an evaluation and reads its outputs; entry-point group `evalmake.harnesses`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import BaseModel

from evalmake.project.matrix import Evaluation
from evalmake.scoring.score import Score


@dataclass(frozen=True, slots=True)
class Command:
    """What a harness wants run: `{python}` in argv is an interpreter that has evalmake.

    For a harness with a `program`, it is one that has that: where a benchmark names `packages`, that of
    their environment.
    """

    argv: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a harness's outputs say: scores, or why there are none. `metric` is the headline one."""

    scores: tuple[Score, ...] = ()
    metric: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """What a harness or engine runs and does not bring: a module, and the `packages` that it takes.

    An engine's is known by its `command`, which must be found where there are no packages.
    """

    module: str
    requirement: str
    others: tuple[str, ...] = ()
    command: str = ""
    list_tasks: str = ""
    """A Python program that prints the names of all tasks, a line each; it runs where the module is installed."""

    @property
    def distribution(self) -> str:
        """The requirement's name, as package indexes normalise it."""
        name = re.split(r"[^\w.-]", self.requirement, maxsplit=1)[0]
        return re.sub(r"[-_.]+", "-", name).lower()


class Harness(Protocol):
    """Writes the command of an evaluation and reads its outputs.

    `behaviour` is raised when what it asks of the model or how it scores changes, and only then:
    it is part of every identity.  Two functions that a harness may have beside these add to
    `found: Diagnostics` what would only fail when it runs: `check_benchmark(benchmark: Declared,
    found)` as an Evalfile is loaded, `check_cell(cell: Evaluation, models: Mapping[str, Declared],
    found)` for each pairing with a model that was asked for.  A harness that runs a program of
    someone else's names it as `program: ClassVar[Program]`; where it is lacking, evalmake says so.
    """

    Settings: ClassVar[type[BaseModel]]
    behaviour: ClassVar[int]
    needs: ClassVar[str]  # "" | why it cannot run in this installation

    def command(self, evaluation: Evaluation) -> Command:
        """The command; it says $EVALMAKE_MODEL_URL, never a URL."""

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """Judge an ended run by its exit status and what lies in `outputs`."""
