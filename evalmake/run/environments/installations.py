"""Environments that are being installed, by this evalmake or another: the lock of each is held until it is complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evalmake.run.environments.environment import Environment
from evalmake.run.environments.installer import describe_step
from evalmake.store.lock import is_locked


@dataclass(frozen=True, slots=True)
class Installation:
    """An environment that is being installed: its name, since when, and what the installer does."""

    name: str
    began: float  # seconds since the epoch
    doing: str


def find_installations(environments: Iterable[Environment]) -> Iterator[Installation]:
    """Those of `environments` that are being installed."""
    for one in environments:
        if is_locked(one.lock_path):
            began = one.lock_path.stat().st_mtime
            is_new = one.log_path.exists() and one.log_path.stat().st_mtime >= began
            yield Installation(one.name, began, describe_step(one.log_path) if is_new else "")


def is_installing(root: Path) -> bool:
    """Whether any environment in a folder is being installed."""
    return any(is_locked(path) for path in root.glob("*.lock"))
