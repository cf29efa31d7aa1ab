"""Executors of Lepton for tests, over one emulator."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from evalmake.executors.lepton import LeptonExecutor
from evalmake.language.values import Duration, SecretRef
from evalmake.plugin_api.executor import Job
from tests.support.lepton_service import TOKEN, Lepton

Made = Callable[..., LeptonExecutor]
IMAGE = "image@sha256:0123"
SECRETS = {"LEPTON_TOKEN": TOKEN, "ENDPOINT_KEY": "what an endpoint asks"}


class Imaged(LeptonExecutor):
    """Gives every job an image."""

    def submit(self, job: Job, secrets: object) -> None:
        """Submit it."""
        super().submit(replace(job, image=IMAGE), secrets)  # type: ignore[arg-type]


@contextlib.contextmanager
def making(root: Path, service: Lepton) -> Iterator[Made]:
    """What makes executors of a workspace, until the test is over."""
    made: list[LeptonExecutor] = []

    def make(**settings: object) -> LeptonExecutor:
        given = {
            "url": service.url,
            "token": SecretRef("LEPTON_TOKEN"),
            "key": SecretRef("ENDPOINT_KEY"),
            "shape": "cpu.small",
            "work": "node-nfs:shared:/",
            "here": str(service.volume),
            "poll": Duration(1),
            **settings,
        }
        made.append(Imaged("far", LeptonExecutor.Settings(**given), root))  # type: ignore[arg-type]
        made[-1].receive_secrets(SECRETS.__getitem__)
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            one.close()


def nothing_left(service: Lepton) -> bool:
    """Whether there is no job, secret or endpoint, nor a folder of a job."""
    state = service.state()
    folders = [path for path in service.volume.glob("*/*.*") if path.is_dir()]
    return not (state["listed"] or state["secrets"] or state["endpoints_now"] or folders)
