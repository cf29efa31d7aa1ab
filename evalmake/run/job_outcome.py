"""What came of a job: its outputs, secrets out of them, as its harness and its gateway tell."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalmake.plugin_api.executor import JobState
from evalmake.plugin_api.harness import Outcome
from evalmake.run.gateways.host_gateways import USAGE_FOLDERS, read_usage
from evalmake.run.job_builder import JobBuilder
from evalmake.run.secrets import Secrets
from evalmake.run.task import Task


def judged(job_builder: JobBuilder, secrets: Secrets, task: Task, state: JobState) -> Outcome:
    """The outcome of a job that is over; outputs that nothing can be made of are a failure."""
    folder = job_builder.job_folder(task.id)
    try:
        _hide_secrets(folder, secrets, task.tokens)
    except OSError as error:
        shutil.rmtree(folder / "out", ignore_errors=True)
        return Outcome(error=f"its outputs cannot be read: {error}")
    try:
        outcome = _told(job_builder, task, state, folder)
    except Exception as error:  # what a harness's own code makes of what a program wrote
        said = str(error) or type(error).__name__
        outcome = Outcome(error=f"its outputs make no sense: {said.splitlines()[0]}")
    return _beside_its_gateway(outcome, task, folder, secrets)


def outputs(folder: Path) -> list[tuple[str, Path]]:
    """What a job left by relative name: its log, every file below `out/`, what its gateways read_usage."""
    found = [("log", folder / "log")] if (folder / "log").exists() else []
    for name, path in _files(folder / "out"):
        found.append((name, path))
    for place in USAGE_FOLDERS.values():
        found += [(f"{place}/{name}", path) for name, path in _files(folder / place)]
    return [(name, path) for name, path in found if os.access(path, os.R_OK)]


def _files(folder: Path) -> list[tuple[str, Path]]:
    paths = sorted(folder.rglob("*")) if folder.is_dir() else []
    return [
        (str(path.relative_to(folder)).encode("utf-8", "backslashreplace").decode(), path)
        for path in paths
        if path.is_file() and not path.is_symlink()
    ]


def _hide_secrets(folder: Path, secrets: Secrets, tokens: tuple[str, ...]) -> None:
    """Nothing reads or keeps what a job wrote before its secrets are out of it."""
    for _, path in outputs(folder):
        data = path.read_bytes()
        if (hidden := secrets.redact(data, tokens)) != data:
            path.unlink()  # it may be read-only
            path.write_bytes(hidden)


def _told(job_builder: JobBuilder, task: Task, state: JobState, folder: Path) -> Outcome:
    """What the harness makes of a job that ended by itself; why there is nothing to judge."""
    if task.ended_for or state.status is None:
        return Outcome(error=task.ended_for or state.detail or "the job is gone and left no result")
    cell = task.node.evaluation
    harness = job_builder.plugins.get("harnesses", cell.benchmark.block.harness)()
    outcome: Outcome = harness.outcome(cell, folder / "out", state.status)
    if outcome.error and state.detail and state.status > 128:
        return Outcome(error=state.detail)
    return outcome


def _beside_its_gateway(outcome: Outcome, task: Task, folder: Path, secrets: Secrets) -> Outcome:
    """With what was asked of the model; an evaluation that its gateway ended has failed by that."""
    usage = dict(outcome.usage)
    error = outcome.error
    for role in USAGE_FOLDERS:
        sums = read_usage(folder, role)
        usage |= _numbers(sums, "" if role == "model" else f"{role}_")
        task.last_error = str(sums.get("last_error") or task.last_error)
        task.cache_trouble = str(sums.get("cache_trouble") or task.cache_trouble)
        if fatal := sums.get("fatal"):
            error = secrets.redact_text(str(fatal))
    return replace(outcome, usage=usage, error=error)


def _numbers(sums: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """The counts among a gateway's sums, and how replies ended."""
    found = {name: value for name, value in sums.items() if isinstance(value, int | float)}
    finish = sums.get("finish")
    for reason, count in finish.items() if isinstance(finish, dict) else ():
        found[f"finish_{reason}"] = count
    return {f"{prefix}{name}": value for name, value in found.items()}
