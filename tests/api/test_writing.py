"""Arguments as an Evalfile: every value comes back as it went in, under names that read well."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalmake
from evalmake.api.declarations import Eval
from evalmake.api.evalfile_writer import write_evalfile
from evalmake.language.money import Price
from evalmake.language.values import NAME, Duration, SecretRef, Size
from evalmake.plugins import InstalledPlugins
from evalmake.project.loader import load_project
from evalmake.project.project import Project

PLUGINS = InstalledPlugins()
CHARACTERS = st.characters(min_codepoint=1, max_codepoint=0xFFFF, exclude_categories=["Cs"])  # NUL is refused
TEXTS = st.text(CHARACTERS | st.sampled_from("${}\"'\\\n\r\t#, "))
KEYS = st.from_regex(r"[a-z_ÄA-Z0-9 .=,{}\[\]#$-]{1,12}", fullmatch=True)
VALUES = st.recursive(
    st.booleans() | st.integers() | TEXTS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(st.none() | inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)  # (a key of a map whose value is `none` is left out)
NOBODY = evalmake.Model(endpoint="http://127.0.0.1:9/v1", name="m")
TRUE = evalmake.Benchmark(harness="command", run="true")


def loaded(folder: Path, **keys: Any) -> Project:
    """The project of an evaluation; what is not given is a model that nobody asks, and `true`."""
    evaluation = Eval(**({"model": NOBODY, "benchmark": TRUE} | keys))
    written = write_evalfile(evaluation, folder, PLUGINS)
    return load_project(folder / "Evalfile", (), PLUGINS, {}, written=written.source)


def same(ours: object, theirs: object) -> bool:
    """Whether two values are equal and of the same types, however deep; lists come as tuples."""
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(theirs, list) and isinstance(ours, tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return type(ours) is type(theirs) and repr(ours) == repr(theirs)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_written_parameters_read_back(params: dict[str, Any]) -> None:
    """Parameters read back as they were: texts with any character, exact numbers, nested lists and maps."""
    (declared,) = loaded(Path.cwd(), params=params).evals.values()
    assert same(declared.fields.values["params"], params)


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_a_written_prompt_reads_back(prompt: str) -> None:
    """A text for a key that takes text is never read as a name, a duration or a path."""
    (benchmark,) = loaded(Path.cwd(), benchmark=evalmake.Benchmark(harness="command", run=prompt)).benchmarks.values()
    assert benchmark.settings is not None
    assert benchmark.settings.run == prompt  # type: ignore[attr-defined]


def test_a_text_has_the_type_of_its_key(tmp_path: Path) -> None:
    """A text becomes a name, a duration, a size, a share or a text, as its key requires."""
    project = loaded(
        tmp_path,
        model=evalmake.Model(
            deployment=evalmake.Deployment(
                engine="mock", ready="90s", resources={"memory": "2GiB"}, env={"WAIT": "90s"}
            ),
            api="completions",
            name="completions",
            adapter={"system_mode": "append", "system": "append", "timeout": "1h30m"},
            price={"in": "$0.15/Mtok", "out": "0.60USD/Mtok"},
        ),
        confidence="95%",
        executor=evalmake.Executor(backend="process", slots=3, price={"gpu": "$2.50/h"}),
        timeout="2h",
    )
    (deployment,), (model,) = project.deployments.values(), project.models.values()
    assert deployment.block.ready == Duration(90.0)
    assert deployment.block.resources.memory == Size(2 << 30)
    assert deployment.block.env == {"WAIT": "90s"}
    assert (model.block.api, model.block.name) == ("completions", "completions")
    assert model.block.adapter.system_mode == model.block.adapter.system == "append"
    assert model.block.adapter.timeout == Duration(5400.0)
    assert model.block.price == {"in": Price(0.15, "USD", "Mtok"), "out": Price(0.6, "USD", "Mtok")}
    assert project.executors["process"].block.price == {"gpu": Price(2.5, "USD", "h")}
    assert project.executors["process"].block.slots == 3


def test_secrets_are_written_by_name(tmp_path: Path) -> None:
    """A secret is written by its name, in keys and in maps."""
    model = evalmake.Model(
        endpoint="http://127.0.0.1:9/v1",
        name="m",
        api_key=evalmake.secret("A"),
        headers={"X-Key": evalmake.secret("B"), "X-Team": "evals"},
    )
    (declared,) = loaded(tmp_path, model=model).models.values()
    assert declared.block.api_key == SecretRef("A")
    assert declared.block.headers == {"X-Key": SecretRef("B"), "X-Team": "evals"}


def test_paths_are_relative_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is relative to Python's working folder, and a pattern means several files."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here / "data", there):
        folder.mkdir(parents=True)
    for name in ("data/a.csv", "data/b.csv", "odd[1].csv"):
        (here / name).write_text("x\n1\n")
    monkeypatch.chdir(here)

    def text(workspace: Path, **keys: Any) -> str:
        benchmark = evalmake.Benchmark(harness="command", run="true", **keys)
        return write_evalfile(Eval(model=NOBODY, benchmark=benchmark), workspace, PLUGINS).source.text

    assert 'files   = file("data/a.csv")' in text(here, files="data/a.csv")
    assert 'files   = glob("data/*.csv")' in text(Path("."), files="data/*.csv")
    assert f'files   = file("{here}/data/a.csv")' in text(there, files=Path("data/a.csv"))
    assert 'files   = file("odd[1].csv")' in text(here, files="odd[1].csv")
    assert 'dataset = "data/a.csv"' in text(here, dataset="data/a.csv")
    assert 'dataset = file("data/a.csv")' in text(here, dataset=Path("data/a.csv"))


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("nvidia/Nemotron-Nano-9B-v2", "nemotron-nano-9b-v2"),
        ("hf://Qwen/Qwen2.5-7B@a09a354", "qwen2.5-7b"),
        ("7b", "model-7b"),
        ("__ -- .", "model"),
        ("none", "model-none"),
        ("Modèle été", "mod-le-t"),
    ],
)
def test_models_are_named_after_the_endpoint_model(name: str, declared: str, tmp_path: Path) -> None:
    """The name of a model in the Evalfile is made from its name at the endpoint."""
    model = evalmake.Model(endpoint="http://127.0.0.1:9/v1", name=name)
    assert list(loaded(tmp_path, model=model).models) == [declared]


@pytest.mark.parametrize(
    ("task", "declared"),
    [("inspect_evals/humaneval", "humaneval"), ("list", "benchmark-list"), ("build.sh", "benchmark-build")],
)
def test_no_evaluation_has_the_name_of_a_command(task: str, declared: str, tmp_path: Path) -> None:
    """An eval is named after its benchmark, unless that is the name of a command."""
    benchmark = evalmake.Benchmark(harness="inspect", packages=["inspect-ai==0.3.285"], task=task)
    assert list(loaded(tmp_path, benchmark=benchmark).evals) == [declared]


def test_equal_declarations_are_written_once(tmp_path: Path) -> None:
    """Equal declarations are written once; different declarations of the same name get different names."""

    def judged(skill: float) -> Project:
        (tmp_path / "a.jsonl").write_text('{"q": 1}\n')
        models = [
            evalmake.Model(deployment=evalmake.Deployment(engine="mock", args={"skill": s})) for s in (0.5, skill)
        ]
        benchmark = evalmake.Benchmark(
            harness="native",
            files=tmp_path / "a.jsonl",
            prompt="{q}",
            scorer="judge",
            rubric="Is it?",
            judge=models[1],
        )
        return loaded(tmp_path, model=models[0], benchmark=benchmark)

    assert list(judged(0.5).models) == ["mock"]
    assert list(judged(1.0).models) == ["mock", "mock-2"]
    assert list(judged(1.0).deployments) == ["mock", "mock-2"]


def test_written_names_match_the_grammar() -> None:
    """What is written without quotes is a name in the grammar."""
    grammar = (Path(evalmake.__file__).parent / "grammar/evalfile.lark").read_text()
    assert f"\nNAME:     /{NAME.pattern}/\n" in grammar
