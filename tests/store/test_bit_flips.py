"""Random bits flipped in every file of a workspace: no wrong number, no traceback, no hang; each is told or harmless.

`EVALMAKE_BIT_FLIPS` sets how many, `EVALMAKE_BIT_FLIPS_SEED` which.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from evalmake import cli
from tests.support.workspaces import NOBODY, SCRIPTED, SUMS, Bench

FLIPS = int(os.environ.get("EVALMAKE_BIT_FLIPS", "24"))
SEED = int(os.environ.get("EVALMAKE_BIT_FLIPS_SEED", random.SystemRandom().randrange(1 << 20)))
PATIENCE = 300  # seconds that a command may take, however busy the machine is
EVALFILE = """\
    deployment good {
        engine = mock
        args   = { skill = 0.6, seed = 1 }
    }
    model master {
        deployment = good
        name       = "master"
    }
    eval sums {
        model     = master
        benchmark = sums
        seed      in 1..2
        require accuracy >= 10%
    }
    eval counted {
        model     = nobody
        benchmark = scripted
    }
    report numbers {
        of     = [sums, counted]
        format = json
        path   = "numbers.json"
    }
"""
JOB = """\
head -c 70000 /dev/zero > $EVALMAKE_OUT/zeros
echo '{"accuracy": 0.53125}' > $EVALMAKE_OUT/scores.json
"""
COMMANDS = (("-n",), ("why", "sums"), ("logs", "counted"), ("verify",), ("replies",), ("gc", "-n"), ("show", "sums"))


class Hang(BaseException):
    """A command did not end."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of three results, a report and cached replies; the last build was a null build."""
    bench = Bench(tmp_path_factory.mktemp("original"))
    bench.evalfile(EVALFILE, NOBODY, SCRIPTED, SUMS)
    bench.sums(12)
    bench.job(JOB)
    for _ in range(2):
        ended = bench.run()
        assert ended.status == 0, ended.text
    return bench.root


def test_bit_flips(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever bit flips, numbers stay those that were measured, and every command ends with a status and a message."""
    print(f"EVALMAKE_BIT_FLIPS_SEED={SEED}")
    chooser, ends, wrong = random.Random(SEED), Counter[str](), []
    right = read_numbers((original / "numbers.json").read_text())
    assert len(right) == 3
    for _ in range(FLIPS):
        root = tmp_path / "work"
        shutil.copytree(original, root, symlinks=True)
        monkeypatch.chdir(root)
        path, place = choose_bit(chooser, root)
        command = chooser.choice(COMMANDS)
        try:
            ends[try_flip(root, path, place, command, right)] += 1
        except AssertionError as error:
            wrong.append(f"bit {place} of {path}: {error}")
        shutil.rmtree(root)
    print(dict(ends))
    assert wrong == [], f"of {FLIPS} with the seed {SEED}"


def try_flip(root: Path, path: Path, place: int, command: tuple[str, ...], right: dict[str, Any]) -> str:
    """Flip a bit, run a command and a build, and check what they show; how the build ended."""
    flip(root / path, place)
    run(command)
    status, shown, err = run_build()
    if not str(path).startswith(".evalmake") and path.name != "numbers.json":
        return f"input, status {status}"  # another experiment, which the plan says
    assert shown.items() <= right.items(), f"{shown} is shown"
    if status == 0:
        assert shown == right, f"only {shown} is shown"
        assert read_numbers((root / "numbers.json").read_text()) == right, "the report is wrong"
    elif "move it away" not in err:
        run(("verify",))
        status, shown, err = run_build()
        assert (status, shown) == (0, right), f"after verify: {err}"
        return "mended by verify"
    return f"status {status}"


def run_build() -> tuple[int, dict[str, Any], str]:
    """Build: the status, the numbers that are shown, if any, and what is said."""
    status, out, err = run(("--json",))
    return status, read_numbers(out) if out.startswith("{") else {}, err


def choose_bit(chooser: random.Random, root: Path) -> tuple[Path, int]:
    """A file, and a bit of it; databases, where most is, come up as often as all others."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.stat().st_size)
    databases = [path for path in files if path.name == "cache.db"]
    path = chooser.choice(databases if chooser.random() < 0.5 else files)
    return path.relative_to(root), chooser.randrange(path.stat().st_size * 8)


def flip(path: Path, place: int) -> None:
    """Flip one bit of a file, whose times stay as they are."""
    found, data = path.stat(), bytearray(path.read_bytes())
    data[place // 8] ^= 1 << place % 8
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(found.st_mode & 0o777)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def run(words: tuple[str, ...]) -> tuple[int, str, str]:
    """Run a command in this process; any exception but those that `cli.run` handles is a defect."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with patience(), redirect_stdout(out), redirect_stderr(err):
            status = cli.run(list(words))
    except (Exception, Hang) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise AssertionError(f"{words} raised {error!r} at {where.filename}:{where.lineno}") from error
    assert status in (0, 1, 2), f"{words} ended with {status}"
    assert "Traceback" not in err.getvalue(), f"{words} ends with {err.getvalue()}"
    assert status == 0 or out.getvalue() or err.getvalue(), f"{words} says nothing"
    return status, out.getvalue(), err.getvalue()


@contextmanager
def patience() -> Iterator[None]:
    """Raise Hang where the block does not end."""

    def hang(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def read_numbers(text: str) -> dict[str, Any]:
    """Scores and standing of each result, from a report or from `--json`."""
    return {result["name"]: result["scores"] for result in json.loads(text)["results"]}
