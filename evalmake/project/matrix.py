"""Expands evals to cells: one light `Evaluation` each, which shares what its eval has in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

from evalmake.language.diagnostic import MOST_ERRORS, Diagnostic, Diagnostics, make_diagnostic
from evalmake.language.expressions import Evaluator
from evalmake.language.source import Span
from evalmake.language.tree import Assign
from evalmake.language.values import Duration, Symbol
from evalmake.project.axes import AxisValue, to_part, with_type
from evalmake.project.benchmark_axes import name_benchmark
from evalmake.project.condition_index import ConditionIndex
from evalmake.project.declarations import Declaration
from evalmake.project.eval_declaration import EvalDeclaration
from evalmake.project.fields import Fields, ValueOrigin
from evalmake.project.project import Project
from evalmake.project.requirements import Gate
from evalmake.project.schema import AXIS_KEYS, Eval, Resources, fill_templates
from evalmake.project.settings_schema import MOST_CELLS
from evalmake.project.stop_rule import StopRule, find_stop_rule
from evalmake.project.unasked_models import UnaskedModels
from evalmake.project.validation import validate
from evalmake.project.weights_axis import name_model


@dataclass(slots=True)
class Variant:
    """What all cells share that match the same `when` conditions."""

    eval: EvalDeclaration
    block: Eval
    fields: Fields
    gates: tuple[Gate, ...]
    confidence: float | None = None  # of `settings`
    merged: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def stop_rule(self) -> StopRule | None:
        """When enough is asked; None if everything is."""
        return find_stop_rule(self.block, self.gates, self.confidence)


class Evaluation:
    """One cell of a matrix; `name` is its path, such as `grid/llama/gsm8k/1`."""

    __slots__ = ("benchmark", "limit", "model", "name", "seed", "values", "variant")

    def __init__(
        self,
        name: str,
        values: tuple[AxisValue, ...],
        variant: Variant,
        model: Declaration,
        benchmark: Declaration,
        seed: int,
        limit: int | None,
    ) -> None:
        self.name = name
        self.values = values
        self.variant = variant
        self.model = model
        self.benchmark = benchmark
        self.seed = seed
        self.limit = limit

    @property
    def eval(self) -> str:
        """The name of its eval."""
        return self.variant.eval.name

    @property
    def address(self) -> str:
        """Its path without its seed, which all seeds of a cell share."""
        return "/".join([self.eval, *(to_part(value) for key, value in self.axes if key != "seed")])

    @property
    def benchmark_name(self) -> str:
        """The name of its benchmark, without what an axis changes of it."""
        return self.benchmark.name.partition("@")[0]

    @property
    def axes(self) -> tuple[tuple[str, AxisValue], ...]:
        """Its axes, each with its value."""
        keys = (axis.key for axis in self.variant.eval.axes)
        return tuple(zip(keys, self.values, strict=True))

    @property
    def params(self) -> Mapping[str, Any]:
        """Its request parameters: the eval's beat the benchmark's, and those the model's; so does the eval's seed."""
        if self.benchmark.unasked:
            return {}
        inherited = {**self.model.block.params, **self.benchmark.block.params}
        if "seed" in inherited and self.seed_span:
            del inherited["seed"]
        values: Mapping[str, Any] = fill_templates({**inherited, **self.variant.block.params}, dict(self.axes))
        return {key: value for key, value in values.items() if value is not None}

    @property
    def seed_span(self) -> Span | None:
        """Where its eval sets the seed, as an axis or as a value; None if it does not."""
        axis = next((axis.span for axis in self.variant.eval.axes if axis.key == "seed"), None)
        written = self.variant.fields.spans.get(("seed",))
        return axis or (written.value if written else None)

    @property
    def gates(self) -> tuple[Gate, ...]:
        """The gates of the evaluation."""
        return self.variant.gates

    @property
    def span(self) -> Span:
        """The head of its eval."""
        return self.variant.eval.span

    @property
    def placement(self) -> Placement:
        """Where and how the evaluation runs."""
        block = self.variant.block
        return Placement(
            block.executor,
            block.resources,
            block.timeout,
            block.retries,
            self.model.block.deployment,
        )

    def __repr__(self) -> str:
        return f"Evaluation({self.name})"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how a job runs; never part of the identity."""

    executor: str
    resources: Resources
    timeout: Duration
    retries: int
    service: str | None = None


def expand_matrix(project: Project) -> dict[str, list[Evaluation]]:
    """The cells of every eval, in file order; EvalmakeError with all their errors."""
    diagnostics = Diagnostics(MOST_ERRORS)
    cells: dict[str, list[Evaluation]] = {}
    total = 0
    for declaration in project.evals.values():
        total += prod(len(axis.values) for axis in declaration.axes)
        if total > project.settings.cells:
            _report_too_many_cells(declaration, total, project, diagnostics)
            break
        cells[declaration.name] = list(_make_cells(declaration, project, diagnostics))
    diagnostics.check()
    empty = [project.evals[name] for name, group in cells.items() if not group]
    if not project.overrides or len(empty) == len(cells):  # an override may leave some evals without cells
        for declaration in empty:
            diagnostics.append(no_cells_diagnostic(declaration, declaration.span))
    diagnostics.check()
    return cells


def no_cells_diagnostic(declaration: EvalDeclaration, span: Span) -> Diagnostic:
    """The diagnostic for an eval whose cells are all skipped."""
    total = prod(len(axis.values) for axis in declaration.axes)
    index, matched = ConditionIndex(declaration.skips, span), [0] * len(declaration.skips)
    for values in product(*(axis.values for axis in declaration.axes)):
        for number in index.find(values):
            matched[number] += 1
    return make_diagnostic(
        "no-cells",
        f"every cell of eval `{declaration.name}` is skipped",
        span,
        also=[(skip.span, f"skips {n} of {total}") for skip, n in zip(declaration.skips, matched, strict=True) if n],
        help=["narrow a `skip`, or take the eval out"],
    )


def _report_too_many_cells(
    declaration: EvalDeclaration, total: int, project: Project, diagnostics: Diagnostics
) -> None:
    widest = max(declaration.axes, key=lambda axis: len(axis.values), default=None)
    diagnostics.error(
        "too-many-cells",
        f"this makes {total} cells, more than {project.settings.cells}",
        declaration.span,
        also=[(widest.span, f"{len(widest.values)} values")] if widest else [],
        help=[
            f"shorten an axis, or allow it: settings {{ cells = {total} }}"
            if total <= MOST_CELLS
            else f"shorten an axis, or make several Evalfiles: one has at most {MOST_CELLS} cells"
        ],
        about=f"eval {declaration.name}",
    )


def _make_cells(declaration: EvalDeclaration, project: Project, diagnostics: Diagnostics) -> Iterator[Evaluation]:
    variants: dict[tuple[object, ...], Variant | None] = {}
    used: set[int] = set()
    skipped: set[int] = set()
    keys = [axis.key for axis in declaration.axes]
    settings = [i for i, axis in enumerate(declaration.axes) if axis.is_setting]
    of_benchmark = [i for i, axis in enumerate(declaration.axes) if axis.is_of_benchmark]
    at = {key: keys.index(key) if key in keys else None for key in AXIS_KEYS}
    whens = ConditionIndex(declaration.whens, declaration.span)
    skips = ConditionIndex(declaration.skips, declaration.span)
    unasked = UnaskedModels(declaration, project, diagnostics)
    for values in product(*(axis.values for axis in declaration.axes)):
        if hits := skips.find(values):
            skipped.update(hits)
            continue
        matched = whens.find(values)
        shared = (matched, *(with_type(values[i]) for i in settings))
        if shared not in variants:
            used.update(matched)
            variants[shared] = _make_variant(declaration, project, matched, values, diagnostics)
        variant = variants[shared]
        if variant is None:
            continue
        block = variant.block
        here: dict[str, Any] = {k: values[i] if i is not None else getattr(block, k) for k, i in at.items()}
        name = "/".join([declaration.name, *map(to_part, values)])
        called = name_benchmark(str(here["benchmark"]), [(keys[i], values[i]) for i in of_benchmark])
        benchmark = project.benchmarks[called]
        yield Evaluation(
            name,
            values,
            variant,
            unasked.find_model(variant.fields, benchmark, _name_model(here), here["limit"]),
            benchmark,
            int(here["seed"]),
            None if here["limit"] == "none" else here["limit"],
        )
    if not project.overrides:
        unused = [when for i, when in enumerate(declaration.whens) if i not in used]
        for when in unused + [skip for i, skip in enumerate(declaration.skips) if i not in skipped]:
            diagnostics.error(
                "dead-condition",
                "this condition matches no cell",
                when.span,
                about=f"eval {declaration.name}",
                notes=["every cell that it would match is skipped"],
            )


def _name_model(values: dict[str, Any]) -> str | None:
    if values["model"] is None:
        return None
    return name_model(values["model"], values["weights"]) if values["weights"] else str(values["model"])


def _make_variant(
    declaration: EvalDeclaration,
    project: Project,
    matched: tuple[int, ...],
    cell: tuple[AxisValue, ...],
    diagnostics: Diagnostics,
) -> Variant | None:
    """The eval's fields with the `when`s of these indices applied, and the parameters that are axes."""
    fields = declaration.fields.copy()
    gates = list(declaration.gates)
    axes = frozenset(axis.key for axis in declaration.axes)
    for index in matched:
        when = declaration.whens[index]
        evaluator = Evaluator(declaration.inheritance.scope, when.block.file.source, axes)
        for statement in when.block.body:
            if isinstance(statement, Assign):
                declaration.inheritance.assign(fields, statement, when.block, evaluator)
        gates += when.gates
    for axis, value in zip(declaration.axes, cell, strict=True):
        if axis.is_setting:
            setting, span = axis.setting(value)
            fields.put_entry(tuple(axis.key.split(".")), setting, ValueOrigin(axis.span, span, "own"))
    values = dict(fields.values)
    for axis in declaration.axes:
        if not axis.is_core:
            continue
        first = None if axis.key == "limit" else axis.values[0]
        values[axis.key] = axis.folders[0] if axis.folders else Symbol(first) if isinstance(first, str) else first
    about = f"eval {declaration.name}"
    block = validate(
        Eval, values, fields, diagnostics, about, declaration.parsed.name_span, what="an eval", topic="eval"
    )
    return Variant(declaration, block, fields, tuple(gates), project.settings.confidence) if block else None
