"""The null build's law: whenever it answers, planning in full finds nothing to do.

A walk of random steps tries it: 200, or $EVALMAKE_STEPS. The seed is printed, which pytest shows with a failure;
$EVALMAKE_STEPS_SEED repeats the walk. Its builds record the outputs that jobs would leave, and start no jobs: what a
verdict rests on is read and planned all the same, and a step takes milliseconds.
"""

from __future__ import annotations

import importlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evalmake import cli, fastpath, session
from evalmake.planner.action import ActionResult
from evalmake.planner.plan import Plan
from evalmake.planning import distinct_actions
from evalmake.run.build_result import BuildResult
from evalmake.scoring.score import Score
from evalmake.store.store import Store

STEPS = int(os.environ.get("EVALMAKE_STEPS") or 200)

EVALFILE = """
include? "more.evalfile"
include? "teams/*/evals.evalfile"
include? "teams/**/deep.evalfile"

LEVEL = env("EVALMAKE_TEST_LEVEL", "a")

model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }

defaults benchmark {
    harness = in-place
    run     = "cd $EVALMAKE_OUT; printf %070000d > large; echo '{\\"accuracy\\": 1.0}' > scores.json"
}

benchmark one { files = file("one.txt"), params = { level = "${LEVEL}", words = text("words.txt") } }
benchmark many { files = glob("data/**/*.txt") }

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

PLUGIN = """
from evalmake.harnesses.command import CommandHarness


class InPlace(CommandHarness):
    behaviour = 1
"""

FILES = (
    "one.txt",
    "words.txt",
    "data/a.txt",
    "data/b.txt",
    "data/sub/c.txt",
    "data/d.txt",
    "outside/x.txt",
    "outside/sub/y.txt",
)
TEAMS = ("teams/one/evals.evalfile", "teams/two/evals.evalfile", "teams/a/b/deep.evalfile", "outside/t/evals.evalfile")
LINKS = {
    "data/linked": ("../outside", "../outside/sub", "../none", "."),
    "data/sub/l.txt": ("../../outside/x.txt", "../../outside/none.txt", "../a.txt", "../../outside"),
    "teams/linked": ("../outside/t", "../outside/none"),
    "outside/sub/again": ("..", "../../data"),
}
FOLDERS = ("data/sub", "outside/sub", "outside/t", "outside", "teams/one", "teams/a")


class World:
    """A project on disk with a plugin that is installed in place; `step` changes something."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.plugins = root / "plugins"
        for folder in (self.root / "data", self.plugins / "in_place-1.dist-info"):
            folder.mkdir(parents=True)
        for name in ("one.txt", "words.txt", "data/a.txt"):
            (self.root / name).write_text("x")
        (self.plugins / "in_place-1.dist-info" / "METADATA").write_text("Name: in-place\nVersion: 1\n")
        points = "[evalmake.harnesses]\nin-place = in_place:InPlace\n"
        (self.plugins / "in_place-1.dist-info" / "entry_points.txt").write_text(points)
        (self.plugins / "in_place.py").write_text(PLUGIN)
        self.edit("# a")

    def write(self, name: str, content: str) -> None:
        """Write a file and the folders that it needs."""
        path = self.root / name
        if all(parent.is_dir() or not parent.is_symlink() for parent in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def edit(self, line: str) -> None:
        """Write the Evalfile with a line in its eval."""
        self.write("Evalfile", EVALFILE.replace("    model     = m", f"    model     = m\n    {line}"))

    def link(self, name: str, target: str) -> None:
        """Put a link in the place of whatever is there."""
        path = self.root / name
        if path.is_symlink() or (path.parent.is_dir() and not path.is_dir()):
            path.unlink(missing_ok=True)
            path.symlink_to(target)

    def remove(self, name: str) -> None:
        """Remove a file or a link."""
        path = self.root / name
        if path.is_symlink() or path.is_file():
            path.unlink()

    def move(self, name: str) -> None:
        """Move a file or folder away, or back."""
        path = self.root / name
        away = path.with_name(f"{path.name}.away")
        if away.exists() and not path.exists() and not path.is_symlink():
            away.rename(path)
        elif path.exists() and not away.exists():
            path.rename(away)

    def set_clock(self, name: str, seconds: int) -> None:
        """Set a file's time, to the past or to the future."""
        if (self.root / name).exists():
            os.utime(self.root / name, (seconds, seconds))

    def upgrade(self, behaviour: int) -> None:
        """Change the plugin in place, as `git pull` does, and load it as a new process would."""
        text = PLUGIN.replace("= 1", f"= {behaviour}")
        (self.plugins / "in_place.py").write_text(text)
        sys.modules.pop("in_place", None)
        importlib.invalidate_caches()

    def lose(self) -> None:
        """Lose the large files of the store."""
        for lost in (self.root / ".evalmake" / "store").glob("??/??/*.val"):
            lost.unlink()

    def drop_store(self) -> None:
        """Remove the store."""
        shutil.rmtree(self.root / ".evalmake" / "store", ignore_errors=True)

    def mend(self) -> None:
        """Remove links and included files, put moved things back, and write the file that must be there."""
        for name in (*LINKS, *TEAMS, "more.evalfile"):
            self.remove(name)
        for name in (*FOLDERS, *FILES):
            if (self.root / f"{name}.away").exists():
                self.move(name)
        for name in FILES[:2]:
            self.write(name, "x")

    def build(self) -> None:
        """Build; there may be nothing to build, as the walk may break the Evalfile."""
        cli.run([])


def draw_step(world: World, dice: random.Random) -> tuple[str, Callable[[], object]]:
    """One change of a world, with words about it."""
    content = dice.choice("xy")
    file = dice.choice((*FILES, "r.json"))
    team = dice.choice(TEAMS)
    link = dice.choice(sorted(LINKS))
    target = dice.choice(LINKS[link])
    line = dice.choice(("# a", "retries = 1", "limit = 3"))
    folder = dice.choice(FOLDERS)
    number = dice.randint(1, 2)
    seconds = dice.choice((1, 10**9, int(time.time()) + 10**5))
    name = dice.choice(("a", "b"))
    team_text = f"eval {team.replace('/', '-').partition('.')[0]} {{ model = m, benchmark = one, seed = {number} }}\n"
    steps: list[tuple[str, Callable[[], object]]] = [
        (f"write {file}", lambda: world.write(file, content)),
        (f"write {file}", lambda: world.write(file, content)),
        (f"swap {file}", lambda: _swap(world.root / file, content)),
        (f"remove {file}", lambda: world.remove(file)),
        (f"move {file}", lambda: world.move(file)),
        (f"move {folder}", lambda: world.move(folder)),
        (f"link {link} to {target}", lambda: world.link(link, target)),
        (f"link {link} to {target}", lambda: world.link(link, target)),
        (f"remove {link}", lambda: world.remove(link)),
        (f"set the time of {file} to {seconds}", lambda: world.set_clock(file, seconds)),
        (f"write {team}", lambda: world.write(team, team_text)),
        (f"remove {team}", lambda: world.remove(team)),
        (f"upgrade to {number}", lambda: world.upgrade(number)),
        (f"edit to {line}", lambda: world.edit(line)),
        (f"level {name}", lambda: os.environ.__setitem__("EVALMAKE_TEST_LEVEL", name)),
        ("include more", lambda: world.write("more.evalfile", dice.choice(("", "X = 1\n")))),
        ("lose blobs", world.lose),
        ("drop the store", world.drop_store),
    ]
    return dice.choice(steps)


def _swap(path: Path, content: str) -> None:
    """Change a file's text and set its time back to what it was, as some tools do."""
    if path.is_file():
        before = path.stat()
        path.write_text(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@contextmanager
def world() -> Iterator[World]:
    """A fresh project, the working folder in it."""
    here, path, bytecode = os.getcwd(), list(sys.path), sys.dont_write_bytecode
    with tempfile.TemporaryDirectory() as folder:
        made = World(Path(folder))
        os.chdir(made.root)
        sys.path.append(str(made.plugins))
        sys.dont_write_bytecode = True
        try:
            yield made
        finally:
            os.chdir(here)
            sys.path[:], sys.dont_write_bytecode = path, bytecode
            sys.modules.pop("in_place", None)
            os.environ.pop("EVALMAKE_TEST_LEVEL", None)


def record_stale(request: object, workspace: object, plan: Plan, store: Store, *rest: object) -> BuildResult:
    """Do what running the stale evaluations does to the store, without jobs."""
    for node in distinct_actions(plan.stale):
        outputs = {"out/large": b"%070000d" % 1, "out/scores.json": b'{"accuracy": 1.0}'}
        store.commit(node.action, _succeed(node.name, node.action.digest), outputs)
    return BuildResult(succeeded=[node.name for node in plan.stale])


def _succeed(name: str, action: str) -> ActionResult:
    """An attempt that succeeded."""
    return ActionResult(
        action=action,
        name=name,
        attempt=0,
        status="succeeded",
        identity={},
        outputs=(),
        scores=(Score("accuracy", 1.0),),
        metric="accuracy",
        usage={},
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:00:01+00:00",
        seconds=1.0,
        executor="local",
        job="j.1",
    )


@pytest.mark.timeout(0 if STEPS > 200 else 900)
def test_an_answer_means_that_nothing_is_stale(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever was edited, linked, moved, upgraded or built, `recall` answers only what a plan confirms."""
    seed = int(os.environ.get("EVALMAKE_STEPS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"a random walk: EVALMAKE_STEPS_SEED={seed}")
    monkeypatch.setattr(session, "run_stale", record_stale)
    dice, answered, settled_steps = random.Random(seed), 0, 0
    with world() as project:
        for number in range(STEPS):
            words, step = draw_step(project, dice)
            step()
            if fastpath.recall([]) is not None:
                answered += 1
                assert cli.run(["-q"]) == 0, f"stale after step {number}: {words}"
            elif dice.random() < 0.4:
                settle(project)
                settled_steps += fastpath.recall([]) is not None
                if dice.random() < 0.3:  # else most of a long walk would be through broken projects
                    project.mend()
    print(f"{answered} of {STEPS} steps were answered, {settled_steps} began with an answer")
    assert answered >= STEPS / 50


def settle(project: World) -> None:
    """Build until the verdict is kept, if the Evalfile builds."""
    project.build()
    time.sleep(0.03)
    project.build()


def settled(project: World) -> None:
    """Build until the verdict is kept."""
    settle(project)
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
        project.lose()
        assert fastpath.recall([]) is None
        assert cli.run(["-q"]) == 1
        project.build()
        assert cli.run(["-q"]) == 0


@pytest.mark.usefixtures("capsys")
def test_a_verdict_on_a_file_that_is_too_young_is_not_kept() -> None:
    """A file as young as the clock's tick could change again and look the same."""
    with world() as project:
        settled(project)
        os.utime(project.root / "one.txt", (time.time() + 60,) * 2)
        project.build()
        assert fastpath.recall([]) is None
        os.utime(project.root / "one.txt")
        time.sleep(0.03)
        project.build()
        assert fastpath.recall([]) is not None
