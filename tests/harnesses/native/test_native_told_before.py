"""What an Evalfile is refused for is what the native harness would refuse, and nothing else."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalmake.harnesses.native.data_check import check_data
from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.harness import NativeHarness
from evalmake.harnesses.native.task_file import SCORERS, read_task
from evalmake.language.diagnostic import Diagnostics
from evalmake.language.source import Source, Span
from evalmake.language.values import File, Files, Symbol
from evalmake.project.declarations import Declaration
from evalmake.project.fields import Fields
from evalmake.project.schema import Benchmark

HERE = Span(Source("t", "benchmark b"), 0, 9)


def files(name: str) -> Files:
    """One file of that name."""
    return Files((File(name, "0" * 64, Path(name)),), single=True)


def benchmark(keys: dict[str, Any]) -> Declaration:
    """A native benchmark with these keys, as if declared."""
    claimed = {key for key in keys if NativeHarness.claims_key(key, keys[key])}
    own = {key: keys[key] for key in keys if key in Benchmark.model_fields and key not in claimed}
    rest = {key: keys[key] for key in keys if key not in own}
    block = Benchmark.model_validate({"harness": Symbol("native"), **own})
    settings = NativeHarness.Settings.model_validate(rest)
    return Declaration("benchmark", "b", block, settings, Fields(), HERE, "", None)


def refused_at_load(declared: Declaration) -> bool:
    """Whether loading would be an error."""
    found = Diagnostics()
    NativeHarness.check_benchmark(declared, found)
    return bool(found)


def refused_at_run(declared: Declaration, folder: Path) -> bool:
    """Whether the harness refuses the task file that it is given."""
    parsed = SimpleNamespace(file=SimpleNamespace(path=folder / "Evalfile"))
    variant = SimpleNamespace(eval=SimpleNamespace(parsed=parsed), stop_rule=None, block=SimpleNamespace(repeats=1))
    evaluation: Any = SimpleNamespace(benchmark=declared, variant=variant)
    path = folder / "task.json"
    path.write_text(NativeHarness().command(evaluation).files["task.json"])
    try:
        task = read_task(path)
    except TaskError:
        return True
    settings: Any = declared.settings
    return "judge" in task.scorer and settings.judge is None


def test_combinations(tmp_path: Path) -> None:
    """Whatever keys stand together, loading refuses them just when running would."""
    optional = {
        "target": "{answer}",
        "choices": "{options}",
        "pattern": "x",
        "scorer_file": files("scorer.py"),
        "judge": Symbol("m"),
        "files": files("d.jsonl"),
        "examples": files("e.jsonl"),
        "fewshot": 2,
    }
    refused = 0
    for scorer, given in product((None, *SCORERS), product((False, True), repeat=len(optional))):
        keys: dict[str, Any] = {"prompt": "{question}"}
        keys |= {"scorer": Symbol(scorer)} if scorer else {}
        keys |= {key: optional[key] for key, there in zip(optional, given, strict=True) if there}
        declared = benchmark(keys)
        expected = refused_at_run(declared, tmp_path)
        assert refused_at_load(declared) == expected, json.dumps(keys, default=str)
        refused += expected
    assert 0 < refused < (len(SCORERS) + 1) * 2 ** len(optional)


@pytest.mark.parametrize(
    "keys",
    [
        {"prompt": "a {b"},
        {"prompt": "a } b"},
        {"prompt": "{{b}} {c} {{{d}}}"},
        {"prompt": "{}"},
        {"prompt": "{a{b}"},
        {"system": "{"},
        {"target": "}"},
        {"choices": ("{a}", "b}")},
        {"choices": "{a}"},
        {"extract": "("},
        {"pattern": "[a-z]+"},
        {"pattern": "*"},
        {"where": "kind = numeric"},
        {"where": "kind"},
        {"where": "level > many"},
        {"scorer": Symbol("{s}")},
        {"scorer": "{s}", "target": None},
        {"checks": "{c}", "scorer": None, "target": None},
        {"checks": ({"type": Symbol("contains"), "value": "{q"},)},
        {"checks": ({"type": "contain", "value": "q"},)},
        {"checks": ({"type": "any", "value": ({"type": "json", "valu": 1},)},)},
        {"checks": ()},
        {"scorer": (Symbol("exact"), Symbol("number"))},
        {"scorer": (Symbol("exact"), Symbol("exact"))},
        {"scorer": (Symbol("exact"), Symbol("regex"))},
        {"scorer": (Symbol("exact"),)},
        {"answer": "{r}"},
        {"answer": "{r"},
        {"answer": "{r}", "prompt": None},
        {"answer": "{r}", "target": None},
        {"answer": "{r}", "checks": ({"type": Symbol("tokens"), "value": 5},)},
        {"answer": "{r}", "checks": ({"type": "any", "value": ({"type": "not-latency", "value": 5},)},)},
        {"answer": "{r}", "checks": ({"type": "any", "value": ({"type": "not-json"},)},)},
        {"weight": "{w"},
        {"tags": ("{a}", "b}")},
        {"rubric": "{", "scorer": Symbol("judge"), "judge": Symbol("m")},
    ],
    ids=str,
)
def test_values(keys: dict[str, Any], tmp_path: Path) -> None:
    """A template or a pattern is refused at load just when the harness would refuse it."""
    plain = {"prompt": "{q}", "target": "{a}", "scorer": Symbol("exact"), "files": files("d.jsonl")}
    declared = benchmark({**plain, **keys})
    assert refused_at_load(declared) == refused_at_run(declared, tmp_path)


def test_ways_to_ask(tmp_path: Path) -> None:
    """Whichever of prompt, messages, tools, picture and clip stand together, both refuse the same."""
    tool = {"type": "function", "function": {"name": "f"}}
    ways: dict[str, tuple[Any, ...]] = {
        "prompt": (None, "{question}", "{question"),
        "messages": (None, "{messages}", "{messages", "Say {messages}", "messages"),
        "tools": (None, "{tools}", "tools", (tool,), (tool, tool), ({"name": "f"},)),
        "image": (None, "{picture}", "{picture"),
        "audio": (None, "{clip}"),
        "choices": (None, "{options}"),
    }
    accepted = 0
    for given in product(*ways.values()):
        keys = {key: value for key, value in zip(ways, given, strict=True) if value is not None}
        declared = benchmark({"files": files("d.jsonl"), "target": "{answer}", "scorer": Symbol("number"), **keys})
        assert refused_at_load(declared) == refused_at_run(declared, tmp_path), keys
        accepted += not refused_at_load(declared)
    assert accepted


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("def score(a, b, c): return 1", True),
        ("from rules import score", True),
        ("from rules import *", True),
        ("if True:\n    score = max", True),
        ("globals()['score'] = max", True),
        ("def __getattr__(name): return max", True),
        ("def scores(a, b, c): return 1", False),
        ("", False),
    ],
)
def test_functions_of_scorer_files(text: str, known: bool, tmp_path: Path) -> None:
    """A scorer file is read and not run: only a name that nothing in it could make is told as missing."""
    (tmp_path / "own.py").write_text(text)
    (tmp_path / "d.jsonl").write_text('{"q": "6*7?", "a": "42"}\n')
    task = {"files": [str(tmp_path / "d.jsonl")], "prompt": "{q}", "target": "{a}", "scorer": "python"}
    found = check_data(task | {"scorer_file": str(tmp_path / "own.py")}, "chat")
    assert [one.key for one in found] == ([] if known else ["scorer_file"])
