"""Harnesses whose benchmarks load, format and plan here, and which cannot run in this version."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NoReturn

from evalmake.planner.ports import Command
from evalmake.project.expand import Evaluation
from evalmake.project.schema import Block


class _Unbuilt:
    """Refuses to run; `needs` says why before anything starts."""

    class Settings(Block):
        """No keys of its own yet."""

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = "this version of evalmake cannot run this harness"

    def command(self, evaluation: Evaluation) -> Command:
        """There is none."""
        raise NotImplementedError(self.needs)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> NoReturn:
        """There is none."""
        raise NotImplementedError(self.needs)


class LmEvalHarness(_Unbuilt):
    """EleutherAI's lm-evaluation-harness."""


class InspectHarness(_Unbuilt):
    """The UK AISI's Inspect."""
