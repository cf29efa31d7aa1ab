"""What was measured of the proxies, as a table and as the ratios that matter."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

DIRECT = "direct"
_BARE, _OURS, _THEIRS = "aiohttp, bare", "gateway", "nemo-evaluator"


class Cell(NamedTuple):
    """One proxy at so many connections."""

    rate: float
    """Requests per second."""
    p50: float
    """Milliseconds of latency, as `p99`."""
    p99: float
    processor: float
    """Milliseconds of the proxy's processor time for each request."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured, in the order of the table."""

    rounds: Mapping[tuple[str, int], Sequence[Cell]]
    """By name and connections."""
    memory: Mapping[str, float]
    """MB by name: the most at any time."""
    oddities: Sequence[str]
    """Where a proxy did not do what its row says."""

    def best(self, name: str, connections: int) -> Cell:
        """Its fastest round: whatever else the machine does can only slow it down."""
        return max(self.rounds[name, connections])


def table(figures: Figures) -> Iterator[str]:
    """A line for each proxy at each number of connections: its best round."""
    yield (
        f"{'':<30}{'conn.':>6}{'requests/s':>12}{'(median)':>10}{'p50 ms':>9}{'p99 ms':>9}{'added p50':>11}"
        f"{'CPU ms/req.':>13}{'of a core':>11}{'peak MB':>9}"
    )
    for (name, connections), cells in figures.rounds.items():
        cell, usual = figures.best(name, connections), statistics.median(one.rate for one in cells)
        added = cell.p50 - figures.best(DIRECT, connections).p50
        yield (
            f"{name:<30}{connections:>6}{cell.rate:>12.0f}{usual:>10.0f}{cell.p50:>9.3f}"
            f"{cell.p99:>9.3f}{added:>11.3f}{cell.processor:>13.3f}"
            f"{cell.rate * cell.processor / 1000:>11.0%}{figures.memory[name]:>9.0f}"
        )
    yield from (f"odd: {oddity}" for oddity in figures.oddities)


def ratios(figures: Figures) -> Iterator[str]:
    """The ratios that matter, what they are to be, and whether they are."""
    names = list(figures.memory)
    ours = [name for name in names if name.startswith(_OURS)]
    few, many = (pick(count for _, count in figures.rounds) for pick in (min, max))

    def ratio(name: str, other: str, aim: float) -> str:
        one, two = figures.best(name, many), figures.best(other, many)
        what = f"requests/s at {many}: {name} / {other}"
        processor = f" ({_share(two.processor, one.processor):.1f} by processor time)"
        return _judged(what, _share(one.rate, two.rate), "", operator.ge, aim) + processor

    for name in ours:
        if (other := name.replace(_OURS, _THEIRS, 1)) in names:
            yield ratio(name, other, 10)
    yield ratio(f"{_OURS}, plain", _BARE, 1)
    yield ratio(f"{_OURS}, cache replays", _BARE, 2)
    added = max(figures.best(name, few).p50 for name in ours) - figures.best(DIRECT, few).p50
    yield _judged(f"added p50 at {few}: {_OURS}, its worst", added, " ms", operator.lt, 1)
    memory = max(figures.memory[name] for name in ours)
    yield _judged(f"peak memory: {_OURS}, its worst", memory, " MB", operator.lt, 100)


def _share(one: float, other: float) -> float:
    """Their ratio, where so little was measured that there may be none."""
    return one / other if other else float("nan")


def _judged(what: str, value: float, unit: str, good: Callable[[float, float], bool], aim: float) -> str:
    sign = ">=" if good is operator.ge else "<"
    result = "met" if good(value, aim) else "MISSED"
    return f"{what:<76}{value:>8.2f}{unit:<4} aim {sign} {aim:g}{unit}: {result}"
