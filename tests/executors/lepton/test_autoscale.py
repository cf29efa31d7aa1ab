"""What an endpoint on Lepton is told about its number of replicas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evalmake.executors.lepton.request_bodies import _scaling
from evalmake.executors.lepton.settings import Autoscale, Settings
from evalmake.language.values import Duration
from evalmake.plugin_api.executor import Job

JOB = replace(Job("id", "server", ("serve",), Path("/tmp")), replicas=2)


def test_idle_alone_adds_no_replica() -> None:
    """`idle` without `requests` or `gpu` only stops replicas: their number stays that of the deployment."""
    assert _scaling(JOB, Autoscale(idle=Duration.parse("1h"))) == {
        "max_replicas": 2,
        "autoscaling": {"scale_down": {"no_traffic_timeout": 3600}},
    }


@pytest.mark.parametrize("autoscale", [{}, {"most": 3}, {"requests": 5.0}, {"most": 3, "idle": Duration.parse("1h")}])
def test_what_adds_replicas_says_when_and_how_many(autoscale: dict[str, object]) -> None:
    """Whoever wants more replicas names `most`, and either `requests` or `gpu`."""
    with pytest.raises(ValueError, match="write "):
        Settings.model_validate({"autoscale": autoscale})
    assert Settings.model_validate({"autoscale": {"most": 3, "requests": 5.0}}).autoscale
    assert Settings.model_validate({"autoscale": {"idle": Duration.parse("1h")}}).autoscale
