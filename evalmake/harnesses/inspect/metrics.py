"""The metrics of Inspect's log: what each is a mean of, its name, and which of them stands for the task."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Json = Mapping[str, Any]
_ERROR_METRICS = ("stderr", "bootstrap_stderr", "ci")  # metrics that are the uncertainty of another one
_MEAN_METRICS = ("accuracy", "mean")
_PLAIN_REDUCERS = (None, "mean")  # reducers under which a metric is the mean over epochs


class Group(NamedTuple):
    """The samples that a metric of `grouped()` is about: those with this value of a metadata field."""

    field: str
    value: str | None
    """None for all samples."""

    def holds(self, sample: Json) -> bool:
        """Whether a sample belongs to it."""
        return self.value is None or str((sample.get("metadata") or {}).get(self.field)) == self.value


class Metric(NamedTuple):
    """One metric of one score as reported; `key` is set if the scorer returns several scores.

    `mean` is true for a mean of the samples' scores, and false for a spread, a count, or a reduction of epochs that is
    no mean. `kind` is Inspect's name of the metric, and for one of `grouped()` that of the metric inside.
    """

    name: str
    scorer: str
    score: str
    short: str
    key: str | None
    kind: str
    reducer: str | None
    group: Group | None
    value: float
    stderr: float | None
    mean: bool
    scored: int
    unscored: int


def read_metrics(scores: Sequence[Json]) -> list[Metric]:
    """The reported metrics: METRIC, or NAME/METRIC if there are several scores."""
    several = len({score["name"] for score in scores}) > 1
    named = Counter((score["name"], short) for score in scores for short in score["metrics"])
    found = []
    for score in scores:
        for metric in _read_score(score):
            reduced = [metric.reducer or "each"] if named[score["name"], metric.short] > 1 else []
            prefix = [score["name"]] if several else []
            found.append(metric._replace(name="/".join([*prefix, *reduced, metric.short])))
    return found


def _read_score(score: Json) -> Iterator[Metric]:
    """Yield the metrics of one score, without their uncertainty."""
    known = {short: metric for short, metric in score["metrics"].items() if _plain_name(metric) not in _ERROR_METRICS}
    ungrouped = [short for short, metric in known.items() if not _is_grouped(metric)]
    main = next((short for word in _MEAN_METRICS for short in ungrouped if _plain_name(known[short]) == word), None)
    if main is None:  # a metric of the task's own is taken for a mean, and compared with the mean of the samples
        main = next(iter(ungrouped), None)
    for short, metric in known.items():
        group = _read_group(short, metric)
        kind = _plain_name((metric.get("params") or {}).get("metric") or metric) if group else _plain_name(metric)
        mean = kind in _MEAN_METRICS and not _averages_groups(metric) if group else short == main
        yield Metric(
            name=short,
            scorer=score["scorer"],
            score=score["name"],
            short=short,
            key=score["name"] if score["name"] != score["scorer"] else None,
            kind=kind,
            reducer=score.get("reducer"),
            group=group,
            value=metric["value"],
            stderr=_find_stderr(score) if short == main else None,
            mean=mean and score.get("reducer") in _PLAIN_REDUCERS,
            scored=score.get("scored_samples") or 0,
            unscored=score.get("unscored_samples") or 0,
        )


def _plain_name(metric: Json) -> str:
    """A metric's name without its package. Of a metric that returns several numbers, its own name is `group`."""
    return str(metric.get("group") or metric["name"]).split("/")[-1]


def _is_grouped(metric: Json) -> bool:
    return _plain_name(metric) == "grouped" and "group_key" in (metric.get("params") or {})


def _read_group(short: str, metric: Json) -> Group | None:
    if not _is_grouped(metric):
        return None
    params, name = metric["params"], metric.get("name") or short
    if name == params.get("all_label", "all"):
        return Group(params["group_key"], None)
    before, _, after = params.get("name_template", "{group_name}").partition("{group_name}")
    return Group(params["group_key"], name[len(before) : len(name) - len(after)])


def _averages_groups(metric: Json) -> bool:
    """Whether it is the mean of the groups' means, and not of the samples."""
    params: Json = metric["params"]
    return params.get("all") == "groups" and metric.get("name") == params.get("all_label", "all")


def _find_stderr(score: Json) -> float | None:
    """The standard error that a scorer reports; the clustered one if it reports both."""
    found = [m for m in score["metrics"].values() if m["name"].split("/")[-1] in _ERROR_METRICS[:2]]
    found.sort(key=lambda metric: not metric.get("params", {}).get("cluster"))
    return found[0]["value"] if found and math.isfinite(found[0]["value"]) else None


def find_headline(log: Json, metrics: Sequence[Metric]) -> str:
    """The metric that stands for the task; empty if none does by itself.

    It is the one that the task declares, else the only one, else the accuracy or mean of its only score. Of several
    scores none stands for the others, and the first one would be another when the task gets one more.
    """
    if log["eval"].get("headline_metric"):
        return _find_declared((log.get("results") or {}).get("headline") or {}, metrics)
    if len(metrics) == 1:
        return metrics[0].name
    averaged = [metric for metric in metrics if metric.reducer in _PLAIN_REDUCERS] or list(metrics)
    if len({(metric.score, metric.reducer) for metric in averaged}) != 1:
        return ""
    whole = [metric for metric in averaged if metric.group is None]
    totals = [metric for metric in averaged if metric.group and metric.group.value is None]
    for candidates in (*([m for m in whole if m.kind == word] for word in _MEAN_METRICS), whole or totals):
        if len(candidates) == 1:
            return candidates[0].name
    return ""


def _find_declared(declared: Json, metrics: Sequence[Metric]) -> str:
    """The metric of Inspect's own resolution of the task's declaration; empty if it found none."""
    wanted = (declared.get("score"), declared.get("metric"))
    found = [metric for metric in metrics if (metric.score, metric.short) == wanted]
    exact = [metric for metric in found if declared.get("reducer") in (None, metric.reducer)]
    return exact[0].name if exact else ""
