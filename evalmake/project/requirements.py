"""Reads what an eval requires: a metric, a bound, and perhaps how far from it will do."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from evalmake.language import tree
from evalmake.language.diagnostic import Diagnostics, EvalmakeError, closest_name
from evalmake.language.expressions import Evaluator, Scope
from evalmake.language.source import Span
from evalmake.language.values import SecretRef, Symbol, Value, describe_type, format_value
from evalmake.project.column_groups import FORMS, GroupForm
from evalmake.project.includes import LoadedFile
from evalmake.project.inheritance import Inheritance
from evalmake.project.measure_units import TRUNCATED, MeasureMistake, find_unit, format_quantity, read_amount

RELATIONS = ("better than", "no worse than")
"""What a requirement can say of its metric and that of another result, in place of `>=`."""
GateWord = Literal["", "headline", "average", "pooled", "best", "measure"]
"""What a requirement names in place of a metric: the headline of its benchmark, those of several together, or what
replies took."""
HEADLINE: GateWord = "headline"
MEASURE: GateWord = "measure"
Tier = Literal["critical", "supporting", "advisory"]
"""What a requirement that is not met does to the exit status of a build: it is 1, or 3, or as if it were met."""
TIERS: tuple[Tier, ...] = ("critical", "supporting", "advisory")
_USAGE = frozenset(("tokens", "requests", "cost", "price", "usd", "seconds", "latency", "duration", "time"))
"""Words in the names of what is counted of an evaluation, and not scored."""


@dataclass(frozen=True, slots=True)
class Referent:
    """What a requirement compares with: a model of the same eval, or a baseline."""

    kind: Literal["model", "baseline"]
    name: str
    span: Span

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Gate:
    """`require metric >= bound within tolerance`; `when` is the text of the condition around it, if any.

    Of `require metric better than model NAME by tolerance`, the bound is the tolerance, or 0.
    """

    metric: str
    op: str
    bound: float
    span: Span
    when: str
    is_share: bool = False  # whether the bound is written as a percentage
    word: GateWord = ""  # if `metric` is one of these words, and no name of a metric
    within: float = 0.0  # how far from the bound will do, on its scale
    tolerance: str = ""  # the same as it is written: "8%"
    than: Referent | None = None  # what `op`, a relation, compares with
    tier: Tier = "critical"
    unit: str = ""  # of what replies took

    @property
    def text(self) -> str:
        """What it asks, as it can be written: "accuracy >= 0.892 within 8%"."""
        if self.than:
            by = f" by {self.tolerance}" if self.tolerance else ""
            return f"{self.metric} {self.op} {self.than}{by}{self.ending}"
        within = f" within {self.tolerance}" if self.tolerance else ""
        bound = format_quantity(self.bound, self.unit) if self.unit else f"{self.bound:.12g}"
        return f"{self.metric} {self.op} {bound}{within}{self.ending}"

    @property
    def ending(self) -> str:
        """Its tier, as it can be written behind it: " as advisory"; empty if it is critical."""
        return "" if self.tier == "critical" else f" as {self.tier}"

    @property
    def is_over_benchmarks(self) -> bool:
        """Whether it takes the benchmarks of its eval together."""
        return self.word in FORMS

    @property
    def form(self) -> GroupForm:
        """How it takes benchmarks together, if it does."""
        return next(form for form in FORMS if form == self.word)

    @property
    def subject(self) -> str:
        """What it names, for digests: a word is told from a metric of the same name."""
        if self.word == MEASURE:
            return f"the {self.metric} in {self.unit}"
        return f"the {self.word}" if self.word else self.metric

    @property
    def demand(self) -> str:
        """What it asks of its subject, for digests: exact, and the same however it is written."""
        if self.than:
            return f"{self.op} {self.than} by {self.bound!r}{'%' if self.is_share else ''}{self.ending}"
        return f"{self.op} {self.bound!r}{f' within {self.within!r}' if self.within else ''}{self.ending}"


def read_gates(
    requires: Sequence[tuple[tree.Require, LoadedFile]],
    axes: Collection[str],
    inheritance: Inheritance,
    diagnostics: Diagnostics,
    when: str,
) -> tuple[Gate, ...]:
    """Read the requirements and evaluate their bounds."""
    gates = []
    for node, file in requires:
        before = len(diagnostics)
        tier = _read_tier(node, file, diagnostics)
        if node.than is not None:
            gate = _read_relation(node, file, inheritance.scope, diagnostics, when, tier)
            gates += [gate] if gate and len(diagnostics) == before else []
            continue
        bound, unit = _read_bound(node, file, inheritance.scope, diagnostics)
        word = MEASURE if unit else _find_word(node.metric)
        if word in FORMS and "benchmark" not in axes:
            _report_no_benchmarks(node, word, file, diagnostics)
        if bound is None or len(diagnostics) > before:
            continue
        within, tolerance = 0.0, ""
        if node.tolerance is not None:
            within = _read_tolerance(node.tolerance, node.op, bound, file, inheritance.scope, diagnostics)
            tolerance = " ".join(file.span(node.tolerance).text.split())
        metric, is_share = node.metric.text.strip("\"'"), _is_percentage(node.value, bound, inheritance.scope)
        if len(diagnostics) == before:
            span = file.span(node)
            gates.append(Gate(metric, node.op, bound, span, when, is_share, word, within, tolerance, None, tier, unit))
    return tuple(gates)


def _read_tier(node: tree.Require, file: LoadedFile, diagnostics: Diagnostics) -> Tier:
    """How much a requirement matters: what stands behind `as`."""
    if node.tier is None:
        return "critical"
    text = node.tier.text
    if tier := next((one for one in TIERS if one == text), None):
        return tier
    meant = closest_name(text, TIERS)
    help = f"did you mean `{meant}`?" if meant else f"write `as {TIERS[1]}`, `as {TIERS[2]}`, or nothing: `{TIERS[0]}`"
    message = f"a requirement is `{'`, `'.join(TIERS[:-1])}` or `{TIERS[-1]}`, and not `{text}`"
    diagnostics.error("bad-value", message, file.span(node.tier), help=[help])
    return "critical"


def _read_relation(
    node: tree.Require, file: LoadedFile, scope: Scope, diagnostics: Diagnostics, when: str, tier: Tier
) -> Gate | None:
    """Read a requirement that compares with a model or a baseline; None if its name or its margin is none."""
    assert node.than is not None
    word, at = _find_word(node.metric), file.span(node.metric)
    if word in FORMS:
        message = f"`{word}` takes benchmarks together, and a requirement compares one benchmark with another result"
        help = [f"write `require headline {node.op} ...`: it compares each benchmark by its headline metric"]
        diagnostics.error("bad-value", message, at, help=help)
    value, span = _evaluate(node.value, file, scope, diagnostics), file.span(node.value)
    name = value.text if isinstance(value, Symbol) else value
    kind: Literal["model", "baseline"] = "model" if node.than.text == "model" else "baseline"
    if name is not _FAILED and not (isinstance(name, str) and name):
        help = [f"write `{node.op} {kind} NAME`"]
        message = f"`{node.op}` takes the name of a {kind}, but this is {describe_type(name)}"
        diagnostics.error("wrong-type", message, span, help=help)
    margin = _read_margin(node, file, scope, diagnostics)
    if name is _FAILED or margin is None:
        return None
    metric, is_share = node.metric.text.strip("\"'"), False
    tolerance = ""
    if node.tolerance is not None:
        is_share = _is_percentage(node.tolerance, margin, scope)
        tolerance = f"{margin * 100:.10g}%" if is_share else f"{margin:.12g}"
    than = Referent(kind, str(name), span)
    return Gate(metric, node.op, margin, file.span(node), when, is_share, word, 0.0, tolerance, than, tier)


def _read_margin(node: tree.Require, file: LoadedFile, scope: Scope, diagnostics: Diagnostics) -> float | None:
    """By how much one result must be better, or may be worse; None after an error."""
    if node.tolerance is None:
        if node.op == "better than":
            return 0.0
        diagnostics.error(
            "missing-value",
            "`no worse than` says by how much: that one is not worse at all cannot be shown",
            file.span(node),
            help=[f"write `{file.span(node).text} by 1%`"],
        )
        return None
    value, span = _evaluate(node.tolerance, file, scope, diagnostics), file.span(node.tolerance)
    if value is _FAILED:
        return None
    wrong, help_ = "", "write `by 1%`, of a scale from 0 to 1, or `by 0.5`, on the metric's own scale"
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"`by` takes a percentage or a number, but this is {describe_type(value)}"
        diagnostics.error("wrong-type", message, span, help=[help_])
        return None
    if not 0 < value < math.inf:
        wrong = "it must be above 0"
        help_ = "leave it out" if node.op == "better than" and value == 0 else help_
    elif _is_percentage(node.tolerance, float(value), scope) and value >= 1:
        wrong, help_ = "that is the whole scale", "write less than 100%"
    if wrong:
        diagnostics.error("bad-value", f"`by` is {span.text}: {wrong}", span, help=[help_])
        return None
    return float(value)


def _find_word(metric: tree.Name) -> GateWord:
    """The word that stands in place of a metric; one in quotes is a metric's name."""
    return next((word for word in (HEADLINE, *FORMS) if word == metric.text), "")


def _report_no_benchmarks(node: tree.Require, word: str, file: LoadedFile, diagnostics: Diagnostics) -> None:
    bound = file.span(node.value).text
    diagnostics.error(
        "bad-value",
        f"`{word}` takes the benchmarks of an eval together, and this eval has no axis `benchmark`",
        file.span(node.metric),
        help=[
            f"of one benchmark, write `require headline {node.op} {bound}`;"
            f' a metric of that name has quotes: `require "{word}" {node.op} {bound}`'
        ],
    )


def suggest_metric(metric: str, known: Sequence[str]) -> list[str]:
    """Help for the name of a metric that is not reported: the one meant, or where else the number is."""
    if (last := metric.rpartition(".")[2]) in known:
        return [f"write `{last}`: a requirement is of the eval in whose block it stands, and of all its cells"]
    if meant := closest_name(metric, known):
        return [f"did you mean `{meant}`?"]
    if metric == TRUNCATED:
        return [f"the share of replies that were cut off is a percentage: `{TRUNCATED} <= 1%`"]
    if set(re.split("[^a-z]+", metric.lower())) & _USAGE:
        return ["what replies took has a unit: `latency.p95 <= 2s`, `tokens_out.mean <= 500`, `cost <= $2`"]
    return []


def _read_bound(
    node: tree.Require, file: LoadedFile, scope: Scope, diagnostics: Diagnostics
) -> tuple[float | None, str]:
    """The bound, None after an error, and its unit, empty for that of a metric."""
    bound = _evaluate(node.value, file, scope, diagnostics)
    if bound is _FAILED:
        return None, ""
    is_share = isinstance(bound, int | float) and _is_percentage(node.value, bound, scope)
    try:
        unit = find_unit(node.metric.text, bound, is_share)
    except MeasureMistake as mistake:
        diagnostics.error("wrong-type", str(mistake), file.span(node.value), help=[mistake.help])
        return None, ""
    bound = read_amount(bound)
    if isinstance(bound, bool) or not isinstance(bound, int | float):
        diagnostics.error(
            "wrong-type",
            f"a requirement compares with a number, but this is {describe_type(bound)}",
            file.span(node.value),
            help=_suggest_baseline(node, bound),
        )
        return None, ""
    return float(bound), unit


def _suggest_baseline(node: tree.Require, bound: object) -> list[str]:
    """Help for a bound in quotes, and for a name: what a model, or a metric of one, can be compared by."""
    if isinstance(bound, str) and re.fullmatch(r"[\d.]+%?", bound):
        return [f"write it without quotes: `{bound}`"]
    if not isinstance(bound, Symbol):
        return []
    row = bound.text.partition(".")[0]
    return [
        f"compare with a model of this eval: `require {node.metric.text} better than model {row}`",
        f'a report compares rows with one of them: `report NAME {{ of = [...], path = "...", compare = {row} }}`',
        f"write a number that was measured or published: `require {node.metric.text} {node.op} 0.8 within 5%`",
    ]


def _read_tolerance(
    node: tree.Expr, op: str, bound: float, file: LoadedFile, scope: Scope, diagnostics: Diagnostics
) -> float:
    """How far from the bound will do: a percentage is of the bound, and a number is on its scale."""
    value, span = _evaluate(node, file, scope, diagnostics), file.span(node)
    if value is _FAILED:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        diagnostics.error(
            "wrong-type",
            f"`within` takes a percentage or a number, but this is {describe_type(value)}",
            span,
            help=["write `within 8%`, of the bound, or `within 0.02`, on its scale"],
        )
        return 0.0
    percentage = _is_percentage(node, float(value), scope)
    wrong, help_ = "", ""
    if not 0 < value < math.inf:
        wrong, help_ = "it must be above 0", "leave it out if the bound itself is meant"
    elif percentage and value >= 1:
        wrong, help_ = "100% of the bound leaves nothing of it", "write less than 100%"
    elif percentage and bound == 0:
        wrong, help_ = "a percentage of the bound 0 is 0", "write a number, such as `within 0.02`"
    elif not percentage and op in (">=", ">", "==") and 0 < bound <= value:
        wrong = f"the bound {format_value(bound)} less {format_value(value)} is not above 0"
        help_ = "a percentage is of the bound: `within 8%`"
    if wrong:
        diagnostics.error("bad-value", f"`within` is {file.span(node).text}: {wrong}", span, help=[help_])
    return abs(bound) * value if percentage else float(value)


_FAILED = object()


def _evaluate(node: tree.Expr, file: LoadedFile, scope: Scope, diagnostics: Diagnostics) -> Value | object:
    """The value of an expression; `_FAILED` after an error."""
    try:
        value = Evaluator(scope, file.source)(node)
    except EvalmakeError as error:
        diagnostics.extend(error.diagnostics)
        return _FAILED
    if isinstance(value, SecretRef):
        report_secret(file.span(node), diagnostics)
        return _FAILED
    return value


def _is_percentage(node: tree.Expr, value: float, scope: Scope) -> bool:
    """Whether a number was written as a percentage, perhaps in a variable; what overrides one, above 1, was not."""
    name, overridden = "", False
    while isinstance(node, tree.Use) and node.text != name and node.text in scope.bindings:
        name, binding = node.text, scope.bindings[node.text]
        node, overridden = binding.node.value, overridden or binding.overridden
    return isinstance(node, tree.Literal) and node.kind == "PERCENT" and not (overridden and value > 1)


def report_secret(span: Span, diagnostics: Diagnostics, about: str = "") -> None:
    """Report a secret where none may stand."""
    diagnostics.error(
        "secret-place",
        "a secret is not allowed here",
        span,
        about=about,
        help=["use it in a key that takes a secret, such as `api_key`, or in an `env` map"],
    )
