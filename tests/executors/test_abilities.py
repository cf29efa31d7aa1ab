"""The optional abilities of executors are found by the protocols in `plugin_api/executor.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.executors.docker import DockerExecutor
from evalmake.executors.lepton import LeptonExecutor
from evalmake.executors.process import ProcessExecutor
from evalmake.executors.slurm import SlurmExecutor
from evalmake.plugin_api.executor import ChecksUse, Executor, NeedsSecrets, SupportsFileUpdates, SupportsPreview

BUILT_IN: tuple[type[Executor], ...] = (ProcessExecutor, DockerExecutor, SlurmExecutor, LeptonExecutor)
ABILITIES: dict[type, tuple[type[Executor], ...]] = {
    SupportsPreview: (LeptonExecutor,),
    SupportsFileUpdates: (SlurmExecutor,),
    ChecksUse: (SlurmExecutor, LeptonExecutor),
    NeedsSecrets: (LeptonExecutor,),
}


@pytest.mark.parametrize("ability", ABILITIES, ids=lambda ability: ability.__name__)
@pytest.mark.parametrize("executor", BUILT_IN, ids=lambda executor: executor.__name__)
def test_abilities(ability: type, executor: type[Executor], tmp_path: Path) -> None:
    """An executor has an ability exactly if it implements the methods of its protocol; so has its class."""
    made = executor("here", executor.Settings(), tmp_path / "work")
    assert isinstance(made, ability) == isinstance(executor, ability) == (executor in ABILITIES[ability])


def test_secrets_must_be_received(tmp_path: Path) -> None:
    """An executor that was given no secrets says which one it lacks."""
    executor = LeptonExecutor("far", LeptonExecutor.Settings(), tmp_path / "work")
    with pytest.raises(OSError, match="executor far: the secret TOKEN is not available here"):
        executor.reveal("TOKEN")
