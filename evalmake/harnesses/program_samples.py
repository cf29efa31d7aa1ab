"""The `samples.jsonl` that a program wrote itself, beside the scores that it reports."""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalmake.scoring.item import weighted_mean
from evalmake.scoring.numbers import format_given, format_number
from evalmake.scoring.sample_counts import LEAST_WEIGHT, MOST_WEIGHT, read_weight
from evalmake.scoring.score import Score
from evalmake.scoring.share_names import describe_impossible_share

_FEWEST_DECIMALS = 2
"""A score with fewer is not taken for a rounded mean: 1.0 is not 0.96."""


@dataclass(slots=True)
class ProgramSamples:
    """The scores of each item, and the first one that is no number.

    A line that is no sample counts as one without a score beside others that are samples.
    """

    ids: set[str] = field(default_factory=set)
    values: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """Metric -> the id of an item -> its scores."""
    weights: dict[str, float] = field(default_factory=dict)
    mistake: str = ""
    lines: int | None = None
    """How many lines there are; None where there is no file."""
    odd_lines: list[str] = field(default_factory=list)
    """For each line that is no sample: its number, and what is wrong with it."""

    @classmethod
    def read(cls, path: Path) -> ProgramSamples:
        """The samples in a file; none where there is no file."""
        found = cls()
        for number, line in _read_lines(path):
            found.lines = (found.lines or 0) + bool(line)
            row = _parse_row(line) if line else None
            if row is None:
                continue
            if isinstance(row, str):
                found.odd_lines.append(f"line {number} {row}")
                continue
            id, scores, weight = row
            found.ids.add(id)
            found.weights[id] = weight
            for metric, value in scores.items():
                if value is None:
                    continue
                if not (isinstance(value, int | float) and abs(value) <= sys.float_info.max):
                    place = f"{path.name}:{number}: {metric} is {json.dumps(value)[:40]}"
                    found.mistake = found.mistake or f"{place}, not a number: leave out what was not scored"
                    continue
                if wrong := describe_impossible_share(metric, value):
                    found.mistake = found.mistake or f"{path.name}:{number}: {metric} is {wrong}"
                found.values[metric][id].append(float(value))
        return found

    def complete(self, score: Score) -> Score:
        """The score with the counts of items where the program gives none, and with the mean that it rounded.

        A metric that no row has, while rows have others, is no mean of them and keeps its lack of counts.
        """
        if not self.ids or (self.values and score.metric not in self.values):
            return score
        scored = len(self.values[score.metric])
        if not score.unscored and score.scored in (0, scored):
            score = replace(score, scored=scored, unscored=len(self.ids) + len(self.odd_lines) - scored)
        mean = self._mean(score.metric)
        return replace(score, value=mean) if mean is not None and _is_rounded(score.value, mean) else score

    def find_contradictions(self, scores: Iterable[Score]) -> Iterator[str]:
        """A sentence for each score whose value or count is not that of its items."""
        for score in scores:
            items, mean = self.values.get(score.metric), self._mean(score.metric)
            if not items or mean is None:
                continue
            if score.value is not None and not math.isclose(score.value, mean, rel_tol=1e-6, abs_tol=1e-6):
                told = f"{score.metric} is {format_given(score.value)} by the program"
                yield f"{told}, and the mean of its samples is {format_number(mean)}"
            answers = sum(map(len, items.values()))
            if score.scored not in (len(items), answers):
                counted = f"{score.metric} has {score.scored} samples by the program"
                yield f"{counted}, and samples.jsonl has {len(items)}"

    def find_gaps(self, headline: str) -> Iterator[str]:
        """A sentence for each reason why a score was not compared with its samples, or not with all."""
        if self.lines == 0:
            yield "samples.jsonl is empty"
        elif self.odd_lines:
            yield f"{len(self.odd_lines)} of {self.lines} lines of samples.jsonl are no samples: {self.odd_lines[0]}"
        if headline and self.values and headline not in self.values:
            lacking = f"no row of samples.jsonl has `{headline}` in its `scores`, so it is not compared"
            yield f"{lacking}: they have {', '.join(sorted(self.values))}"

    def _mean(self, metric: str) -> float | None:
        """The mean over items, by their weights, of the means of their scores."""
        items = {id: math.fsum(values) / len(values) for id, values in self.values.get(metric, {}).items()}
        return weighted_mean([*items.values()], [self.weights[id] for id in items]) if items else None


def _is_rounded(value: float | None, mean: float) -> bool:
    """Whether a value is the mean, written with so many decimals."""
    if value is None:
        return False
    decimals = len(repr(value).partition(".")[2])
    return decimals >= _FEWEST_DECIMALS and abs(value - mean) <= 0.5000001 * 10.0**-decimals


def _read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file, numbered; an empty one for an empty file, and none where there is no file."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return
    for number, line in enumerate(text.split("\n"), 1):
        yield number, line.strip()


def _parse_row(line: str) -> tuple[str, Mapping[str, Any], float] | str:
    """The id, scores and weight of a sample, or what is wrong with a line that is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return "is not JSON"
    if not isinstance(row, dict):
        return "is not an object"
    if row.get("id") is None:
        return "has no `id`"
    scores = row.get("scores")
    try:
        weight = read_weight(row)
    except ValueError:
        return f"has the weight {json.dumps(row['weight'])[:40]}, not a number from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}"
    if scores is None and row.get("error") is not None:
        return str(row["id"]), {}, weight
    if not isinstance(scores, dict):
        return "has no map `scores`" if scores is not None else 'has no `scores`: write {"id": ..., "scores": {...}}'
    return str(row["id"]), scores, weight
