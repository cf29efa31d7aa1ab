"""Sets of packages in the lock: what one machine resolved, every other one installs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.projects import Project
from tests.support.wheels import offline_variables, write_wheel

EVALFILE = """\
model nobody { endpoint = "http://127.0.0.1:9/v1", name = "nobody" }

benchmark printed {
    harness  = command
    packages = ["thing"]
    files    = file("job.sh")
    run      = "sh data/job.sh"
}

benchmark other {
    harness = command
    run     = 'echo "{\\"accuracy\\": 1.0}" > "$EVALMAKE_OUT/scores.json"'
}

eval tried {
    model = nobody
    benchmark in [printed, other]
}
"""
JOB = """python -c 'import thing; print("{\\"accuracy\\": %s}" % thing.VALUE)' > $EVALMAKE_OUT/scores.json\n"""
STORE = ".evalmake/store/environments"


@pytest.fixture
def wheels(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which is all that installers know, and an Evalfile that needs one."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, value in offline_variables(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("EVALMAKE_ENVIRONMENTS", raising=False)
    write_wheel(folder, "1.0", 0.1)
    project.write("Evalfile", EVALFILE)
    project.write("job.sh", JOB)
    return folder


def listed(project: Project) -> list[str]:
    """The one set of packages in the lock."""
    (pin,) = json.loads((project.root / "Evalfile.lock").read_text())["pins"].values()
    found: list[str] = pin["packages"]
    return found


def scores(project: Project) -> list[float]:
    """What a build finds."""
    told = json.loads(project.run("--json").stdout)
    return [each["scores"][0]["value"] for each in told["results"]]


def test_another_machine_gets_the_same(project: Project, wheels: Path) -> None:
    """What was pinned is installed where nothing was, though a newer version is to be had."""
    assert "  + thing   1 package" in project.run("pin").stdout
    assert listed(project) == ["thing==1.0"]
    shutil.rmtree(project.root / ".evalmake")
    write_wheel(wheels, "2.0", 0.2)
    assert scores(project) == [0.1, 1.0]


def test_what_was_resolved_is_pinned(project: Project, wheels: Path) -> None:
    """Pinning what a build resolved changes no result, and builds no second environment."""
    project.run()
    write_wheel(wheels, "2.0", 0.2)
    project.run("pin")
    assert listed(project) == ["thing==1.0"]
    assert "nothing to run" in project.run("-n").stdout
    assert len(list((project.root / STORE).glob("*/.complete"))) == 1


def test_update_resolves_anew(project: Project, wheels: Path) -> None:
    """A moved set says which versions moved, and makes only its users stale; what stands, stands."""
    project.run("pin")
    project.run()
    write_wheel(wheels, "2.0", 0.2)
    assert project.run("pin", "--update").stdout.startswith("  ~ thing   thing==1.0 -> thing==2.0\n")
    assert len(list((project.root / STORE).glob("*/.complete"))) == 1
    said = project.run("-n").stdout
    assert "benchmark.resolved.thing: 1.0 -> 2.0" in said
    assert "= 1 up to date" in said
    assert scores(project) == [0.2, 1.0]


def test_a_set_that_has_not_moved(project: Project, wheels: Path) -> None:
    """Resolved anew to the same, a set keeps its pin as it is, with its date."""
    project.run("pin")
    text = (project.root / "Evalfile.lock").read_text()
    old = text.replace(json.loads(text)["pins"].popitem()[1]["date"], "2026-01-01")
    project.write("Evalfile.lock", old)
    assert project.run("pin", "--update").stdout == "  = 1 unchanged\n"
    assert (project.root / "Evalfile.lock").read_text() == old


def test_a_version_that_is_gone(project: Project, wheels: Path) -> None:
    """What is pinned and no longer to be had is an error that says how to move the pin."""
    project.run("pin")
    shutil.rmtree(project.root / ".evalmake")
    write_wheel(wheels, "2.0", 0.2)
    (wheels / "thing-1.0-py3-none-any.whl").unlink()
    said = project.run(status=2).stderr
    assert "[environment-failed]" in said
    assert "they are pinned: `evalmake pin --update` resolves them again" in said
    project.run("pin", "--update")
    assert scores(project) == [0.2, 1.0]


def test_a_set_for_another_python_stays(project: Project, wheels: Path) -> None:
    """The lock keeps what another interpreter's users pinned, and it pins nothing for this one."""
    project.run("pin")
    text = (project.root / "Evalfile.lock").read_text()
    project.write("Evalfile.lock", text.replace("(cpython-", "(other-"))
    assert "the packages `thing` are not in Evalfile.lock" in project.run("--locked", status=2).stderr
    assert "  + thing" in project.run("pin").stdout
    pins = json.loads((project.root / "Evalfile.lock").read_text())["pins"]
    assert sorted(name.split("(")[1].split("-")[0] for name in pins) == ["cpython", "other"]


def test_locked_resolves_nothing(project: Project, wheels: Path) -> None:
    """Under `--locked` no packages are resolved, so nothing is installed before the error."""
    assert "[not-locked]" in project.run("--locked", status=2).stderr
    assert not (project.root / STORE).exists()
