"""Axes, `when`, `skip` and `require` of an eval, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalmake.language import tree
from evalmake.language.diagnostic import Diagnostics, EvalmakeError, closest
from evalmake.language.expressions import Evaluator
from evalmake.language.source import Span
from evalmake.language.values import SecretRef, Symbol, show, type_name
from evalmake.project.includes import Loaded
from evalmake.project.inheritance import Block, Inheritance, Layered
from evalmake.project.schema import AXES, Eval
from evalmake.project.validation import unknown_key

Member = str | int | float | bool
_LEAST = {"seed": 0, "limit": 1}


@dataclass(frozen=True, slots=True)
class AxisDecl:
    """An axis: its key, its values in order with their places, and its values as declared."""

    key: str
    values: tuple[Member, ...]
    declared: tuple[Member, ...]
    spans: tuple[Span, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Gate:
    """`require metric >= bound`; `when` is the condition it stands under, as text."""

    metric: str
    op: str
    bound: float
    span: Span
    when: str


@dataclass(frozen=True, slots=True)
class WhenDecl:
    """A `when` or `skip`: the values it asks of each axis (by index), and what it lays over."""

    tests: tuple[tuple[int, frozenset[tuple[str, Member]]], ...]
    block: Block
    gates: tuple[Gate, ...]
    text: str
    span: Span

    def matches(self, cell: Sequence[Member]) -> bool:
        """Whether a cell's axis values satisfy every test."""
        return all(tagged(cell[index]) in wanted for index, wanted in self.tests)


def tagged(value: Member) -> tuple[str, Member]:
    """A value that differs from its look-alikes of other types (1, 1.0, true)."""
    return type(value).__name__, value


def axes_of(layered: Layered, inheritance: Inheritance, found: Diagnostics, about: str) -> tuple[AxisDecl, ...]:
    """The axes in file order."""
    return tuple(
        made
        for axis, file in layered.axes.values()
        if (made := _axis(axis, file, inheritance, found, about)) is not None
    )


def _axis(axis: tree.Axis, file: Loaded, inheritance: Inheritance, found: Diagnostics, about: str) -> AxisDecl | None:
    key, span = axis.key.text, file.span(axis.value)
    if key not in AXES:
        _bad_axis(key, file.span(axis.key), found, about)
        return None
    evaluator = Evaluator(inheritance.scope, file.source)
    try:
        value = evaluator(axis.value)
        declared = Evaluator(inheritance.scope, file.source, declared=True)(axis.value)
    except EvalmakeError as error:
        found.extend(error.diagnostics)
        return None
    if isinstance(value, SecretRef):
        _no_secret(span, found, about)
        return None
    if not isinstance(value, tuple):
        found.error(
            "wrong-type",
            f"an axis goes over a list or a range, and this is {type_name(value)}",
            span,
            about=about,
            help=[f"for one value write `{key} = {show(value)}`"],
        )
        return None
    if not value:
        found.error("empty-axis", f"the axis `{key}` has no values", span, about=about)
        return None
    spans = _among(axis.value, file, len(value))
    members = _members(key, value, spans, found, about)
    if members is None:
        return None
    known = _plain(declared) if isinstance(declared, tuple) else members
    return AxisDecl(key, members, known, spans, file.span(axis.key))


def _bad_axis(key: str, span: Span, found: Diagnostics, about: str) -> None:
    if key in Eval.model_fields and key not in ("params", "adapter"):
        found.error(
            "bad-axis",
            f"`{key}` cannot be an axis",
            span,
            about=about,
            notes=[f"`{key}` is no part of an evaluation's identity: its cells would all be the same"],
        )
        return
    meant = closest(key, AXES)
    found.error(
        "bad-axis",
        f"`{key}` cannot be an axis",
        span,
        about=about,
        notes=[f"an axis goes over one of {', '.join(AXES)}"],
        help=[f"did you mean `{meant}`?" if meant else "write an eval for each value: `eval NAME from ...`"],
    )


def _no_secret(span: Span, found: Diagnostics, about: str = "") -> None:
    found.error(
        "secret-place",
        "a secret cannot stand here",
        span,
        about=about,
        help=["a secret stands in keys that take one, as `api_key`, and in `env` maps"],
    )


def _among(value: tree.Expr, file: Loaded, count: int) -> tuple[Span, ...]:
    """The places of a list's values; the whole expression's where they stand elsewhere."""
    if isinstance(value, tree.ListOf) and len(value.items) == count:
        return tuple(file.span(item) for item in value.items)
    return (file.span(value),) * count


def _plain(values: Sequence[object]) -> tuple[Member, ...]:
    plain: list[Member] = []
    for value in values:
        if isinstance(value, Symbol):
            plain.append(value.text)
        elif isinstance(value, str | int | float | bool):
            plain.append(value)
    return tuple(plain)


def _members(
    key: str, values: Sequence[object], spans: Sequence[Span], found: Diagnostics, about: str
) -> tuple[Member, ...] | None:
    """The axis values, each of a right type, safe in a path, and only once."""
    wanted = (Symbol,) if key in ("model", "benchmark") else (int,)
    seen: dict[str, Span] = {}
    before = len(found)
    for value, span in zip(values, spans, strict=True):
        text = str(value)
        again = text in seen and seen[text] != span
        if wanted == (Symbol,) and isinstance(value, str):
            _quoted(key, value, span, found, about)
        elif not isinstance(value, wanted) or isinstance(value, bool):
            what = f"names of {key}s" if wanted == (Symbol,) else "whole numbers"
            found.error(
                "wrong-type",
                f"the axis `{key}` takes {what}, and this is {type_name(value)}",
                span,
                about=about,
            )
        elif isinstance(value, int) and value < (least := _LEAST[key]):
            found.error("bad-value", f"`{key}` is {value}: it must be at least {least}", span, about=about)
        elif text in seen:
            found.error(
                "duplicate-value",
                f"`{text}` is twice in the axis `{key}`",
                span,
                "given again here" if again else "",
                also=[(seen[text], "first given here")] if again else [],
                about=about,
            )
        seen.setdefault(text, span)
    return _plain(values) if len(found) == before else None


def _quoted(key: str, value: str, span: Span, found: Diagnostics, about: str) -> None:
    found.error(
        "quoted-name",
        f"`{key}` takes a name, and a name has no quotes",
        span,
        about=about,
        help=[f"write `{value}`"],
    )


def whens_of(
    layered: Layered,
    axes: Sequence[AxisDecl],
    inheritance: Inheritance,
    found: Diagnostics,
    about: str,
    skips: bool = False,
) -> tuple[WhenDecl, ...]:
    """The `when`s (or `skip`s), each speaking only of axes and of values that they have."""
    made = []
    for node, file in layered.skips if skips else layered.whens:
        tests = _tests(node.tests, file, axes, inheritance, found, about)
        text = " and ".join(Span(file.source, test.start, test.end).text for test in node.tests)
        text = " ".join(text.split())
        origin = "skip"
        body: tuple[tree.Statement, ...] = ()
        gates: tuple[Gate, ...] = ()
        if isinstance(node, tree.When):
            origin, body = f"when {text}", node.body
            requires = [(s, file) for s in node.body if isinstance(s, tree.Require)]
            gates = gates_of(requires, inheritance, found, origin)
            _only_assignments(node, file, {axis.key for axis in axes}, found, about)
        if tests is not None:
            first, last = node.tests[0].start, node.tests[-1].end
            span = Span(file.source, node.start if skips else first, last)
            made.append(WhenDecl(tests, Block(file, body, origin), gates, text, span))
    return tuple(made)


def _only_assignments(node: tree.When, file: Loaded, axes: set[str], found: Diagnostics, about: str) -> None:
    for statement in node.body:
        if isinstance(statement, tree.Assign):
            key = statement.key.text
            if key not in Eval.model_fields:
                unknown_key(
                    found,
                    key,
                    file.span(statement.key),
                    sorted(Eval.model_fields),
                    "an eval",
                    about,
                )
            elif key in axes:
                found.error(
                    "misplaced",
                    f"a `when` cannot change the axis `{key}`",
                    file.span(statement.key),
                    about=about,
                    help=["`skip` the cells that are not wanted, or write a second eval"],
                )
        elif not isinstance(statement, tree.Require):
            found.error(
                "misplaced", "a `when` holds only `key = value` and `require`", file.span(statement), about=about
            )


def _tests(
    tests: Sequence[tree.Test],
    file: Loaded,
    axes: Sequence[AxisDecl],
    inheritance: Inheritance,
    found: Diagnostics,
    about: str,
) -> tuple[tuple[int, frozenset[tuple[str, Member]]], ...] | None:
    """Each test as an axis and the values it allows; `None` after an error."""
    made = []
    before = len(found)
    for test in tests:
        index = next((i for i, axis in enumerate(axes) if axis.key == test.key.text), None)
        if index is None:
            _not_an_axis(test, file, axes, found, about)
            continue
        wanted = _wanted(test, file, axes[index], inheritance, found, about)
        made.append((index, wanted))
    if len(found) > before:
        return None
    for index in {i for i, _ in made}:
        allowed = [wanted for i, wanted in made if i == index]
        if not frozenset.intersection(*allowed):
            found.error(
                "dead-condition",
                f"no value of `{axes[index].key}` satisfies this condition",
                Span(file.source, tests[0].start, tests[-1].end),
                about=about,
            )
            return None
    return tuple(made)


def _wanted(
    test: tree.Test,
    file: Loaded,
    axis: AxisDecl,
    inheritance: Inheritance,
    found: Diagnostics,
    about: str,
) -> frozenset[tuple[str, Member]]:
    try:
        value = Evaluator(inheritance.scope, file.source)(test.value)
    except EvalmakeError as error:
        found.extend(error.diagnostics)
        return frozenset()
    given = value if isinstance(value, tuple) else (value,)
    members = _plain(given)
    known = {tagged(known) for known in (*axis.declared, *axis.values)}
    for item in given:
        if axis.key in ("model", "benchmark") and isinstance(item, str):
            _quoted(axis.key, item, file.span(test.value), found, about)
    for member, span in zip(members, _among(test.value, file, len(members)), strict=True):
        if tagged(member) not in known:
            names = [str(v) for v in axis.declared]
            meant = closest(str(member), names)
            shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            found.error(
                "dead-condition",
                f"the axis `{axis.key}` has no value `{member}`, so this matches no cell",
                span,
                also=[(axis.span, f"its values are {shown}")],
                about=about,
                help=[f"did you mean `{meant}`?"] if meant else [],
            )
    return frozenset(tagged(member) for member in members)


def _not_an_axis(test: tree.Test, file: Loaded, axes: Sequence[AxisDecl], found: Diagnostics, about: str) -> None:
    names = [axis.key for axis in axes]
    meant = closest(test.key.text, names)
    found.error(
        "not-an-axis",
        f"`{test.key.text}` is not an axis of this eval",
        file.span(test.key),
        about=about,
        notes=[
            f"its axes are {', '.join(names)}"
            if names[1:]
            else f"its only axis is `{names[0]}`"
            if names
            else "it has no axes"
        ],
        help=[f"did you mean `{meant}`?"]
        if meant
        else ["conditions speak only of axes: make it one, or write a second eval"],
    )


def gates_of(
    requires: Sequence[tuple[tree.Require, Loaded]],
    inheritance: Inheritance,
    found: Diagnostics,
    when: str,
) -> tuple[Gate, ...]:
    """The requirements, their bounds evaluated."""
    gates = []
    for node, file in requires:
        try:
            bound = Evaluator(inheritance.scope, file.source)(node.value)
        except EvalmakeError as error:
            found.extend(error.diagnostics)
            continue
        if isinstance(bound, SecretRef):
            _no_secret(file.span(node.value), found)
            continue
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            found.error(
                "wrong-type",
                f"a requirement compares with a number, and this is {type_name(bound)}",
                file.span(node.value),
            )
            continue
        metric = node.metric.text.strip("\"'")
        gates.append(Gate(metric, node.op, float(bound), file.span(node), when))
    return tuple(gates)
