"""The figures of simulated intervals: coverage and width of each method, their Monte Carlo errors, and the bars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from evalmake.scoring.intervals import Interval

LEAST, MEAN, FEW_CLUSTERS, WIDTH = 92.0, (94.5, 97.0), (94.5, 98.5), 1.15
ERRORS = 3
"""So many Monte Carlo standard errors are taken for noise."""
OURS = "evalmake"


@dataclass(slots=True)
class Tally:
    """What became of one method's intervals; weights that sum to 1 are of an enumeration, without any error."""

    total: float = 0.0
    covered: float = 0.0
    widths: float = 0.0
    squares: float = 0.0
    exact: bool = False

    def add(self, width: float, holds: bool, weight: float) -> None:
        """Count one interval."""
        self.total += weight
        self.covered += weight * holds
        self.widths += weight * width
        self.squares += weight * width * width

    def coverage(self) -> float:
        """In percent."""
        return 100 * self.covered / self.total

    def coverage_error(self, truth: float | None = None) -> float:
        """The standard error of the coverage in percent, if this is the true one."""
        share = (self.coverage() if truth is None else truth) / 100
        return 0.0 if self.exact else 100 * math.sqrt(share * (1 - share) / self.total)

    def width(self) -> float:
        """On average."""
        return self.widths / self.total

    def width_error(self) -> float:
        """The standard error of the width, as a share of it."""
        variance = max(0.0, self.squares / self.total - self.width() ** 2)
        return 0.0 if self.exact or not variance else math.sqrt(variance / self.total) / self.width()


@dataclass(slots=True)
class Cell:
    """One case and one true score: how often each method covered it, and how wide it was on average."""

    case: str
    truth: float
    exact: bool = False
    methods: dict[str, Tally] = field(default_factory=dict)

    def add(self, method: str, interval: Interval, weight: float = 1.0) -> None:
        """Count one interval."""
        low, high = interval
        holds = low - 1e-12 <= self.truth <= high + 1e-12
        self.methods.setdefault(method, Tally(exact=self.exact)).add(high - low, holds, weight)


def print_cells(cells: Sequence[Cell]) -> None:
    """A line for each true score: coverage and mean width of each method."""
    most = max(tally.total for tally in cells[0].methods.values())
    heads = [
        name if tally.total == most else f"{name} ({tally.total:g} runs)" for name, tally in cells[0].methods.items()
    ]
    print(f"{'':<28}{'truth':>6}" + "".join(f"{head:>20}" for head in heads))
    for cell in cells:
        print(f"{cell.case:<28}{cell.truth:>6}{row(cell)}", flush=True)


def row(cell: Cell) -> str:
    """Coverage and mean width of each method."""
    return "".join(f"{tally.coverage():>12.1f} {tally.width():>7.4f}" for tally in cell.methods.values())


def print_bars(cells: Sequence[Cell], bar: tuple[float, float]) -> None:
    """Each bar with the figure, its Monte Carlo error, and what follows."""
    _print_least(cells)
    mean = sum(cell.methods[OURS].coverage() for cell in cells) / len(cells)
    error = math.sqrt(sum(cell.methods[OURS].coverage_error() ** 2 for cell in cells)) / len(cells)
    found = verdict([(max(bar[0] - mean, mean - bar[1]), error)])
    print(f"mean coverage: {mean:.2f} +- {error:.2f}, aim {bar[0]:g} to {bar[1]:g}: {found}")
    _print_width(cells)


def _print_least(cells: Sequence[Cell]) -> None:
    ours = [cell.methods[OURS] for cell in cells]
    found = verdict([(LEAST - tally.coverage(), tally.coverage_error(LEAST)) for tally in ours])
    least = min(cells, key=lambda cell: cell.methods[OURS].coverage())
    figure, error = least.methods[OURS].coverage(), least.methods[OURS].coverage_error(LEAST)
    print(f"least coverage: {figure:.2f} +- {error:.2f} ({least.case}), aim at least {LEAST:g}: {found}")


def _print_width(cells: Sequence[Cell]) -> None:
    others = [name for name in cells[0].methods if name != OURS and all(_covers(cell.methods[name]) for cell in cells)]
    if not others:
        print(f"width: no other method covers {LEAST:g} everywhere")
        return
    ratios = [_width_ratio(cell, others) for cell in cells]
    (ratio, error), where = max(zip(ratios, cells, strict=True), key=lambda one: one[0][0])
    found = verdict([(value - WIDTH, noise) for value, noise in ratios])
    print(
        f"width / narrowest of {', '.join(others)}: {ratio:.2f} +- {error:.2f} ({where.case}), "
        f"aim at most {WIDTH:g}: {found}"
    )


def _covers(tally: Tally) -> bool:
    """Whether a method may cover what it must, but for Monte Carlo error."""
    return tally.coverage() >= LEAST - ERRORS * tally.coverage_error(LEAST)


def _width_ratio(cell: Cell, others: Sequence[str]) -> tuple[float, float]:
    """The width against the narrowest of the others, and the standard error of that."""
    ours, other = cell.methods[OURS], min((cell.methods[name] for name in others), key=Tally.width)
    ratio = ours.width() / other.width()
    return ratio, ratio * math.hypot(ours.width_error(), other.width_error())


def verdict(excesses: Iterable[tuple[float, float]]) -> str:
    """What follows from how far each figure is beyond a bar, and the standard error of each."""
    beyond = [(excess, error) for excess, error in excesses if excess > 0]
    if any(excess > ERRORS * error for excess, error in beyond):
        return "MISSED"
    return f"undecided, within {ERRORS} errors" if beyond else "met"
