"""The types of the Python API: complete, and as strict as the Evalfile where Python can be."""

from __future__ import annotations

import ast
import inspect
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from textwrap import dedent

import pytest

import evalmake
from evalmake.project.schema import KINDS
from tests.support.repository import ROOT
from tests.support.shared_folders import make_once

PROGRAM = """\
    from typing import assert_type

    import evalmake

    sums = evalmake.Benchmark(
        harness="native", files="data/sums.jsonl", prompt="{question}", choices=["a", "b"], coverage=0.9
    )
    hosted = evalmake.Model(
        endpoint="http://127.0.0.1:8000/v1", name="m", api_key=evalmake.secret("KEY"), rate="60/m",
        adapter={"strip_reasoning": True, "params": {"top_k": 1}, "drop": ["stop"]},
    )

    def look(event: evalmake.Event) -> None:
        print(event)

    result = evalmake.evaluate(
        hosted, sums, limit=50, params={"temperature": 0.0, "stop": ["A", "B"]}, progress=look,
        require=["accuracy >= 80%"], executor=evalmake.Executor(backend="process", slots=2),
    )
    assert_type(result, evalmake.Result)
    assert_type(result.value, float)
    assert_type(result.interval, tuple[float, float] | None)
    assert_type(result.scores["accuracy"], evalmake.Score)
    assert_type(result.scores["accuracy"].value, float | None)

    project = evalmake.load("Evalfile", {"LIMIT": 5})
    assert_type(project, evalmake.Project)
    assert_type(evalmake.plan(project, "grid"), evalmake.Plan)
    for one in evalmake.build(project, ["grid"], jobs=2):
        assert_type(one, evalmake.Result)
    try:
        evalmake.load()
    except evalmake.EvalmakeError as error:
        print(error.diagnostics[0].code)
"""
MISTAKEN = """\
    import evalmake

    model = evalmake.Model(endpont="http://127.0.0.1:8000/v1")
    sums = evalmake.Benchmark(fewshot=5)
    evalmake.evaluate(model, sums, timeot="1h")
    evalmake.evaluate(model, sums, limit="5")
    evalmake.evaluat(model, sums)
"""


def mypy(folder: Path, program: str) -> str:
    """What `mypy --strict` says of a program that uses evalmake."""
    (folder / "program.py").write_text(dedent(program))
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "program.py"]
    path = {"MYPYPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=folder, env=path, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.fixture
def checked(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a check is fast: it has what mypy learned when it first read evalmake."""
    learned = make_once(tmp_path_factory, "typed", lambda folder: mypy(folder, "import evalmake\n"))
    return Path(shutil.copytree(learned, tmp_path / "typed"))


def test_a_strict_program_passes_mypy(checked: Path) -> None:
    """A program passes strict mypy, and no type of it is `Any`."""
    assert mypy(checked, PROGRAM).startswith("Success: no issues found")


def test_mypy_finds_mistakes(checked: Path) -> None:
    """mypy reports an unknown key, a missing key, a wrong type and a wrong name, one error each."""
    said = mypy(checked, MISTAKEN)
    assert [line.split(":")[1] for line in said.splitlines() if ": error:" in line] == [
        "3",
        "4",
        "5",
        "6",
        "7",
    ], said


def test_the_stub_has_all_public_names() -> None:
    """Each public name is in the stub, can be imported and is listed by `dir`; an unknown name cannot be imported."""
    stub = ast.parse((ROOT / "evalmake/__init__.pyi").read_text())
    named = {a.asname for s in stub.body if isinstance(s, ast.ImportFrom) for a in s.names}
    assert named == set(evalmake.__all__) <= set(dir(evalmake))
    assert all(getattr(evalmake, name) is not None for name in evalmake.__all__)
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        getattr(evalmake, "evaluat")  # noqa: B009


USER = """\
    import evalmake

    model = evalmake.Model(endpoint="http://127.0.0.1:8000/v1", name="m")
    result: int = evalmake.evaluate(model, evalmake.Benchmark(harness="native", files="data.jsonl"))
"""


def test_types_are_visible_after_an_editable_install(tmp_path: Path) -> None:
    """After `pip install -e .` in a fresh environment, `mypy user.py` knows the type of a result."""
    checkout = tmp_path / "checkout"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "evalmake", checkout / "evalmake", ignore=ignore)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, checkout / name)
    venv.create(tmp_path / "venv")
    python = str(tmp_path / "venv/bin/python")
    pip = [sys.executable, "-m", "pip", "--python", python]  # a pip of its own takes longer to install than the rest
    subprocess.run([*pip, "install", "-q", "--no-deps", "-e", str(checkout)], check=True)
    (tmp_path / "user.py").write_text(dedent(USER))
    command = [sys.executable, "-m", "mypy", "--python-executable", python, "user.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert 'user.py:4: error: Incompatible types in assignment (expression has type "Result"' in done.stdout


def test_the_wheel_has_types() -> None:
    """The wheel contains the `py.typed` marker and the stub."""
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert shipped["package-data"]["evalmake"] == ["py.typed", "*.pyi"]
    assert "evalmake.*" in shipped["packages"]["find"]["include"]
    assert (ROOT / "evalmake/py.typed").exists()


@pytest.mark.parametrize(
    ("kind", "function", "more"),
    [
        ("model", evalmake.Model, set()),
        ("deployment", evalmake.Deployment, set()),
        ("benchmark", evalmake.Benchmark, set()),
        ("executor", evalmake.Executor, set()),
        ("eval", evalmake.evaluate, {"require", "workspace", "always", "progress"}),
    ],
)
def test_arguments_are_the_keys_of_the_kind(kind: str, function: object, more: set[str]) -> None:
    """The arguments of a declaration are exactly the keys of its kind; those of one evaluation, without an axis."""
    assert callable(function)
    parameters = inspect.signature(function).parameters.values()
    named = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    axes = {"weights"} if kind == "eval" else set()
    assert named == set(KINDS[kind].model_fields) - axes | more
