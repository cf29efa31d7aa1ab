"""The null build's law: whenever it answers, planning in full finds nothing to do."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalmake import cli, fastpath

EVALFILE = """
include? "more.evalfile"

LEVEL = env("EVALMAKE_TEST_LEVEL", "a")

model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }

defaults benchmark {
    harness = command
    run     = "cd $EVALMAKE_OUT; printf %070000d > large; echo '{\\"accuracy\\": 1.0}' > scores.json"
}

benchmark one { files = file("one.txt"), params = { level = "${LEVEL}" } }
benchmark many { files = glob("data/*.txt") }

eval e {
    model     = m
    benchmark in [one, many]
}

report r {
    of     = [e]
    format = json
    path   = "r.json"
}
"""

WRITES = ["one.txt", "data/a.txt", "data/b.txt", "r.json"]
STEPS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(WRITES), st.sampled_from(["x", "y", "long"])),
    st.tuples(st.just("swap"), st.sampled_from(WRITES), st.sampled_from(["x", "y"])),
    st.tuples(st.just("touch"), st.sampled_from(WRITES), st.just("")),
    st.tuples(st.just("remove"), st.sampled_from(["data/b.txt", "r.json"]), st.just("")),
    st.tuples(st.just("level"), st.sampled_from(["a", "b"]), st.just("")),
    st.tuples(st.just("edit"), st.sampled_from(["# a", "retries = 1", "limit = 3"]), st.just("")),
    st.tuples(st.just("include"), st.sampled_from(["", "X = 1\n"]), st.just("")),
    st.tuples(st.sampled_from(["store", "lose"]), st.just(""), st.just("")),
    st.tuples(st.just("wait"), st.just(""), st.just("")),
    st.tuples(st.just("build"), st.just(""), st.just("")),
)


class World:
    """A project on disk; `step` changes it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "data").mkdir()
        for name in ("one.txt", "data/a.txt"):
            (root / name).write_text("x")
        self._eval("# a")

    def step(self, kind: str, what: str, content: str) -> None:
        """One change, or one build."""
        path = self.root / what
        match kind:
            case "write":
                path.write_text(content)
            case "swap":
                _swap(path, content)
            case "touch":
                os.utime(path) if path.exists() else None
            case "remove":
                path.unlink(missing_ok=True)
            case "level":
                os.environ["EVALMAKE_TEST_LEVEL"] = what
            case "edit":
                self._eval(what)
            case "include":
                (self.root / "more.evalfile").write_text(what)
            case "lose":
                for lost in (self.root / ".evalmake" / "store").glob("??/??/*.val"):
                    lost.unlink()
            case "store":
                shutil.rmtree(self.root / ".evalmake" / "store", ignore_errors=True)
            case "wait":
                time.sleep(0.03)
            case "build":
                assert cli.run([]) == 0

    def _eval(self, line: str) -> None:
        text = EVALFILE.replace("    model     = m", f"    model     = m\n    {line}")
        (self.root / "Evalfile").write_text(text)


def _swap(path: Path, content: str) -> None:
    """Change a file's text and set its time back to what it was, as some tools do."""
    if path.exists():
        before = path.stat()
        path.write_text(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@contextmanager
def world() -> Iterator[World]:
    """A fresh project, the working folder in it."""
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield World(Path(folder))
        finally:
            os.chdir(here)
            os.environ.pop("EVALMAKE_TEST_LEVEL", None)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=8))
def test_an_answer_means_that_nothing_is_stale(
    steps: list[tuple[str, str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever was edited, touched, removed or built, `recall` answers only what a plan confirms."""
    with world() as project:
        settled(project)
        for step in steps:
            project.step(*step)
            if fastpath.recall([]) is not None:
                assert cli.run(["-q"]) == 0, f"stale after {step}"


def settled(project: World) -> None:
    """Build until the verdict is kept."""
    for kind in ("build", "wait", "build"):
        project.step(kind, "", "")
    assert fastpath.recall([]) is not None


@pytest.mark.usefixtures("capsys")
def test_an_unchanged_project_is_answered_at_once() -> None:
    """After a build with nothing to do the same words are answered, and others are not."""
    with world() as project:
        settled(project)
        answer = fastpath.recall([])
        assert answer is not None
        assert answer.status == 0
        assert answer.stdout.startswith("nothing to do: 2 evaluations")
        assert fastpath.recall(["e"]) is None
        assert fastpath.recall(["-n"]) is None


@pytest.mark.usefixtures("capsys")
@pytest.mark.parametrize("name", ["one.txt", "data/a.txt", "r.json", "Evalfile"])
def test_a_change_with_the_old_size_and_time_is_seen(name: str) -> None:
    """Setting a file's time back does not hide that it was written."""
    with world() as project:
        settled(project)
        _swap(project.root / name, (project.root / name).read_text().replace("x", "y"))
        assert fastpath.recall([]) is None


@pytest.mark.usefixtures("capsys")
def test_a_stored_output_that_is_lost_is_noticed() -> None:
    """A large output removed by hand from inside the store ends the verdict, and is made again."""
    with world() as project:
        settled(project)
        project.step("lose", "", "")
        assert fastpath.recall([]) is None
        assert cli.run(["-q"]) == 1
        project.step("build", "", "")
        assert cli.run(["-q"]) == 0


@pytest.mark.usefixtures("capsys")
def test_a_verdict_on_a_file_that_is_too_young_is_not_kept() -> None:
    """A file as young as the clock's tick could change again and look the same."""
    with world() as project:
        settled(project)
        project.step("touch", "one.txt", "")
        project.step("build", "", "")
        assert fastpath.recall([]) is None
        project.step("wait", "", "")
        project.step("build", "", "")
        assert fastpath.recall([]) is not None
