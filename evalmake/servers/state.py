"""The states of a server, and the one function that changes them."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """Where a server stands in this build."""

    WANTED = "wanted"
    """It has no job yet. An evaluation that needs it starts it."""
    STARTING = "starting"
    """Its job is submitted or runs, but it does not answer its health probe yet."""
    READY = "ready"
    """It answers. Evaluations use it."""
    RESTARTING = "restarting"
    """Its job is gone. It starts again after a pause."""
    STOPPED = "stopped"
    """Nobody uses it, or others needed its GPUs. It can start again."""
    FAILED = "failed"
    """All its starts are used up. What needs it fails."""


TRANSITIONS = {
    State.WANTED: {State.STARTING},
    State.STARTING: {State.READY, State.RESTARTING, State.STOPPED, State.FAILED},
    State.READY: {State.RESTARTING, State.STOPPED, State.FAILED},
    State.RESTARTING: {State.STARTING},
    State.STOPPED: {State.STARTING},
    State.FAILED: set[State](),
}
UP = (State.STARTING, State.READY)
"""The states in which a server has a job."""
STARTABLE = (State.WANTED, State.RESTARTING, State.STOPPED)
"""The states in which a server has none, and can be started."""


class HasState(Protocol):
    """What the state machine moves."""

    state: State


def change_state(server: HasState, to: State) -> None:
    """Move a server to another state. Nothing else sets `state`."""
    assert to in TRANSITIONS[server.state], f"a server that is {server.state} cannot become {to}"
    server.state = to
