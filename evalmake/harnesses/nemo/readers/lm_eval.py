"""Reads lm-eval's `--log_samples`: samples_TASK_TIME.jsonl beside results_TIME.json.

NVIDIA's name of `exact_match,strict-match` is `exact_match__strict-match`, and that of `acc,none` is `acc`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalmake.harnesses.lm_eval_samples import build_rows
from evalmake.harnesses.nemo.readers.reading import Reading, find_only, read_json, read_json_lines
from evalmake.harnesses.samples import GatewayRequests, Row


def read(folder: Path, requests: GatewayRequests) -> Reading | None:
    """The items of each task; they have scores of the groups of their task, too."""
    if not any(folder.glob("**/samples_*.jsonl")):
        return None
    path = find_only(folder, "**/results_*.json")
    if path is None:
        return None
    time, results = path.stem.removeprefix("results_"), read_json(path)
    above = _find_groups(results.get("group_subtasks") or {})
    rows: list[Row] = []
    for file in sorted(path.parent.glob(f"samples_*_{time}.jsonl")):
        task = file.name.removeprefix("samples_").removesuffix(f"_{time}.jsonl")
        kind = results.get("configs", {}).get(task, {}).get("output_type", "generate_until")
        found = build_rows(task, kind, list(read_json_lines(file)), requests, _name_metric)
        names = [task, *above.get(task, ())]
        rows += [replace(row, scores=_name_scores(row.scores, names)) for row in found]
    return Reading(rows)


def _name_metric(metric: str, filter: str) -> str:
    return metric if filter == "none" else f"{metric}__{filter}"


def _name_scores(scores: Mapping[str, float], tasks: Sequence[str]) -> dict[str, float]:
    return {f"{task}_{metric}_{metric}": value for task in tasks for metric, value in scores.items()}


def _find_groups(members: Mapping[str, Any]) -> dict[str, list[str]]:
    """The groups that each task is in, directly or through others."""
    found: dict[str, list[str]] = {}
    for group in members:
        for task in dict.fromkeys(_walk_members(group, members, ())):
            if task != group:
                found.setdefault(task, []).append(group)
    return found


def _walk_members(group: str, members: Mapping[str, Any], inside: Sequence[str]) -> Iterator[str]:
    for member in members.get(group, ()):
        if member not in inside:
            yield member
            yield from _walk_members(member, members, (*inside, member))
