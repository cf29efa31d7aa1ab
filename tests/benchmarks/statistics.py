"""Coverage and width of the intervals that evalmake prints, by simulation, beside other methods.

Coverage is the share of simulated evaluations whose 95 % interval holds the true score. The bars: at least 92 %
everywhere from 20 items on; on average over the true scores from 94.5 to 97 % (98.5 with fewer than 50 clusters); not
wider than 1.15 times the narrowest other method that itself covers 92 % everywhere. With the same seed, the same
figures.

Few runs say little. Behind each figure stands its Monte Carlo standard error, and a figure beyond a bar by up to
three of them is "undecided": more runs tell. Only one that is further away has "MISSED" the bar. The error of a width
is itself estimated: below 100 runs, do not rely on it.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from random import Random
from statistics import median

from evalmake.scoring.anytime import BettingTest, anytime_interval
from evalmake.scoring.comparisons import paired_proportions
from evalmake.scoring.intervals import Interval, bounded_interval, item_interval, mean_se, t_interval, wilson
from evalmake.scoring.item import Item, ItemMean, average_items
from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import Run, average_seeds
from tests.benchmarks import statistics_methods as methods
from tests.benchmarks.statistics_bars import FEW_CLUSTERS, MEAN, OURS, Cell, print_bars, print_cells, row

SLOW_RUNS = 200
"""Runs of each case for methods that take long."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options, and what they are for."""
    parser.add_argument("--runs", type=int, default=4000, help="simulated evaluations of each case")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> int:
    """Simulate, and print."""
    draw = Random(options.seed)
    groups = {
        "one run of 0/1 scores": (_one_run(), MEAN),
        "3 seeds of 0/1 scores": (_seeds(draw, options.runs), MEAN),
        "0/1 scores in clusters": (_clusters(draw, options.runs), FEW_CLUSTERS),
        "0/1 scores with weights": (_weights(draw, options.runs), FEW_CLUSTERS),
        "other scores from 0 to 1": (_bounded(draw, options.runs), MEAN),
        "means of several seeds, nothing else known": (_seed_means(draw, options.runs), FEW_CLUSTERS),
    }
    for title, (simulated, bar) in groups.items():
        print(f"\n{title}\n", flush=True)
        cells = list(simulated)
        print_cells(cells)
        print_bars(cells, bar)
    _print_gates(draw, options.runs)
    _print_pairs(draw, options.runs)
    _print_stops(draw, max(options.runs // 2, 2))
    return 0


# --- Cases -----------------------------------------------------------------------------------------


def _one_run() -> Iterator[Cell]:
    """One run, enumerated: no simulation is needed."""
    ways = {OURS: wilson, "Jeffreys": methods.jeffreys, "Clopper-P.": methods.clopper_pearson}
    for n in (20, 50, 100, 1000):
        for p in (0.05, 0.5, 0.95):
            cell = Cell(f"n = {n}, exact", p, exact=True)
            shares = {k: math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)}
            for name, method in ways.items():
                for k, share in shares.items():
                    if share > 1e-9:
                        cell.add(name, method(k, n), share)
            yield cell


def _seeds(draw: Random, runs: int) -> Iterator[Cell]:
    """Three seeds of the same items; `rho` is the correlation of two answers to one item."""
    for rho in (0.0, 0.3, 0.8, 1.0):
        for n in (20, 100, 1000):
            for p in (0.05, 0.5, 0.95):
                cell = Cell(f"rho {rho:g}, n = {n}", p)
                for _ in range(runs if n < 1000 else max(runs // 4, 10)):
                    counts = _draw_counts(draw, n, 3, p, rho)
                    found = _pool_counts(counts, 3)
                    cell.add(OURS, _proportion(found))
                    cell.add("t of items", methods.clipped_t(found.mean, found.stderr or 0.0, n - 1))
                    cell.add("as one run", wilson(found.mean * n, n))
                yield cell


def _clusters(draw: Random, runs: int) -> Iterator[Cell]:
    """One run whose items come in clusters, with an intra-class correlation of 0.3."""
    for groups, size in ((20, 5), (10, 10), (50, 4)):
        for p in (0.05, 0.5, 0.95):
            cell = Cell(f"{groups} clusters of {size}", p)
            for _ in range(runs):
                right = [k for k, count in enumerate(_draw_counts(draw, groups, size, p, 0.3)) for _ in range(count)]
                found = _pool_clusters(right, size)
                cell.add(OURS, _proportion(found))
                cell.add("clustered t", methods.clipped_t(found.mean, found.stderr or 0.0, groups - 1))
                cell.add("no clusters", wilson(sum(right), groups * size))
                cell.add("Korn-Graub.", _korn_graubard(found))
            yield cell


def _weights(draw: Random, runs: int) -> Iterator[Cell]:
    """One run whose items have log-normal weights, which say nothing of the scores."""
    for sigma in (0.3, 1.0, 1.6):
        for n in (20, 100, 400):
            for p in (0.05, 0.5, 0.95):
                cell = Cell(f"sigma {sigma:g}, n = {n}", p)
                for _ in range(runs if n < 400 else max(runs // 4, 10)):
                    items = [
                        Item(str(at), "", {"": float(draw.random() < p)}, weight=draw.lognormvariate(0, sigma))
                        for at in range(n)
                    ]
                    found = average_items([items], "")
                    assert found is not None
                    cell.add(OURS, _proportion(found))
                    cell.add("t of items", methods.clipped_t(found.mean, found.stderr or 0.0, n - 1))
                    cell.add("Korn-Graub.", _korn_graubard(found))
                yield cell


SHAPES: Mapping[str, Callable[[Random, float], float]] = {
    "beta, wide": lambda draw, p: draw.betavariate(2 * p, 2 * (1 - p)),
    "beta, narrow": lambda draw, p: draw.betavariate(10 * p, 10 * (1 - p)),
    "grades of 5": lambda draw, p: sum(draw.random() < p for _ in range(4)) / 4,
    "grades, wide": lambda draw, p: _grade(draw, draw.betavariate(2 * p, 2 * (1 - p))),
    "half at an edge": lambda draw, p: _at_edge(draw, p, 0.5, lambda q: draw.betavariate(4 * q, 2 - 4 * q)),
    "rare failures": lambda draw, p: _at_edge(draw, p, 1 - 2 * min(p, 1 - p), lambda q: draw.random()),
}


def _bounded(draw: Random, runs: int) -> Iterator[Cell]:
    """One run of scores from 0 to 1; bootstrap and betting take long, and have the first `SLOW_RUNS` only."""
    for name, shape in SHAPES.items():
        for n in (20, 100):
            for p in (0.05, 0.2, 0.5, 0.8, 0.95):
                if name == "half at an edge" and p == 0.5:
                    continue  # it has one edge
                cell = Cell(f"{name}, n = {n}", p)
                for run in range(runs):
                    scores = [shape(draw, p) for _ in range(n)]
                    found = mean_se(scores)
                    mean, stderr = found.mean or 0.0, found.stderr or 0.0
                    cell.add(OURS, bounded_interval(mean, stderr, n, 0.95))
                    cell.add("t", methods.clipped_t(mean, stderr, n - 1))
                    cell.add("logit t", methods.logit_t(scores))
                    if run < SLOW_RUNS:
                        cell.add("BCa", methods.bca(scores, draw, 399))
                        cell.add("betting", methods.betting(scores))
                yield cell


def _seed_means(draw: Random, runs: int) -> Iterator[Cell]:
    """The means of 0/1 scores alone; seeds that agree have no interval."""
    for seeds in (3, 5):
        for n in (50, 200):
            for p in (0.05, 0.5, 0.9, 0.98):
                cell = Cell(f"{seeds} seeds, n = {n}", p)
                for _ in range(runs):
                    values = [sum(draw.random() < p for _ in range(n)) / n for _ in range(seeds)]
                    found = average_seeds("m", [Run((Score("m", value),)) for value in values])
                    if found.low is None or found.high is None:
                        continue
                    cell.add(OURS, (found.low, found.high))
                    cell.add("t", t_interval(found.mean or 0.0, found.stderr or 0.0, seeds - 1))
                yield cell


def _grade(draw: Random, p: float) -> float:
    return sum(draw.random() < p for _ in range(4)) / 4


def _at_edge(draw: Random, p: float, share: float, other: Callable[[float], float]) -> float:
    """A score that lies with this share exactly at the edge that is nearer to the mean."""
    q = min(p, 1 - p)
    score = 0.0 if draw.random() < share else other(q)
    return score if p <= 0.5 else 1 - score


# --- Draws, and what evalmake makes of them ----------------------------------------------------------


def _draw_counts(draw: Random, items: int, answers: int, p: float, rho: float) -> list[int]:
    """How many items had 0, 1, ... right answers: beta-binomial, any two answers of an item correlated by rho."""
    counts = [0] * (answers + 1)
    for k in draw.choices(range(answers + 1), _right_answers(answers, p, rho), k=items):
        counts[k] += 1
    return counts


@lru_cache
def _right_answers(answers: int, p: float, rho: float) -> tuple[float, ...]:
    """The chance of each number of right answers to one item."""
    if rho == 1:
        return (1 - p, *[0.0] * (answers - 1), p)
    chances = []
    for k in range(answers + 1):
        chance = float(math.comb(answers, k))
        for i in range(answers):
            right = i < k
            step = i if right else i - k
            chance *= ((p if right else 1 - p) * (1 - rho) + step * rho) / (1 - rho + i * rho)
        chances.append(chance)
    return tuple(chances)


def _pool_counts(counts: Sequence[int], seeds: int) -> ItemMean:
    """The mean of items of which so many had 0, 1, ... right answers of `seeds`."""
    n = sum(counts)
    mean = sum(k * count for k, count in enumerate(counts)) / n / seeds
    variance = math.fsum(count * (k / seeds - mean) ** 2 for k, count in enumerate(counts)) / (n - 1)
    # Where all seeds agree on every item, evalmake takes them for one run.
    answers = n if not any(counts[1:-1]) else n * seeds
    return _make_mean(mean, math.sqrt(variance / n), n, answers, n, clustered=False)


def _pool_clusters(right: Sequence[int], size: int) -> ItemMean:
    groups, n = len(right), len(right) * size
    mean = sum(right) / n
    squares = math.fsum((k - size * mean) ** 2 for k in right)
    stderr = math.sqrt(groups / (groups - 1) * squares) / n
    return _make_mean(mean, stderr, n, n, groups, clustered=True)


def _make_mean(mean: float, stderr: float, items: int, answers: int, groups: int, clustered: bool) -> ItemMean:
    """The mean of items with scores of 0 and 1, each of the same weight."""
    return ItemMean(
        mean,
        stderr,
        items=items,
        distinct=items,
        answers=answers,
        groups=groups,
        effective=groups,
        clustered=clustered,
        lowest=0.0,
        highest=1.0,
        binary=True,
    )


def _proportion(found: ItemMean) -> Interval:
    interval = item_interval(found, 0.95)[0]
    assert interval is not None
    return interval


def _korn_graubard(found: ItemMean) -> Interval:
    """Clopper-Pearson's interval at the effective size (Korn and Graubard 1998), without their t adjustment."""
    p = found.mean
    n = min(found.items, p * (1 - p) / found.stderr**2) if found.stderr else found.groups
    return methods.clopper_pearson(p * n, n)


# --- Gates and pairs ------------------------------------------------------------------------------


def _print_gates(draw: Random, runs: int) -> None:
    """The power of a gate, and how often a second seed widens an interval."""
    print("\ngate of 0.80 at 95 %, truth 0.90, n = 100, rho 0.3: share of builds that meet it\n")
    for seeds in (1, 2, 3, 5):
        met = 0
        for _ in range(runs):
            found = _pool_counts(_draw_counts(draw, 100, seeds, 0.9, 0.3), seeds)
            interval = item_interval(found, 0.9)[0]  # one-sided at 95 %
            met += interval is not None and interval[0] >= 0.8
        print(f"{seeds} seed{'s' * (seeds > 1)}: {met / runs:.2f}", flush=True)
    wider, most = 0, 1.0
    for _ in range(runs):
        items = draw.choices([(0, 0), (0, 1), (1, 0), (1, 1)], _pairs_of(0.7, 0.3), k=40)
        first = _proportion(_pool_counts([sum(a == k for a, _ in items) for k in (0, 1)], 1))
        both = _proportion(_pool_counts([sum(a + b == k for a, b in items) for k in (0, 1, 2)], 2))
        ratio = (both[1] - both[0]) / (first[1] - first[0])
        wider, most = wider + (ratio > 1), max(most, ratio)
    print(f"a second seed widens the interval (n = 40, truth 0.7, rho 0.3): {wider / runs:.1%}, up to {most:.2f} times")


def _pairs_of(p: float, rho: float) -> tuple[float, float, float, float]:
    none, one, two = _right_answers(2, p, rho)
    return none, one / 2, one / 2, two


def _print_pairs(draw: Random, runs: int) -> None:
    """Paired 0/1 scores: coverage, and whether interval and p ever disagree."""
    print("\ntwo models, the same items, 0/1 scores\n")
    disagree = 0
    for n in (20, 50, 100, 1000):
        for better, worse in ((0.98, 0.95), (0.8, 0.7), (0.5, 0.5)):
            cell = Cell(f"n = {n}, {better:g} against {worse:g}", better - worse)
            both = better * worse + 0.5 * math.sqrt(better * (1 - better) * worse * (1 - worse))  # correlation 0.5
            weights = (better - both, worse - both, 1 - better - worse + 2 * both)
            for _ in range(runs):
                drawn = draw.choices((1, -1, 0), weights, k=n)
                a_only, b_only = drawn.count(1), drawn.count(-1)
                interval, p = _paired(a_only, b_only, n)
                cell.add(OURS, interval)
                cell.add("t", methods.wald_paired(a_only, b_only, n))
                disagree += (interval[0] > 0 or interval[1] < 0) != (p < 0.05)
            print(f"{cell.case:<34}{row(cell)}", flush=True)
    print(f"interval and p disagree: {disagree} times")


@lru_cache(maxsize=100_000)
def _paired(a_only: int, b_only: int, n: int) -> tuple[Interval, float]:
    found = paired_proportions(a_only, b_only, n)
    assert found.interval is not None
    assert found.p is not None
    return found.interval, found.p


def _print_stops(draw: Random, runs: int) -> None:
    """Where asking stops as soon as a gate is decided: how often wrongly, after how many items, and the coverage."""
    print(f"\nasking until a gate of 0.80 is decided at 95 %, at most 1 000 items, {runs} builds\n")
    print("".join(f"{head:>13}" for head in ("truth", "met", "not met", "undecided", "median items", "coverage")))
    for truth in (0.9, 0.85, 0.82, 0.8, 0.7):
        sides, counts, covered = Counter[int](), [], 0
        for _ in range(runs):
            side, count, right = _ask_until_decided(draw, truth)
            low, high = anytime_interval({1.0: right, 0.0: count - right}, 0.95)
            sides[side] += 1
            counts.append(count)
            covered += low <= truth <= high
        shares = [f"{sides[side] / runs:.1%}" for side in (1, -1, 0)]
        figures = (f"{truth:.2f}", *shares, f"{median(counts):.0f}", f"{covered / runs:.1%}")
        print("".join(f"{figure:>13}" for figure in figures), flush=True)


def _ask_until_decided(draw: Random, truth: float) -> tuple[int, int, int]:
    """On which side of 0.80 the share is found, after how many items, and how many of these were right."""
    test, right = BettingTest(0.8, 0.95), 0
    for count in range(1, 1001):
        score = float(draw.random() < truth)
        right += int(score)
        test.add(score)
        if test.side:
            return test.side, count, right
    return 0, 1000, right
