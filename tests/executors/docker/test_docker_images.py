"""Images from a real registry: by the policy that was asked for, and known by their digests."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from evalmake.plugin_api.executor import Phase
from tests.executors.contract import ended, finished, job
from tests.executors.docker.boxes import Made, left
from tests.support.docker_engine import BASE, Dockerd, push
from tests.support.registries import Registry


def pushed(engine: Dockerd, name: str, text: str) -> str:
    """Push the base image with another label under a name; its digest. The engine forgets it."""
    api = engine.api()
    made = api.create_container(BASE, ["true"])
    image = api.commit(made, conf={"Labels": {"text": text}})["Id"]
    api.remove_container(made)
    return f"{name.rsplit(':', 1)[0]}@{push(engine, image, name)}"


def test_missing_image_is_pulled(docker: Made, root: Path, engine: Dockerd, hub: Registry) -> None:
    """A missing image is pulled in a thread, and the record has its digest."""
    digest = pushed(engine, f"{hub.host}/acme/pulled:1", "one")
    executor = docker()
    executor.submit(job(root, "exit 3", image=f"{hub.host}/acme/pulled:1"), {})
    assert executor.poll("job.1").phase is Phase.QUEUED
    state = finished(executor, root / "job.1")
    assert (state.status, state.facts["image-digest"]) == (3, digest)


def test_pulling_is_told(docker: Made, engine: Dockerd, hub: Registry) -> None:
    """Each change in the number of pulled layers is reported."""
    name, told = f"{hub.host}/acme/told:1", []
    pushed(engine, name, "layers")
    docker().images.pull(name, told.append)
    assert told == sorted(set(told))
    assert told[-1] == f"pulling {name}: 1 of 1 layers"


def test_always_and_never(docker: Made, root: Path, engine: Dockerd, hub: Registry) -> None:
    """`always` runs what the tag means now; `missing` and `never` run the image that the engine has."""
    name = f"{hub.host}/acme/moving:1"
    first = pushed(engine, name, "first")
    never = docker(pull="never")
    with pytest.raises(OSError, match=f"it has no image {name}, and `pull = never`"):
        never.submit(job(root, "true", image=name), {})
    engine.api().pull(name)
    second = moved(engine, name)
    for at, (policy, digest) in enumerate((("missing", first), ("never", first), ("always", second))):
        executor = docker(pull=policy)
        executor.submit(job(root, "true", f"job.{at}", image=name), {})
        assert finished(executor, root / f"job.{at}", f"job.{at}").facts["image-digest"] == digest


def moved(engine: Dockerd, name: str) -> str:
    """The digest of what a tag is moved to, while the engine goes on having what it was."""
    api = engine.api()
    api.tag(name, "evalmake-test/kept", "1")
    digest = pushed(engine, name, "second")
    api.tag("evalmake-test/kept:1", *name.rsplit(":", 1))
    api.remove_image("evalmake-test/kept:1")
    return digest


def test_image_that_cannot_be_pulled(docker: Made, root: Path, engine: Dockerd, hub: Registry) -> None:
    """A job whose image does not exist is refused in the engine's words, and nothing is left."""
    executor = docker()
    executor.submit(job(root, "true", image=f"{hub.host}/acme/typo:1"), {})
    state = ended(executor)
    assert state.phase is Phase.REFUSED
    assert f"executor box: cannot pull {hub.host}/acme/typo:1: " in state.detail
    assert executor.poll("job.1").phase is Phase.UNKNOWN
    assert left(engine, executor) == []


def test_pull_that_is_given_up(docker: Made, root: Path, engine: Dockerd) -> None:
    """A job whose image never comes is queued, and is over as soon as it is cancelled."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        executor = docker()
        image = f"127.0.0.1:{silent.getsockname()[1]}/acme/slow:1"
        executor.submit(job(root, "true", image=image), {})
        assert executor.poll("job.1").phase is Phase.QUEUED
        assert len(executor.waitables()) == 1
        executor.cancel("job.1")
        assert executor.poll("job.1").phase is Phase.UNKNOWN
        assert executor.waitables() == []
    assert left(engine, executor) == []
