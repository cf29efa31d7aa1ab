"""Which files `ca` may name: what an Evalfile of a stranger names is read with care."""

from __future__ import annotations

import os

import pytest

from tests.support.projects import Project

EVALFILE = """\
model m { endpoint = "http://127.0.0.1:1/v1", name = "m", ca = CA }
benchmark b { harness = command, run = "true" }
eval e { model = m, benchmark = b }
"""


def _plan(project: Project, ca: str) -> str:
    project.write("Evalfile", EVALFILE.replace("CA", ca))
    return project.run("-n", status=2).stderr


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/environ", "/etc/passwd", "~nobody-is-called-this/../.."])
def test_files_outside_are_not_read(project: Project, path: str) -> None:
    """A device, a file of the kernel or of the system is refused, and no folder of it is offered."""
    said = _plan(project, f'"{path}"')
    assert "error" in said
    assert "--allow-path" not in said
    assert "outside-project" in said or path.startswith("~")


def test_allowed_folders(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A certificate elsewhere is read once `--allow-path` names its folder."""
    folder = tmp_path_factory.mktemp("team")
    (folder / "ca.pem").write_text("no certificate")
    said = _plan(project, f'"{folder}/ca.pem"')
    assert "outside-project" in said
    assert f"--allow-path {folder}" in said
    allowed = project.run("-n", "--allow-path", str(folder), status=2).stderr
    assert "holds no certificate" in allowed


def test_pipes_and_large_files(project: Project) -> None:
    """A pipe in the project does not block, and a file that is too large is not read."""
    os.mkfifo(project.root / "pipe.pem")
    assert "it is a pipe" in _plan(project, '"pipe.pem"')
    with (project.root / "large.pem").open("wb") as file:
        file.truncate(1 << 40)
    assert "it is larger than 4 MB" in _plan(project, '"large.pem"')


def test_certificates_of_the_system(project: Project) -> None:
    """The folders in which a system keeps its certificates need no permission."""
    said = _plan(project, '"/usr/local/share/ca-certificates/none.pem"')
    assert "missing-file" in said
    assert "outside-project" not in said
