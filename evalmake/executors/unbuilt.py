"""Backends whose settings load, format and plan here, and which cannot run jobs in this version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from evalmake.lang.values import SecretRef
from evalmake.planner.ports import Job, JobState, Offers
from evalmake.project.schema import Block, Texts


class _Unbuilt:
    """Refuses every job; `offers.missing` says so before anything starts."""

    offers: ClassVar[Offers] = Offers(
        images=True,
        gpus=True,
        services=True,
        public=True,
        missing="this version of evalmake cannot run jobs there",
    )

    def __init__(self, name: str, settings: Any, root: Path) -> None:
        self.name = name

    def submit(self, job: Job, secrets: Mapping[str, str]) -> NoReturn:
        """There is nothing to submit to."""
        raise OSError(self.offers.missing)

    def poll(self, id: str) -> JobState:
        """Nothing is known."""
        raise OSError(self.offers.missing)

    def cancel(self, id: str) -> None:
        """There is nothing to cancel."""

    def fetch(self, id: str, into: Path) -> None:
        """There is nothing to fetch."""

    def here(self) -> str:
        """No job is there to reach this host."""
        return "127.0.0.1"

    def where(self, id: str, port: int) -> NoReturn:
        """No server is there to be reached."""
        raise OSError(self.offers.missing)

    def inside(self, id: str, port: int) -> NoReturn:
        """Nor by other jobs."""
        raise OSError(self.offers.missing)

    def gpus(self) -> None:
        """None."""

    def waitables(self) -> list[int]:
        """None."""
        return []

    def sweep(self) -> list[tuple[str, str]]:
        """Nothing was left there."""
        return []

    def close(self) -> None:
        """Nothing is held."""


class LeptonExecutor(_Unbuilt):
    """Jobs of DGX Cloud Lepton."""

    class Settings(Block):
        """What `backend = lepton` may say."""

        workspace: str | None = None
        token: SecretRef | None = None
        node_group: str | None = None
        shape: str | None = None
        mounts: Texts = ()
