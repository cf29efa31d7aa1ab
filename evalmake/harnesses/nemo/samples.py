"""Reads the samples that a harness of NVIDIA's left, in the form that it has, and scores its metrics by them."""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalmake.harnesses.nemo.readers import (
    bfcl,
    common_form,
    hle,
    ifbench,
    livecodebench,
    lm_eval,
    mmath,
    scicode,
    simple_evals,
)
from evalmake.harnesses.nemo.readers.reading import Reader, Reading
from evalmake.harnesses.samples import Row, read_gateway_requests, score_from_samples
from evalmake.scoring.score import Score

_READERS: dict[str, Reader] = {
    "NVIDIA's common form": common_form.read,
    "lm-eval": lm_eval.read,
    "simple-evals": simple_evals.read,
    "BFCL": bfcl.read,
    "ifbench": ifbench.read,
    "mmath": mmath.read,
    "hle": hle.read,
    "scicode": scicode.read,
    "livecodebench": livecodebench.read,
}
_ROUNDING = 1e-6


def read_samples(outputs: Path) -> tuple[Reading, str]:
    """The samples below `outputs`/nemo, of the first form that is there, and why they could not be read."""
    requests = read_gateway_requests(outputs)
    for form, read in _READERS.items():
        try:
            if reading := read(outputs / "nemo", requests):
                return reading, ""
        except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, sqlite3.Error) as error:
            return Reading(), f"the samples of {form} could not be read: {error!r}"
    return Reading(), ""


@dataclass(slots=True)
class SampledMetrics:
    """Samples by metric, and the metrics that are means of others."""

    reading: Reading
    names: Collection[str]
    """Of the metrics that were reported."""
    rows: list[Row] = field(default_factory=list)
    unscored: list[Row] = field(default_factory=list)
    by_metric: dict[str, list[Row]] = field(default_factory=dict)

    @classmethod
    def collect(cls, reading: Reading, names: Collection[str], headline: str) -> SampledMetrics:
        """The samples with the scores that were reported; one that has another name is the headline's."""
        rows = [_keep_known(row, names) for row in reading.rows]
        if headline in names and not any(row.scores for row in rows):
            rows = _name_after_headline(reading.rows, headline)
        found = cls(reading, names)
        found.rows = found._add_composites(rows)
        for row in found.rows:
            if row.error and not row.scores:
                found.unscored.append(row)
            for metric in row.scores:
                found.by_metric.setdefault(metric, []).append(row)
        return found

    def score(self, metric: str, value: float, stderr: float | None) -> Score | None:
        """The score by the samples, beside the harness's own value and error; None if no sample has it."""
        rows = self.by_metric.get(metric)
        if not rows:
            return None
        score = score_from_samples([*rows, *self.unscored], metric)
        mean, error = score.value or 0.0, score.stderr
        if not self._is_mean(mean, value):
            mean, error = value, stderr
            if metric in self.reading.composites and self._is_mean(average := self._average(metric), value):
                mean, error = average, self._find_error(metric)
            score = replace(score, clusters=None)
        return replace(score, value=mean, stderr=error, reported=stderr)

    def _is_mean(self, mean: float, value: float) -> bool:
        """Whether a reported value is this mean, as the harness rounds it."""
        rounding = _ROUNDING if self.reading.decimals is None else 0.5000001 * 10.0**-self.reading.decimals
        return abs(mean - value) <= max(_ROUNDING * abs(value), rounding)

    def _average(self, metric: str) -> float:
        """The mean of the samples, or that of the parts; a part that was not asked counts as 0."""
        if parts := self.reading.composites.get(metric):
            return math.fsum(map(self._average, parts)) / len(parts)
        rows = self.by_metric.get(metric)
        return (score_from_samples(rows, metric).value or 0.0) if rows else 0.0

    def _find_error(self, metric: str) -> float | None:
        """The standard error of a mean of independent parts: sqrt(sum SE^2) / k, of a stratified sample."""
        if parts := self.reading.composites.get(metric):
            errors = [self._find_error(part) for part in parts]
            known = [error for error in errors if error is not None]
            return math.sqrt(math.fsum(error**2 for error in known)) / len(parts) if known == errors else None
        rows = self.by_metric.get(metric)
        return score_from_samples(rows, metric).stderr if rows else 0.0

    def find_unasked(self, metric: str) -> str:
        """A sentence on the parts of a metric that were not asked, and count as 0; empty if all were."""
        parts = [part for part in dict.fromkeys(self._walk_leaves(metric, ())) if part != metric]
        unasked = [part for part in parts if part not in self.by_metric and part not in self.names]
        if not unasked:
            return ""
        return f"{metric} counts {len(unasked)} of its {len(parts)} parts as 0, because nothing of them was asked"

    def _add_composites(self, rows: Sequence[Row]) -> list[Row]:
        """Give each sample the scores of the composites that it belongs to; one with shared samples is left out."""
        known = [name for name in (*self.reading.composites, *self.reading.pools) if name in self.names]
        leaves = {name: list(self._walk_leaves(name, ())) for name in known}
        have: dict[str, set[int]] = defaultdict(set)
        for number, row in enumerate(rows):
            for metric in row.scores:
                have[metric].add(number)
        above: dict[str, list[str]] = defaultdict(list)
        for name, parts in leaves.items():
            if sum(len(have[part]) for part in parts) == len(set().union(*(have[part] for part in parts))):
                for part in parts:
                    above[part].append(name)
        return [
            replace(
                row, scores={**row.scores, **{name: row.scores[part] for part in row.scores for name in above[part]}}
            )
            for row in rows
        ]

    def _walk_leaves(self, metric: str, inside: Sequence[str]) -> Iterator[str]:
        parts = self.reading.composites.get(metric) or self.reading.pools.get(metric)
        if parts is None:
            yield metric
            return
        for part in parts:
            if part not in inside:
                yield from self._walk_leaves(part, (*inside, metric))


def _keep_known(row: Row, names: Collection[str]) -> Row:
    return replace(row, scores={name: value for name, value in row.scores.items() if name in names})


def _name_after_headline(rows: Sequence[Row], headline: str) -> list[Row]:
    """Rename the samples' only score to the headline; several scores keep their names."""
    if len({name for row in rows for name in row.scores}) != 1:
        return list(rows)
    return [replace(row, scores={headline: max(row.scores.values())} if row.scores else {}) for row in rows]
