"""Evalfile text to a `Project`: includes, variables and overrides, declarations, references."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from evalmake.language import tree
from evalmake.language.diagnostic import Diagnostics
from evalmake.language.expressions import Evaluator, Scope, World
from evalmake.language.file_hashes import FileHashes
from evalmake.language.source import Source, Span
from evalmake.language.values import Symbol
from evalmake.pins.lock import Lock
from evalmake.project import declarations
from evalmake.project.command_words import Word
from evalmake.project.declarations import Declared
from evalmake.project.fields import Fields, Written
from evalmake.project.includes import FileSet, Loaded, read_all
from evalmake.project.inheritance import Block, Inheritance, Stated
from evalmake.project.overrides import apply_overrides, bind, judge_variables, unknown_variable
from evalmake.project.pinned_inputs import apply_lock
from evalmake.project.policy import check_policy, check_requires, check_seeds
from evalmake.project.project import AliasDecl, Project
from evalmake.project.references import check_references
from evalmake.project.schema import KINDS, Executor, Plugins, Settings
from evalmake.project.validation import validate

_NOWHERE = Source("built in", "executor local { backend = process }")


def load(
    path: Path,
    overrides: Sequence[Word],
    plugins: Plugins,
    environment: Mapping[str, str],
    cache: Path | None = None,
    reserved: Sequence[str] = (),
    written: Source | None = None,
    locked: bool = True,
) -> Project:
    """Read and check an Evalfile; EvalmakeError with everything that is wrong in one phase.

    `overrides` are the command line's NAME=VALUE words, `cache` a folder for parsed files and
    content digests, `reserved` the words that no target may be called, `written` a text that
    stands for the file. Without `locked`, inputs stand as they are written, pinned or not.
    """
    files = read_all(path, cache, written)
    found = Diagnostics()
    world = World(environment, FileHashes(cache / "hashes.json" if cache else None))
    bindings = bind(files.files, found)
    found.check()
    scope = Scope(bindings, world)
    settings = _settings(files, scope, found)
    check_requires(settings, files.files[-1], found)
    found.check()
    given = apply_overrides(scope, overrides, settings[0].overrides, found)
    found.check()
    judge_variables(scope, found)
    found.check()
    return _project(path, files, settings, given, scope, world, plugins, reserved, locked, found)


def _project(
    path: Path,
    files: FileSet,
    settings: tuple[Settings, Fields],
    given: dict[str, str],
    scope: Scope,
    world: World,
    plugins: Plugins,
    reserved: Sequence[str],
    locked: bool,
    found: Diagnostics,
) -> Project:
    stated, defaults = _collect(files.files, found)
    aliases = _aliases(files.files, stated, reserved, found)
    inheritance = Inheritance(stated, defaults, scope, found)
    declared: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    declared["executor"]["local"] = _local(plugins)
    for (kind, name), block in stated.items():
        if name.startswith("_"):
            continue
        layered = inheritance.resolve(block)
        if layered is None:
            continue
        make = declarations.eval_of if kind == "eval" else declarations.declare
        result = make(block, layered, inheritance, plugins, found)
        if result is not None:
            declared[kind][name] = result
    found.check()
    project = Project(
        path,
        files,
        settings[0],
        declared["executor"],
        declared["deployment"],
        declared["model"],
        declared["benchmark"],
        declared["eval"],
        declared["report"],
        aliases,
        given,
        world,
        scope,
        Lock.read(path),
        {f"{kind} {name}": block.span for (kind, name), block in stated.items()},
    )
    check_references(project, stated, found)
    found.check()
    if locked:
        apply_lock(project)
        check_policy(project, settings[1], found)
    check_seeds(project, settings[1], found)
    found.check()
    world.hashes.save()
    return project


def _settings(files: FileSet, scope: Scope, found: Diagnostics) -> tuple[Settings, Fields]:
    """The root file's `settings` block; one in an include is an error."""
    root = files.files[-1]
    fields = Fields()
    first: Span | None = None
    for file in files.files:
        for item in file.tree.items:
            if not isinstance(item, tree.SettingsBlock):
                continue
            head = Span(file.source, item.start, item.start + len("settings"))
            if file is not root:
                found.error(
                    "misplaced",
                    "an include cannot hold `settings`",
                    head,
                    help=[f"move the block to {root.source.name}"],
                )
                continue
            if first is not None:
                found.error(
                    "duplicate-name",
                    "there are two `settings` blocks",
                    head,
                    "declared again here",
                    also=[(first, "first declared here")],
                    help=["make one block of them"],
                )
            first = head
            helper = Inheritance({}, {}, scope, found)
            evaluator = Evaluator(scope, file.source, declared=True)
            for statement in item.body:
                if isinstance(statement, tree.Assign):
                    if statement.key.text == "overrides" and isinstance(statement.value, tree.ListOf):
                        _override_names(file, statement, fields, scope, found)
                        continue
                    helper.assign(fields, statement, Block(file, item.body, "own"), evaluator)
                else:
                    helper._only_evals(statement, file)
            helper._twice(Block(file, item.body, "own"))
    at = Span(root.source, 0, 1)
    block = validate(Settings, fields.values, fields, found, "settings", at, what="`settings`")
    return block or Settings(), fields


def _override_names(file: Loaded, statement: tree.Assign, fields: Fields, scope: Scope, found: Diagnostics) -> None:
    """`overrides = [LIMIT]` names variables; it does not use them."""
    assert isinstance(statement.value, tree.ListOf)
    names = []
    for item in statement.value.items:
        if not isinstance(item, tree.Use):
            found.error("wrong-type", "`overrides` lists variables, by their bare names", file.span(item))
        elif item.text not in scope.bindings:
            unknown_variable(scope, item.text, file.span(item), found)
        else:
            names.append(item.text)
    place = Written(file.span(statement.key), file.span(statement.value), "own")
    fields.put("overrides", tuple(names), place, {})


def _collect(
    files: Sequence[Loaded], found: Diagnostics
) -> tuple[dict[tuple[str, str], Stated], dict[tuple[int, str], list[Block]]]:
    """Every declaration by kind and name, and each file's defaults."""
    stated: dict[tuple[str, str], Stated] = {}
    defaults: dict[tuple[int, str], list[Block]] = defaultdict(list)
    for file in files:
        for item in file.tree.items:
            if isinstance(item, tree.Defaults):
                defaults[id(file), item.kind.text].append(Block(file, item.body, "defaults"))
            elif isinstance(item, tree.Declaration):
                new = Stated(item, file)
                key = (item.kind.text, item.name.text)
                if key in stated:
                    declarations.twice(found, *key, new.file.span(item.name), stated[key], new.file)
                else:
                    stated[key] = new
    return stated, defaults


def _aliases(
    files: Sequence[Loaded],
    stated: Mapping[tuple[str, str], Stated],
    reserved: Sequence[str],
    found: Diagnostics,
) -> dict[str, AliasDecl]:
    """The aliases; evals, reports and aliases share one namespace."""
    targets: dict[str, Span] = {}
    for (kind, name), block in stated.items():
        if kind in ("eval", "report"):
            _target(targets, name, block.name_span, reserved, found)
    aliases: dict[str, AliasDecl] = {}
    for file in files:
        for item in file.tree.items:
            if isinstance(item, tree.Alias):
                _target(targets, item.name.text, file.span(item.name), reserved, found)
                aliases[item.name.text] = AliasDecl(item, file, declarations.doc(file, item.start))
    return aliases


def _target(targets: dict[str, Span], name: str, span: Span, reserved: Sequence[str], found: Diagnostics) -> None:
    if name in reserved:
        found.error(
            "reserved-name",
            f"`{name}` is a command of evalmake and cannot be a target",
            span,
            help=["give it another name"],
        )
    elif name in targets:
        found.error(
            "duplicate-name",
            f"two targets are called `{name}`",
            span,
            "declared again here",
            also=[(targets[name], "first declared here")],
            notes=["evals, reports and aliases share one set of names"],
        )
    else:
        targets[name] = span


def _local(plugins: Plugins) -> Declared:
    settings: type[BaseModel] = plugins.get("executors", "process").Settings
    return Declared(
        "executor",
        "local",
        Executor.model_validate({"backend": Symbol("process")}),
        settings(),
        Fields(),
        Span(_NOWHERE, 0, 14),
        "this machine",
        None,
    )
