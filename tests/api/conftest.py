"""What the tests of the Python API share: a workspace, and an evaluation that takes a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import evalmake
from tests.support.workspaces import Bench, end_processes

Ask = Callable[..., evalmake.Result]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """An empty workspace that Python works in; whatever a failed test leaves running is ended."""
    monkeypatch.chdir(tmp_path)
    made = Bench(tmp_path)
    yield made
    end_processes(made, tmp_path)


@pytest.fixture
def ask(bench: Bench) -> Ask:
    """Evaluates a stand-in model on twenty sums; keys that are given replace or add to these."""
    bench.sums()

    def evaluate(**keys: Any) -> evalmake.Result:
        stand_in = evalmake.Deployment(engine="mock", args={"skill": 0.6})
        usual: dict[str, Any] = {
            "model": evalmake.Model(deployment=stand_in),
            "benchmark": evalmake.Benchmark(
                harness="native",
                files="sums.jsonl",
                prompt="{question}",
                target="{answer}",
                scorer="number",
            ),
            "params": {"temperature": 0.0},
        }
        return evalmake.evaluate(**(usual | keys))

    return evaluate


@pytest.fixture
def program(bench: Bench) -> Ask:
    """Evaluates a shell text as a harness, on a model that nobody asks."""

    def evaluate(run: str, **keys: Any) -> evalmake.Result:
        nobody = evalmake.Model(endpoint="http://127.0.0.1:9/v1", name="nobody", adapter={"requests": "any"})
        return evalmake.evaluate(nobody, evalmake.Benchmark(harness="command", run=run), **keys)

    return evaluate
