"""What a build prints of gates and scores, also when nothing is to do."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from evalmake import fastpath
from tests.support.projects import Project

EVALFILE = """\
executor local {
    backend = process
    slots   = 4
}

model nobody {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "nobody"
}

benchmark one {
    harness = command
    run     = "sh ../../../job.sh"
}

benchmark two {
    harness = command
    run     = "sh ../../../job.sh"
}

eval grid {
    model     = nobody
    benchmark in [one, two]
    require accuracy >= 0.7
    require acuracy >= 0.7
}
"""
UNMET = "`accuracy >= 0.7` is not met in 2 of 2 cells [gate-not-met]"
UNJUDGED = "`acuracy >= 0.7` is not judged in 2 of 2 cells [gate-unjudged]"
NOTHING = "nothing to do: 2 evaluations up to date; 2 gates not met, 2 not judged\n"

Evalmake = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def evalmake(project: Project) -> Evalmake:
    """A function that runs evalmake as a process in a project whose gates are not met."""
    project.write("job.sh", "echo '{\"accuracy\": 0.5}' > $EVALMAKE_OUT/scores.json\n")
    project.write("Evalfile", EVALFILE)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "evalmake", *words]
        return subprocess.run(argv, cwd=project.root, capture_output=True, text=True)

    return run


def test_one_gate_prints_one_block(evalmake: Evalmake) -> None:
    """A gate over several cells is one diagnostic; a note for each cell has its value and bound."""
    done = evalmake()
    assert done.stderr.count(f"gate: {UNMET}") == 1
    assert done.stderr.count(f"gate: {UNJUDGED}") == 1
    for cell in ("grid/one", "grid/two"):
        assert f"note: {cell}: accuracy is 0.500, below 0.70" in done.stderr
        assert f"note: {cell}: acuracy was not reported" in done.stderr
    assert "\n\n0 gates met, 2 not met, 2 not judged\n" in done.stdout
    assert done.returncode == 2


def test_nothing_to_do_repeats_what_is_wrong(evalmake: Evalmake, project: Project) -> None:
    """Value, bound and cause stay in the output: at the second build, and when the fast path repeats it."""
    evalmake()
    time.sleep(0.05)  # a file younger than the clock's tick could change unseen
    second, third = evalmake(), evalmake()
    assert second.stdout == third.stdout == NOTHING
    assert second.stderr == third.stderr
    assert f"gate: {UNMET}" in third.stderr
    assert "note: grid/one: accuracy is 0.500, below 0.70" in third.stderr
    assert second.returncode == third.returncode == 2
    assert any((project.root / ".evalmake/verdicts").iterdir())


def test_silent_prints_only_what_is_wrong(evalmake: Evalmake) -> None:
    """Under -s the gates are printed, whether anything ran or not, and nothing else."""
    for _ in range(3):
        done = evalmake("-s")
        assert done.stdout == ""
        assert done.stderr.startswith(f"gate: {UNMET}")


def test_verbose_prints_the_scores_again(evalmake: Evalmake) -> None:
    """With nothing to do, -v shows the table of scores."""
    first = evalmake()
    again = evalmake("-v")
    table = first.stdout.partition("\n\n")[0]
    assert table.startswith("model")
    assert again.stdout == f"{table}\n\n{NOTHING}"


def test_the_fast_path_keeps_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours are used on a terminal that has not declined them."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not fastpath.use_colour()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert fastpath.use_colour()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not fastpath.use_colour()
