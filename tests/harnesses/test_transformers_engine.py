"""The engine `transformers`: a real model served by the program that its packages bring."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evalmake.run.environments.environment import Environment
from tests.support.workspaces import SUMS, Bench

EVALFILE = """\
    executor local {
        backend = process
        slots   = 2
        env     = { HF_HUB_OFFLINE = 1 }
    }

    deployment tiny {
        engine   = transformers
        packages = ["torch==2.13.0", "transformers[serving]==5.23.0"]
        weights  = glob("acme/tiny/*")
        args     = { device = "cpu", dtype = "float32", default-seed = 0 }
    }

    model tiny { deployment = tiny }

    eval asked {
        model     = tiny
        benchmark = sums
        seed      in 1..2
        params    = { temperature = 0, max_tokens = 8 }
    }
"""


@pytest.fixture
def workspace(bench: Bench, transformers: Environment, write_tiny_model: Callable[[Path], None]) -> Bench:
    """A workspace with a tiny model, and the packages installed already."""
    write_tiny_model(bench.root / "acme" / "tiny")
    bench.env["HF_HOME"] = str(bench.root / "hf")
    bench.sums(4)
    bench.evalfile(EVALFILE, SUMS.replace("scorer  =", "truncated = 100%\n        scorer  ="))
    return bench


@pytest.mark.timeout(900)  # it may have to install the server
def test_a_model_is_served_and_evaluated(workspace: Bench) -> None:
    """One server answers every question of both seeds; then nothing is left to do, unless it changes."""
    ended = workspace.run("-v")
    assert ended.status == 0, ended.text
    assert ended.err.count("deployment tiny: ready") == 1

    attempts = workspace.attempts()
    assert sorted(workspace.scores()) == ["asked/1", "asked/2"]
    assert {attempt.usage["requests"] for attempt in attempts} == {4}
    replies = [[row["reply"] for row in workspace.samples(attempt)] for attempt in attempts]
    assert replies[0] == replies[1], "at temperature 0 a seed is no difference"
    assert len(set(replies[0])) > 1, "the model does read the question"
    assert all(reply.strip() for reply in replies[0])

    assert "nothing to do" in workspace.run().out
    workspace.edit('"float32"', '"bfloat16"')
    assert "2 to run" in workspace.run("-n").out
    workspace.clean()


def test_the_program_is_looked_for_first(workspace: Bench) -> None:
    """Without packages, and with none of them the server, the line to add is told and nothing starts."""
    workspace.edit('"transformers[serving]==5.23.0"', "")
    told = 'help: add to them: packages = ["transformers[serving]==5.23.0", "torch==2.13.0"]'
    workspace.edit('"torch==2.13.0", ', '"six==1.17.0"')
    ended = workspace.run()
    assert ended.status == 2
    assert "error: tiny runs transformers, which is not installed [missing-harness]" in ended.err
    assert told in ended.err

    workspace.edit('packages = ["six==1.17.0"]', "")
    ended = workspace.run()
    assert told.replace("them", "the deployment") in ended.err
    assert workspace.attempts() == []


def test_weights_that_are_not_there(workspace: Bench) -> None:
    """Weights that are a path, and have gone, are missed before anything is started."""
    workspace.edit('glob("acme/tiny/*")', '"acme/tiny"')
    shutil.rmtree(workspace.root / "acme")
    ended = workspace.run()
    assert ended.status == 2
    assert f"the weights of deployment tiny do not exist: {workspace.root}/acme/tiny" in ended.err
    assert "deployment tiny: starting" not in ended.err
