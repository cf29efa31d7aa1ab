"""What a command may load: an import that nobody needs is time that everybody waits."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import evalmake

EVALFILE = """
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }

benchmark b { harness = command, run = "true" }

eval e {
    model     = m
    benchmark = b
    seed      in 1..2
}
"""
RUN = 'run = "true"', """run = 'echo "{\\"accuracy\\": 1.0}" > "$EVALMAKE_OUT/scores.json"'"""
PROBE = """
import atexit, sys
before = set(sys.modules)
atexit.register(lambda: print(sorted(set(sys.modules) - before), file=sys.stderr))
sys.argv = ["evalmake", *sys.argv[1:]]
from evalmake.__main__ import main
main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an Evalfile whose evaluations run at once."""
    (tmp_path / "Evalfile").write_text(EVALFILE.replace(*RUN))
    return tmp_path


def third_party(folder: Path, *argv: str, status: int = 0) -> set[str]:
    """The top names that `evalmake argv` loads beyond the standard library and evalmake."""
    return {name for name in loaded(folder, *argv, status=status) if name not in sys.stdlib_module_names} - {"evalmake"}


def loaded(folder: Path, *argv: str, status: int = 0) -> set[str]:
    """The top names of all that `evalmake argv` loads."""
    return {name.split(".")[0] for name in modules(folder, *argv, status=status)}


def modules(folder: Path, *argv: str, status: int = 0) -> set[str]:
    """The modules that `evalmake argv` loads."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", PROBE, *argv], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return set(ast.literal_eval(done.stderr.splitlines()[-1]))


def test_an_up_to_date_build_loads_next_to_nothing(folder: Path) -> None:
    """A build with nothing to do loads only the standard library, xxhash and five modules of evalmake."""
    for _ in range(2):  # the first runs, the second remembers that nothing was to be done
        modules(folder)
    found = modules(folder)
    assert {name for name in found if name.startswith("evalmake")} == {
        "evalmake",
        "evalmake.__main__",
        "evalmake.fastpath",
        "evalmake.interrupts",
        "evalmake.seal",
        "evalmake.standard_streams",
    }
    assert {n.split(".")[0] for n in found} - set(sys.stdlib_module_names) <= {"evalmake", "xxhash"}
    assert not {"json", "re", "typing", "pathlib", "dataclasses", "sqlite3"} & loaded(folder)


def test_importing_evalmake_loads_nothing() -> None:
    """`import evalmake` loads one small file; the rest is loaded when a name is first used."""
    program = """
import sys
before = set(sys.modules)
import evalmake
first = set(sys.modules) - before
evalmake.evaluate
assert first == {"evalmake"}, first
assert "evalmake.api.evaluation" in sys.modules
assert not {"lark", "networkx", "httpx", "docker", "aiohttp", "rich", "click"} & set(sys.modules)
"""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_loads_no_more_than_click(folder: Path) -> None:
    """`--help` loads click, but not the language."""
    assert third_party(folder, "--help") <= {"click", "xxhash"}


def test_a_plan_loads_no_client_of_anything(folder: Path) -> None:
    """`-n` loads no network client, no parser for unchanged files, and no graph library."""
    third_party(folder, "-n")
    found = third_party(folder, "-n")
    assert not found & {
        "docker",
        "httpx",
        "aiohttp",
        "networkx",
        "rich",
        "requests",
        "uvloop",
        "lark",
        "cryptography",
        "securesystemslib",
    }
    assert "pydantic" in found


def test_gateways_beside_a_command_load_when_they_are_asked(tmp_path: Path) -> None:
    """A job on a cluster that sends no request loads no gateway."""
    (tmp_path / "sidecar.json").write_text(
        '[{"settings": "", "session": "s", "port": 0, "variable": "URL", "secrets": []}]'
    )
    program = """
import sys
sys.argv = ["beside", "sidecar.json", "true"]
from evalmake.gateway.sidecar.__main__ import main
assert main() == 0
heavy = {"asyncio", "dataclasses", "logging", "pathlib", "sqlite3", "ssl", "httptools", "pydantic", "uvloop"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    env = os.environ | {"PYTHONPATH": str(Path(evalmake.__file__).parents[1])}
    argv = [sys.executable, "-S", "-c", program]  # as what stands in .pth files loads pathlib
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
