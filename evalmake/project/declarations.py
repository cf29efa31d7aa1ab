"""Turns a parsed declaration into a typed one: its kind's keys, and those of its plugin."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.language.source import Span
from evalmake.language.values import Files
from evalmake.project.fields import Fields
from evalmake.project.foreign_keys import suggest_form, suggest_plugin
from evalmake.project.includes import LoadedFile
from evalmake.project.inheritance import MergedLayers, ParsedDeclaration
from evalmake.project.key_types import Block, read_symbol
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.prices import check_whole_price
from evalmake.project.schema import KINDS, PLUGIN_KINDS
from evalmake.project.shell_variables import refuse_shell_variables
from evalmake.project.validation import report_unknown_key, validate

_SUFFIXES = {".md": "markdown", ".json": "json", ".html": "html", ".csv": "csv"}
"""The suffix of a report's path -> the format that readers expect of it."""

_ADAPTER_KEYS = {"request_retries": "retry = 5", "request_timeout": "timeout = 60s"}
"""Keys of harnesses that the gateway replaces -> the key of `adapter` to use."""


@dataclass(slots=True)
class Declaration:
    """A checked declaration of any kind but `eval`."""

    kind: str
    name: str
    block: Any
    settings: BaseModel | None
    fields: Fields
    span: Span
    doc: str
    parsed: ParsedDeclaration | None
    named_files: dict[Path, Files] = field(default_factory=dict)
    """A data file of a benchmark -> the files that its records name."""
    fetched: Files | None = None
    """The files of its data set of the hub, where they are here; what they are is the identity's `dataset`."""
    unasked: str = ""
    """Why a benchmark asks no model; empty for one that does."""

    @property
    def plugin(self) -> str:
        """The name of its plugin."""
        return str(getattr(self.block, PLUGIN_KINDS[self.kind][0]))


@runtime_checkable
class ChecksBenchmark(Protocol):
    """A harness that finds mistakes in a benchmark as its Evalfile is loaded."""

    def check_benchmark(self, benchmark: Declaration, diagnostics: Diagnostics, /) -> None:
        """Add to `diagnostics` what would fail at run time."""


@runtime_checkable
class HasUnusedKeys(Protocol):
    """A harness that knows which keys of a benchmark change nothing, because another key leaves no use for them."""

    def unused_keys(self, benchmark: Declaration, /) -> Mapping[str, str]:
        """Each such key with the reason, as "the scorer `contains` asks no judge"."""


@runtime_checkable
class MayAskNoModel(Protocol):
    """A harness with benchmarks that ask no model, as what they score is in their data."""

    def why_no_model(self, benchmark: Declaration, /) -> str:
        """Why a benchmark asks none, as "no model is asked, since ..."; empty if it asks one."""


@runtime_checkable
class HasPlacement(Protocol):
    """A harness with keys that cannot change its scores, as `concurrency`: they are not part of the identity."""

    placement: ClassVar[tuple[str, ...]]


@runtime_checkable
class ClaimsKeys(Protocol):
    """A harness with a key that every benchmark has, too, and that means another thing by the form of its value."""

    def claims_key(self, key: str, value: object, /) -> bool:
        """Whether this value is the harness's."""


def check_declaration(
    parsed: ParsedDeclaration,
    merged: MergedLayers,
    plugins: PluginRegistry,
    variables: Container[str],
    diagnostics: Diagnostics,
) -> Declaration | None:
    """Check a model, deployment, benchmark, executor or report; `None` after an error.

    `variables` are those of the Evalfile.
    """
    kind, name = parsed.node.kind.text, parsed.node.name.text
    block, fields, about = KINDS[kind], merged.fields, f"{kind} {name}"
    before = len(diagnostics)
    refuse_shell_variables(fields, variables, diagnostics, about)
    if len(diagnostics) > before:
        return None
    claimed = _find_claimed_keys(kind, fields, plugins)
    common = {key: value for key, value in fields.values.items() if key in block.model_fields and key not in claimed}
    plugin_values = {key: value for key, value in fields.values.items() if key not in common}
    typed = validate(
        block,
        common,
        fields,
        diagnostics,
        about,
        parsed.name_span,
        what=f"a {kind}",
        topic=kind,
        hints=lambda key: _suggest_plugins(kind, key, plugins),
    )
    settings: BaseModel | None = None
    if kind in PLUGIN_KINDS:
        if typed is not None:
            settings = _check_plugin_settings(
                kind, typed, plugin_values, block, fields, plugins, diagnostics, about, parsed
            )
    else:
        for key in plugin_values:
            what = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
            names, hints = sorted(block.model_fields), suggest_form(kind, key)
            report_unknown_key(diagnostics, key, fields.spans[key,].key, names, what, about, hints=hints, topic=kind)
    if typed is None or len(diagnostics) > before:
        return None
    if kind == "report":
        _check_suffix(typed, fields, plugins, diagnostics, about)
    if kind == "model":
        _check_endpoint(typed, fields, parsed, diagnostics, about)
        check_whole_price(typed, fields, diagnostics, about)
    comment = read_doc_comment(parsed.file, parsed.node.start)
    declaration = Declaration(kind, name, typed, settings, fields, parsed.span, comment, parsed)
    if kind == "benchmark":
        harness = plugins.get("harnesses", declaration.plugin)
        if isinstance(harness, HasUnusedKeys):
            _drop_unused_keys(declaration, harness.unused_keys(declaration), diagnostics)
        if isinstance(harness, MayAskNoModel):
            declaration.unasked = harness.why_no_model(declaration)
        if isinstance(harness, ChecksBenchmark):
            harness.check_benchmark(declaration, diagnostics)
    return declaration


def _find_claimed_keys(kind: str, fields: Fields, plugins: PluginRegistry) -> set[str]:
    """The keys of every benchmark whose values are meant for keys of the harness with the same name."""
    name = read_symbol(fields.values.get("harness")) if kind == "benchmark" else None
    if not isinstance(name, str) or name not in plugins.names("harnesses"):
        return set()
    harness = plugins.get("harnesses", name)
    if not isinstance(harness, ClaimsKeys):
        return set()
    return {key for key, value in fields.values.items() if harness.claims_key(key, value)}


def _drop_unused_keys(declaration: Declaration, unused: Mapping[str, str], diagnostics: Diagnostics) -> None:
    """Refuse unused keys that the declaration itself has; those that it inherits do not count as given."""
    for key, reason in unused.items():
        written = declaration.fields.spans.get((key,))
        if written is None or declaration.fields.values.get(key) is None:
            continue
        if written.origin == "own":
            diagnostics.error(
                "unused-key",
                f"`{key}` would change nothing: {reason}",
                written.key,
                about=f"{declaration.kind} {declaration.name}",
                help=["leave it out"],
            )
    declaration.block = _reset_keys(declaration.block, unused)
    declaration.settings = _reset_keys(declaration.settings, unused)


def _reset_keys(block: Any, keys: Iterable[str]) -> Any:
    """A copy of a block in which these of its keys have their defaults."""
    fields = type(block).model_fields
    return block.model_copy(update={key: fields[key].default for key in keys if key in fields})


def _check_suffix(report: Any, fields: Fields, plugins: PluginRegistry, diagnostics: Diagnostics, about: str) -> None:
    """Refuse a path with the suffix of another format."""
    suffix = PurePath(report.path).suffix
    wanted = _SUFFIXES.get(suffix)
    if wanted in (None, report.format) or report.format not in _SUFFIXES.values():
        return
    ending = next(end for end, name in _SUFFIXES.items() if name == report.format)
    rename = f"or end the path in `{ending}`"
    installed = wanted in plugins.names("exporters")
    diagnostics.error(
        "bad-value",
        f"the path ends in `{suffix}`, but the report is written as {report.format}",
        fields.spans["path",].value,
        about=about,
        help=[f"write `format = {wanted}`, {rename}" if installed else rename.removeprefix("or ")],
    )


def _check_plugin_settings(
    kind: str,
    typed: Any,
    plugin_values: dict[str, Any],
    block: type[Block],
    fields: Fields,
    plugins: PluginRegistry,
    diagnostics: Diagnostics,
    about: str,
    parsed: ParsedDeclaration,
) -> BaseModel | None:
    """Check the keys of the chosen plugin by its `Settings`."""
    chooser, group, noun = PLUGIN_KINDS[kind]
    name = getattr(typed, chooser)
    at = fields.spans.get((chooser,))
    span = at.value if at else parsed.name_span
    try:
        plugin = plugins.get(group, name)
    except KeyError:
        names = plugins.names(group)
        meant = closest_name(name, names)
        diagnostics.error(
            "unknown-plugin",
            f"no {noun} is named `{name}`",
            span,
            about=about,
            notes=[f"the installed ones are {', '.join(names)}"],
            help=[f"did you mean `{meant}`?"] if meant else suggest_plugin(kind, name),
        )
        return None
    arguments = getattr(plugin, "Args", None)
    if arguments is not None and typed.args:
        validate(
            arguments,
            typed.args,
            fields,
            diagnostics,
            about,
            span,
            what=f"the `{name}` {noun}",
            also=[(span, f"`args` are those of this {noun}")],
            prefix=("args",),
            topic=f"{name} {kind}",
        )
    common = [key for key in block.model_fields if key != chooser]
    return validate(
        plugin.Settings,
        plugin_values,
        fields,
        diagnostics,
        about,
        parsed.name_span,
        known=common,
        what=f"the `{name}` {noun}",
        topic=f"{name} {kind}",
        also=[(span, f"settings are those of this {noun}")],
        hints=lambda key: (
            suggest_form(kind, key)
            or _suggest_maps(key, fields)
            or _suggest_owner(group, noun, key, plugins, plugin.Settings)
        ),
    )


def _suggest_plugins(kind: str, key: str, plugins: PluginRegistry) -> list[str]:
    """Help for a missing `backend`, `engine`, `harness` or `format`: the installed plugins."""
    chooser, group, _ = PLUGIN_KINDS.get(kind, ("", "", ""))
    return [f"it can be {', '.join(plugins.names(group))}"] if key == chooser else []


def _suggest_maps(key: str, fields: Fields) -> list[str]:
    """Help for a key that stands inside a map of the same declaration."""
    maps = [name for name, value in fields.values.items() if isinstance(value, dict) and key in value]
    return [f"`{key}` is an entry of `{name}`: {name} = {{ {key} = ... }}" for name in maps]


def _suggest_owner(group: str, noun: str, key: str, plugins: PluginRegistry, common: type[BaseModel]) -> list[str]:
    """Help for a key that belongs to the adapter or to another plugin."""
    if key in common.model_fields:
        return []
    if group == "harnesses" and key in _ADAPTER_KEYS:
        return [f"write `adapter = {{ {_ADAPTER_KEYS[key]} }}`"]
    others = [f"`{n}`" for n in plugins.names(group) if key in plugins.get(group, n).Settings.model_fields]
    if len(others) > 1:
        plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
        return [f"`{key}` belongs to the {', '.join(others[:-1])} and {others[-1]} {plural}"]
    return [f"`{key}` belongs to the {others[0]} {noun}"] if others else []


def _check_endpoint(
    model: Any, fields: Fields, parsed: ParsedDeclaration, diagnostics: Diagnostics, about: str
) -> None:
    if model.endpoint and model.deployment:
        diagnostics.error(
            "bad-value",
            "a model has an endpoint or a deployment, not both",
            fields.spans["deployment",].value,
            about=about,
            also=[(fields.spans["endpoint",].value, "and an endpoint here")],
        )
    elif not model.endpoint and not model.deployment:
        diagnostics.error(
            "missing-key",
            f"{about} has neither `endpoint` nor `deployment`",
            parsed.name_span,
            help=["give the base URL of an API, or the name of one of your deployments"],
            about=about,
        )
    elif model.endpoint and not model.name:
        diagnostics.error(
            "missing-key",
            f"{about} has no `name`",
            parsed.name_span,
            about=about,
            help=["`name` is the model's id at the endpoint"],
        )


def report_duplicate_name(
    diagnostics: Diagnostics, kind: str, name: str, span: Span, first: ParsedDeclaration, file: LoadedFile
) -> None:
    """Report a name that is declared twice, and where the other file is included."""
    notes = [
        f"{f.source.name} is included at {f.included_at.location}"
        for f in (first.file, file)
        if f.included_at and first.file is not file
    ]
    inherit = f"rename one of them, or inherit: `{kind} NAME from {name} {{ ... }}`"
    diagnostics.error(
        "duplicate-name",
        f"{kind} `{name}` is declared twice",
        span,
        "declared again here",
        also=[(first.name_span, "first declared here")],
        notes=notes,
        help=[inherit],
    )


def read_doc_comment(file: LoadedFile, start: int) -> str:
    """The comment lines right above `start`, without `#`."""
    text = file.source.text
    lines: list[str] = []
    end = text.rfind("\n", 0, start)
    while end > 0:
        begin = text.rfind("\n", 0, end) + 1
        line = text[begin:end].strip()
        if not line.startswith("#"):
            break
        lines.insert(0, line.lstrip("#").strip())
        end = begin - 1
    return "\n".join(lines)
