"""Reads Inspect's JSON log: whether the evaluation succeeded, its scores and its samples."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from evalmake.harnesses.log_errors import read_last_error
from evalmake.harnesses.samples import Row, score_from_samples, write_samples
from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.scoring.score import Score

_LETTER_SCORES = {
    "C": 1.0,
    "I": 0.0,
    "P": 0.5,
    "N": 0.0,
    "yes": 1.0,
    "true": 1.0,
    "no": 0.0,
    "false": 0.0,
}
_ERROR_METRICS = ("stderr", "bootstrap_stderr", "ci")  # metrics that are the uncertainty of another one
_FINISH_REASONS = {"max_tokens": "length", "model_length": "length", "unknown": None}
_MEAN_METRICS = ("accuracy", "mean")
Json = Mapping[str, Any]


class Metric(NamedTuple):
    """One metric of one scorer as reported; `key` is set if the scorer returns several scores.

    `mean` is true for a mean of the samples' scores, and false for a spread or a count.
    """

    name: str
    scorer: str
    key: str | None
    value: float
    stderr: float | None
    mean: bool
    scored: int
    unscored: int


def read_run(outputs: Path, status: int, metric: str | None, cluster: str | None) -> Outcome:
    """Read the outcome from the logs in `outputs`/inspect, and write the samples to `outputs`.

    `cluster` is the metadata key that groups samples.
    """
    logs = sorted((outputs / "inspect").glob("*.json"))
    if not logs:
        return Outcome(error=_explain_missing_log(outputs.parent / "log") or f"exit status {status}")
    if len(logs) > 1:
        return Outcome(error=f'Inspect ran {len(logs)} tasks: name one, such as `task = "file.py@name"`')
    try:
        log = json.loads(logs[0].read_text(encoding="utf-8"))
        return _build_outcome(log, outputs, status, metric, cluster)
    except (OSError, ValueError):
        return Outcome(error="Inspect's log is truncated or not JSON")
    except (KeyError, TypeError, AttributeError) as error:
        return Outcome(error=f"this version of evalmake cannot read the form of Inspect's log: {error!r}")


def _explain_missing_log(log: Path) -> str:
    """Why Inspect ended without a log, from its output; a missing package is named."""
    said = read_last_error(log)
    _, found, package = said.partition("pip install ")
    return f"Inspect needs `{package}` among the benchmark's `packages`" if found else said


def _build_outcome(log: Json, outputs: Path, status: int, metric: str | None, cluster: str | None) -> Outcome:
    results, samples = log.get("results") or {}, log.get("samples") or ()
    metrics = list(_read_metrics(results.get("scores") or ()))
    rows = list(_read_rows(log, metrics, cluster or _find_cluster_key(results)))
    write_samples(outputs / SAMPLES, rows)
    if error := _describe_failure(log, rows) or (f"exit status {status}" if status else ""):
        return Outcome(error=error)
    if not metrics:
        return Outcome(error="the task reported no score")
    name = metric or _find_headline(results, metrics)
    headline = next((known for known in metrics if known.name == name), None)
    if headline is None:
        known = ", ".join(dict.fromkeys(known.name for known in metrics))
        return Outcome(error=f"the harness reported no `{name}`; it reported {known}")
    total = max(results["total_samples"], len(rows))
    scored = sum(_is_scored(sample, headline) for sample in samples)
    if scored and not math.isfinite(headline.value):
        return Outcome(error=f"the harness reports {headline.value} as `{name}`")
    scores = [_build_score(rows, known, total) for known in metrics]
    usage = {**_sum_usage(rows), "questions": total, "unanswered": total - scored}
    return Outcome(tuple(scores), name, usage)


def _describe_failure(log: Json, rows: Sequence[Row]) -> str:
    """Why the log's status is not success; empty if it is."""
    asked = log["eval"]["dataset"].get("sample_ids") or ()
    total = len(asked) * (log["eval"]["config"].get("epochs") or 1)
    answered = sum(row.error is None for row in rows)
    reached = f"{answered} of {total} samples were answered"
    match log["status"]:
        case "success":
            return ""
        case "cancelled":
            return f"Inspect was cancelled: {reached}"
        case "started":
            return f"Inspect ended before its task did: {reached}"
    reasons = Counter(row.error for row in rows if row.error)
    reason = reasons.most_common(1)[0][0] if reasons else (log.get("error") or {}).get("message")
    return f"{reason or 'Inspect reports an error'}; {reached}"


def _read_metrics(scores: Sequence[Json]) -> Iterator[Metric]:
    """Yield the reported metrics: METRIC, or NAME/METRIC if there are several scores."""
    several = len({score["name"] for score in scores}) > 1
    named = Counter((score["name"], short) for score in scores for short in score["metrics"])
    for score in scores:
        name, told = score["name"], score["metrics"]
        mean = next((short for short in _MEAN_METRICS if short in told), next(iter(told), None))
        for short, metric in told.items():
            if (metric.get("group") or metric["name"]).split("/")[-1] in _ERROR_METRICS:
                continue
            reduced = [score.get("reducer") or "each"] if named[name, short] > 1 else []
            yield Metric(
                name="/".join([*([name] if several else []), *reduced, short]),
                scorer=score["scorer"],
                key=name if name != score["scorer"] else None,
                value=metric["value"],
                stderr=_find_stderr(score) if short == mean else None,
                mean=short == mean,
                scored=score.get("scored_samples") or 0,
                unscored=score.get("unscored_samples") or 0,
            )


def _find_stderr(score: Json) -> float | None:
    """The standard error that a scorer reports; the clustered one if it reports both."""
    found = [m for m in score["metrics"].values() if m["name"].split("/")[-1] in _ERROR_METRICS[:2]]
    found.sort(key=lambda metric: not metric.get("params", {}).get("cluster"))
    return found[0]["value"] if found and math.isfinite(found[0]["value"]) else None


def _find_cluster_key(results: Json) -> str | None:
    """The metadata key by which the task clusters its standard error."""
    for score in results.get("scores") or ():
        for metric in score["metrics"].values():
            if isinstance(key := metric.get("params", {}).get("cluster"), str):
                return key
    return None


def _find_headline(results: Json, metrics: Sequence[Metric]) -> str:
    """The metric that the task names as its headline, else the first."""
    said = results.get("headline") or {}
    first = (said.get("metric"), f"{said.get('score')}/{said.get('metric')}")
    return next((metric.name for metric in metrics if metric.name in first), metrics[0].name)


def _build_score(rows: Sequence[Row], metric: Metric, total: int) -> Score:
    """The score of a metric; of the `total` samples, those that left no row are unscored, too."""
    if any(metric.name in row.scores for row in rows):
        score = score_from_samples(rows, metric.name, metric.stderr, metric.value)
        return replace(score, unscored=score.unscored + total - len(rows))
    known = metric.scored and math.isfinite(metric.value)  # without any score Inspect reports 0
    value = metric.value if known else None
    return Score(metric.name, value, metric.stderr, scored=metric.scored, unscored=metric.unscored)


def _read_rows(log: Json, metrics: Sequence[Metric], cluster: str | None) -> Iterator[Row]:
    model, samples = log["eval"]["model"], log.get("samples") or ()
    told = [m for m in metrics if m.mean and all(_is_numeric(_read_value(s, m)) for s in samples)]
    for sample in samples:
        error = _read_error(sample)
        calls = [e for e in sample["events"] if e["event"] == "model" and e["model"] == model]
        usage = (sample.get("model_usage") or {}).get(model, {})
        choices = sample["output"].get("choices") or ()
        stopped = choices[0].get("stop_reason") if choices and not error else None
        group = (sample.get("metadata") or {}).get(cluster) if cluster else None
        yield Row(
            id=str(sample["id"]),
            item=_hash_content(sample),
            scores={m.name: _parse_score_value(_read_value(sample, m)) or 0.0 for m in told if _is_scored(sample, m)},
            repetition=sample["epoch"],
            error=error,
            cluster=None if group is None else str(group),
            target=sample["target"],
            reply=None if error else sample["output"].get("completion"),
            tokens_in=usage.get("input_tokens"),
            tokens_out=usage.get("output_tokens"),
            latency=math.fsum(call.get("working_time") or 0 for call in calls) if calls else None,
            finish_reason=_FINISH_REASONS.get(stopped, stopped) if stopped else None,
        )


def _read_error(sample: Json) -> str | None:
    """The sample's error: that of its last failed request, else the sample's own."""
    if not sample.get("error"):
        return None
    told = [e["error"] for e in sample["events"] if e["event"] == "model" and e.get("error")]
    text = str(told[-1] if told else sample["error"]["message"]).strip() or "an error without a message"
    return text.splitlines()[0]


def _read_value(sample: Json, metric: Metric) -> object:
    """The value that the metric's scorer gave a sample; None if it gave none."""
    value: object = ((sample.get("scores") or {}).get(metric.scorer) or {}).get("value")
    return value.get(metric.key or metric.scorer) if isinstance(value, Mapping) else value


def _is_scored(sample: Json, metric: Metric) -> bool:
    """Whether a sample has a score; NaN means unscored, and an errored sample has no score."""
    value = _read_value(sample, metric)
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return not sample.get("error") and value is not None


def _is_numeric(value: object) -> bool:
    return value is None or _parse_score_value(value) is not None


def _parse_score_value(value: object) -> float | None:
    """Parse a score as Inspect does, but return None for text that is not a number (Inspect: 0)."""
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    if (known := _LETTER_SCORES.get(value, _LETTER_SCORES.get(value.lower()))) is not None:
        return known
    try:
        return float(value)
    except ValueError:
        return None


def _hash_content(sample: Json) -> str:
    """Hash input, target and choices; message ids are random and are left out."""
    asked = sample["input"]
    if isinstance(asked, list):
        asked = [{key: value for key, value in part.items() if key != "id"} for part in asked]
    content = {"input": asked, "target": sample["target"], "choices": sample.get("choices")}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _sum_usage(rows: Sequence[Row]) -> dict[str, float]:
    return {
        "tokens_in": sum(row.tokens_in or 0 for row in rows),
        "tokens_out": sum(row.tokens_out or 0 for row in rows),
        "errors": sum(row.error is not None for row in rows),
        "truncated": sum(row.finish_reason == "length" for row in rows),
    }
