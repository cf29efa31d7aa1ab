"""Images that only an engine knows are pinned by their ids, where an executor names the engine."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.projects import Project
from tests.support.registries import Asked, Reply, scripted

ID = f"sha256:{'ab' * 32}"
NAME = "127.0.0.1:9/acme/built:1"
EVALFILE = """\
executor box { backend = docker, host = "tcp://HOST" }
deployment served { engine = mock, image = "NAME" }
""".replace("NAME", NAME)


def engine(**image: object) -> Callable[[Asked], Reply]:
    """An engine that has one image."""

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/version"):
            return Reply(body={"ApiVersion": "1.41"}, headers={"Content-Type": "application/json"})
        if image and asked.path.endswith(f"/images/{NAME}/json"):
            return Reply(body={"Id": ID, **image}, headers={"Content-Type": "application/json"})
        return Reply(404, {"message": "no such image"}, {"Content-Type": "application/json"})

    return answer


def test_an_image_that_was_built_here(project: Project) -> None:
    """An image that no registry has is pinned by its id, and said to be local."""
    with scripted(engine(RepoDigests=[])) as server:
        project.write("Evalfile", EVALFILE.replace("HOST", server.host))
        said = project.run("pin").stdout
    assert f"  + {NAME}   {ID[:19]} (a local image, pinned by its id)\n" in said
    (pin,) = json.loads((project.root / "Evalfile.lock").read_text())["pins"].values()
    assert (pin["digest"], pin["local"]) == (ID, True)
    (line,) = [s for s in project.run("show", "served").stdout.splitlines() if "image" in s]
    assert ID in line
    assert "@" not in line


@pytest.mark.parametrize("image", [{}, {"RepoDigests": [f"{NAME[:-2]}@{ID}"]}], ids=["absent", "pulled"])
def test_an_image_that_was_not(project: Project, image: dict[str, object]) -> None:
    """An engine that has no such image, or pulled it, changes nothing: its registry must be asked."""
    with scripted(engine(**image)) as server:
        project.write("Evalfile", EVALFILE.replace("HOST", server.host))
        assert "[pin-failed]" in project.run("pin", status=2).stderr
        assert server.asked


def test_an_engine_that_is_not_there(project: Project) -> None:
    """An engine that cannot be reached is passed over."""
    project.write("Evalfile", EVALFILE.replace("HOST", "127.0.0.1:9"))
    said = project.run("pin", status=2).stderr
    assert "127.0.0.1:9 cannot be reached" in said
    assert "[pin-failed]" in said
