"""Tags that move in a real registry, the lock that holds them, and the jobs that run what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.executors.docker.contained import Contained
from tests.executors.docker.images import image
from tests.support.docker_engine import Dockerd, push

EVALFILE = """\
executor box {{ backend = docker, host = "{host}" }}
model nobody {{ endpoint = "http://127.0.0.1:9/v1", name = "nobody" }}

defaults benchmark {{
    harness = command
    run     = 'echo "{{\\"version\\": $(cat /etc/version)}}" > "$EVALMAKE_OUT/scores.json"'
}}
benchmark one {{ image = "{one}" }}
benchmark two {{ image = "{two}" }}

defaults eval {{ model = nobody, executor = box }}
eval one      {{ benchmark = one, seed in 1..2 }}
eval two      {{ benchmark = two }}
"""
Move = Callable[[str, int], str]


@pytest.fixture
def move(engine: Dockerd) -> Move:
    """A function that pushes an image of a version under a tag; its digest."""

    def moved(tag: str, version: int) -> str:
        return push(engine, image(engine, "version", files={"/etc/version": str(version)}), tag)

    return moved


@pytest.fixture
def tags(contained: Contained, shared_hub: str, move: Move) -> list[str]:
    """An Evalfile with two images of version 1, by their tags; `one` is used twice."""
    one, two = (f"{shared_hub}/acme/{name}:{uuid4().hex[:8]}" for name in ("one", "two"))
    for tag in (one, two):
        move(tag, 1)
    contained.evalfile(EVALFILE.format(host=contained.engine.url, one=one, two=two))
    return [one, two]


def test_a_moved_tag(contained: Contained, move: Move, tags: list[str]) -> None:
    """The pinned image runs even if the tag has moved; after an update of the pin, evaluations run again."""
    assert contained.run("pin").status == 0
    before = pinned(contained, tags[0])
    now = [move(tag, 2) for tag in tags]
    assert contained.run("--locked").status == 0
    assert contained.scores() == {"one/1": [1], "one/2": [1], "two": [1]}
    assert "nothing to do: 3 evaluations up to date" in contained.run().out

    checked = contained.run("pin", "--check")
    assert checked.status == 1
    assert checked.out.splitlines() == [
        f"  ~ {tag}   {before[:19]} -> {digest[:19]}" for tag, digest in zip(tags, now, strict=True)
    ]
    assert contained.run("pin", "--update", "acme/one").status == 0
    name = tags[0].rpartition(":")[0]
    planned = contained.run("-n").out
    assert f"  ~ one/1..2   benchmark.image: {name}@{before[:19]} -> {name}@{now[0][:19]}\n" in planned
    assert "2 to run on box, 1 to reuse" in planned
    assert contained.run().status == 0
    assert contained.scores() == {"one/1": [2], "one/2": [2], "two": [1]}
    assert {a.facts["image-digest"] for a in contained.attempts() if a.name == "one/1"} == {
        f"{name}@{before}",
        f"{name}@{now[0]}",
    }
    contained.clean()


def test_without_a_pin(contained: Contained, tags: list[str]) -> None:
    """`--locked` runs nothing and says which image is not in the lock, of all or of what is asked for."""
    for words, names in (((), tags), (("one",), tags[:1])):
        ended = contained.run("--locked", *words)
        assert ended.status == 2
        assert [name for name in tags if f"`{name}` is not in Evalfile.lock" in ended.err] == names
    assert contained.attempts() == []


def pinned(bench: Contained, name: str) -> str:
    """The digest that the lock has for an image."""
    digest: str = json.loads((bench.root / "Evalfile.lock").read_text())["pins"][name]["digest"]
    return digest
