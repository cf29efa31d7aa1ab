"""The keys of every benchmark with every harness: each is used or refused, and none is accepted and does nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.graph import GraphBuilder
from evalmake.project.schema import Benchmark
from evalmake.workspace import Workspace
from tests.support.projects import Project

HARNESSES = {
    "native": 'files = file("d.jsonl")\nexamples = file("x.jsonl")\nprompt = "{q}"\ntarget = "{a}"',
    "command": 'run = "true"',
    "lm-eval": 'task = "gsm8k"',
    "inspect": 'task = "inspect_evals/gsm8k"',
    "nemo": 'task = "simple_evals.mgsm"',
    "ragas": 'task = "tool_call_accuracy"\nfiles = file("d.jsonl")',
    "retrieval": 'files = glob("scifact/**")',
}
VALUES = {
    "task": '"another"',
    "fewshot": "1",
    "dataset": '"hf://acme/sums@main"',
    "digest": f"sha256:{'0d' * 32}",
    "files": 'file("other.jsonl")',
    "truncated": "0.1",
}
"""Those of keys that a harness may have no use for."""
EVALMAKES = {"harness", "image", "packages", "env", "params", "adapter", "metric", "scale", "better", "coverage"}
"""Keys that evalmake itself uses, whatever the harness: where jobs run, what is sent, how scores are shown and judged.

`truncated` is one of them, too, for models that reply with texts.
"""
UNUSED = "would change nothing"
REFUSED = {
    ("native", "task"): UNUSED,
    ("native", "digest"): UNUSED,
    ("native", "packages"): UNUSED,
    ("native", "dataset"): "there are `files`, too",
    ("command", "task"): UNUSED,
    ("command", "fewshot"): UNUSED,
    ("command", "dataset"): UNUSED,
    ("command", "digest"): UNUSED,
    ("inspect", "fewshot"): "Inspect leaves examples to the task",
    ("nemo", "fewshot"): "has its own name for it",
    ("ragas", "task"): "the ragas harness has no `another`",
    ("ragas", "fewshot"): "`fewshot`",
    ("ragas", "dataset"): UNUSED,
    ("ragas", "digest"): UNUSED,
    ("retrieval", "task"): UNUSED,
    ("retrieval", "fewshot"): "retrieval has no examples",
    ("retrieval", "dataset"): UNUSED,
    ("retrieval", "digest"): UNUSED,
    ("retrieval", "truncated"): UNUSED,
}
SAID_OF_TASKS = {(harness, key) for harness in ("lm-eval", "inspect", "nemo") for key in ("dataset", "digest")}
"""These say which data a result is of: they are pinned and part of the identity, and the task reads what it reads."""


def open_with(project: Project, harness: str, lines: dict[str, str]) -> Workspace:
    """The workspace of one benchmark with these keys."""
    for name in ("d.jsonl", "x.jsonl", "other.jsonl"):
        project.write(name, f'{{"q": "{name}", "a": "2"}}\n')
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        project.write(f"scifact/{name}", f"{name}\n")
    keys = dict(line.split(" = ", 1) for line in HARNESSES[harness].splitlines()) | lines
    body = "\n".join(f"    {key} = {value}" for key, value in keys.items())
    project.write(
        "Evalfile",
        'model m { endpoint = "http://127.0.0.1:1/v1", name = "m" }\n'
        f"benchmark b {{\n    harness = {harness}\n{body}\n}}\n"
        "eval e {\n    model = m\n    benchmark = b\n}\n",
    )
    return Workspace.open(project.root / "Evalfile")


def describe(workspace: Workspace) -> tuple[Any, str, Any]:
    """What a job gets, the digest of the benchmark, and its checked declaration."""
    cell = workspace.cells["e"][0]
    harness = workspace.plugins.get("harnesses", cell.benchmark.plugin)()
    node = GraphBuilder(workspace.project, workspace.plugins).node(cell)
    return asdict(harness.command(cell)), dict(node.action.parts)["benchmark"].digest, cell.benchmark.block


@pytest.mark.parametrize("key", [key for key in Benchmark.model_fields if key not in EVALMAKES] + ["packages"])
@pytest.mark.parametrize("harness", HARNESSES)
def test_each_key_is_used_or_refused(harness: str, key: str, project: Project) -> None:
    """A key that changes neither the job nor what is said of it is an error with a cure."""
    value = VALUES.get(key, '["acme==1"]')
    if phrase := REFUSED.get((harness, key)):
        with pytest.raises(EvalmakeError) as caught:
            open_with(project, harness, {key: value})
        (found,) = caught.value.diagnostics
        assert phrase in found.message
        assert found.help
        return
    before, after = describe(open_with(project, harness, {})), describe(open_with(project, harness, {key: value}))
    if key in ("truncated", "packages"):
        assert getattr(after[2], key) != getattr(before[2], key)
    else:
        assert after[1] != before[1]
        assert (after[0] == before[0]) == ((harness, key) in SAID_OF_TASKS)


@pytest.mark.parametrize("harness", ["lm-eval", "inspect", "nemo"])
def test_files_are_no_name_of_a_data_set(harness: str, project: Project) -> None:
    """A task reads its own data: files under `dataset` would lie unused."""
    with pytest.raises(EvalmakeError) as caught:
        open_with(project, harness, {"dataset": 'file("d.jsonl")'})
    (found,) = caught.value.diagnostics
    assert UNUSED in found.message
    assert found.help == ("files that the task reads belong in `files`",)


def test_a_data_set_that_a_command_inherits(project: Project) -> None:
    """It is an error, too, and can be taken away."""
    text = """\
defaults benchmark {{ dataset = "hf://acme/sums@main" }}
model m {{ endpoint = "http://127.0.0.1:1/v1", name = "m" }}
benchmark b {{ harness = command, run = "true"{} }}
eval e {{ model = m, benchmark = b }}
"""
    project.write("Evalfile", text.format(""))
    said = project.run("-n", status=2).stderr
    assert "help: or take it away here: `dataset = none`" in said
    project.write("Evalfile", text.format(", dataset = none"))
    project.run("-n")
