"""Interrupts reach the code that ends what was started, wherever Python is when the signal comes."""

from __future__ import annotations

import signal
import threading

import pytest

from evalmake.interrupts import RaisedInterrupts


class Interrupted:
    """An object in whose destructor a signal comes: Python drops what is raised there."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def wait_interrupted(interrupts: RaisedInterrupts) -> None:
    """Wait within `interrupts`, after a signal in a destructor."""
    with interrupts:
        Interrupted()
        threading.Event().wait(60)


def test_an_interrupt_in_a_destructor() -> None:
    """It is raised all the same, a moment later, and nothing is printed of the one that Python dropped."""
    interrupts = RaisedInterrupts()
    with pytest.raises(KeyboardInterrupt):
        wait_interrupted(interrupts)
    assert interrupts.count == 1
