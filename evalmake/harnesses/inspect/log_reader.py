"""Reading Inspect's JSON log: whether it says success, its scores, and its samples."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from evalmake.harnesses.log_errors import last_error
from evalmake.harnesses.samples import NAME, Row, score_from_samples, shortfall, write_samples
from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.score import Score

_LETTERS = {
    "C": 1.0,
    "I": 0.0,
    "P": 0.5,
    "N": 0.0,
    "yes": 1.0,
    "true": 1.0,
    "no": 0.0,
    "false": 0.0,
}
_ERRORS = ("stderr", "bootstrap_stderr", "ci")  # metrics that say how sure another one is
_FINISHED = {"max_tokens": "length", "model_length": "length", "unknown": None}
_MEANS = ("accuracy", "mean")
Json = Mapping[str, Any]


class Metric(NamedTuple):
    """One metric of one scorer as reported; `key` is set where the scorer scores several things.

    `mean` says that it stands for the samples' scores; a spread or a count does not.
    """

    name: str
    scorer: str
    key: str | None
    value: float
    stderr: float | None
    mean: bool
    scored: int
    unscored: int


def read_run(outputs: Path, status: int, metric: str | None, cluster: str | None, coverage: float) -> Outcome:
    """The outcome of a run with its logs in `outputs`/inspect; writes its samples beside them.

    `cluster` names the metadata by which samples belong together, `coverage` the share of samples
    that must have a score, 0 to 1.
    """
    logs = sorted((outputs / "inspect").glob("*.json"))
    if not logs:
        return Outcome(error=_last_words(outputs.parent / "log") or f"exit status {status}")
    if len(logs) > 1:
        return Outcome(error=f'Inspect ran {len(logs)} tasks: name one, as `task = "file.py@name"`')
    try:
        log = json.loads(logs[0].read_text(encoding="utf-8"))
        return _judge(log, outputs, status, metric, cluster, coverage)
    except (OSError, ValueError):
        return Outcome(error="Inspect's log is cut off or is not JSON")
    except (KeyError, TypeError, AttributeError) as error:
        return Outcome(error=f"Inspect's log has another form than this evalmake knows: {error!r}")


def _last_words(log: Path) -> str:
    """What Inspect said when it ended without a log; of a lacking package it says how to install it."""
    said = last_error(log)
    _, found, package = said.partition("pip install ")
    return f"Inspect needs `{package}` among the benchmark's `packages`" if found else said


def _judge(log: Json, outputs: Path, status: int, metric: str | None, cluster: str | None, coverage: float) -> Outcome:
    results, samples = log.get("results") or {}, log.get("samples") or ()
    metrics = list(_metrics(results.get("scores") or ()))
    rows = list(_rows(log, metrics, cluster or _cluster(results)))
    write_samples(outputs / NAME, rows)
    if error := _failure(log, rows) or (f"exit status {status}" if status else ""):
        return Outcome(error=error)
    if not metrics:
        return Outcome(error="the task reported no score")
    name = metric or _headline(results, metrics)
    headline = next((known for known in metrics if known.name == name), None)
    if headline is None:
        known = ", ".join(dict.fromkeys(known.name for known in metrics))
        return Outcome(error=f"the harness reported no `{name}`; it reported {known}")
    counted = [
        replace(row, scores={name: 1.0} if _is_scored(sample, headline) else {})
        for sample, row in zip(samples, rows, strict=True)
    ]
    if error := shortfall(counted, name, max(results["total_samples"], len(rows)), coverage):
        return Outcome(error=error)
    if not math.isfinite(headline.value):
        return Outcome(error=f"the harness reports {headline.value} as `{name}`")
    return Outcome(tuple(_score(rows, known) for known in metrics), name, _usage(rows))


def _failure(log: Json, rows: Sequence[Row]) -> str:
    """Why a log that does not say success has none."""
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


def _metrics(scores: Sequence[Json]) -> Iterator[Metric]:
    """What was reported: by METRIC alone, or by NAME/METRIC where several things were scored."""
    several = len({score["name"] for score in scores}) > 1
    named = Counter((score["name"], short) for score in scores for short in score["metrics"])
    for score in scores:
        name, told = score["name"], score["metrics"]
        mean = next((short for short in _MEANS if short in told), next(iter(told), None))
        for short, metric in told.items():
            if (metric.get("group") or metric["name"]).split("/")[-1] in _ERRORS:
                continue
            reduced = [score.get("reducer") or "each"] if named[name, short] > 1 else []
            yield Metric(
                name="/".join([*([name] if several else []), *reduced, short]),
                scorer=score["scorer"],
                key=name if name != score["scorer"] else None,
                value=metric["value"],
                stderr=_stderr(score) if short == mean else None,
                mean=short == mean,
                scored=score.get("scored_samples") or 0,
                unscored=score.get("unscored_samples") or 0,
            )


def _stderr(score: Json) -> float | None:
    """The standard error that a scorer reports; by clusters where it has one such."""
    found = [m for m in score["metrics"].values() if m["name"].split("/")[-1] in _ERRORS[:2]]
    found.sort(key=lambda metric: not metric.get("params", {}).get("cluster"))
    return found[0]["value"] if found and math.isfinite(found[0]["value"]) else None


def _cluster(results: Json) -> str | None:
    """The metadata by which the task's own standard error is clustered."""
    for score in results.get("scores") or ():
        for metric in score["metrics"].values():
            if isinstance(key := metric.get("params", {}).get("cluster"), str):
                return key
    return None


def _headline(results: Json, metrics: Sequence[Metric]) -> str:
    """The metric that the task puts first."""
    said = results.get("headline") or {}
    first = (said.get("metric"), f"{said.get('score')}/{said.get('metric')}")
    return next((metric.name for metric in metrics if metric.name in first), metrics[0].name)


def _score(rows: Sequence[Row], metric: Metric) -> Score:
    if any(metric.name in row.scores for row in rows):
        return score_from_samples(rows, metric.name, metric.stderr, metric.value)
    known = metric.scored and math.isfinite(metric.value)  # of no score at all, Inspect makes a zero
    value = metric.value if known else None
    return Score(metric.name, value, metric.stderr, scored=metric.scored, unscored=metric.unscored)


def _rows(log: Json, metrics: Sequence[Metric], cluster: str | None) -> Iterator[Row]:
    model, samples = log["eval"]["model"], log.get("samples") or ()
    told = [m for m in metrics if m.mean and all(_is_readable(_value(s, m)) for s in samples)]
    for sample in samples:
        error = _error(sample)
        calls = [e for e in sample["events"] if e["event"] == "model" and e["model"] == model]
        usage = (sample.get("model_usage") or {}).get(model, {})
        choices = sample["output"].get("choices") or ()
        stopped = choices[0].get("stop_reason") if choices and not error else None
        group = (sample.get("metadata") or {}).get(cluster) if cluster else None
        yield Row(
            id=str(sample["id"]),
            item=_fingerprint(sample),
            scores={m.name: _number(_value(sample, m)) or 0.0 for m in told if _is_scored(sample, m)},
            repetition=sample["epoch"],
            error=error,
            cluster=None if group is None else str(group),
            target=sample["target"],
            reply=None if error else sample["output"].get("completion"),
            tokens_in=usage.get("input_tokens"),
            tokens_out=usage.get("output_tokens"),
            latency=math.fsum(call.get("working_time") or 0 for call in calls) if calls else None,
            finish_reason=_FINISHED.get(stopped, stopped) if stopped else None,
        )


def _error(sample: Json) -> str | None:
    """What went wrong with a sample, in the words of the request that failed, if one did."""
    if not sample.get("error"):
        return None
    told = [e["error"] for e in sample["events"] if e["event"] == "model" and e.get("error")]
    text = str(told[-1] if told else sample["error"]["message"]).strip() or "an error without words"
    return text.splitlines()[0]


def _value(sample: Json, metric: Metric) -> object:
    """What the metric's scorer gave a sample; None where it gave nothing."""
    value: object = ((sample.get("scores") or {}).get(metric.scorer) or {}).get("value")
    return value.get(metric.key or metric.scorer) if isinstance(value, Mapping) else value


def _is_scored(sample: Json, metric: Metric) -> bool:
    """Whether a sample has a score; NaN is Inspect's word for none, and an errored one has none."""
    value = _value(sample, metric)
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return not sample.get("error") and value is not None


def _is_readable(value: object) -> bool:
    return value is None or _number(value) is not None


def _number(value: object) -> float | None:
    """Inspect's own reading of a score; none of a text that is no number, which to Inspect is 0."""
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    if (known := _LETTERS.get(value, _LETTERS.get(value.lower()))) is not None:
        return known
    try:
        return float(value)
    except ValueError:
        return None


def _fingerprint(sample: Json) -> str:
    """A hash of what is asked and what is right; a message's id is random and stays out."""
    asked = sample["input"]
    if isinstance(asked, list):
        asked = [{key: value for key, value in part.items() if key != "id"} for part in asked]
    content = {"input": asked, "target": sample["target"], "choices": sample.get("choices")}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _usage(rows: Sequence[Row]) -> dict[str, float]:
    return {
        "tokens_in": sum(row.tokens_in or 0 for row in rows),
        "tokens_out": sum(row.tokens_out or 0 for row in rows),
        "errors": sum(row.error is not None for row in rows),
        "truncated": sum(row.finish_reason == "length" for row in rows),
    }
