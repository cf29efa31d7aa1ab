"""Axes over a key of the benchmark: `fewshot in [0, 5]` in an eval.

For each value there is one more benchmark, called `BENCHMARK@KEY=VALUE`, which is checked as if the Evalfile had it.
All that follows sees ordinary benchmarks: identities, harnesses and checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

from evalmake.language.diagnostic import Diagnostic, Diagnostics
from evalmake.language.source import Span
from evalmake.language.values import Symbol, Value
from evalmake.project.axes import Axis, AxisValue, to_part
from evalmake.project.axis_keys import report_placement, report_unknown_axis
from evalmake.project.axis_values import is_same_value
from evalmake.project.condition_index import ConditionIndex
from evalmake.project.declarations import Declaration, HasPlacement, check_declaration
from evalmake.project.eval_declaration import EvalDeclaration
from evalmake.project.fields import ValueOrigin
from evalmake.project.inheritance import MergedLayers, ParsedDeclaration
from evalmake.project.key_types import find_reference_keys
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.project import Project
from evalmake.project.references import names_given, report_unknown_name
from evalmake.project.schema import Benchmark

_OF_THE_EVAL = ("params", "adapter", "harness")
"""Keys of a benchmark that are no axis: the eval has its own, and the harness says which keys there are."""


def name_benchmark(benchmark: str, values: Sequence[tuple[str, AxisValue]]) -> str:
    """The name of a benchmark with these values of its keys."""
    return (
        f"{benchmark}@{','.join(f'{key}={to_part(value)}' for key, value in sorted(values))}" if values else benchmark
    )


def add_benchmarks_of_axes(
    project: Project,
    plugins: PluginRegistry,
    parsed: Mapping[tuple[str, str], ParsedDeclaration],
    diagnostics: Diagnostics,
) -> None:
    """Add a benchmark to the project for each benchmark of an eval, and each value of the axes over its keys."""
    made: dict[str, dict[str, Value]] = {}
    for declaration in project.evals.values():
        axes = [axis for axis in declaration.axes if axis.is_of_benchmark]
        if not axes or prod(len(axis.values) for axis in declaration.axes) > project.settings.cells:
            continue  # too many cells are reported where they are made
        combinations = list(_find_combinations(declaration, axes))
        names = dict.fromkeys(name for name, _ in combinations)
        if not _check_keys(project, declaration, axes, names, plugins, diagnostics):
            continue
        for name, values in combinations:
            settings = {axis.key: axis.setting(value) for axis, value in zip(axes, values, strict=True)}
            called = name_benchmark(name, [(axis.key, value) for axis, value in zip(axes, values, strict=True)])
            given = {key: value for key, (value, _) in settings.items()}
            if called not in made:
                made[called] = given
                _add_benchmark(project, called, project.benchmarks[name], axes, settings, plugins, parsed, diagnostics)
            elif key := next((key for key in given if not is_same_value(given[key], made[called][key])), ""):
                _report_alike(called, next(axis for axis in axes if axis.key == key), declaration, diagnostics)


def _find_combinations(
    declaration: EvalDeclaration, axes: Sequence[Axis]
) -> Iterable[tuple[str, tuple[AxisValue, ...]]]:
    """The benchmarks of the cells that no `skip` takes out, each with the values of its keys."""
    indices = [declaration.axes.index(axis) for axis in axes]
    at = next((i for i, axis in enumerate(declaration.axes) if axis.key == "benchmark"), None)
    names = [name for name, _ in names_given(declaration, "benchmark")]
    skips = ConditionIndex(declaration.skips, declaration.span)
    found: dict[tuple[str, tuple[AxisValue, ...]], None] = {}
    for cell in product(*(axis.values for axis in declaration.axes)):
        if not skips.find(cell):
            values = tuple(cell[i] for i in indices)
            found.update(((str(name), values), None) for name in ([cell[at]] if at is not None else names))
    return found


def _check_keys(
    project: Project,
    declaration: EvalDeclaration,
    axes: Sequence[Axis],
    names: Iterable[str],
    plugins: PluginRegistry,
    diagnostics: Diagnostics,
) -> bool:
    """Whether the benchmarks have the keys of the axes, as parts of their identity."""
    about, before = f"eval {declaration.name}", len(diagnostics)
    keys = {name: dict(_list_keys(project.benchmarks[name], plugins)) for name in names}
    known = {key for counts in keys.values() for key, has in counts.items() if has}
    for axis in axes:
        lacking = [name for name, counts in keys.items() if axis.key not in counts]
        if len(lacking) == len(keys):
            report_unknown_axis(axis.key, known, axis.span, diagnostics, about)
        elif lacking:
            diagnostics.error(
                "bad-axis",
                f"the benchmark `{lacking[0]}` has no key `{axis.key}`",
                axis.span,
                about=about,
                also=[(project.benchmarks[lacking[0]].span, "declared here")],
                help=["write an eval of its own for this benchmark"],
            )
        elif not all(counts[axis.key] for counts in keys.values()):
            report_placement(axis.key, axis.span, diagnostics, about)
    return len(diagnostics) == before


def _list_keys(benchmark: Declaration, plugins: PluginRegistry) -> Iterator[tuple[str, bool]]:
    """Each key of a benchmark that could be an axis, and whether it is part of the identity."""
    harness = plugins.get("harnesses", benchmark.plugin)
    outside = harness.placement if isinstance(harness, HasPlacement) else ()
    for key in type(benchmark.settings).model_fields if benchmark.settings else ():
        yield key, key not in outside
    for key, info in Benchmark.model_fields.items():
        extra: Any = info.json_schema_extra
        if key not in _OF_THE_EVAL:
            yield key, bool(extra["identity"])


def _add_benchmark(
    project: Project,
    name: str,
    benchmark: Declaration,
    axes: Sequence[Axis],
    settings: Mapping[str, tuple[Value, Span]],
    plugins: PluginRegistry,
    parsed: Mapping[tuple[str, str], ParsedDeclaration],
    diagnostics: Diagnostics,
) -> None:
    """Add the benchmark with these values, checked as any other."""
    assert benchmark.parsed is not None
    fields = benchmark.fields.copy()
    for axis in axes:
        value, span = settings[axis.key]
        fields.put(axis.key, value, ValueOrigin(axis.span, span, "own"), {})
    variables = project.scope.bindings
    found = Diagnostics()
    made = check_declaration(benchmark.parsed, MergedLayers(fields), plugins, variables, found)
    diagnostics.extend(_suggest_variable(one, settings) for one in found)
    if made is None:
        return
    for key, kind in find_reference_keys(type(made.settings)).items() if made.settings else ():
        wanted = getattr(made.settings, key)
        if key in settings and wanted is not None and wanted not in project.of(kind):
            about = f"benchmark {benchmark.name}"
            report_unknown_name(project, kind, wanted, settings[key][1], about, diagnostics, parsed)
    project.benchmarks[name] = replace(made, name=name)


def _suggest_variable(diagnostic: Diagnostic, settings: Mapping[str, tuple[Value, Span]]) -> Diagnostic:
    """Say of a name where a text belongs how an axis names a text."""
    key = next((k for k, (v, span) in settings.items() if isinstance(v, Symbol) and span == diagnostic.span), "")
    if not key or diagnostic.code != "wrong-type":
        return diagnostic
    word = str(settings[key][0])
    variable = re.sub(r"[.-]", "_", word.strip("_")).upper()
    return replace(
        diagnostic, help=(f"put the text into a variable, `{variable} = ...`: `{key} in [{variable}, ...]`",)
    )


def _report_alike(name: str, axis: Axis, declaration: EvalDeclaration, diagnostics: Diagnostics) -> None:
    """Report a value that is called as another one of another eval is."""
    diagnostics.error(
        "duplicate-value",
        f"two evals have a value of `{axis.key}` that is called alike: `{name.partition('@')[2]}`",
        axis.span,
        about=f"eval {declaration.name}",
        help=["rename the variable, or put the text into one"],
    )
