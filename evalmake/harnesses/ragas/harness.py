"""The `ragas` harness: what a model or an agent replies, graded by upstream ragas.

The model and the judge are asked at their gateways alone. What ragas and LangChain would send elsewhere, analytics and
traces, is off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from evalmake.harnesses.own_jobs import read_modules, read_scores_of_samples
from evalmake.harnesses.ragas.rows import TASKS, Task, is_recorded, read_rows
from evalmake.harnesses.task_keys import refuse_dataset, refuse_fewshot, require_task
from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.plugin_api.harness import Command, DataError, Outcome, Program
from evalmake.project.adapter import merge_adapters
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, ModelName, Parameters, define_key
from evalmake.project.matrix import Evaluation
from evalmake.project.requirements import HEADLINE as THE_HEADLINE

_JOB = "evalmake.harnesses.ragas.job"
_QUIET = {"RAGAS_DO_NOT_TRACK": "true", "LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}
_MOST_MISTAKES = 20


class RagasHarness:
    """Grades by ragas."""

    class Settings(Block):
        """Upstream ragas: agents and answers, graded by a judge."""

        judge: ModelName | None = define_key(None, "The model that grades the replies.", "grader")
        metric_args: Parameters | None = define_key(
            None,
            "Arguments of the metric: `mode` of topic_adherence, `strict_order` of tool_call_accuracy.",
            '{ mode = "recall" }',
        )

    behaviour: ClassVar[int] = 1
    leaves_samples: ClassVar[bool] = True
    needs: ClassVar[str] = ""
    program: ClassVar[Program] = Program("ragas", "ragas==0.4.3", ("langchain-community==0.3.31",))

    @staticmethod
    def share_metrics(benchmark: Declaration) -> tuple[str, ...]:
        """All of them."""
        return (THE_HEADLINE, *{task.metric for task in TASKS.values()})

    def command(self, evaluation: Evaluation) -> Command:
        """Build the job's command; the rows are below `data/`."""
        block = evaluation.benchmark.block
        inputs = {f"data/{file.name}": file.path for file in block.files.files} if block.files else {}
        arguments = _settings_of(evaluation.benchmark).metric_args or {}
        task = {"task": block.task, "files": list(inputs), "metric_args": arguments}
        files = read_modules("evalmake.harnesses.job_requests", "evalmake.harnesses.ragas.rows", _JOB)
        files["task.json"] = json.dumps(task, ensure_ascii=False)
        python = "python3" if block.image else "{python}"
        return Command((python, "-m", _JOB), files, inputs, _QUIET)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """Score the samples."""
        block = evaluation.benchmark.block
        return read_scores_of_samples(outputs, status, TASKS[block.task].metric, block.metric)

    @staticmethod
    def unused_keys(benchmark: Declaration) -> dict[str, str]:
        """A judge, where none is asked."""
        task = TASKS.get(benchmark.block.task or "")
        return {} if task is None or task.judged else {"judge": "ragas compares the calls, and asks no judge"}

    @staticmethod
    def check_benchmark(benchmark: Declaration, diagnostics: Diagnostics) -> None:
        """Check that the task is known, and its arguments."""
        refuse_dataset(benchmark, "the rows are those of `files`", "give their files as `files`", diagnostics)
        known, spans, about = ", ".join(TASKS), benchmark.fields.spans, f"benchmark {benchmark.name}"
        if not require_task(benchmark, f"add the task: it is one of {known}", diagnostics):
            return
        name = benchmark.block.task
        task = TASKS.get(name)
        if task is None:
            meant = closest_name(name, TASKS)
            help_ = f"did you mean `{meant}`?" if meant else f"it is one of {known}"
            message = f"`task`: the ragas harness has no `{name}`"
            diagnostics.error("bad-value", message, spans["task",].value, about=about, help=[help_])
            return
        for argument in _settings_of(benchmark).metric_args or {}:
            if argument not in task.arguments:
                takes = f"it takes {', '.join(task.arguments)}" if task.arguments else "it takes none"
                message = f"`metric_args`: `{name}` takes no `{argument}`"
                diagnostics.error("bad-value", message, spans["metric_args",].value, about=about, help=[takes])
        refuse_fewshot(benchmark, "ragas has no examples", "leave it out", diagnostics)

    @staticmethod
    def check_cell(cell: Evaluation, models: Mapping[str, Declaration], diagnostics: Diagnostics) -> None:
        """Check that there are data and a judge, and that both models serve chats."""
        benchmark, about = cell.benchmark, f"eval {cell.eval}"
        judge, task = _settings_of(benchmark).judge, TASKS[benchmark.block.task]
        if not benchmark.block.files:
            diagnostics.error(
                "missing-key",
                f"benchmark `{benchmark.name}` needs `files`: ragas brings no data",
                cell.span,
                about=about,
                help=[f'name the rows: benchmark mine from {benchmark.name} {{ files = file("rows.jsonl") }}'],
            )
        if task.judged and not judge:
            diagnostics.error(
                "missing-key",
                f"benchmark `{benchmark.name}` needs `judge`: the model that grades",
                cell.span,
                about=about,
                help=[f"name it: benchmark mine from {benchmark.name} {{ judge = MODEL }}"],
            )
        for model in (cell.model, *([models[judge]] if judge else [])):
            if model.block.api not in ("chat", "vlm"):
                diagnostics.error(
                    "bad-value",
                    f"the ragas harness sends chat requests, and model `{model.name}` does not serve chats",
                    model.fields.spans["api",].value,
                    about=about,
                    also=[(benchmark.span, "this benchmark runs in the ragas harness")],
                )

    @staticmethod
    def check_data(evaluation: Evaluation) -> Sequence[DataError]:
        """Read the rows as the job will, and see that the model is asked for something."""
        block, task = evaluation.benchmark.block, TASKS[evaluation.benchmark.block.task]
        files = block.files.files if block.files else ()
        rows, mistakes = read_rows([(file.name, file.path) for file in files], task)
        if mistakes:
            return [DataError("files", mistake) for mistake in mistakes[:_MOST_MISTAKES]]
        if files and not rows:
            return [DataError("files", f"{files[0].name}:1: there are no rows")]
        return _check_recorded(evaluation, rows[: evaluation.limit], task)


def _check_recorded(evaluation: Evaluation, rows: Sequence[dict[str, Any]], task: Task) -> list[DataError]:
    """An error where every row has its reply already, as the score would not be the model's, unless that is meant."""
    blocks = (evaluation.model.block, evaluation.benchmark.block, evaluation.variant.block)
    if merge_adapters(*(block.adapter for block in blocks)).get("requests") == "any":
        return []
    if not rows or not all(is_recorded(row, task) for row in rows):
        return []
    ends = "ends with a message of `type` ai" if task.conversation else "has a `response`"
    message = f"{evaluation.benchmark.block.files.files[0].name}:1: every row {ends}: the model would not be asked"
    return [DataError("files", message, "to grade replies on record, add `adapter = { requests = any }`")]


def _settings_of(benchmark: Declaration) -> RagasHarness.Settings:
    assert isinstance(benchmark.settings, RagasHarness.Settings)
    return benchmark.settings
