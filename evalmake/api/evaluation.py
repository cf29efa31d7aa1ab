"""One evaluation by its arguments, as if an Evalfile declared it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Never

from evalmake.api.build import Progress, failures, results_of, run
from evalmake.api.declarations import Benchmark, Eval, Executor, Map, Model
from evalmake.api.errors import readably
from evalmake.api.evalfile_writer import write
from evalmake.api.results import Result, output
from evalmake.language.diagnostic import Diagnostic, EvalmakeError
from evalmake.plugins import InstalledPlugins
from evalmake.project.command_words import Words
from evalmake.session import BuildOutcome
from evalmake.workspace import Request

_TAIL = 6  # lines


def evaluate(
    model: Model,
    benchmark: Benchmark,
    *,
    seed: int = 0,
    limit: int | None = None,
    params: Map | None = None,
    adapter: Map | None = None,
    require: str | Sequence[str] | None = None,
    confidence: float | str | None = None,
    executor: Executor | str | None = None,
    resources: Map | None = None,
    timeout: str | None = None,
    retries: int | None = None,
    workspace: str | PathLike[str] = ".",
    always: bool = False,
    progress: Progress = False,
    **unknown: Never,
) -> Result:
    """The result of one evaluation: that of an earlier call if nothing has changed, else it is run.

    What it is given are the keys of an Evalfile's `eval`; `require` are its requirements, as
    "accuracy >= 80%". State lies in `.evalmake` of the folder `workspace`, as that of an Evalfile
    there, with which results are shared. `always` adds an attempt. `progress` shows on stderr how
    far it is, or is called with each event.
    """
    evaluation = Eval(
        model=model,
        benchmark=benchmark,
        seed=seed,
        limit=limit,
        params=params,
        adapter=adapter,
        confidence=confidence,
        executor=executor,
        resources=resources,
        timeout=timeout,
        retries=retries,
        **unknown,
        require=require,
    )
    folder = Path(workspace)
    with readably():
        written = write(evaluation, folder, InstalledPlugins())
    request = Request(folder / "Evalfile", Words(), always=always, written=written.source)
    with readably(written.told):
        outcome = run(request, progress)
        if failed := failures(outcome):
            raise EvalmakeError(_with_log(diagnostic, outcome) for diagnostic in failed)
    (result,) = results_of(outcome)
    return result


def _with_log(diagnostic: Diagnostic, outcome: BuildOutcome) -> Diagnostic:
    """The end of a log itself, where the command that shows logs knows nothing of the evaluation."""
    notes = [note.partition("; the whole log: evalmake logs")[0] for note in diagnostic.notes]
    help = tuple(text for text in diagnostic.help if "evalmake logs" not in text)
    if diagnostic.code == "evaluation-failed" and (tail := _tail(outcome)):
        notes.append("\n".join(["the last lines of its log were", *tail]))
    return replace(diagnostic, notes=tuple(notes), help=help)


def _tail(outcome: BuildOutcome) -> list[str]:
    """The last lines that the last attempt printed."""
    (node,) = outcome.plan.graph.nodes.values()
    with outcome.workspace.store() as store:
        head = store.history(node.action.digest)
        attempt = store.attempt(head.action, head.attempts) if head else None
        text = (output(store, attempt, "log") or b"").decode(errors="replace")
    return text.splitlines()[-_TAIL:]
