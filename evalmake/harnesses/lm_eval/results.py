"""Reads lm-eval's results: `results_TIME.json` and, for each task, `samples_TASK_TIME.jsonl`.

A metric under lm-eval's filter `none` keeps its name; under any other filter it is METRIC.FILTER.
A group of tasks also has its members' scores, as MEMBER.METRIC.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from evalmake.harnesses.lm_eval_samples import build_rows
from evalmake.harnesses.samples import (
    GatewayRequests,
    Row,
    read_gateway_requests,
    score_from_samples,
    write_samples,
)
from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.scoring.score import Score

_MAIN_METRICS = ("acc", "exact_match", "pass@1", "pass_at_1")


class UnusableResults(Exception):
    """The results cannot be used; the message says why."""


class Reported(NamedTuple):
    """One number of results.json under evalmake's name for its metric."""

    metric: str
    value: float
    stderr: float | None


def read_results(outputs: Path, task: str, metric: str | None) -> Outcome:
    """Read the scores below `outputs`, and write the samples there in the common form."""
    try:
        path = _find_results_file(outputs / "lm-eval")
        results = json.loads(path.read_text(encoding="utf-8"))
        requests = read_gateway_requests(outputs, _take_token_prompts(outputs / "token-prompts.txt"))
        samples = _read_samples(path, results, requests)
        scores = tuple(_read_scores(results, task, samples))
        if not scores:
            raise UnusableResults("lm-eval reported no score")
        headline = metric or _find_headline(results, task)
        if any(score.metric == headline and score.value is None and score.scored for score in scores):
            raise UnusableResults(f"the score `{headline}` of {task} is not a finite number")
    except UnusableResults as error:
        return Outcome(error=str(error))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Outcome(error=f"lm-eval's results cannot be read: {error!r}")
    write_samples(outputs / SAMPLES, [row for rows in samples.values() for row in rows])
    return Outcome(scores, headline)


def _find_results_file(folder: Path) -> Path:
    found = sorted(folder.rglob("results_*.json"))
    if len(found) != 1:
        raise UnusableResults(f"lm-eval exited with status 0, but wrote {len(found) or 'no'} result files")
    return found[0]


def _take_token_prompts(path: Path) -> list[tuple[str, str]]:
    """The pairs that the job wrote down; the file is of no use afterwards."""
    try:
        pairs = [tuple(line.split()) for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []
    path.unlink()
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]


# Samples ------------------------------------------------------------------------------------------


def _read_samples(path: Path, results: Mapping[str, Any], requests: GatewayRequests) -> dict[str, list[Row]]:
    """Read the rows of each task that has items."""
    time = path.stem.removeprefix("results_")
    found = {}
    for task in results["n-samples"]:
        file = path.with_name(f"samples_{task}_{time}.jsonl")
        if not file.exists():
            raise UnusableResults(f"lm-eval left no samples of {task}")
        lines = file.read_text(encoding="utf-8").split("\n")
        kind = results.get("configs", {}).get(task, {}).get("output_type", "generate_until")
        found[task] = build_rows(task, kind, [json.loads(line) for line in lines if line], requests, _metric_name)
    return found


# Scores -------------------------------------------------------------------------------------------


def _read_scores(results: Mapping[str, Any], task: str, samples: Mapping[str, list[Row]]) -> Iterator[Score]:
    """Yield the task's own scores first, then its members'. A group has the items of the members with the metric."""
    entries = results["results"]
    for name in sorted(entries, key=lambda name: name != task):
        tasks = list(_leaf_tasks(name, results, samples))
        for metric, value, stderr in _read_reported(entries[name]):
            reporting = {leaf for leaf in tasks if any(one.metric == metric for one in _read_reported(entries[leaf]))}
            members = [leaf for leaf in tasks if leaf in (reporting or tasks)]
            rows = [row for leaf in members for row in samples[leaf]]
            lost = sum(int(results["n-samples"][leaf]["effective"]) for leaf in members) - len(rows)
            score = _build_score(rows, metric, value, stderr)
            score = replace(score, unscored=score.unscored + max(0, lost))
            yield score if name == task else replace(score, metric=f"{name}.{metric}")


def _build_score(rows: list[Row], metric: str, value: float, stderr: float | None) -> Score:
    if not math.isfinite(value):
        return Score(metric, None, scored=len(rows))
    if any(metric in row.scores for row in rows):
        return score_from_samples(rows, metric, stderr, value)
    # Samples of BLEU or perplexity are not numbers: only lm-eval can aggregate them.
    return Score(metric, value, stderr, scored=len(rows), reported=stderr)


def _leaf_tasks(name: str, results: Mapping[str, Any], samples: Mapping[str, list[Row]]) -> Iterator[str]:
    if name in samples:
        yield name
        return
    for member in results.get("group_subtasks", {}).get(name, ()):
        yield from _leaf_tasks(member, results, samples)


def _read_reported(entry: Mapping[str, Any]) -> Iterator[Reported]:
    for key, value in entry.items():
        metric, comma, filter = key.partition(",")
        if not comma or metric.endswith("_stderr") or not isinstance(value, int | float):
            continue
        stderr: Any = entry.get(f"{metric}_stderr,{filter}")
        known = float(stderr) if _is_finite(stderr) else None
        yield Reported(_metric_name(metric, filter), float(value), known)


def _metric_name(metric: str, filter: str) -> str:
    return metric if filter == "none" else f"{metric}.{filter}"


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _find_headline(results: Mapping[str, Any], task: str) -> str:
    """The metric that stands for the task; empty if none does by itself.

    It is the only one, or the only one of `_MAIN_METRICS`. Of several filters, or of the members of a group without an
    aggregate, none stands for the others: the first one would be another when a filter or a task is added.
    """
    entries = results["results"]
    named = {name: [reported.metric for reported in _read_reported(entry)] for name, entry in entries.items()}
    own = named.get(task, [])
    if not own:
        own = [f"{name}.{metric}" for name, metrics in named.items() for metric in metrics]
        return own[0] if len(own) == 1 else ""
    main = [metric for metric in own if metric.split(".")[0] in _MAIN_METRICS]
    return own[0] if len(own) == 1 else main[0] if len(main) == 1 else ""
