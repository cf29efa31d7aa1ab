"""Turns a parsed eval into a typed one: its keys, axes, conditions and gates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.source import Span
from evalmake.language.tree import Assign
from evalmake.language.values import Symbol, Template, format_value
from evalmake.project.axes import Axis, read_axes
from evalmake.project.axis_keys import SETTINGS
from evalmake.project.conditions import Condition, read_conditions
from evalmake.project.declarations import read_doc_comment
from evalmake.project.fields import Fields
from evalmake.project.foreign_keys import suggest_form
from evalmake.project.inheritance import Inheritance, MergedLayers, ParsedDeclaration
from evalmake.project.requirements import Gate, read_gates
from evalmake.project.schema import AXIS_KEYS, KINDS, Benchmark
from evalmake.project.shell_variables import refuse_shell_variables
from evalmake.project.validation import report_unknown_key


@dataclass(slots=True)
class EvalDeclaration:
    """A checked eval: its fields before any `when`, its axes, conditions and gates."""

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


def check_eval(
    parsed: ParsedDeclaration,
    merged: MergedLayers,
    inheritance: Inheritance,
    diagnostics: Diagnostics,
) -> EvalDeclaration | None:
    """Check an eval's keys, axes and conditions."""
    name, about = parsed.node.name.text, f"eval {parsed.node.name.text}"
    before = len(diagnostics)
    refuse_shell_variables(merged.fields, inheritance.scope.bindings, diagnostics, about)
    if len(diagnostics) > before:
        return None
    names = sorted(KINDS["eval"].model_fields)
    for key in merged.fields.values:
        if key not in KINDS["eval"].model_fields:
            span, hints = merged.fields.spans[key,].key, suggest_form("eval", key) or _suggest_axis(key, inheritance)
            report_unknown_key(diagnostics, key, span, names, "an eval", about, hints=hints, topic="eval")
    _refuse_lists(merged.fields, diagnostics, about)
    axes = read_axes(merged, inheritance, diagnostics, about)
    _check_templates(merged, {axis.key for axis in axes}, diagnostics, about)
    _refuse_second_seed(merged.fields, any(axis.key == "seed" for axis in axes), diagnostics, about)
    if len(diagnostics) > before:
        return None
    whens = read_conditions(merged, axes, inheritance, diagnostics, about)
    skips = read_conditions(merged, axes, inheritance, diagnostics, about, skips=True)
    gates = read_gates(merged.requires, {axis.key for axis in axes}, inheritance, diagnostics, "")
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


def _suggest_axis(key: str, inheritance: Inheritance) -> list[str]:
    """Help for a key that an eval has as an axis only, or as an entry of a map."""
    root, _, inner = key.partition(".")
    if root in SETTINGS and inner:
        return [f"write `{root} = {{ {inner} = ... }}`; only an axis names the entry: `{key} in [...]`"]
    benchmarks = (block.node for (kind, _), block in inheritance.parsed.items() if kind == "benchmark")
    written = {one.key.text for node in benchmarks for one in node.body if isinstance(one, Assign)}
    if key in Benchmark.model_fields or key in written:
        extra: Any = Benchmark.model_fields[key].json_schema_extra if key in Benchmark.model_fields else None
        if key == "harness" or (extra is not None and not extra["identity"]):
            return [f"`{key}` is a key of the benchmark"]
        whose = "a benchmark whose harness takes it" if key in ("task", "fewshot") else "the benchmark"
        return [f"`{key}` is a key of {whose}; an eval has it as an axis: `{key} in [...]`"]
    return []


def _refuse_second_seed(fields: Fields, has_axis: bool, diagnostics: Diagnostics, about: str) -> None:
    """Refuse `params = { seed = 1 }` beside a seed of the eval: all runs would send the same one."""
    params = fields.values.get("params")
    if isinstance(params, dict) and params.get("seed") is not None and (has_axis or "seed" in fields.values):
        diagnostics.error(
            "bad-value",
            "`params`: the eval has a `seed` of its own, which this one would replace in every run",
            (fields.spans.get(("params", "seed")) or fields.spans["params",]).value,
            about=about,
            help=["leave it out of `params`"],
        )


def _refuse_lists(fields: Fields, diagnostics: Diagnostics, about: str) -> None:
    """Refuse `model = [a, b]`: an axis is written with `in`."""
    for key in AXIS_KEYS:
        value = fields.values.get(key)
        if isinstance(value, tuple):
            span = fields.spans[key,].value
            axis = f"`{key} in {' '.join(span.text.split())}`: one cell for each value"
            diagnostics.error(
                "wrong-type",
                f"`{key}` takes one value, but this is a list",
                span,
                about=about,
                help=[f"write {axis}" if len(value) != 1 else f"write `{key} = {format_value(value[0])}`"],
            )


def _check_templates(merged: MergedLayers, axes: set[str], diagnostics: Diagnostics, about: str) -> None:
    """Check that texts mention only axes of the eval."""
    for key, value in merged.fields.values.items():
        for name in sorted(_find_mentioned_axes(value) - axes):
            inner = value if isinstance(value, dict) else {}
            path = next(((key, k) for k, v in inner.items() if name in _find_mentioned_axes(v)), (key,))
            place = merged.fields.spans.get(path) or merged.fields.spans[key,]
            diagnostics.error(
                "bad-interpolation",
                f"`{name}` is not an axis of this eval",
                place.value,
                about=about,
                notes=[f"its axes are {', '.join(sorted(axes))}" if axes else "it has no axes"],
            )


def _find_mentioned_axes(value: object) -> set[str]:
    """The names of the axes that the texts in a value mention."""
    match value:
        case Template():
            return {part.text for part in value.parts if isinstance(part, Symbol)}
        case dict():
            return set().union(*map(_find_mentioned_axes, value.values()))
        case tuple():
            return set().union(*map(_find_mentioned_axes, value))
    return set()
