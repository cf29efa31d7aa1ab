"""A judge that its harness must know by another name than its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalmake.run.gateways.sessions import SessionBuilder
from evalmake.run.job_builder import JobBuilder
from evalmake.workspace import Workspace

EVALFILE = """
defaults model { endpoint = "http://127.0.0.1:9/v1" }
model m { name = "m" }
model grader { name = "acme/grader-8b" }
benchmark b { harness = nemo, task = "x.y", judge = grader, NAME }
eval e { model = m, benchmark = b }
"""


@pytest.mark.parametrize(
    ("name", "role", "params"),
    [
        ('judge_name = "gpt-4"', "judge", {"model": "acme/grader-8b"}),
        ('judge_name = "gpt-4"', "model", None),
        ("judge_key = none", "judge", None),
    ],
)
def test_the_gateway_sends_the_judges_own_name(
    tmp_path: Path, name: str, role: str, params: dict[str, str] | None
) -> None:
    """MT-Bench finds its results only where its judge is called `gpt-4`; the server gets the name it serves."""
    (tmp_path / "Evalfile").write_text(EVALFILE.replace("NAME", name))
    workspace = Workspace.open(tmp_path / "Evalfile")
    (node,) = workspace.graph(()).nodes.values()
    builder: Any = SimpleNamespace(
        project=workspace.project, plugins=workspace.plugins, job_folder=lambda job: tmp_path / job
    )
    builder.model_name = lambda model: JobBuilder.model_name(builder, model)
    models = {"model": "m", "judge": "grader"}
    model = workspace.project.models[models[role]]
    sessions = SessionBuilder(builder, {"m": "1", "grader": "2"}, {})
    session = sessions.build_session(node, "j", role, model, SimpleNamespace(), "token")  # type: ignore[arg-type]
    assert session.adapter.get("params") == params
