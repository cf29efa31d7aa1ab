"""One declaration as written -> typed: its kind's block, its plugin's settings, its references."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.language.source import Span
from evalmake.language.values import Symbol, Template, format_value
from evalmake.project.axes import Axis, Condition, Gate, read_axes, read_conditions, read_gates
from evalmake.project.fields import Fields
from evalmake.project.includes import LoadedFile
from evalmake.project.inheritance import Inheritance, MergedLayers, ParsedDeclaration
from evalmake.project.key_types import Block
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.schema import AXIS_KEYS, KINDS, PLUGIN_KINDS
from evalmake.project.validation import report_unknown_key, validate

_REQUEST = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "stop",
    "frequency_penalty",
    "presence_penalty",
)

_SUFFIXES = {".md": "markdown", ".json": "json", ".html": "html", ".csv": "csv"}
"""The suffix of a report's path -> the format that everybody takes such a file to have."""

_ADAPTED = {"request_retries": "retry = 5", "request_timeout": "timeout = 60s"}
"""What harnesses need not do themselves -> the key of an adapter that does it."""


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

    @property
    def plugin(self) -> str:
        """The name of the plugin it chose."""
        return str(getattr(self.block, PLUGIN_KINDS[self.kind][0]))


@dataclass(slots=True)
class EvalDeclaration:
    """A checked eval: its fields before any `when`, its axes and conditions."""

    name: str
    fields: Fields
    axes: tuple[Axis, ...]
    whens: tuple[Condition, ...]
    skips: tuple[Condition, ...]
    gates: tuple[Gate, ...]
    span: Span
    doc: str
    parsed: ParsedDeclaration
    inheritance: Inheritance
    extra: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class ChecksBenchmark(Protocol):
    """A harness that finds mistakes in a benchmark as its Evalfile is loaded."""

    def check_benchmark(self, benchmark: Declaration, diagnostics: Diagnostics, /) -> None:
        """Add to `diagnostics` what would fail at run time."""


@runtime_checkable
class HasPlacement(Protocol):
    """A harness with keys that cannot change its scores, as `coverage`: they are not part of the identity."""

    placement: ClassVar[tuple[str, ...]]


def check_declaration(
    parsed: ParsedDeclaration,
    merged: MergedLayers,
    inheritance: Inheritance,
    plugins: PluginRegistry,
    diagnostics: Diagnostics,
) -> Declaration | None:
    """Check a model, deployment, benchmark, executor or report; `None` with reasons in `found`."""
    kind, name = parsed.node.kind.text, parsed.node.name.text
    block, fields, about = KINDS[kind], merged.fields, f"{kind} {name}"
    before = len(diagnostics)
    _refuse_shell_variables(fields, diagnostics, about)
    if len(diagnostics) > before:
        return None
    own = {key: value for key, value in fields.values.items() if key in block.model_fields}
    rest = {key: value for key, value in fields.values.items() if key not in own}
    typed = validate(
        block,
        own,
        fields,
        diagnostics,
        about,
        parsed.name_span,
        what=f"a {kind}",
        topic=kind,
        hints=lambda key: _choices(kind, key, plugins),
    )
    settings: BaseModel | None = None
    if kind in PLUGIN_KINDS:
        if typed is not None:
            settings = _plugin_settings(kind, typed, rest, block, fields, plugins, diagnostics, about, parsed)
    else:
        for key in rest:
            what = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
            report_unknown_key(
                diagnostics, key, fields.spans[key,].key, sorted(block.model_fields), what, about, topic=kind
            )
    if typed is None or len(diagnostics) > before:
        return None
    if kind == "report":
        _check_suffix(typed, fields, plugins, diagnostics, about)
    if kind == "model":
        _one_endpoint(typed, fields, parsed, diagnostics, about)
    comment = read_doc_comment(parsed.file, parsed.node.start)
    made = Declaration(kind, name, typed, settings, fields, parsed.span, comment, parsed)
    if kind == "benchmark":
        harness = plugins.get("harnesses", made.plugin)
        if isinstance(harness, ChecksBenchmark):
            harness.check_benchmark(made, diagnostics)
    return made


def _refuse_shell_variables(fields: Fields, diagnostics: Diagnostics, about: str) -> None:
    """`name = "$MODEL"` would be sent as it stands: only `env()` reads the environment."""
    for key, value in fields.values.items():
        variable = re.fullmatch(r"\$([A-Z_][A-Z0-9_]*)", value) if isinstance(value, str) and key != "run" else None
        if variable:
            function = "secret" if key in ("api_key", "key", "token", "sign") else "env"
            diagnostics.error(
                "bad-value",
                f"`{key}` is the text `{value}`: an Evalfile does not expand shell variables",
                fields.spans[key,].value,
                about=about,
                help=[f'write `{key} = {function}("{variable[1]}")`'],
            )


def _check_suffix(report: Any, fields: Fields, plugins: PluginRegistry, diagnostics: Diagnostics, about: str) -> None:
    """A path that ends in the suffix of one format is not written in another."""
    suffix = PurePath(report.path).suffix
    wanted = _SUFFIXES.get(suffix)
    if wanted in (None, report.format) or report.format not in _SUFFIXES.values():
        return
    own = next(end for end, name in _SUFFIXES.items() if name == report.format)
    rename = f"or end the path in `{own}`"
    installed = wanted in plugins.names("exporters")
    diagnostics.error(
        "bad-value",
        f"the path ends in `{suffix}`, and the report is written as {report.format}",
        fields.spans["path",].value,
        about=about,
        help=[f"write `format = {wanted}`, {rename}" if installed else rename.removeprefix("or ")],
    )


def _plugin_settings(
    kind: str,
    typed: Any,
    rest: dict[str, Any],
    block: type[Block],
    fields: Fields,
    plugins: PluginRegistry,
    diagnostics: Diagnostics,
    about: str,
    parsed: ParsedDeclaration,
) -> BaseModel | None:
    """The keys that belong to the chosen plugin, in its own `Settings`."""
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
            help=[f"did you mean `{meant}`?"] if meant else [],
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
        rest,
        fields,
        diagnostics,
        about,
        parsed.name_span,
        known=common,
        what=f"the `{name}` {noun}",
        topic=f"{name} {kind}",
        also=[(span, f"settings are those of this {noun}")],
        hints=lambda key: _within(key, fields) or _elsewhere(group, noun, key, plugins, plugin.Settings),
    )


def _choices(kind: str, key: str, plugins: PluginRegistry) -> list[str]:
    """What the key that chooses a plugin may be."""
    chooser, group, _ = PLUGIN_KINDS.get(kind, ("", "", ""))
    return [f"it is one of {', '.join(plugins.names(group))}"] if key == chooser else []


def _within(key: str, fields: Fields) -> list[str]:
    """Which of the maps that are there has an entry of that name."""
    maps = [name for name, value in fields.values.items() if isinstance(value, dict) and key in value]
    return [f"`{key}` is an entry of `{name}`: {name} = {{ {key} = ... }}" for name in maps]


def _elsewhere(group: str, noun: str, key: str, plugins: PluginRegistry, own: type[BaseModel]) -> list[str]:
    """Where it is said instead: in the adapter, or to another plugin."""
    if key in own.model_fields:
        return []
    if group == "harnesses" and key in _ADAPTED:
        return [f"write `adapter = {{ {_ADAPTED[key]} }}`"]
    others = [n for n in plugins.names(group) if key in plugins.get(group, n).Settings.model_fields]
    return [f"`{key}` belongs to the `{others[0]}` {noun}"] if others else []


def _one_endpoint(model: Any, fields: Fields, parsed: ParsedDeclaration, diagnostics: Diagnostics, about: str) -> None:
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
            help=["give the base URL of an API, or the name of a deployment of your own"],
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


def check_eval(
    parsed: ParsedDeclaration,
    merged: MergedLayers,
    inheritance: Inheritance,
    plugins: PluginRegistry,
    diagnostics: Diagnostics,
) -> EvalDeclaration | None:
    """Check an eval's keys, axes and conditions."""
    name, about = parsed.node.name.text, f"eval {parsed.node.name.text}"
    before = len(diagnostics)
    names = sorted(KINDS["eval"].model_fields)
    for key in merged.fields.values:
        if key not in KINDS["eval"].model_fields:
            hint = f"`{key}` is a parameter of requests: `params = {{ {key} = ... }}`"
            hints = [hint] if key in _REQUEST else []
            report_unknown_key(
                diagnostics, key, merged.fields.spans[key,].key, names, "an eval", about, hints=hints, topic="eval"
            )
    _refuse_lists(merged.fields, diagnostics, about)
    axes = read_axes(merged, inheritance, diagnostics, about)
    _templates(merged, {axis.key for axis in axes}, diagnostics, about)
    if len(diagnostics) > before:
        return None
    whens = read_conditions(merged, axes, inheritance, diagnostics, about)
    skips = read_conditions(merged, axes, inheritance, diagnostics, about, skips=True)
    gates = read_gates(merged.requires, inheritance, diagnostics, "")
    if len(diagnostics) > before:
        return None
    return EvalDeclaration(
        name,
        merged.fields,
        axes,
        whens,
        skips,
        gates,
        parsed.span,
        read_doc_comment(parsed.file, parsed.node.start),
        parsed,
        inheritance,
    )


def _refuse_lists(fields: Fields, diagnostics: Diagnostics, about: str) -> None:
    """`model = [a, b]` means an axis, which `in` makes."""
    for key in AXIS_KEYS:
        value = fields.values.get(key)
        if isinstance(value, tuple):
            span = fields.spans[key,].value
            axis = f"`{key} in {' '.join(span.text.split())}`: one cell for each value"
            diagnostics.error(
                "wrong-type",
                f"`{key}` takes one value, and this is a list",
                span,
                about=about,
                help=[f"write {axis}" if len(value) != 1 else f"write `{key} = {format_value(value[0])}`"],
            )


def _templates(merged: MergedLayers, axes: set[str], diagnostics: Diagnostics, about: str) -> None:
    """Texts of an eval mention only its own axes."""
    for key, value in merged.fields.values.items():
        for name in sorted(_mentioned(value) - axes):
            inner = value if isinstance(value, dict) else {}
            path = next(((key, k) for k, v in inner.items() if name in _mentioned(v)), (key,))
            place = merged.fields.spans.get(path) or merged.fields.spans[key,]
            diagnostics.error(
                "bad-interpolation",
                f"`{name}` is not an axis of this eval",
                place.value,
                about=about,
                notes=[f"its axes are {', '.join(sorted(axes))}" if axes else "it has no axes"],
            )


def _mentioned(value: object) -> set[str]:
    """The axes that the texts in a value mention."""
    match value:
        case Template():
            return {part.text for part in value.parts if isinstance(part, Symbol)}
        case dict():
            return set().union(*map(_mentioned, value.values()))
        case tuple():
            return set().union(*map(_mentioned, value))
    return set()


def report_duplicate_name(
    diagnostics: Diagnostics, kind: str, name: str, span: Span, first: ParsedDeclaration, file: LoadedFile
) -> None:
    """Say that a name is declared twice, and how the other file came in."""
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
    """The comment lines right above `start`, without their signs."""
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
