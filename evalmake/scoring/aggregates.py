"""Estimates over several sets of scores: repeats, pass@k, tasks, and what was not scored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalmake.scoring.intervals import Estimate, Interval, mean_se

# --- Repeats of the same items -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Repeats:
    """Items answered several times: the estimate over items, and where its variance comes from."""

    mean: float | None
    stderr: float | None  # for new items of the same kind: what a score usually claims
    conditional: float | None  # for the same items asked again: a different question
    between: float | None  # omega^2, the variance of the items' true means
    within: float | None  # sigma^2, the mean variance of one item's answers
    identical: bool  # every repeat equals its first: cached, or asked with one seed


def repeats(items: Sequence[Sequence[float]]) -> Repeats:
    """Average inside each item first, then over items; ragged repeats are allowed.

    The law of total variance, Var(mean) = omega^2/n + sigma^2/(nK) (Miller, arXiv 2411.00640,
    section 3.1).  Treating repeats as items would be pseudo-replication: too small an error.
    """
    means = [mean_se(item) for item in items]
    if any(mean.n == 0 for mean in means):
        raise ValueError("an item without any answer has no mean: leave it out and count it")
    overall = mean_se([mean.mean for mean in means if mean.mean is not None])
    squares = [mean.stderr**2 for mean in means if mean.stderr is not None]
    if overall.stderr is None or len(squares) < len(means):
        return Repeats(overall.mean, overall.stderr, None, None, None, False)
    n = overall.n
    within = math.fsum(se2 * mean.n for se2, mean in zip(squares, means, strict=True)) / n
    noise = math.fsum(squares) / n
    between = max(0.0, overall.stderr**2 * n - noise)
    conditional = math.sqrt(noise / n)
    return Repeats(overall.mean, overall.stderr, conditional, between, within, within == 0)


# --- pass@k --------------------------------------------------------------------------------------


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that one of k answers is right, drawn from n of which c were.

    1 - C(n-c, k)/C(n, k) = 1 - prod_{i=n-c+1..n} (1 - k/i), unbiased (Chen et al. 2021, "Evaluating
    Large Language Models Trained on Code").  k > n is an error: it cannot be estimated.
    """
    _check_draw(n, c, k)
    if n - c < k:
        return 1.0
    return 1 - math.prod(1 - k / i for i in range(n - c + 1, n + 1))


def pass_hat_k(n: int, c: int, k: int) -> float:
    """The chance that all k answers are right, pass^k: C(c, k)/C(n, k) (Yao et al. 2024, tau-bench)."""
    _check_draw(n, c, k)
    return math.prod((c - i) / (n - i) for i in range(k)) if c >= k else 0.0


def pass_at_k_mean(problems: Iterable[tuple[int, int]], k: int) -> Estimate:
    """The mean pass@k over problems given as (answers, right ones), its error taken over problems."""
    return mean_se(pass_at_k(n, c, k) for n, c in problems)


def _check_draw(n: int, c: int, k: int) -> None:
    if not 0 <= c <= n:
        raise ValueError(f"{c} right answers of {n} is impossible")
    if not 1 <= k <= n:
        raise ValueError(f"k = {k} of {n} answers cannot be estimated: k must be 1 to {n}")


# --- Tasks together ------------------------------------------------------------------------------


def micro(tasks: Sequence[Estimate]) -> Estimate:
    """Every item counts the same: sum n_g m_g / N, SE^2 = sum (n_g/N)^2 SE_g^2 (stratified mean).

    (Cochran, "Sampling Techniques", 5.3.)  Tasks without a mean are an error, not a zero.
    """
    total = sum(task.n for task in tasks)
    return _weighted(tasks, [task.n / total for task in tasks], total)


def macro(tasks: Sequence[Estimate]) -> Estimate:
    """Every task counts the same, the tasks being given: SE = sqrt(sum SE_g^2) / G.

    Where the tasks are a sample of the tasks there could be, take `mean_se` of their means.
    """
    return _weighted(tasks, [1 / len(tasks) for _ in tasks], len(tasks))


def _weighted(tasks: Sequence[Estimate], weights: Sequence[float], n: int) -> Estimate:
    means = [task.mean for task in tasks if task.mean is not None]
    errors = [task.stderr for task in tasks if task.stderr is not None]
    mean = math.fsum(w * m for w, m in zip(weights, means, strict=True))
    if len(errors) < len(tasks):
        return Estimate(mean, None, n)
    return Estimate(mean, math.hypot(*(w * se for w, se in zip(weights, errors, strict=True))), n)


# --- What was not scored -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a rate could be if every unscored sample were wrong, or right."""

    value: float | None  # over the scored samples alone
    bounds: Interval
    coverage: float  # the share that was scored


def missing_bounds(correct: int, scored: int, total: int) -> Coverage:
    """Complete-case rate, coverage, and the bounds [k/N, (k + m)/N] for m unscored samples of N.

    (Manski 1990: bounds without assumptions about why something is missing.)
    """
    if not 0 <= correct <= scored <= total or total == 0:
        raise ValueError(f"{correct} right of {scored} scored of {total} is impossible")
    value = correct / scored if scored else None
    return Coverage(value, (correct / total, (correct + total - scored) / total), scored / total)
