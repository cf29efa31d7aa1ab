"""A build that ends an evaluation whose session an earlier build may have ended already."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalmake.gateway.settings import CLOSED
from evalmake.run.gateways.host_gateways import HostGateways


@pytest.mark.parametrize("marked", [True, False])
def test_a_session_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marked: bool) -> None:
    """Its record is whole if the gateway marked it; without the mark, the gateway died."""
    builder: Any = SimpleNamespace(job_folder=lambda job: tmp_path)
    node: Any = None
    sessions = {"model": tmp_path / "gateway-job" / "sessions" / "e.json"}
    monkeypatch.setattr(HostGateways, "_session_files", lambda gateways, node, jobs: sessions)
    gateways = HostGateways(builder, None, {})
    assert gateways.close_sessions(node, "j", {})  # a job that sent no request
    (tmp_path / "gateway").mkdir()
    if marked:
        (tmp_path / "gateway" / CLOSED).touch()
    assert gateways.close_sessions(node, "j", {}) == marked
