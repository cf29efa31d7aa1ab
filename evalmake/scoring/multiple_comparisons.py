"""p-values adjusted for making several comparisons at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given, keeping the chance of any false alarm (Holm 1979).

    The i-th smallest times (m - i + 1), made non-decreasing: for gates.
    """
    adjusted, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = worst
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given, keeping the share of false alarms among all alarms.

    The i-th smallest times m / i, made non-decreasing from above (Benjamini and Hochberg 1995): for
    exploration.
    """
    adjusted, best = [0.0] * len(p), 1.0
    for rank, i in reversed(list(enumerate(sorted(range(len(p)), key=p.__getitem__), start=1))):
        best = min(best, len(p) * p[i] / rank)
        adjusted[i] = best
    return adjusted
