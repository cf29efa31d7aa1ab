"""What replies took, from samples and counts, and the gates on it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from evalmake.language.money import Price
from evalmake.project.measure_units import format_quantity
from evalmake.scoring.cost import Prices
from evalmake.scoring.gates import Requirement
from evalmake.scoring.item import Item
from evalmake.scoring.measured_gates import MeasuredRun, find_statistic, judge_measure, measure

SECONDS = [0.1 * number for number in range(1, 101)]


def run(latencies: list[float | None], usage: Mapping[str, float] | None = None) -> MeasuredRun:
    """A run whose samples took so many seconds."""
    items = [Item(str(at), "", {}, latency=seconds, tokens_out=10 * at) for at, seconds in enumerate(latencies)]
    price = {"in": Price(1.0, "USD", "Mtok"), "out": Price(2.0, "USD", "Mtok")}
    return MeasuredRun(usage or {}, lambda: items, Prices({"model": price}))


@pytest.mark.parametrize(
    ("statistic", "value"), [("mean", 5.05), ("p50", 5.0), ("p90", 9.0), ("p95", 9.5), ("p99", 9.9), ("max", 10.0)]
)
def test_statistics(statistic: str, value: float) -> None:
    """A percentile is the smallest value that so many do not exceed, also where its place is no whole number."""
    assert find_statistic(statistic, SECONDS) == pytest.approx(value)
    assert find_statistic("p95", [1.0, 2.0, 3.0]) == 3.0
    assert find_statistic("p50", [7.0]) == 7.0


def test_latency_over_seeds() -> None:
    """The mean of the seeds' percentiles counts; samples without a latency do not."""
    runs = {1: run([1.0, None, 2.0]), 2: run([4.0])}
    found = judge_measure("e", Requirement("latency.p95", "<=", 3.0), "s", runs)
    assert (found.met, found.value, found.samples) == (True, 3.0, (2, 1))
    assert found.message == "latency.p95 is 3s, at most 3s"
    assert found.requirement == "latency.p95 <= 3s"
    assert judge_measure("e", Requirement("latency.max", "<", 3.0), "s", runs).met is False


def test_what_is_not_known_meets_nothing() -> None:
    """Without samples, replies, a price or counts of tokens, a gate is not judged, and says why."""
    asked = {
        "latency.p50": ("s", run([None]), "no sample tells its latency"),
        "tokens_in.max": ("tok", MeasuredRun({}), "no sample tells its tokens_in"),
        "truncated": ("%", run([1.0]), "no reply is on record"),
        "cost": ("EUR", run([1.0]), "nothing that it uses has a price in EUR"),
    }
    for name, (unit, one, why) in asked.items():
        found = judge_measure("e", Requirement(name, "<=", 1e9), unit, {1: one, 2: one})
        assert (found.met, found.message) == (None, f"{name} is not known: {why} (seed 1)")
    unsure = run([1.0], {"uncounted": 1.0, "tokens_in": 5.0})
    assert measure("cost", "USD", unsure).lack == "some replies do not say how many tokens they took"


def test_truncated_and_cost() -> None:
    """Replies that end inside their reasoning count as cut off; replies from the cache cost what they would anew."""
    usage = {"replies": 200, "replies_truncated": 2, "replies_unfinished": 1, "tokens_in": 1e6, "tokens_out": 1e6}
    assert measure("truncated", "%", run([1.0], usage)) == (0.015, 200, "")
    assert measure("cost", "USD", run([1.0], usage)).value == pytest.approx(3.0)
    found = judge_measure("e", Requirement("truncated", "<=", 0.01), "%", {1: run([1.0], usage)})
    assert (found.met, found.message) == (False, "truncated is 1.5%, above 1%")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1.8349, "s", "1.83s"), (412.3, "tok", "412tok"), (12345.6, "tok", "12346tok"), (0.008, "%", "0.8%")],
)
def test_how_quantities_are_written(value: float, unit: str, text: str) -> None:
    """With their unit, in three significant digits."""
    assert format_quantity(value, unit) == text
