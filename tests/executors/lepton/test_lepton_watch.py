"""What the thread beside makes of a Lepton that is away, or that says what nobody expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.executors.lepton import LeptonExecutor
from evalmake.executors.lepton.creation import Created, PreparedResource, create
from evalmake.executors.lepton.http_client import QuotaReached
from evalmake.executors.lepton.request_bodies import Body
from evalmake.plugin_api.executor import Job, JobState, Phase
from tests.support.daemons import until


class Broken:
    """An API of which every question fails in one way."""

    key = "0123456789ab"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str) -> object:
        """Whatever is asked."""

        def ask(*words: object, **more: object) -> object:
            raise self.error

        return ask


def executor_on(api: Broken, root: Path) -> LeptonExecutor:
    """An executor that asks that."""
    executor = LeptonExecutor("far", LeptonExecutor.Settings(), root)
    executor.watch.api = api  # type: ignore[assignment]
    return executor


def test_away_is_no_end(tmp_path: Path) -> None:
    """While Lepton does not answer, a job is neither cancelled nor fetched."""
    executor = executor_on(Broken(ConnectionError("cannot reach it")), tmp_path)
    with pytest.raises(ConnectionError, match="cannot reach it"):
        executor.cancel("job.1")
    with pytest.raises(ConnectionError, match="cannot reach it"):
        executor.fetch("job.1", tmp_path / "job.1")
    executor.close()


def test_broken_thread(tmp_path: Path) -> None:
    """An error in the thread is reported, and nobody waits for ever."""
    executor = executor_on(Broken(ValueError("spoilt")), tmp_path)
    watch = executor.watch
    watch._recovered = True
    watch._created["job.1"] = Created("one", False, ())
    watch.states["job.1"] = JobState(Phase.RUNNING)
    until(lambda: executor.poll("job.1").phase is Phase.UNREACHABLE)
    assert "spoilt" in executor.poll("job.1").detail
    with pytest.raises(ConnectionError, match="spoilt"):
        executor.cancel("job.1")
    executor.close()


class Full(Broken):
    """An API that has nothing and creates nothing."""

    def jobs(self) -> list[object]:
        """There are none."""
        return []

    endpoints = jobs

    def create_secrets(self, secrets: object) -> None:
        """Take them."""


@pytest.mark.parametrize("kind", ["jobs", "components"])
def test_surely_not_created(kind: str, tmp_path: Path) -> None:
    """What Lepton was seen not to have, after a reply was lost, can be dropped: a cancel does not wait for room."""
    job = Job("job.1", "job", ("true",), tmp_path)
    one = PreparedResource(job, Body("job-1", {"spec": {kind: 1}}, {}), maybe_created=True)
    with pytest.raises(QuotaReached):
        create(Full(QuotaReached("there is no room")), one)  # type: ignore[arg-type]
    assert not one.maybe_created
