"""The same done to many at once, where each may have to wait for somebody."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_AT_ONCE = 16


def run_concurrently(do: Callable[..., T], *many: Iterable[Any]) -> list[T]:
    """What `do` gives for each, in order; one alone is done here."""
    given = list(zip(*many, strict=True))
    if len(given) < 2:
        return [do(*words) for words in given]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda words: do(*words), given))
