"""A thread pool over a list, for calls that wait on somebody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from evalmake.run.descriptors import affordable_threads

T = TypeVar("T")
_THREADS = 16


def run_concurrently(call: Callable[..., T], *argument_lists: Iterable[Any]) -> list[T]:
    """Call a function with each set of arguments; the results in order. A single call runs in this thread."""
    calls = list(zip(*argument_lists, strict=True))
    if len(calls) < 2:
        return [call(*arguments) for arguments in calls]
    with ThreadPoolExecutor(affordable_threads(_THREADS)) as pool:
        return list(pool.map(lambda arguments: call(*arguments), calls))
