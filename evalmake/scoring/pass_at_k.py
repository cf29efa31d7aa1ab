"""pass@k and pass^k: the chance that one, or all, of k answers are right."""

from __future__ import annotations

import math
from collections.abc import Iterable

from evalmake.scoring.intervals import Estimate, mean_se


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
