"""The `native` harness: your own data, prompts from fields, a scorer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from evalmake.harnesses.native import checks
from evalmake.harnesses.scores_file import read_scores
from evalmake.language.values import Files, Symbol
from evalmake.plugin_api.harness import Command, Outcome
from evalmake.project.key_types import Block, ModelName, Real, Texts
from evalmake.project.matrix import Evaluation

Scorer = Literal["exact", "number", "choice", "contains", "regex", "f1", "python", "judge"]


def _symbol_text(value: object) -> object:
    return value.text if isinstance(value, Symbol) else value


class NativeHarness:
    """Runs `evalmake.harnesses.native` on the benchmark's files."""

    class Settings(Block):
        """What `harness = native` may say."""

        prompt: str
        system: str | None = None
        target: str | None = None
        choices: str | Texts | None = None
        scorer: Annotated[Scorer | None, BeforeValidator(_symbol_text)] = None  # choice with choices, else exact
        pattern: str | None = None
        extract: str | None = None
        scorer_file: Files | None = None
        function: str | None = None
        judge: ModelName | None = None
        rubric: str | None = None
        examples: Files | None = None
        coverage: Real = Field(default=1.0, ge=0, le=1)
        ignore_case: bool = True
        id: str | None = None
        cluster: str | None = None

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    placement: ClassVar[tuple[str, ...]] = ("coverage",)
    check_benchmark = staticmethod(checks.check_benchmark)
    check_cell = staticmethod(checks.check_cell)

    def command(self, evaluation: Evaluation) -> Command:
        """Build `python -m evalmake.harnesses.native task.json`, with the data files."""
        block, settings = evaluation.benchmark.block, evaluation.benchmark.settings
        assert isinstance(settings, NativeHarness.Settings)
        inputs: dict[str, Path] = {}

        def add_inputs(files: Files | None, folder: str) -> list[str]:
            names = [f"{folder}/{file.name}" for file in files.files] if files else []
            inputs.update(zip(names, (f.path for f in files.files), strict=True) if files else ())
            return names

        task: dict[str, Any] = {
            "files": add_inputs(block.files, "inputs"),
            "examples": add_inputs(settings.examples, "examples"),
            "fewshot": block.fewshot,
        }
        scorer = add_inputs(settings.scorer_file, "scorer")
        task |= {"scorer_file": scorer[0]} if scorer else {}
        plain = settings.model_dump(exclude={"examples", "scorer_file", "judge"}, exclude_none=True)
        task = {key: value for key, value in {**plain, **task}.items() if value not in (None, [])}
        files = {"task.json": json.dumps(task, indent=1, ensure_ascii=False)}
        return Command(("{python}", "-P", "-m", "evalmake.harnesses.native", "task.json"), files, inputs)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """Read `scores.json`; on failure, the first `error:` line of its log."""
        if status != 0:
            return Outcome(error=_read_error_line(outputs.parent / "log") or f"exit status {status}")
        return read_scores(outputs / "scores.json", evaluation.benchmark.block.metric)


def _read_error_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return errors[0] if errors else (lines[-1] if lines else "")
