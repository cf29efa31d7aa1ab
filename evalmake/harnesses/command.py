"""Any program is a harness: it is told the model by $EVALMAKE_... and leaves its scores in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from evalmake.harnesses.scores import from_map, read_scores
from evalmake.planner.ports import Command, Outcome
from evalmake.project.expand import Evaluation
from evalmake.project.schema import Block


class CommandHarness:
    """Runs `run` in a shell."""

    class Settings(Block):
        """`run` is a shell text; `metrics` maps a metric to FILE:path.to.number in the outputs."""

        run: str
        metrics: dict[str, str] | None = None

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""

    def command(self, evaluation: Evaluation) -> Command:
        """The shell text, with the benchmark's files below `data/`."""
        settings = evaluation.benchmark.settings
        assert isinstance(settings, CommandHarness.Settings)
        files = evaluation.benchmark.block.files
        inputs = {f"data/{file.name}": file.path for file in files.files} if files else {}
        return Command(("/bin/sh", "-eu", "run.sh"), {"run.sh": settings.run}, inputs)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """Scores from `metrics`, else from `scores.json`."""
        if status != 0:
            return Outcome(error=f"exit status {status}")
        settings = evaluation.benchmark.settings
        assert isinstance(settings, CommandHarness.Settings)
        metric = evaluation.benchmark.block.metric
        if not settings.metrics:
            return read_scores(outputs / "scores.json", metric)
        found: dict[str, Any] = {}
        for name, where in settings.metrics.items():
            value = _look_up(outputs, where)
            if isinstance(value, str):
                return Outcome(error=f"metric `{name}`: {value}")
            found[name] = value
        return from_map(found, metric, {})


def _look_up(outputs: Path, where: str) -> float | str:
    """The number at FILE:a.b[0].c (a bare path looks in scores.json), or why there is none."""
    name, _, path = where.rpartition(":")
    file = outputs / (name or "scores.json")
    try:
        value: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"{file.name} is missing or is not JSON"
    for step in path.replace("[", ".").replace("]", "").split("."):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, ValueError, TypeError):
            return f"{file.name} has nothing at `{path}`"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{file.name} has no number at `{path}`"
    return float(value)
