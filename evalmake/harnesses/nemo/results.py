"""Reads what `run_eval` leaves: results.yml, the marker of an interrupted run, and normalised samples."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from evalmake.harnesses.log_errors import read_last_error
from evalmake.harnesses.nemo.samples import SampledMetrics, read_samples
from evalmake.harnesses.samples import count_unanswered_requests, write_samples
from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.demands import LOST_SHARE
from evalmake.scoring.headline import find_metric, matches_metric
from evalmake.scoring.notes import SAMPLE_GAPS
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.scoring.score import Score
from evalmake.scoring.unscored_causes import Cause

_UNUSED_PARAMETERS = re.compile(r"not used in the command template: (.*?)\. Valid params")
_PARAM = "config.params."
_LOST_SHARES = ("api_error_fraction", "error_fraction", "error_rate", "failure_rate")
_LOST_COUNTS = ("num_missing", "num_failed", "num_errors", "num_skipped", "missing", "failed", "skipped", "errors")
"""Scores of results.yml that tell how many samples the harness could not grade, and scored as wrong or left out."""
_REPEATED = re.compile(r"\bbigcode-eval\b.*--n_samples[= ](?!1\b)\d", re.DOTALL)
"""The command of a harness whose standard error counts each repetition of an item as an item."""


class Entry(NamedTuple):
    """A score as reported: of a task or group, a metric of it, and how the metric was aggregated."""

    name: str
    aggregation: str
    value: float
    stats: Mapping[str, Any]
    leads: bool = False
    """Whether it is of all: of a group that is in no other, or of a task where there are no groups."""


def read_run(
    outputs: Path,
    status: int,
    metric: str | None,
    required: Sequence[str],
    means: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Outcome:
    """Read the outcome from `outputs`/nemo, and write the samples to `outputs`.

    `required` are the parameters that must have had an effect, `means` the metrics that are the mean of others.
    """
    folder, log = outputs / "nemo", outputs.parent / "log"
    if (folder / ".nemo_evaluator_interrupted").exists():
        return Outcome(error="the harness was interrupted (exit status 143)")
    if status:
        return Outcome(error=read_last_error(log) or f"exit status {status}")
    if unused := _find_unused_parameters(log, required):
        return Outcome(error=f"the task takes no {' and no '.join(unused)}")
    entries = _read_results(folder / "results.yml")
    if isinstance(entries, str):
        return Outcome(error=entries)
    counts, cause = count_unanswered_requests(outputs)
    if lost := _find_lost(entries, counts["questions"]):
        counts[LOST_SHARE], cause = lost
    reported = {entry.name for entry in entries}
    composites = {name: parts for name, parts in _find_composites(entries, means) if name not in reported}
    entries = [*_compute_means(entries, composites), *entries]
    if not entries:
        return Outcome(error="the harness reported no score", usage=counts, cause=cause)
    headline = _find_headline(entries, metric)
    wrong = next((entry for entry in entries if entry.name == headline and not math.isfinite(entry.value)), None)
    if wrong:
        return Outcome(error=f"the harness reports {wrong.value} as `{headline}`", usage=counts, cause=cause)
    reading, gap = read_samples(outputs)
    reading = replace(reading, composites={**reading.composites, **composites})
    samples = SampledMetrics.collect(reading, reported | composites.keys(), headline)
    if samples.rows:
        write_samples(outputs / SAMPLES, samples.rows)
    scores = tuple(_build_score(entry, samples) for entry in entries)
    gaps = [text for text in (gap, samples.find_unasked(headline)) if text]
    return Outcome(scores, headline, counts, facts={SAMPLE_GAPS: json.dumps(gaps)} if gaps else {}, cause=cause)


def _find_headline(entries: Sequence[Entry], metric: str | None) -> str:
    """The metric that stands for the benchmark; empty if it was not reported, or none stands for the others.

    evalmake then asks for one, and judges the stored result by it.
    """
    if metric is not None:
        return find_metric(metric, [entry.name for entry in entries]) or ""
    leading = [entry for entry in entries if entry.leads]
    if len({entry.name.removesuffix(entry.aggregation) for entry in leading}) != 1:
        return ""
    # Of a metric of one group or task: a mean of means hides its weights.
    micro = [entry for entry in leading if entry.aggregation.startswith("micro")]
    found = micro or leading
    return found[0].name if len(found) == 1 else ""


def _find_lost(entries: Sequence[Entry], questions: float) -> tuple[float, Cause] | None:
    """The share of samples that the harness says it could not grade, and where it says so; None if it lost none.

    A count is of the questions that were asked; where nobody counted these, any is all.
    """
    found = []
    for entry in entries:
        if entry.value > 0 and entry.aggregation in _LOST_SHARES:
            found.append((min(1.0, entry.value), entry))
        elif entry.value > 0 and entry.aggregation in _LOST_COUNTS:
            found.append((min(1.0, entry.value / questions) if questions else 1.0, entry))
    if not found:
        return None
    share, worst = max(found, key=lambda pair: pair[0])
    return share, Cause(f"the harness reports {worst.value:g} as `{worst.name}`", "passing")


def _find_composites(
    entries: Sequence[Entry], means: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each of `means` with its parts, if the harness reported all; one with `*` may be several metrics."""
    for name, parts in means.items():
        found = [[entry.name for entry in entries if matches_metric(part, entry.name)] for part in parts]
        if all(found):
            yield name, tuple(dict.fromkeys(one for part in found for one in part))


def _compute_means(entries: Sequence[Entry], composites: Mapping[str, Sequence[str]]) -> Iterator[Entry]:
    """Yield each composite, the mean of its parts."""
    values = {entry.name: entry.value for entry in entries}
    for name, parts in composites.items():
        yield Entry(name, "mean", sum(values[part] for part in parts) / len(parts), {}, leads=True)


def _read_results(path: Path) -> list[Entry] | str:
    """Read every score under the name that NVIDIA's exporters use, TASK_METRIC_SCORE; groups first."""
    import yaml

    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        results, repeated = told["results"], bool(_REPEATED.search(str(told.get("command"))))
        found: dict[str, Entry] = {}
        groups, tasks = results.get("groups") or {}, results.get("tasks") or {}
        for name, body in (*_walk_groups(groups), *tasks.items()):
            for metric, scores in (body.get("metrics") or {}).items():
                for aggregation, score in scores["scores"].items():
                    full, value = f"{name}_{metric}_{aggregation}", float(score["value"])
                    stats = dict(score.get("stats") or {})
                    if repeated:  # too small: its samples are not independent
                        stats["pooled"] = stats.pop("stderr", None)
                    found.setdefault(full, Entry(full, aggregation, value, stats, name in (groups or tasks)))
    except FileNotFoundError:
        return "the harness wrote no results.yml"
    except (OSError, yaml.YAMLError):
        return "results.yml is truncated or not YAML"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"this version of evalmake cannot read the form of results.yml: {error!r}"
    return list(found.values())


def _walk_groups(groups: Any) -> Iterator[tuple[str, Any]]:
    for name, body in (groups or {}).items():
        yield name, body
        yield from _walk_groups(body.get("groups"))


def _build_score(entry: Entry, samples: SampledMetrics) -> Score:
    """The score by the samples if there are any; else as reported."""
    stderr, count = entry.stats.get("stderr"), entry.stats.get("count")
    stderr_reported = float(stderr) if isinstance(stderr, int | float) and math.isfinite(stderr) else None
    pooled = entry.stats.get("pooled")
    pooled = float(pooled) if isinstance(pooled, int | float) and math.isfinite(pooled) else None
    if math.isfinite(entry.value) and (score := samples.score(entry.name, entry.value, stderr_reported)):
        return score
    scored = count if isinstance(count, int) else 0
    # A standard error of 0 without a count says only that the scores were equal, of unknown number.
    stderr_used = None if stderr_reported == 0 and not scored else stderr_reported
    value = entry.value if math.isfinite(entry.value) else None
    return Score(
        entry.name, value, stderr_used, scored=scored, reported=pooled if stderr_reported is None else stderr_reported
    )


def _find_unused_parameters(log: Path, required: Sequence[str]) -> list[str]:
    """Those of `required` of which the harness warns that it does not use them."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    unused = {name for found in _UNUSED_PARAMETERS.findall(text) for name in found.split(", ")}
    return [f"`{name}`" for name in required if _PARAM + name in unused]
