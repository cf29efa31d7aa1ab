"""Gates on what the replies of a run took: latency, tokens, cost, and how many were cut off.

They are of the run itself: no confidence counts. A percentile is the smallest value that so many of the samples do not
exceed (nearest rank). A latency is that of the model's own reply, also of one from the reply cache; and a cost is what
the evaluation costs with no reply from there, at the prices that the Evalfile has now. Over seeds, the mean counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from evalmake.project.measure_units import COST, TRUNCATED, format_quantity
from evalmake.scoring.cost import Prices, expect_cost, is_cost_unsure
from evalmake.scoring.gates import WORDS, GateResult, Requirement, make_open_result
from evalmake.scoring.item import Item
from evalmake.scoring.seed_average import ItemReader, no_items


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One run of a cell: its counts, a function that reads its samples, and what is paid."""

    usage: Mapping[str, float]
    read_items: ItemReader = no_items
    prices: Prices = field(default_factory=Prices)


class Measurement(NamedTuple):
    """The value of a run, and the number of samples that it is of; without a value, why there is none."""

    value: float | None
    samples: int = 0
    lack: str = ""


def judge_measure(address: str, asked: Requirement, unit: str, runs: Mapping[int, MeasuredRun]) -> GateResult:
    """Judge a requirement of what replies took over the runs of a cell, by seed; not judged if one does not tell."""
    found = {seed: measure(asked.metric, unit, run) for seed, run in sorted(runs.items())}
    lacks = [f"{one.lack}{f' (seed {seed})' if len(found) > 1 else ''}" for seed, one in found.items() if one.lack]
    lack = f"{asked.metric} is not known: {lacks[0]}" if lacks else ""
    result = make_open_result(address, asked.metric, asked.op, asked.bound, None, {}, lack)
    result = replace(
        result,
        within=asked.within,
        unit=unit,
        parts=tuple((seed, one.value) for seed, one in found.items()),
        samples=tuple(one.samples for one in found.values()),
    )
    values = [one.value for one in found.values() if one.value is not None]
    if lack or not values:
        return result
    value = math.fsum(values) / len(values)
    met = asked.holds(value)
    word = WORDS[asked.op][not asked.holds(value)]
    shown, bound = format_quantity(value, unit), format_quantity(asked.bound, unit)
    within = f" within {asked.tolerance}" if asked.within else ""
    return replace(result, value=value, met=met, message=f"{asked.metric} is {shown}, {word} {bound}{within}")


def measure(name: str, unit: str, run: MeasuredRun) -> Measurement:
    """What the replies of a run took."""
    if name == TRUNCATED:
        return _measure_truncated(run.usage)
    if name == COST:
        return _measure_cost(run, unit)
    field, _, statistic = name.partition(".")
    values = sorted(value for item in run.read_items() or () if (value := _read(item, field)) is not None)
    if not values:
        return Measurement(None, 0, f"no sample tells its {field}")
    return Measurement(find_statistic(statistic, values), len(values))


def find_statistic(statistic: str, values: Sequence[float]) -> float:
    """The mean, the greatest or a percentile (`p95`) of sorted values."""
    if statistic == "mean":
        return math.fsum(values) / len(values)
    share = 1.0 if statistic == "max" else int(statistic[1:]) / 100
    return values[math.ceil(round(share * len(values), 9)) - 1]


def _read(item: Item, field: str) -> float | None:
    value: float | None = getattr(item, field)
    return value


def _measure_truncated(usage: Mapping[str, float]) -> Measurement:
    """The share of replies that the token limit cut off, or that end inside their reasoning."""
    replies = int(usage.get("replies", 0))
    if not replies:
        return Measurement(None, 0, "no reply is on record")
    return Measurement((usage.get("replies_truncated", 0) + usage.get("replies_unfinished", 0)) / replies, replies)


def _measure_cost(run: MeasuredRun, currency: str) -> Measurement:
    cost = expect_cost(run.usage, run.prices)
    if currency not in cost:
        return Measurement(None, 0, f"nothing that it uses has a price in {currency}")
    if is_cost_unsure(run.usage):
        return Measurement(None, 0, "some replies do not say how many tokens they took")
    return Measurement(cost[currency], 0)
