"""The states of servers: every change goes through one function, which refuses the illegal ones."""

from __future__ import annotations

import ast
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest

import evalmake
from evalmake.servers.state import STARTABLE, TRANSITIONS, UP, State, change_state

SERVERS = Path(evalmake.__file__).parent / "servers"


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_only_legal_changes(before: State, after: State) -> None:
    """A change that the table does not allow fails, and changes nothing."""
    server = SimpleNamespace(state=before)
    if after in TRANSITIONS[before]:
        change_state(server, after)
        assert server.state is after
    else:
        with pytest.raises(AssertionError, match=f"a server that is {before} cannot become {after}"):
            change_state(server, after)
        assert server.state is before


def test_every_state_can_be_reached() -> None:
    """Each state has its row in the table, and all but the first are the end of some change."""
    assert set(TRANSITIONS) == set(State)
    assert set.union(*TRANSITIONS.values()) == set(State) - {State.WANTED}
    assert set(UP).isdisjoint(STARTABLE)


def test_states_change_in_one_place() -> None:
    """No other line of the package sets the `state` of a server."""
    found = []
    for path in SERVERS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            targets = node.targets if isinstance(node, ast.Assign) else []
            flat = [one for target in targets for one in ast.walk(target)]
            if any(isinstance(one, ast.Attribute) and one.attr == "state" for one in flat):
                found.append(path.name)
    assert found == ["state.py"]


def test_every_state_has_its_sentence() -> None:
    """The enumeration says of each state what it means."""
    (state,) = [n for n in ast.parse((SERVERS / "state.py").read_text()).body if getattr(n, "name", "") == "State"]
    assert isinstance(state, ast.ClassDef)
    after = dict(zip(state.body, state.body[1:], strict=False))
    for node in state.body:
        if isinstance(node, ast.Assign):
            sentence = after[node]
            assert isinstance(sentence, ast.Expr)
            assert isinstance(sentence.value, ast.Constant)
            assert str(sentence.value.value).endswith(".")
