"""One evaluation by its arguments, as if an Evalfile declared it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Literal, Never

from evalmake.api.build import Progress, collect_failures, collect_results, run_build
from evalmake.api.declarations import Benchmark, Eval, Executor, Map, Model
from evalmake.api.errors import rendered_errors
from evalmake.api.evalfile_writer import write_evalfile
from evalmake.api.results import Result
from evalmake.language.diagnostic import Diagnostic, EvalmakeError
from evalmake.plugins import InstalledPlugins
from evalmake.project.command_words import Words
from evalmake.session import BuildOutcome
from evalmake.workspace import Request

_TAIL = 6  # lines


def evaluate(
    model: Model | None,
    benchmark: Benchmark,
    *,
    seed: int = 0,
    limit: int | None = None,
    repeats: int | None = None,
    params: Map | None = None,
    adapter: Map | None = None,
    require: str | Sequence[str] | None = None,
    confidence: float | str | None = None,
    until: Literal["decided"] | None = None,
    precision: float | str | None = None,
    executor: Executor | str | None = None,
    resources: Map | None = None,
    timeout: str | None = None,
    retries: int | None = None,
    workspace: str | PathLike[str] = ".",
    always: bool = False,
    progress: Progress = False,
    **unknown: Never,
) -> Result:
    """Evaluate a model; if nothing has changed since an earlier call, return the result of that call.

    `model` is None for a benchmark whose answers are in its data.
    The arguments are the keys of an Evalfile's `eval`; `require` is one requirement or several, such as
    "accuracy >= 80%". State lies in `.evalmake` in the folder `workspace`; an Evalfile
    there shares its results. `always=True` runs one more attempt. `progress=True` shows progress on stderr;
    a function is called with each event.
    """
    evaluation = Eval(
        model=model,
        benchmark=benchmark,
        seed=seed,
        limit=limit,
        repeats=repeats,
        params=params,
        adapter=adapter,
        confidence=confidence,
        until=until,
        precision=precision,
        executor=executor,
        resources=resources,
        timeout=timeout,
        retries=retries,
        **unknown,
        require=require,
    )
    folder = Path(workspace)
    with rendered_errors():
        written = write_evalfile(evaluation, folder, InstalledPlugins())
    request = Request(folder / "Evalfile", Words(), always=always, source=written.source)
    with rendered_errors(written.add_argument):
        outcome = run_build(request, progress)
        if failed := collect_failures(outcome):
            raise EvalmakeError(_add_log(diagnostic, outcome) for diagnostic in failed)
    (result,) = collect_results(outcome)
    return result


def _add_log(diagnostic: Diagnostic, outcome: BuildOutcome) -> Diagnostic:
    """A diagnostic with the end of the log: `evalmake logs` does not know an evaluation from Python."""
    notes = [note.partition("; the whole log: evalmake logs")[0] for note in diagnostic.notes]
    help = tuple(text for text in diagnostic.help if "evalmake logs" not in text)
    if diagnostic.code == "evaluation-failed" and (tail := _read_log_tail(outcome)):
        notes.append("\n".join(["the last lines of its log were", *tail]))
    return replace(diagnostic, notes=tuple(notes), help=help)


def _read_log_tail(outcome: BuildOutcome) -> list[str]:
    """The last lines that the last attempt printed."""
    (node,) = outcome.plan.graph.nodes.values()
    with outcome.workspace.read_store() as store:
        head = store.history(node.action.digest)
        attempt = store.attempt(head.action, head.attempts) if head else None
        text = ((store.output(attempt, "log") if attempt else None) or b"").decode(errors="replace")
    return text.splitlines()[-_TAIL:]
