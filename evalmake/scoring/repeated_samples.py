"""What the samples of an item say together: metrics of evaluations that ask each item several times.

A sample is right if it has the full score, 1. With n scored samples of an item, c of them right:

    pass@k = 1 - C(n - c, k) / C(n, k)    the chance that at least one of k samples is right, without bias
                                          (Chen et al. 2021, "Evaluating Large Language Models Trained on Code")
    pass^k = C(c, k) / C(n, k)            the chance that all k are (Yao et al. 2024, tau-bench)
    majority                              whether most samples that give an answer give the right one; of m answers
                                          that are equally common it counts 1/m if the right one is among them
                                          (Wang et al. 2023, self-consistency)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import comb

REPEATS = "repeats"
"""In the usage: how many samples of each item were asked for."""
ALIKE = "items_answered_alike"
"""In the usage: how many items have several samples, and all of them with the same reply."""
MAJORITY = "majority"
_NAME = re.compile(r"pass[@^]\d+|majority")


def is_repeat_metric(name: str) -> bool:
    """Whether a metric of this name is of several samples of an item."""
    return _NAME.fullmatch(name) is not None


def list_sizes(repeats: int) -> tuple[int, ...]:
    """The k of `pass@k` and `pass^k`: 2, 5, 10, 20, 50 and so on below the number of samples, and that number."""
    sizes = [lead * 10**power for power in range(len(str(repeats))) for lead in (1, 2, 5)]
    return (*(size for size in sizes if 1 < size < repeats), repeats) if repeats > 1 else ()


def list_repeat_metrics(repeats: int, *, votes: bool) -> tuple[str, ...]:
    """The metrics of so many samples of an item; with `votes`, also that of their majority."""
    sizes = list_sizes(repeats)
    majority = (MAJORITY,) if votes and sizes else ()
    return (*(f"pass@{size}" for size in sizes), *(f"pass^{size}" for size in sizes), *majority)


def score_repeats(right: Sequence[bool], repeats: int) -> dict[str, float]:
    """The `pass@k` and `pass^k` of an item, for each k of which it has as many scored samples."""
    n, c = len(right), sum(right)
    sizes = [size for size in list_sizes(repeats) if size <= n]
    any_of = {f"pass@{size}": compute_pass_at(size, n, c) for size in sizes}
    return any_of | {f"pass^{size}": compute_pass_all(size, n, c) for size in sizes}


def compute_pass_at(k: int, n: int, c: int) -> float:
    """The chance that at least one of k samples is right, by n of which c are."""
    return 1 - comb(n - c, k) / comb(n, k)


def compute_pass_all(k: int, n: int, c: int) -> float:
    """The chance that k samples are all right, by n of which c are."""
    return comb(c, k) / comb(n, k)


def score_majority(answers: Sequence[str | None], right: Sequence[bool]) -> float:
    """The score of the commonest answer. All right answers are one; a sample without an answer has no vote."""
    votes = Counter(None if is_right else answer for answer, is_right in zip(answers, right, strict=True) if answer)
    if not votes[None]:
        return 0.0
    most = max(votes.values())
    return float(votes[None] == most) / sum(count == most for count in votes.values())
