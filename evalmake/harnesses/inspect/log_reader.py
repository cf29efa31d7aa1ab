"""Reads Inspect's JSON log: whether the evaluation succeeded, its scores and its samples."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalmake.harnesses.inspect.metrics import Json, Metric, find_headline, read_metrics
from evalmake.harnesses.log_errors import read_last_error
from evalmake.harnesses.samples import Row, score_from_samples, write_samples
from evalmake.model_reply.finish_reason import name_finish_reason
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
_CANCELLED = re.compile(r"Cancel(led|ledError)?\b|CancelledError")
"""Begins the error of a sample that Inspect gave up because another one failed."""

# A pattern in what Inspect prints at its end -> the message; the pattern's groups fill it.
_REASONS = (
    (r"pip install (.+)", "Inspect needs `{}` among the benchmark's `packages`"),
    (r"dataset is empty", "the task's data set is empty: it has no samples to ask"),
    (r"duplicate sample ids \(duplicate id: (.+?)\)", "two samples of the task's data set have the id {}"),
    (r"sample ids (.+) which share", "two samples of the task's data set have the same id as text: {}"),
    (
        r"ModuleNotFoundError: No module named '([\w.]+)'",
        "there is no Python module {}: add its package to `packages`, or its file to `files`",
    ),
)


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
    for pattern, text in _REASONS:
        if match := re.search(pattern, said):
            return text.format(*match.groups())
    return said


def _build_outcome(log: Json, outputs: Path, status: int, metric: str | None, cluster: str | None) -> Outcome:
    results = log.get("results") or {}
    metrics = read_metrics(results.get("scores") or ())
    samples = _read_samples(log)
    rows = list(_read_rows(log["eval"]["model"], samples, metrics, cluster or _find_cluster_key(results)))
    write_samples(outputs / SAMPLES, rows)
    if error := _describe_failure(log, rows) or (f"exit status {status}" if status else ""):
        return Outcome(error=error)
    if not metrics:
        return Outcome(error="the task reported no score: it has no scorer, or its scorers have no metrics")
    name = metric or find_headline(log, metrics)
    total = max(results["total_samples"], len(rows))
    headlines = [known for known in metrics if known.name == name] or metrics
    if name and headlines[0].scored and not math.isfinite(headlines[0].value):
        return Outcome(error=f"the harness reports {headlines[0].value} as `{headlines[0].name}`")
    scored = sum(any(_is_scored(sample, known) for known in headlines) for sample in samples)
    scores = [_build_score(samples, rows, known, total) for known in metrics]
    usage = {**_sum_usage(rows), "questions": total, "unanswered": total - scored}
    return Outcome(tuple(scores), name, usage)


def _read_samples(log: Json) -> list[Json]:
    """The samples; one that ended in an error has scores only if the task asks Inspect to score such."""
    samples = log.get("samples") or ()
    if (log["eval"].get("config") or {}).get("score_on_error"):
        return list(samples)
    return [{**sample, "scores": {}} if sample.get("error") else sample for sample in samples]


def _describe_failure(log: Json, rows: Sequence[Row]) -> str:
    """Why the log's status is not success; empty if it is."""
    asked = log["eval"]["dataset"].get("sample_ids") or ()
    total = len(asked) * (log["eval"]["config"].get("epochs") or 1)
    answered = sum(row.error is None for row in rows)
    reached = f"{answered} of {total} samples were answered"
    match log["status"]:
        case "success" if not rows or any(row.error is None or row.scores for row in rows):
            return ""
        case "cancelled":
            return f"Inspect was cancelled: {reached}"
        case "started":
            return f"Inspect ended before its task did: {reached}"
    reasons = Counter(row.error for row in rows if row.error and not _CANCELLED.match(row.error))
    reason = reasons.most_common(1)[0][0] if reasons else (log.get("error") or {}).get("message")
    return f"{reason or 'Inspect reports an error'}; {reached}"


def _find_cluster_key(results: Json) -> str | None:
    """The metadata key by which the task clusters its standard error."""
    for score in results.get("scores") or ():
        for metric in score["metrics"].values():
            if isinstance(key := metric.get("params", {}).get("cluster"), str):
                return key
    return None


def _build_score(samples: Sequence[Json], rows: Sequence[Row], metric: Metric, total: int) -> Score:
    """The score of a metric, over the samples of its group.

    Of the `total` samples, those that left no row are unscored, too; their group is not known.
    """
    if not math.isfinite(metric.value):
        return Score(metric.name, None, unscored=total)
    members = [metric.group is None or metric.group.holds(sample) for sample in samples]
    own = [row for row, member in zip(rows, members, strict=True) if member]
    if any(metric.name in row.scores for row in own):
        score = score_from_samples(own, metric.name, metric.stderr, metric.value)
        return replace(score, unscored=score.unscored + (total - len(rows) if metric.group is None else 0))
    scored, unscored = metric.scored, metric.unscored
    if metric.group is not None:
        found = {sample["id"]: _is_scored(sample, metric) for sample in samples if metric.group.holds(sample)}
        scored, unscored = sum(found.values()), len(found) - sum(found.values())
    value = metric.value if scored else None  # without any score Inspect reports 0
    return Score(metric.name, value, metric.stderr, scored=scored, unscored=unscored)


def _read_rows(model: str, samples: Sequence[Json], metrics: Sequence[Metric], cluster: str | None) -> Iterator[Row]:
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
            finish_reason=name_finish_reason(stopped) if stopped and stopped != "unknown" else None,
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
    """Whether a sample has a score of this metric; NaN means unscored."""
    value = _read_value(sample, metric)
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return value is not None and (metric.group is None or metric.group.holds(sample))


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
