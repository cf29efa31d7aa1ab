"""Calls that run concurrently."""

from __future__ import annotations

import threading

import pytest

from evalmake.run.concurrency import run_concurrently


def test_each_in_its_place() -> None:
    """Results come in the order of the arguments, even when the last call ends first."""
    gates = [threading.Event() for _ in range(4)]

    def wait(at: int) -> int:
        if at + 1 < len(gates):
            assert gates[at + 1].wait(60)
        gates[at].set()
        return at

    assert run_concurrently(wait, range(4)) == [0, 1, 2, 3]


def test_one_is_done_here() -> None:
    """A single call runs in this thread; no calls give no results."""
    assert run_concurrently(lambda _: threading.current_thread(), [1]) == [threading.current_thread()]
    assert run_concurrently(lambda one: one, []) == []


def test_what_is_raised() -> None:
    """The error of one call is raised after all calls have begun."""
    with pytest.raises(ZeroDivisionError):
        run_concurrently(lambda one: 1 // one, [1, 0, 2])
