"""Reads lm-eval's results: `results_TIME.json` and, for each task, `samples_TASK_TIME.jsonl`.

A metric under lm-eval's filter `none` keeps its name; under any other filter it is METRIC.FILTER.
A group of tasks also has its members' scores, as MEMBER.METRIC.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

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
        samples = _read_samples(path, results, read_gateway_requests(outputs))
        scores = tuple(_read_scores(results, task, samples))
        headline = _choose_headline(scores, metric)
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
        found[task] = _build_rows(task, [json.loads(line) for line in lines if line], requests)
    return found


def _build_rows(task: str, samples: Sequence[Mapping[str, Any]], requests: GatewayRequests) -> list[Row]:
    """Build one row for each item; lm-eval writes one for each item and filter."""
    rows: dict[int, Row] = {}
    for sample in samples:
        scores = {
            _metric_name(metric, sample["filter"]): float(sample[metric])
            for metric in sample["metrics"]
            if _is_finite(sample[metric])
        }
        if (row := rows.get(sample["doc_id"])) is None:
            row = _build_row(f"{task}/{sample['doc_id']}", sample, requests)
        rows[sample["doc_id"]] = replace(row, scores={**row.scores, **scores})
    return list(rows.values())


def _build_row(id: str, sample: Mapping[str, Any], requests: GatewayRequests) -> Row:
    requests_sent, replies = list(sample["arguments"].values()), sample["resps"]
    by_likelihood = isinstance(requests_sent[0].get("arg_1"), str)
    prompts = [_prompt_text(one) for one in requests_sent]
    if not by_likelihood:
        prompts = [prompt for prompt, answers in zip(prompts, replies, strict=True) for _ in answers]
    return Row(
        id,
        sample["doc_hash"],
        {},
        target=sample["target"],
        reply=_likeliest_option(requests_sent, replies) if by_likelihood else str(replies[0][0]),
        **requests.match(prompts),
    )


def _prompt_text(requests_sent: Mapping[str, Any]) -> str:
    """The text under which the gateway recorded the request."""
    prompt, more = requests_sent["arg_0"], requests_sent.get("arg_1")
    if isinstance(prompt, list):  # a chat, as JSON
        content = json.loads(prompt[0])[-1]["content"]
        return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return prompt + more if isinstance(more, str) else str(prompt)


def _likeliest_option(requests_sent: Sequence[Mapping[str, Any]], replies: Sequence[Any]) -> str:
    logs = [float(answers[0][0]) for answers in replies]
    return str(requests_sent[logs.index(max(logs))]["arg_1"]).strip()


# Scores -------------------------------------------------------------------------------------------


def _read_scores(results: Mapping[str, Any], task: str, samples: Mapping[str, list[Row]]) -> Iterator[Score]:
    """Yield the task's own scores first, then its members'."""
    entries = results["results"]
    for name in sorted(entries, key=lambda name: name != task):
        tasks = list(_leaf_tasks(name, results, samples))
        rows = [row for leaf in tasks for row in samples[leaf]]
        lost = sum(int(results["n-samples"][leaf]["effective"]) for leaf in tasks) - len(rows)
        for metric, value, stderr in _read_reported(name, entries[name]):
            score = _build_score(rows, metric, value, stderr)
            score = replace(score, unscored=score.unscored + max(0, lost))
            yield score if name == task else replace(score, metric=f"{name}.{metric}")


def _build_score(rows: list[Row], metric: str, value: float, stderr: float | None) -> Score:
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


def _read_reported(name: str, entry: Mapping[str, Any]) -> Iterator[Reported]:
    for key, value in entry.items():
        metric, comma, filter = key.partition(",")
        if not comma or metric.endswith("_stderr"):
            continue
        if not _is_finite(value):
            raise UnusableResults(f"the score `{_metric_name(metric, filter)}` of {name} is {value}, not a number")
        stderr: Any = entry.get(f"{metric}_stderr,{filter}")
        known = float(stderr) if _is_finite(stderr) else None
        yield Reported(_metric_name(metric, filter), float(value), known)


def _metric_name(metric: str, filter: str) -> str:
    return metric if filter == "none" else f"{metric}.{filter}"


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _choose_headline(scores: Sequence[Score], metric: str | None) -> str:
    names = [score.metric for score in scores]
    if not names:
        raise UnusableResults("lm-eval reported no score")
    if metric and metric not in names:
        raise UnusableResults(f"lm-eval reported no `{metric}`; it reported {', '.join(names[:20])}")
    return metric or names[0]
