"""Ctrl-C: the first ends the build in order, the second at once."""

from __future__ import annotations

from collections import Counter

from evalmake import interrupts
from evalmake.executors.job_processes import kill_processes
from evalmake.plugin_api.executor import JobState, Phase
from evalmake.run.events import BuildInterrupted
from evalmake.run.scheduler.build import Build
from evalmake.run.scheduler.job_end import JobEnds

_INTERRUPTED = JobState(Phase.ENDED, 143, "interrupted")


def interrupt_build(build: Build, job_ends: JobEnds) -> None:
    """Start nothing more, end what runs, and record it as cancelled; a job that has just succeeded counts."""
    build.result.interrupted = True
    build.emit(BuildInterrupted(len(build.running)))
    build.drop_waiting()
    job_ends.cancel(build.running.values())
    states = [(task, build.executors[task.executor].poll(task.job_id)) for task in build.running.values()]
    job_ends.finish([(task, s if s.status == 0 else _INTERRUPTED) for task, s in states], cancelled=True)


def exit_at_once(build: Build) -> None:
    """Kill all processes of jobs on this machine, and exit; the next build cleans up by the journal."""
    servers = build.servers.job_ids(tuple(build.servers.groups)).values()
    for id in (*build.running, *servers):
        kill_processes(build.job_builder.job_folder(id))
    for id in build.running:
        build.journal.mark_interrupted(id)
    interrupts.exit_with_message(_describe_exit(build))


def _describe_exit(build: Build) -> str:
    """The last line: what was killed, what may still run elsewhere, and how to go on."""
    plugins = {name: executor.plugin for name, executor in build.job_builder.project.executors.items()}
    places = Counter(task.executor for task in build.running.values())
    killed = sum(count for place, count in places.items() if plugins.get(place) == "process")
    parts = [f"killed {killed} running"] if killed else []
    parts += [f"left {count} to end on {place}" for place, count in places.items() if plugins.get(place) != "process"]
    return f"interrupted again{': ' * bool(parts)}{', '.join(parts)}; the same command goes on from here"
