"""The scores of one evaluation, and what runs cost that several evaluations share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from evalmake.scoring.headline import UNKNOWN_KIND, MetricKind
from evalmake.scoring.score import Score

Scalar = str | int | float | bool
FIELDS = ("model", "benchmark", "eval", "metric")


UNTAGGED = "-"
"""The tag of samples without one."""


@dataclass(frozen=True, slots=True)
class Result:
    """The scores of one evaluation: one cell of the matrix, one seed."""

    name: str  # its path: "grid/qwen2.5-7b/gsm8k/1"
    eval: str
    axes: tuple[tuple[str, Scalar], ...]
    model: str
    benchmark: str
    seed: int
    metric: str  # the headline one
    scores: tuple[Score, ...]
    action: str  # the digest's text
    attempt: int  # the attempt that counts, from 1
    attempts: int  # all there were
    reused: bool  # not run by this build
    started: str  # ISO 8601, UTC
    seconds: float
    usage: Mapping[str, float]  # requests, tokens and seconds, by kind
    harness: str = ""
    confidence: float | None = None  # of the eval, where it asks for one of its own
    settings: Mapping[str, str] = field(default_factory=dict)  # limit, sampling, prompt, adapter, as text
    facts: Mapping[str, str] = field(default_factory=dict)  # texts of its record
    seeds: tuple[int, int] = (1, 1)  # of its cell: how many have a result, of how many
    kind: MetricKind = UNKNOWN_KIND  # scale and direction of the headline metric
    tag: str = ""  # of the samples that count here; empty if all do

    def score(self, metric: str) -> Score | None:
        """The score of one metric, or None if the harness did not report it."""
        return next((score for score in self.scores if score.metric == metric), None)

    def coordinate(self, axis: str) -> str:
        """The value on an axis, or the model, benchmark, eval, metric or seed; "-" if it has none."""
        value = dict(self.axes).get(axis, "-")
        if axis in (*FIELDS, "seed"):
            value = getattr(self, axis)
        if axis == "tag":
            value = self.tag or UNTAGGED
        return str(value).lower() if isinstance(value, bool) else str(value)


def divide_by_metric(results: Iterable[Result]) -> list[Result]:
    """Each result once for each of its metrics, the headline first; scale and direction are stated of that alone."""
    return [
        result if metric == result.metric else replace(result, metric=metric, kind=UNKNOWN_KIND)
        for result in results
        for metric in dict.fromkeys((result.metric, *(score.metric for score in result.scores)))
    ]


SECONDS_ON = "seconds_on_"
"""Before a machine's shape, of usage: how long one of that shape was had."""


def distinct_runs(results: Iterable[Result]) -> list[Result]:
    """One result of each run: evaluations that share one were asked, and paid for, once."""
    return list({(result.action, result.attempt): result for result in results}.values())


def machine_seconds(results: Iterable[Result]) -> dict[str, float]:
    """How long machines were had for these, in seconds, by their shapes, where these are known."""
    took: dict[str, float] = {}
    for result in distinct_runs(results):
        for kind, seconds in result.usage.items():
            if kind.startswith(SECONDS_ON):
                shape = kind.removeprefix(SECONDS_ON)
                took[shape] = took.get(shape, 0.0) + seconds
    return dict(sorted(took.items()))
