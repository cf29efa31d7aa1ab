"""Loads an Evalfile: includes, variables and overrides, declarations, references."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from evalmake.language import tree
from evalmake.language.diagnostic import MOST_ERRORS, Diagnostics
from evalmake.language.expressions import Evaluator, Scope
from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.file_hashes import FileHashes
from evalmake.language.source import Source, Span
from evalmake.language.values import Symbol
from evalmake.pins.lock import Lock
from evalmake.project.benchmark_axes import add_benchmarks_of_axes
from evalmake.project.boundary import Boundary
from evalmake.project.command_words import Word
from evalmake.project.declarations import (
    Declaration,
    check_declaration,
    read_doc_comment,
    report_duplicate_name,
)
from evalmake.project.eval_declaration import check_eval
from evalmake.project.fields import Fields, ValueOrigin
from evalmake.project.includes import FileSet, LoadedFile, read_files
from evalmake.project.inheritance import Inheritance, Layer, ParsedDeclaration
from evalmake.project.named_files import add_named_files
from evalmake.project.overrides import (
    apply_overrides,
    bind_variables,
    check_replaced,
    evaluate_variables,
    report_unknown_variable,
)
from evalmake.project.pinned_inputs import apply_lock
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.policy import check_policy, check_requires, check_seeds
from evalmake.project.project import AliasDeclaration, Project
from evalmake.project.references import check_references
from evalmake.project.schema import KINDS, Executor
from evalmake.project.settings_schema import Settings
from evalmake.project.validation import validate
from evalmake.project.weights_axis import add_models_of_folders

_BUILT_IN = Source("built in", "executor local { backend = process }")


def load_project(
    path: Path,
    overrides: Sequence[Word],
    plugins: PluginRegistry,
    environment: Mapping[str, str],
    cache: Path | None = None,
    reserved: Sequence[str] = (),
    written: Source | None = None,
    locked: bool = True,
    settle: float = 0.0,
) -> Project:
    """Read and check an Evalfile; EvalmakeError with all errors of the first phase that has any.

    `overrides` are the command line's NAME=VALUE words, `cache` a folder for parsed files and
    content digests, `reserved` the words that no target may be called, `written` a text that
    stands for the file. Without `locked`, inputs stand as they are written, pinned or not. `settle`
    is for how many seconds a folder must have been quiet, for an axis over folders to have it.
    """
    external = ExternalInputs(environment, FileHashes(cache / "hashes.json" if cache else None), settle=settle)
    return load_project_from(path, overrides, plugins, external, Boundary(path), cache, reserved, written, locked)


def load_project_from(
    path: Path,
    overrides: Sequence[Word],
    plugins: PluginRegistry,
    external: ExternalInputs,
    boundary: Boundary,
    cache: Path | None = None,
    reserved: Sequence[str] = (),
    written: Source | None = None,
    locked: bool = True,
) -> Project:
    """The same, with everything outside of the text as `external` and `boundary` say it is."""
    files = read_files(path, cache, external, boundary, written)
    diagnostics = Diagnostics(MOST_ERRORS)
    bindings = bind_variables(files.files, diagnostics)
    diagnostics.check()
    scope = Scope(bindings, external)
    settings = _read_settings(files, scope, diagnostics)
    check_requires(settings, files.files[-1], diagnostics)
    diagnostics.check()
    check_replaced(scope, settings[0].overrides, diagnostics)
    given = apply_overrides(scope, overrides, settings[0].overrides, diagnostics)
    diagnostics.check()
    evaluate_variables(scope, diagnostics)
    diagnostics.check()
    return _load_declarations(path, files, settings, given, scope, external, plugins, reserved, locked, diagnostics)


def _load_declarations(
    path: Path,
    files: FileSet,
    settings: tuple[Settings, Fields],
    given: dict[str, str],
    scope: Scope,
    external: ExternalInputs,
    plugins: PluginRegistry,
    reserved: Sequence[str],
    locked: bool,
    diagnostics: Diagnostics,
) -> Project:
    parsed, defaults = _collect_declarations(files.files, diagnostics)
    aliases = _collect_aliases(files.files, parsed, reserved, diagnostics)
    inheritance = Inheritance(parsed, defaults, scope, diagnostics)
    by_kind: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    by_kind["executor"]["local"] = _built_in_executor(plugins)
    for (kind, name), block in parsed.items():
        if name.startswith("_"):
            continue
        merged = inheritance.resolve(block)
        if merged is None:
            continue
        checked = (
            check_eval(block, merged, inheritance, diagnostics)
            if kind == "eval"
            else check_declaration(block, merged, plugins, scope.bindings, diagnostics)
        )
        if checked is not None:
            by_kind[kind][name] = checked
    diagnostics.check()
    project = Project(
        path,
        files,
        settings[0],
        by_kind["executor"],
        by_kind["deployment"],
        by_kind["model"],
        by_kind["benchmark"],
        by_kind["eval"],
        by_kind["report"],
        aliases,
        given,
        external,
        scope,
        Lock.read(path, external),
        {f"{kind} {name}": block.span for (kind, name), block in parsed.items()},
    )
    add_named_files(project.benchmarks.values(), plugins, external)
    check_references(project, parsed, diagnostics)
    diagnostics.check()
    add_models_of_folders(project, diagnostics)
    add_benchmarks_of_axes(project, plugins, parsed, diagnostics)
    diagnostics.check()
    project.settings_fields = settings[1]
    if locked:
        apply_lock(project)
        check_policy(project, settings[1], diagnostics)
    check_seeds(project, settings[1], diagnostics)
    diagnostics.check()
    external.hashes.save()
    return project


def _read_settings(files: FileSet, scope: Scope, diagnostics: Diagnostics) -> tuple[Settings, Fields]:
    """Read the root file's `settings` block; one in an include is an error."""
    root = files.files[-1]
    fields = Fields()
    first: Span | None = None
    for file in files.files:
        for item in file.tree.items:
            if not isinstance(item, tree.SettingsBlock):
                continue
            head = Span(file.source, item.start, item.start + len("settings"))
            if file is not root:
                diagnostics.error(
                    "misplaced",
                    "an include cannot hold `settings`",
                    head,
                    help=[f"move the block to {root.source.name}"],
                )
                continue
            if first is not None:
                diagnostics.error(
                    "duplicate-name",
                    "there are two `settings` blocks",
                    head,
                    "declared again here",
                    also=[(first, "first declared here")],
                    help=["merge them into one block"],
                )
            first = head
            helper = Inheritance({}, {}, scope, diagnostics)
            evaluator = Evaluator(scope, file.source, declared=True)
            for statement in item.body:
                if isinstance(statement, tree.Assign):
                    if statement.key.text == "overrides" and isinstance(statement.value, tree.ListOf):
                        _read_override_names(file, statement, fields, scope, diagnostics)
                        continue
                    helper.assign(fields, statement, Layer(file, item.body, "own"), evaluator)
                else:
                    helper.report_eval_only(statement, file)
            helper._check_duplicate_keys(Layer(file, item.body, "own"))
    at = Span(root.source, 0, 1)
    block = validate(Settings, fields.values, fields, diagnostics, "settings", at, what="`settings`", topic="settings")
    return block or Settings(), fields


def _read_override_names(
    file: LoadedFile, statement: tree.Assign, fields: Fields, scope: Scope, diagnostics: Diagnostics
) -> None:
    """Read `overrides = [LIMIT]`, which names variables and does not use their values."""
    assert isinstance(statement.value, tree.ListOf)
    names = []
    for item in statement.value.items:
        if not isinstance(item, tree.Use):
            diagnostics.error("wrong-type", "`overrides` is a list of variables, without quotes", file.span(item))
        elif item.text not in scope.bindings:
            report_unknown_variable(scope, item.text, file.span(item), diagnostics)
        else:
            names.append(item.text)
    place = ValueOrigin(file.span(statement.key), file.span(statement.value), "own")
    fields.put("overrides", tuple(names), place, {})


def _collect_declarations(
    files: Sequence[LoadedFile], diagnostics: Diagnostics
) -> tuple[dict[tuple[str, str], ParsedDeclaration], dict[tuple[int, str], list[Layer]]]:
    """Every declaration by kind and name, and the `defaults` of each file."""
    parsed: dict[tuple[str, str], ParsedDeclaration] = {}
    defaults: dict[tuple[int, str], list[Layer]] = defaultdict(list)
    for file in files:
        for item in file.tree.items:
            if isinstance(item, tree.Defaults):
                defaults[id(file), item.kind.text].append(Layer(file, item.body, "defaults"))
            elif isinstance(item, tree.Declaration):
                new = ParsedDeclaration(item, file)
                key = (item.kind.text, item.name.text)
                if key in parsed:
                    report_duplicate_name(diagnostics, *key, new.file.span(item.name), parsed[key], new.file)
                else:
                    parsed[key] = new
    return parsed, defaults


def _collect_aliases(
    files: Sequence[LoadedFile],
    parsed: Mapping[tuple[str, str], ParsedDeclaration],
    reserved: Sequence[str],
    diagnostics: Diagnostics,
) -> dict[str, AliasDeclaration]:
    """The aliases, after checking that no two targets have one name."""
    targets: dict[str, Span] = {}
    for (kind, name), block in parsed.items():
        if kind in ("eval", "report"):
            _check_target_name(targets, name, block.name_span, reserved, diagnostics)
    aliases: dict[str, AliasDeclaration] = {}
    for file in files:
        for item in file.tree.items:
            if isinstance(item, tree.Alias):
                _check_target_name(targets, item.name.text, file.span(item.name), reserved, diagnostics)
                aliases[item.name.text] = AliasDeclaration(item, file, read_doc_comment(file, item.start))
    return aliases


def _check_target_name(
    targets: dict[str, Span], name: str, span: Span, reserved: Sequence[str], diagnostics: Diagnostics
) -> None:
    if name in reserved:
        diagnostics.error(
            "reserved-name",
            f"`{name}` is a command of evalmake and cannot be a target",
            span,
            help=["give it another name"],
        )
    elif name in targets:
        diagnostics.error(
            "duplicate-name",
            f"two targets are called `{name}`",
            span,
            "declared again here",
            also=[(targets[name], "first declared here")],
            notes=["an eval, a report and an alias cannot have the same name"],
        )
    else:
        targets[name] = span


def _built_in_executor(plugins: PluginRegistry) -> Declaration:
    settings: type[BaseModel] = plugins.get("executors", "process").Settings
    return Declaration(
        "executor",
        "local",
        Executor.model_validate({"backend": Symbol("process")}),
        settings(),
        Fields(),
        Span(_BUILT_IN, 0, 14),
        "this machine",
        None,
    )
