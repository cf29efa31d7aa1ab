"""`evalmake cancel` of another process: end the jobs that it names, and start none of those that wait."""

from __future__ import annotations

from evalmake.language.diagnostic import make_diagnostic
from evalmake.plugin_api.executor import JobState, Phase
from evalmake.run.scheduler.build import Build
from evalmake.run.scheduler.job_end import JobEnds
from evalmake.run.task import Task
from evalmake.store.cancel_requests import CancelAnswer, CancelRequest, CancelRequests
from evalmake.store.lock import name_holder

_CANCELLED = JobState(Phase.ENDED, 143, "`evalmake cancel`")


def carry_out_requests(build: Build, job_ends: JobEnds) -> None:
    """Cancel what others have asked this process to cancel."""
    requests = CancelRequests(build.journal.folder)
    for request in requests.requests_to(name_holder()):
        requests.answer(request, _cancel(build, job_ends, request))


def _cancel(build: Build, job_ends: JobEnds, request: CancelRequest) -> CancelAnswer:
    dropped = [task for task in build.waiting if request.means(task.node.name, "")]
    for task in dropped:
        build.waiting.remove(task)
        build.release_servers(task)
    doomed = [task for task in build.running.values() if request.means(task.node.name, task.job_id)]
    for task in doomed:
        task.is_cancelled = True
    job_ends.cancel(doomed)
    job_ends.finish([(task, _CANCELLED) for task in doomed], cancelled=True)
    for task in (*dropped, *doomed):
        _note(build, task)
    build.store.withdraw_reruns(task.node.action.digest for task in (*dropped, *doomed))
    return CancelAnswer(
        tuple((task.node.name, task.executor) for task in doomed), tuple(task.node.name for task in dropped)
    )


def _note(build: Build, task: Task) -> None:
    name = task.node.name
    if name in build.result.succeeded:
        return
    build.result.cancelled.append(name)
    build.result.problems.append(
        make_diagnostic(
            "evaluation-failed",
            f"{name} was cancelled by `evalmake cancel`",
            task.node.evaluation.span,
            help=["the same command runs it"],
            subject=name,
        )
    )
