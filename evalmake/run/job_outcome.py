"""The outcome of a job that is over: its outputs without secrets, judged by its harness and its gateway."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalmake.harnesses.log_errors import read_last_error
from evalmake.language.file_tree import remove_tree
from evalmake.plugin_api.executor import JobState
from evalmake.plugin_api.harness import HasProgram, MustAskJudge, Outcome
from evalmake.project.adapter import merge_adapters
from evalmake.project.matrix import Evaluation
from evalmake.project.references import find_judge
from evalmake.run.failure_advice import Refusal
from evalmake.run.gateways.sessions import USAGE_FOLDERS, read_usage
from evalmake.run.job_builder import JobBuilder
from evalmake.run.job_outputs import LOG, OUT, OutputsRefused, check_outputs, cut_log, is_plain, redact_outputs
from evalmake.run.secrets import Secrets
from evalmake.run.task import Task
from evalmake.scoring.sample_counts import SAMPLES, SampleCounts

_REPLY_COUNTS = {
    "truncated": "replies_truncated",
    "stopped_in_reasoning": "replies_unfinished",
    "finish_content_filter": "replies_refused",
    "empty_content": "replies_empty",
    "null_content": "replies_null",
    "calls_without_text": "replies_calling_tools",
}
_PARAMETER_COUNTS = ("undeclared", "added")
_KEPT_LOG = 2**20  # bytes of the log of a job whose outputs are not stored
_BARE_STATUS = re.compile(r"exit status \d+( \(.*\))?")
_LONGEST_WORDS = 200  # characters of a log in a message
_LONGEST_PATH = 4096  # PATH_MAX of Linux
_SIGNALLED = 128  # from here on, an exit status is a signal's


def judge_job(job_builder: JobBuilder, secrets: Secrets, task: Task, state: JobState) -> Outcome:
    """The outcome of a job. Outputs that cannot be read or understood are a failure."""
    folder = job_builder.job_folder(task.job_id)
    try:
        check_outputs(folder, job_builder.project.settings)
        redact_outputs(folder, secrets, task.tokens)
    except (OSError, OutputsRefused) as error:
        remove_tree(folder / OUT)
        cut_log(folder, _KEPT_LOG)
        redact_outputs(folder, secrets, task.tokens)
        reason = _explain_unreadable(error) if isinstance(error, OSError) else str(error)
        return _add_gateway_usage(Outcome(error=reason), task, folder, secrets)
    try:
        outcome = _ask_harness(job_builder, task, state, folder)
    except Exception as error:  # a harness's own code meets what a program of somebody else's wrote
        message = str(error) or type(error).__name__
        outcome = Outcome(error=f"its outputs cannot be understood: {message.splitlines()[0]}")
    outcome = _add_gateway_usage(outcome, task, folder, secrets)
    if problem := outcome.error or _find_silence(job_builder, task, outcome.usage):
        return replace(outcome, error=problem)
    return add_sample_counts(outcome, folder / "out" / SAMPLES)


def _explain_unreadable(error: OSError) -> str:
    """Why outputs cannot be read; without the path where that is what is too long."""
    if error.errno == errno.ENAMETOOLONG:
        return f"its outputs go deeper than a path can be ({_LONGEST_PATH} bytes): use fewer folders or shorter names"
    return f"its outputs cannot be read: {error}"


def _ask_harness(job_builder: JobBuilder, task: Task, state: JobState, folder: Path) -> Outcome:
    """Let the harness read the outputs; or return why there are none."""
    if task.cancel_reason or state.status is None:
        return Outcome(error=task.cancel_reason or state.detail or "the job is gone and left no result")
    cell = task.node.evaluation
    harness = job_builder.plugins.get("harnesses", cell.benchmark.block.harness)()
    outcome: Outcome = harness.outcome(cell, folder / "out", state.status)
    if outcome.error and state.detail and state.status > _SIGNALLED:
        outcome = Outcome(error=state.detail)
    return _add_last_words(outcome, folder / LOG)


def _add_last_words(outcome: Outcome, log: Path) -> Outcome:
    """The outcome with the error in the job's log, where all that is known of a failure is its exit status."""
    if not _BARE_STATUS.fullmatch(outcome.error) or not is_plain(log):
        return outcome
    words = read_last_error(log)
    words = words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS].rstrip()}..."
    return replace(outcome, error=f"{outcome.error}: {words}") if words else outcome


def _add_gateway_usage(outcome: Outcome, task: Task, folder: Path, secrets: Secrets) -> Outcome:
    """The outcome with what its gateways counted. Where a gateway ended the evaluation, that is the error."""
    usages = {role: read_usage(folder, role) for role in USAGE_FOLDERS}
    error = outcome.error
    for role, counted in usages.items():
        task.last_model_error = str(counted.get("last_error") or task.last_model_error)
        task.cache_error = str(counted.get("cache_trouble") or task.cache_error)
        status, redirect = (secrets.redact_text(str(counted.get(name) or "")) for name in ("fatal_status", "redirect"))
        if status or redirect:
            task.refusal = Refusal(role, status, redirect)
        if fatal := counted.get("fatal"):
            error = secrets.redact_text(str(fatal))
    return replace(add_usage(outcome, usages, task.node.evaluation), error=error)


def add_usage(outcome: Outcome, usages: Mapping[str, Mapping[str, Any]], cell: Evaluation) -> Outcome:
    """The outcome with the counts of its gateways, by role, and the names in their replies."""
    usage, facts = dict(outcome.usage), dict(outcome.facts)
    for role, counted in usages.items():
        if role == "model" and cell.benchmark.unasked:
            continue
        if role == "model":
            usage["requests"] = 0  # if nothing reached the gateway, whatever the harness says
            facts |= _describe_replies(counted, cell.model.block.name)
        usage |= _to_numbers(counted, "" if role == "model" else f"{role}_")
    return replace(outcome, usage=usage, facts=facts)


def _find_silence(job_builder: JobBuilder, task: Task, usage: Mapping[str, float]) -> str:
    """The error of a score for which other software asked no model, or no judge, unless that is allowed.

    A program of the user's own may score what is there already: a note says that it asked no model.
    """
    cell = task.node.evaluation
    adapter = merge_adapters(cell.model.block.adapter, cell.benchmark.block.adapter, cell.variant.block.adapter)
    harness = job_builder.plugins.get("harnesses", cell.benchmark.block.harness)()
    is_software = isinstance(harness, HasProgram)
    if adapter.get("requests") == "any" or not (is_software or isinstance(harness, MustAskJudge)):
        return ""
    judge = find_judge(job_builder.project, cell.benchmark)
    silent = "model" if is_software and not usage.get("requests") else ""
    silent = silent or ("judge" if judge and not usage.get("judge_requests") else "")
    why = {
        "model": "its harness has a cache of its own, or asked another server",
        "judge": f"its {'harness' if is_software else 'program'} asked another judge, or none",
    }
    accept = "(`adapter = { requests = any }` accepts that)"
    return f"it sent its {silent} no request: {why[silent]} {accept}" if silent else ""


def _describe_replies(counted: Mapping[str, Any], asked: str | None) -> dict[str, str]:
    """Names that replies and requests carry, as JSON lists, and the model that was asked."""
    names = {kind: list(_read_map(counted, kind)) for kind in ("models", "fingerprints")}
    for kind in _PARAMETER_COUNTS:
        names |= {f"{kind}_{name}": list(values) for name, values in _read_map(counted, kind).items()}
    names |= {"asked": [asked] if asked else []}
    return {kind: json.dumps(sorted(found), ensure_ascii=False) for kind, found in names.items() if found}


def add_sample_counts(outcome: Outcome, samples: Path) -> Outcome:
    """The outcome with what became of its replies: of its samples if they hold any, else of all that were sent."""
    found = SampleCounts()
    if samples.is_file():
        with samples.open("rb") as lines:
            found = SampleCounts.of(lines, outcome.metric)
    count = _count_stripped if found.counts["replies"] else _count_replies
    counts = {**found.counts, **count(found.counts, outcome.usage)}
    cause = outcome.cause if outcome.cause.text else found.cause
    return replace(outcome, usage={**outcome.usage, **counts}, cause=cause)


def _count_replies(found: Mapping[str, float], usage: Mapping[str, float]) -> dict[str, float]:
    """What became of all replies that the gateway saw, by the names that `SampleCounts` has for it."""
    counts = {name: usage[kind] for kind, name in _REPLY_COUNTS.items() if kind in usage}
    if stopped := usage.get("reasoning_stopped"):  # also between tags of the user's own
        counts["replies_unfinished"] = max(stopped, counts.get("replies_unfinished", 0))
    return {"replies": sum(count for kind, count in usage.items() if kind.startswith("finish_")), **counts}


def _count_stripped(found: Mapping[str, float], usage: Mapping[str, float]) -> dict[str, float]:
    """The counts of replies whose samples are empty because the gateway took away reasoning that never ends.

    Those that the token limit cut off say so themselves.
    """
    empty, unfinished = found.get("replies_empty", 0), found.get("replies_unfinished", 0)
    hidden = min(empty, max(0, usage.get("reasoning_stopped", 0) - unfinished))
    return {"replies_empty": empty - hidden, "replies_unfinished": unfinished + hidden} if hidden else {}


def _to_numbers(counted: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """The counts among a gateway's usage, and those of its maps.

    These are: how often replies ended for each reason, how many models and fingerprints replied, and how many
    requests carried another value of a parameter than the declared one, or a sampling parameter that nothing declares.
    """
    found = {name: value for name, value in counted.items() if isinstance(value, int | float)}
    found |= {f"finish_{reason}": count for reason, count in _read_map(counted, "finish").items()}
    found |= {name: len(names) for name in ("models", "fingerprints") if (names := _read_map(counted, name))}
    for kind in _PARAMETER_COUNTS:
        found |= {f"{kind}_{name}": sum(values.values()) for name, values in _read_map(counted, kind).items()}
    return {f"{prefix}{name}": value for name, value in found.items()}


def _read_map(counted: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = counted.get(name)
    return found if isinstance(found, dict) else {}
