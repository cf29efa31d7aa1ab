"""The `command` harness: any program that reads $EVALMAKE_... and writes its scores to a file.

The program writes below $EVALMAKE_OUT. Without `metrics`, its scores are in `scores.json`, as
{"accuracy": 0.81} or {"accuracy": {"value": 0.81, "stderr": 0.02, "n": 400}}. Of several scores, the
benchmark's `metric` names the headline. `metrics` reads them from files of other forms:

    metrics = {
        accuracy  = "summary.json:results.gsm8k[0].acc"   # a number, or a map as above
        correct   = "answers.csv:correct"                 # the mean of a column, over all rows
        pass_rate = "junit.xml"                           # the tests that passed, of all that ran
        f1        = "overall.f1"                          # a path alone is one in scores.json
    }

Means have a count and a standard error. A row without a number and a test that ended in an error are
unscored. The benchmark's `coverage` judges the rows that are scored, and the requests that the model
has answered: the program may count the others as wrong. A file `samples.jsonl` in the form of
`harnesses.samples` is stored as the samples.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from evalmake.harnesses.measurements import find_location_mistake, read_measurement
from evalmake.harnesses.program_samples import ProgramSamples
from evalmake.harnesses.samples import count_unanswered_requests
from evalmake.harnesses.scores_file import parse_scores, read_scores
from evalmake.harnesses.task_keys import refuse_dataset
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.harness import Command, Outcome
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, ModelName, define_key
from evalmake.project.matrix import Evaluation
from evalmake.project.requirements import suggest_metric
from evalmake.scoring.notes import CONTRADICTIONS, SAMPLE_GAPS
from evalmake.scoring.sample_counts import SAMPLES

_WORKDIR_HINT = "the command runs in a folder of its own: name the files it needs in `files`, they are in ./data/"
_HINTS = {126: f" (cannot be executed: {_WORKDIR_HINT})", 127: f" (not found: {_WORKDIR_HINT})"}


class CommandHarness:
    """Runs the text of `run` in a shell."""

    class Settings(Block):
        """Any program that leaves scores."""

        run: str = define_key(..., "The shell command that runs the benchmark.", "'python3 data/bench.py'")
        metrics: dict[str, str] | None = define_key(
            None,
            "Where each metric is found in the outputs.",
            '{ accuracy = "results.json:accuracy" }',
            unset="scores.json names them",
        )
        judge: ModelName | None = define_key(
            None, "A model that the command asks to grade, through a gateway of its own.", "grader"
        )

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    must_ask_judge: ClassVar[bool] = True

    def command(self, evaluation: Evaluation) -> Command:
        """Build the shell command; the benchmark's files are below `data/`."""
        settings = evaluation.benchmark.settings
        assert isinstance(settings, CommandHarness.Settings)
        files = evaluation.benchmark.block.files
        inputs = {f"data/{file.name}": file.path for file in files.files} if files else {}
        return Command(("/bin/sh", "-eu", "run.sh"), {"run.sh": settings.run}, inputs)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """Read the scores from `metrics`, else from `scores.json`."""
        if status != 0:
            return Outcome(error=f"exit status {status}{_find_misplaced_file(evaluation) or _HINTS.get(status, '')}")
        settings = evaluation.benchmark.settings
        assert isinstance(settings, CommandHarness.Settings)
        metric = evaluation.benchmark.block.metric
        outcome = _read_metrics(outputs, settings.metrics, metric)
        samples = ProgramSamples.read(outputs / SAMPLES)
        if not outcome.error and samples.mistake:
            return Outcome(error=samples.mistake)
        counts, cause = count_unanswered_requests(outputs)
        scores = tuple(map(samples.complete, outcome.scores))
        told = {
            CONTRADICTIONS: list(samples.find_contradictions(scores)),
            SAMPLE_GAPS: list(samples.find_gaps(outcome.metric)),
        }
        facts = {kind: json.dumps(sentences) for kind, sentences in told.items() if sentences}
        return replace(outcome, scores=scores, usage={**outcome.usage, **counts}, facts=facts, cause=cause)

    @staticmethod
    def unused_keys(benchmark: Declaration) -> dict[str, str]:
        """What the program is not told."""
        return {key: "the command is not told of it; write it into `run`" for key in ("task", "fewshot")}

    @staticmethod
    def check_benchmark(benchmark: Declaration, diagnostics: Diagnostics) -> None:
        """Check that each metric's location can exist, and that no data are named that the program does not get."""
        help_ = "name the data in `run`, or give their files as `files`: they are in ./data/"
        refuse_dataset(benchmark, "the command is not told of it", help_, diagnostics)
        settings, spans = benchmark.settings, benchmark.fields.spans
        assert isinstance(settings, CommandHarness.Settings)
        for name, location in (settings.metrics or {}).items():
            if wrong := find_location_mistake(location):
                span = spans.get(("metrics", name)) or spans["metrics",]
                diagnostics.error(
                    "bad-value",
                    f"metric `{name}`: {wrong}",
                    span.value,
                    about=f"benchmark {benchmark.name}",
                )
        metric = benchmark.block.metric
        if settings.metrics and len(settings.metrics) > 1 and not metric:
            diagnostics.error(
                "missing-key",
                f"`metrics` has {len(settings.metrics)} metrics: `metric` must say which one stands for the benchmark",
                spans["metrics",].value,
                about=f"benchmark {benchmark.name}",
                help=[f'write `metric = "{next(iter(settings.metrics))}"`, or another of them'],
            )
        if metric and settings.metrics and metric not in settings.metrics:
            diagnostics.error(
                "bad-value",
                f"`metric`: `metrics` has no `{metric}`",
                spans["metric",].value,
                about=f"benchmark {benchmark.name}",
                help=[f"it has {', '.join(settings.metrics)}"],
            )

    @staticmethod
    def check_cell(cell: Evaluation, models: Mapping[str, Declaration], diagnostics: Diagnostics) -> None:
        """Check that `metrics`, where there are any, have the metric of each requirement."""
        settings = cell.benchmark.settings
        assert isinstance(settings, CommandHarness.Settings)
        metrics = settings.metrics or {}
        for gate in cell.gates if metrics else ():
            if not gate.word and gate.metric not in metrics:
                diagnostics.error(
                    "bad-value",
                    f"the `metrics` of `{cell.benchmark.name}` have no `{gate.metric}`",
                    gate.span,
                    about=f"eval {cell.eval}",
                    notes=[f"they have {', '.join(metrics)}"],
                    help=suggest_metric(gate.metric, list(metrics)),
                )


def _find_misplaced_file(evaluation: Evaluation) -> str:
    """A hint if `run` names one of the files as if it lay in the working folder, or where it lies here; else ""."""
    files, settings = evaluation.benchmark.block.files, evaluation.benchmark.settings
    assert isinstance(settings, CommandHarness.Settings)
    root = evaluation.variant.eval.parsed.file.path.parent
    if not files or re.search(r"\b(cd|pushd)\b", settings.run):
        return ""
    for file in files.files:
        for name in {file.name, os.path.relpath(file.path, root)} - {f"data/{file.name}"}:
            if found := re.search(rf"(?<![\w./-])(\./)?{re.escape(name)}(?![\w/-]|\.\w)", settings.run):
                return f" (`run` names `{found[0]}`, which is in ./data/: write `data/{file.name}`)"
    return ""


def _read_metrics(outputs: Path, metrics: Mapping[str, str] | None, headline: str | None) -> Outcome:
    if not metrics:
        return read_scores(outputs / "scores.json", headline)
    found: dict[str, Any] = {}
    for name, location in metrics.items():
        value = read_measurement(outputs, location)
        if isinstance(value, str):
            return Outcome(error=f"metric `{name}`: {value}")
        found[name] = value
    return parse_scores(found, headline, {})
