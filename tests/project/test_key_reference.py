"""The key reference says something true of every key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from evalmake.language.expressions import Evaluator, Scope
from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.file_hashes import FileHashes
from evalmake.language.parser import parse_override
from evalmake.language.source import Source
from evalmake.language.values import Symbol
from evalmake.planner.graph import GraphBuilder, build_graph
from evalmake.plugins import InstalledPlugins
from evalmake.project.adapter import Adapter
from evalmake.project.key_reference import ALL, Key, Section, find_sections, list_topics, to_text
from evalmake.project.key_types import Block
from evalmake.project.schema import KINDS, PLUGIN_KINDS, Resources
from evalmake.project.settings_schema import Settings
from evalmake.project.validation import value_errors
from evalmake.workspace import Workspace

PLUGINS = InstalledPlugins()
SECTIONS = find_sections(ALL, PLUGINS)
EVERY_KEY = [pytest.param(s, k, id=f"{s.topic}:{k.name}") for s in SECTIONS for k in s.keys]
EVALFILE = """
deployment server { {deployment} weights = "/weights", image = "acme/server:1", port = 8000 }
model served { deployment = server }
model hosted { endpoint = "http://127.0.0.1:1/v1", name = "hosted", adapter = { cache = true } }
model grader { endpoint = "http://127.0.0.1:1/v1", name = "grader" }
model vectors { endpoint = "http://127.0.0.1:1/v1", name = "vectors", api = embeddings }
benchmark bench { {benchmark}, adapter = { cache = true } }
eval e { model in [served, hosted], benchmark = bench, adapter = { cache = true } }
"""
RUN = 'run = "serve",'
# These name a declaration, choose a plugin or make one: other tests change them.
NAMES = {
    ("eval", "model"),
    ("eval", "benchmark"),
    ("eval", "weights"),
    ("model", "deployment"),
    ("deployment", "engine"),
    ("benchmark", "harness"),
}
HARNESSES = {
    "native": 'harness = native, files = file("data.jsonl"), prompt = "{q}", target = "{a}"',
    "command": 'harness = command, run = "true"',
    "ragas": 'harness = ragas, packages = ["x==1"], task = "answer_accuracy"',
    "retrieval": 'harness = retrieval, packages = ["x==1"]',
}


def _value(example: str, folder: Path) -> Any:
    """An example as an Evalfile in `folder` would have it, every file that it names made."""
    for name in re.findall(r'(?:file|glob)\("([^"]*)"\)', example):
        path = folder / (name + "f" * name.endswith("/")).replace("*", "a")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    scope = Scope({}, ExternalInputs({}, FileHashes()))
    source = Source(str(folder / "Evalfile"), example)
    return Evaluator(scope, source)(parse_override(source))


def _block(section: Section) -> Any:
    """The schema that a section was made from."""
    topic, _, part = section.topic.partition(".")
    name, _, kind = topic.partition(" ")
    if kind:
        plugin = PLUGINS.get(PLUGIN_KINDS[kind][1], name)
        if part == "args":
            return plugin.Args
        block = plugin.Settings
        if not part:
            return block
        annotation = block.model_fields[part].annotation
        return next(a for a in (annotation, *annotation.__args__) if hasattr(a, "model_fields"))
    return {"adapter": Adapter, "resources": Resources, "settings": Settings, **KINDS}[topic]


@pytest.mark.parametrize(("section", "key"), EVERY_KEY)
def test_every_key_is_described(section: Section, key: Key, tmp_path: Path) -> None:
    """A key has a type in words, a default, one sentence, and an example that fits and is not the default."""
    assert key.type
    assert not re.search(r"[\[<]|typing|class|object|None", key.type), key.type
    assert key.default
    assert re.fullmatch(r"[A-Z][^\n]*[.]", key.description), "a description is one sentence or two"
    assert key.example
    assert key.example != key.default
    if key.name == "overrides":
        return  # it lists variables, which the loader reads without evaluating them
    value = _value(key.example, tmp_path)
    if key.type == "axis over folders":
        [value] = value
    assert not value_errors(_block(section), key.name, value)


@pytest.mark.parametrize("topic", list_topics(PLUGINS))
def test_every_topic_has_a_page(topic: str) -> None:
    """Each topic prints its keys, and no topic is empty of sections."""
    sections = find_sections(topic, PLUGINS)
    assert sections
    for key in (key for section in sections for key in section.keys):
        assert f"\n{key.name}\n" in to_text(sections)


def test_errors_name_topics_that_exist() -> None:
    """Every topic that a golden error points to has a page."""
    errors = "".join(path.read_text() for path in (Path(__file__).parents[1] / "spec").rglob("*.err"))
    topics = set(re.findall(r"`evalmake help '?([^'`]*)'?` describes", errors))
    assert len(topics) > 5
    assert all(find_sections(topic, PLUGINS) for topic in topics)


def test_maps_are_named_in_english_and_lead_on() -> None:
    """A map of maps is one, and the key of a map names the page of its keys."""
    plugins = InstalledPlugins()
    pages = to_text(find_sections("keys", plugins))
    assert "valuess" not in pages
    assert "map of maps of values" in pages
    assert "evalmake help eval.adapter lists its keys" in to_text(find_sections("eval", plugins))


def test_unknown_topics_have_no_page() -> None:
    """A word that is no topic finds nothing, whatever it resembles."""
    for topic in ("", "slurm", "modle", "slurm model", "report.adapter", "eval.params", "slurm executor x"):
        assert find_sections(topic, PLUGINS) == ()


def _digests(folder: Path, deployment: str, benchmark: str, change: Any = None) -> tuple[str, ...]:
    """The digests of an Evalfile's evaluations, after `change` to its project."""
    (folder / "data.jsonl").write_text('{"q": "?", "a": "!"}\n')
    text = EVALFILE.replace("{deployment}", deployment).replace("{benchmark}", benchmark)
    (folder / "Evalfile").write_text(text)
    workspace = Workspace.open(folder / "Evalfile")
    if change:
        change(workspace)
    cells = [cell for group in workspace.cells.values() for cell in group]
    return tuple(
        node.action.digest for node in build_graph(GraphBuilder(workspace.project, PLUGINS), cells, {}).nodes.values()
    )


def _coerce(annotation: Any, value: Any) -> Any:
    """A value as the schema holds it."""
    if isinstance(value, Symbol):
        return value.text
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return annotation.model_validate(value)
    return tuple(_coerce(None, item) for item in value) if isinstance(value, tuple) else value


def _change(section: Section, key: Key, folder: Path) -> Any:
    """What gives one key of one declaration its example, past every check."""
    topic, _, part = section.topic.partition(".")
    _name, _, kind = topic.partition(" ")
    fields = _block(section).model_fields
    field = next(one for one, info in fields.items() if (info.alias or one) == key.name)
    value = _coerce(fields[field].annotation, _value(key.example, folder))

    def apply(workspace: Workspace) -> None:
        project, cells = workspace.project, [c for group in workspace.cells.values() for c in group]
        if part == "args":
            block = project.deployments["server"].block
            project.deployments["server"].block = block.model_copy(update={"args": {key.name: value}})
        elif kind:
            declared = project.of(kind)["server" if kind == "deployment" else "bench"]
            assert declared.settings is not None
            declared.settings = declared.settings.model_copy(update={field: value})
        elif topic in ("model", "deployment", "benchmark"):
            for declared in project.of(topic).values():
                declared.block = declared.block.model_copy(update={field: value})
        for cell in cells:
            block = cell.variant.block
            if topic in ("adapter", "resources"):
                inner = getattr(block, topic).model_copy(update={field: value})
                cell.variant.block = block.model_copy(update={topic: inner})
            elif topic == "eval":
                cell.variant.block = block.model_copy(update={field: value})
                if field in ("seed", "limit"):
                    setattr(cell, field, value)

    return apply


HASHED = [
    case
    for case in EVERY_KEY
    if case.values[0].topic.partition(" ")[2].partition(".")[0] in ("", "deployment", "benchmark")
    and case.values[0].topic not in ("settings", "executor", "report")
    and (case.values[0].topic, case.values[1].name) not in NAMES
]


@pytest.mark.parametrize(("section", "key"), HASHED)
def test_identity_is_what_the_planner_hashes(section: Section, key: Key, tmp_path: Path) -> None:
    """A key is said to be part of the identity exactly where its example changes a digest."""
    name, _, kind = section.topic.partition(".")[0].partition(" ")
    engine = name if kind == "deployment" else "mock"
    harness = name if kind == "benchmark" else "command"
    deployment = f"engine = {engine}, {RUN if engine == 'command' else ''}"
    benchmark = HARNESSES.get(harness, f'harness = {harness}, packages = ["x==1"], task = "t"')
    before = _digests(tmp_path, deployment, benchmark)
    after = _digests(tmp_path, deployment, benchmark, _change(section, key, tmp_path))
    assert (before != after) == key.identity


def test_placement_is_no_part_of_the_identity() -> None:
    """Keys of settings, executors and reports are never said to be part of the identity."""
    for section in SECTIONS:
        if section.topic.rpartition(" ")[2].partition(".")[0] in ("settings", "executor", "report"):
            assert not any(key.identity for key in section.keys)
