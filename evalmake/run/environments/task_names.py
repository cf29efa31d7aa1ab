"""Checks the names of tasks as soon as their environment is there, before any server starts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.plugin_api.harness import HasProgram
from evalmake.project.declarations import Declaration
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.run.environments.environment import Environment
from evalmake.run.environments.environments import Environments
from evalmake.seal import seal, unseal

_TIMEOUT = 300  # seconds; lm-eval takes ten to read its 14 000 tasks, and a machine may be busy


def check_task_names(benchmarks: Iterable[Declaration], plugins: PluginRegistry, environments: Environments) -> None:
    """EvalmakeError if the program in a benchmark's environment has no task of that name."""
    found = Diagnostics()
    find_unknown_tasks(benchmarks, plugins, environments, found)
    found.check()


def find_unknown_tasks(
    benchmarks: Iterable[Declaration],
    plugins: PluginRegistry,
    environments: Environments,
    found: Diagnostics,
    only_listed: bool = False,
) -> None:
    """Add an error for each task that the program in the benchmark's environment does not have.

    A benchmark with `files` may define its task in them, and a pattern may stand for several tasks: neither is checked.
    With `only_listed`, no program is started: environments count whose tasks were listed before.
    """
    for benchmark in benchmarks:
        if benchmark.kind != "benchmark" or benchmark.block.files or "*" in (benchmark.block.task or "*"):
            continue
        harness, environment = plugins.get("harnesses", benchmark.plugin), environments.environment_of(benchmark)
        program = harness.program if isinstance(harness, HasProgram) else None
        if program is None or not program.list_tasks or environment is None:
            continue
        names = read_task_names(environment, "" if only_listed else program.list_tasks)
        if names and benchmark.block.task not in names:
            meant = closest_name(benchmark.block.task, names)
            found.error(
                "bad-value",
                f"`task`: {program.distribution} has no task `{benchmark.block.task}`",
                benchmark.fields.spans["task",].value,
                about=f"benchmark {benchmark.name}",
                help=[f"did you mean `{meant}`?"] if meant else ["a task of your own needs its file in `files`"],
            )


def read_task_names(environment: Environment, program: str) -> frozenset[str]:
    """The names that a Python program prints in an environment, a line each; empty if it fails, or is empty.

    They are kept in the environment's folder, which is removed when the environment changes.
    """
    path = environment.folder / ".tasks"
    try:
        known = unseal(path.name, path.read_bytes()) or b""
    except OSError:
        known = b""
    text = known.decode() or (_run_program(environment.python, program) if program else "")
    if text and not known:
        write_atomic(path, seal(path.name, text.encode()))
    return frozenset(text.splitlines())


def _run_program(python: Path, program: str) -> str:
    try:
        done = subprocess.run([python, "-c", program], capture_output=True, text=True, timeout=_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
