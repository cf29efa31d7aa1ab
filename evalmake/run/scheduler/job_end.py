"""The end of a job: fetch its outputs, judge them, record the attempt, and retry if that may help."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalmake.planner.staleness import find_record_shortfall
from evalmake.plugin_api.executor import JobState
from evalmake.plugin_api.harness import Outcome
from evalmake.run.concurrency import run_concurrently
from evalmake.run.events import AttemptEnded, StoredRepliesRefused
from evalmake.run.failure_advice import advise_on_failure
from evalmake.run.job_outcome import judge_job
from evalmake.run.job_outputs import OUT, find_outputs
from evalmake.run.machine_time import add_machine_time
from evalmake.run.scheduler.build import Build
from evalmake.run.scheduler.retry import claim_retry, schedule_retry
from evalmake.run.task import Task
from evalmake.scoring.demands import find_shortfall, scored_share
from evalmake.store.origin import describe_origin

GATEWAY_DIED = "its gateway died while it ran"
_KILLED = "evalmake was interrupted twice and killed it"


class JobEnds:
    """Finishes the jobs of a build."""

    def __init__(self, build: Build) -> None:
        self._build = build

    def cancel(self, tasks: Iterable[Task]) -> None:
        """End jobs, all at once: each may take its executor's grace period.

        A job that is unreachable stays in the journal, where the next build finds it.
        """

        def cancel(task: Task) -> None:
            with contextlib.suppress(OSError):
                self._build.executors[task.executor].cancel(task.job_id)

        run_concurrently(cancel, tasks)

    def finish(self, over: Sequence[tuple[Task, JobState]], cancelled: bool = False) -> None:
        """Fetch the outputs of jobs that are over, all at once; then finish one after another.

        `cancelled`: evalmake ended them. Then outputs that are unreachable are not waited for. The job
        stays in the journal, and the next build makes sure that it is gone.
        """
        errors = run_concurrently(self._fetch, [task for task, _ in over])
        for (task, state), error in zip(over, errors, strict=True):
            unreachable = isinstance(error, ConnectionError)
            if unreachable:
                task.mark_outputs_unreachable()
                if not (cancelled or task.outputs_given_up):
                    self._build.health.mark_unreachable(task.executor, str(error))
                    continue
            else:
                self._build.health.mark_reachable(task.executor)
                if error is not None:
                    state = replace(state, status=None, detail=f"its outputs cannot be fetched: {error}")
            self._finish_one(task, state, forget=not unreachable)

    def _fetch(self, task: Task) -> OSError | None:
        try:
            self._build.executors[task.executor].fetch(task.job_id, self._build.job_builder.job_folder(task.job_id))
        except OSError as error:
            return error
        return None

    def _finish_one(self, task: Task, state: JobState, forget: bool) -> None:
        """Judge one job, record the attempt, and retry it or be done with it; `forget` its journal entry."""
        build, name = self._build, task.node.name
        if self._asks_after_all(task, state):
            return
        task.budget.count(task.elapsed_seconds - task.queued_seconds, state)
        loss = self._find_loss(task, state)
        outcome = judge_job(build.job_builder, build.secrets, task, state)
        build.result.warn_of_cache(task.cache_error)
        lost = state.status is None or bool(loss) or task.budget.resumes(state)
        if loss:  # whatever the harness says: it may have scored samples that got no reply
            outcome = replace(outcome, error=loss)
        elif lost and outcome.error and task.budget.spent:
            outcome = replace(outcome, error=f"it {task.budget.spent}")
        shortfall = None if outcome.error else find_shortfall(task.node.demands, outcome, outcome.cause)
        error, cure = (shortfall.message, shortfall.cure) if shortfall else (outcome.error, self._advise(task))
        if shortfall and not self._is_worth_keeping(task, outcome):
            outcome = replace(outcome, error=error)
        retry = task.retries_used  # of this attempt, before the next one is claimed
        retrying = bool(error) and not task.is_cancelled and claim_retry(build, task, state, lost)
        was_stopped = build.signals.count > 0 or task.is_cancelled or (lost and retrying)
        status = "succeeded" if not error else "cancelled" if was_stopped else "failed"
        earlier = self._find_earlier_headline(task, outcome)
        if earlier:
            outcome = replace(outcome, facts={**outcome.facts, "earlier_metric": earlier})
        self._record(task, status if outcome.error else "succeeded", outcome, state.facts, retry)
        if forget:
            build.journal.remove(task.job_id)
        del build.running[task.job_id]
        seconds = task.elapsed_seconds
        build.emit(AttemptEnded(name, status, outcome.scores, outcome.metric, seconds, error, retrying, earlier))
        if retrying:
            schedule_retry(build, task)
            return
        if status == "succeeded":
            build.result.succeeded.append(name)
        elif status == "failed":
            build.result.failed.append(name)
            build.result.problems.append(task.failure_diagnostic(error, cure))
        build.release_servers(task)

    def _asks_after_all(self, task: Task, state: JobState) -> bool:
        """Let a task ask its model whose job says that the stored replies are not all that it takes; whether it did."""
        build, cell = self._build, task.node.evaluation
        if task.node.replies is None or build.signals.count or task.is_cancelled or state.status is None:
            return False
        harness = build.job_builder.plugins.get("harnesses", cell.benchmark.block.harness)()
        if state.status != harness.asks_after_all:
            return False
        reason = harness.outcome(cell, build.job_builder.job_folder(task.job_id) / OUT, state.status).error
        del build.running[task.job_id]
        build.ask_after_all(task)
        build.emit(StoredRepliesRefused(task.node.name, reason))
        return True

    def _find_loss(self, task: Task, state: JobState) -> str:
        """End the sessions of a job; why it was lost with its gateway or with evalmake, empty if it was not."""
        usage_complete = self._build.routing.close_sessions(task)
        gateway_died = not (usage_complete and self._build.servers.are_alive(task.gateway_jobs))
        if (gateway_died or state.status != 0) and self._build.journal.is_interrupted(task.job_id):
            return _KILLED
        return GATEWAY_DIED if gateway_died else ""

    def _advise(self, task: Task) -> str:
        """What helps against the error of a job."""
        return advise_on_failure(self._build.job_builder.project, task.node, task.refusal)

    def _find_earlier_headline(self, task: Task, outcome: Outcome) -> str:
        """The headline of the cell's last result, if it is another one and the Evalfile names none."""
        earlier = self._build.store.last_headline(task.node.name)
        return earlier if not task.node.demands.metric and outcome.metric and outcome.metric != earlier else ""

    def _is_worth_keeping(self, task: Task, outcome: Outcome) -> bool:
        """Whether a result that falls short becomes the one on record: another eval may demand less.

        It does unless it has no score, or the one on record is valid or has more scored samples.
        """
        before = self._build.store.history(task.node.action.digest)
        if not scored_share(outcome):
            return False
        if before is None or before.success is None:
            return True
        falls_short = find_record_shortfall(task.node.demands, before) is not None
        return falls_short and scored_share(outcome) >= scored_share(before)

    def _record(self, task: Task, status: str, outcome: Outcome, facts: Mapping[str, str], retry: int) -> None:
        """Put an attempt and its outputs into the store, then remove the job's folder."""
        build = self._build
        folder = build.job_builder.job_folder(task.job_id)
        outputs: dict[str, Path | bytes] = {}
        outputs |= {build.secrets.redact_text(name): path for name, path in find_outputs(folder)}
        outcome = add_machine_time(outcome, task, facts, build.servers, build.job_builder)
        build.result.usages.append(outcome.usage)
        facts = {**facts, **build.servers.facts(task.node.services)}
        if build.provenance is not None:  # last: a job may have written files of the same names
            outputs |= build.provenance.outputs(task, facts, retry)
        facts = {**outcome.facts, **facts}
        facts |= describe_origin(task.node.evaluation, build.store.evalfile)
        build.store.commit(task.node.action, task.build_result(status, outcome, facts), outputs)
        build.remove_job_folder(task)
