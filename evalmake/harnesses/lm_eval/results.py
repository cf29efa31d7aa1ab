"""What lm-eval leaves: `results_TIME.json` and, for each task, `samples_TASK_TIME.jsonl`.

A metric under lm-eval's filter `none` keeps its name, one under another is METRIC.FILTER. Where the
task is a group, its members' scores are there too, as MEMBER.METRIC.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from evalmake.harnesses.samples import NAME, Requests, Row, requests_of, score_from_samples, shortfall, write_samples
from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.score import Score


class Unusable(Exception):
    """Results that are none, and why."""


class Reported(NamedTuple):
    """One number of results.json, by our name for its metric."""

    metric: str
    value: float
    stderr: float | None


def read_results(outputs: Path, task: str, metric: str | None, coverage: float) -> Outcome:
    """The scores below `outputs`, where the samples are written in the common form."""
    try:
        path = _results_file(outputs / "lm-eval")
        results = json.loads(path.read_text(encoding="utf-8"))
        samples = _samples(path, results, requests_of(outputs))
        scores = tuple(_scores(results, task, samples))
        headline = _headline(scores, metric)
        _complete(results, samples, headline, coverage)
    except Unusable as error:
        return Outcome(error=str(error))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Outcome(error=f"lm-eval's results cannot be read: {error!r}")
    write_samples(outputs / NAME, [row for rows in samples.values() for row in rows])
    return Outcome(scores, headline)


def _results_file(folder: Path) -> Path:
    found = sorted(folder.rglob("results_*.json"))
    if len(found) != 1:
        raise Unusable(f"lm-eval ended well and left {len(found) or 'no'} files of results")
    return found[0]


# Samples ------------------------------------------------------------------------------------------


def _samples(path: Path, results: Mapping[str, Any], requests: Requests) -> dict[str, list[Row]]:
    """The rows of each task that has items."""
    time = path.stem.removeprefix("results_")
    found = {}
    for task in results["n-samples"]:
        file = path.with_name(f"samples_{task}_{time}.jsonl")
        if not file.exists():
            raise Unusable(f"lm-eval left no samples of {task}")
        lines = file.read_text(encoding="utf-8").split("\n")
        found[task] = _rows(task, [json.loads(line) for line in lines if line], requests)
    return found


def _rows(task: str, samples: Sequence[Mapping[str, Any]], requests: Requests) -> list[Row]:
    """A row for each item; lm-eval has one for each item and filter."""
    rows: dict[int, Row] = {}
    for sample in samples:
        scores = {
            _name(metric, sample["filter"]): float(sample[metric])
            for metric in sample["metrics"]
            if _finite(sample[metric])
        }
        if (row := rows.get(sample["doc_id"])) is None:
            row = _row(f"{task}/{sample['doc_id']}", sample, requests)
        rows[sample["doc_id"]] = replace(row, scores={**row.scores, **scores})
    return list(rows.values())


def _row(id: str, sample: Mapping[str, Any], requests: Requests) -> Row:
    asked, replies = list(sample["arguments"].values()), sample["resps"]
    by_likelihood = isinstance(asked[0].get("arg_1"), str)
    prompts = [_prompt(one) for one in asked]
    if not by_likelihood:
        prompts = [prompt for prompt, got in zip(prompts, replies, strict=True) for _ in got]
    return Row(
        id,
        sample["doc_hash"],
        {},
        target=sample["target"],
        reply=_likeliest(asked, replies) if by_likelihood else str(replies[0][0]),
        **requests.take(prompts),
    )


def _prompt(asked: Mapping[str, Any]) -> str:
    """The text by which the gateway knows the request."""
    prompt, more = asked["arg_0"], asked.get("arg_1")
    if isinstance(prompt, list):  # a chat, as JSON
        content = json.loads(prompt[0])[-1]["content"]
        return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return prompt + more if isinstance(more, str) else str(prompt)


def _likeliest(asked: Sequence[Mapping[str, Any]], replies: Sequence[Any]) -> str:
    logs = [float(got[0][0]) for got in replies]
    return str(asked[logs.index(max(logs))]["arg_1"]).strip()


# Scores -------------------------------------------------------------------------------------------


def _scores(results: Mapping[str, Any], task: str, samples: Mapping[str, list[Row]]) -> Iterator[Score]:
    """The task's own scores first, then those of its members."""
    entries = results["results"]
    for name in sorted(entries, key=lambda name: name != task):
        rows = [row for leaf in _leaves(name, results, samples) for row in samples[leaf]]
        for metric, value, stderr in _reported(name, entries[name]):
            score = _score(rows, metric, value, stderr)
            yield score if name == task else replace(score, metric=f"{name}.{metric}")


def _score(rows: list[Row], metric: str, value: float, stderr: float | None) -> Score:
    if any(metric in row.scores for row in rows):
        return score_from_samples(rows, metric, stderr, value)
    # Its samples are not numbers (BLEU, perplexity): only lm-eval can add them up.
    return Score(metric, value, stderr, scored=len(rows), reported=stderr)


def _leaves(name: str, results: Mapping[str, Any], samples: Mapping[str, list[Row]]) -> Iterator[str]:
    if name in samples:
        yield name
        return
    for member in results.get("group_subtasks", {}).get(name, ()):
        yield from _leaves(member, results, samples)


def _reported(name: str, entry: Mapping[str, Any]) -> Iterator[Reported]:
    for key, value in entry.items():
        metric, comma, filter = key.partition(",")
        if not comma or metric.endswith("_stderr"):
            continue
        if not _finite(value):
            raise Unusable(f"the score `{_name(metric, filter)}` of {name} is {value}, not a number")
        stderr: Any = entry.get(f"{metric}_stderr,{filter}")
        known = float(stderr) if _finite(stderr) else None
        yield Reported(_name(metric, filter), float(value), known)


def _name(metric: str, filter: str) -> str:
    return metric if filter == "none" else f"{metric}.{filter}"


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _headline(scores: Sequence[Score], metric: str | None) -> str:
    names = [score.metric for score in scores]
    if not names:
        raise Unusable("lm-eval reported no score")
    if metric and metric not in names:
        raise Unusable(f"lm-eval reported no `{metric}`; it reported {', '.join(names[:20])}")
    return metric or names[0]


def _complete(results: Mapping[str, Any], samples: Mapping[str, list[Row]], headline: str, coverage: float) -> None:
    """Every item that was to be asked must be there, and have a score, down to `coverage`."""
    total = sum(int(count["effective"]) for count in results["n-samples"].values())
    rows = [row for rows in samples.values() for row in rows]
    plain = headline if any(headline in row.scores for row in rows) else None
    if plain and (problem := shortfall(rows, plain, total, coverage)):
        raise Unusable(problem)
    if len(rows) < coverage * total - 1e-9 or not rows:
        raise Unusable(f"{len(rows)} of {total} samples were scored, and {coverage * 100:g}% must be")
