"""Evaluates expressions: literals, variables, interpolation, lists and maps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from evalmake.language import tree
from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.functions import Functions
from evalmake.language.money import Money, Price
from evalmake.language.parser import MAX_NESTING
from evalmake.language.source import Source, Span
from evalmake.language.text import dedent, unescape, unquote
from evalmake.language.value_limits import (
    ValueExtents,
    read_amount,
    read_duration,
    read_number,
    read_percent,
    read_size,
)
from evalmake.language.values import (
    Digest,
    Duration,
    SecretRef,
    Size,
    Symbol,
    Template,
    Value,
    describe_type,
)

# `$${` is a literal `${`; any other `${...}` on one line is an interpolation.
_INTERPOLATION = re.compile(r"\$\$\{|\$\{([^}\n]*)\}")
_LONGEST_RANGE = 1_000_000
_AMOUNTS = {"MONEY": Money, "PRICE": Price}


@dataclass
class Binding:
    """A variable: its declaration, and its override if it has one."""

    source: Source
    node: tree.Variable
    override: Value | None = None
    overridden: bool = False
    override_node: tree.Expr | None = None
    replaced: Binding | None = None
    """The declaration in whose place it stands, as it is in a file of `include?`."""

    @property
    def location(self) -> str:
        """Where it is declared, as `Evalfile:3`."""
        return self.source.span(self.node.start).location

    @property
    def span(self) -> Span:
        """The whole declaration."""
        return Span(self.source, self.node.start, self.node.end)

    def value_node(self, declared: bool = False) -> tree.Expr:
        """The expression of its value; `declared` ignores an override."""
        return self.node.value if declared or self.override_node is None else self.override_node


class Scope:
    """The variables of an Evalfile and its includes; each is evaluated when first used."""

    def __init__(self, bindings: Mapping[str, Binding], external: ExternalInputs) -> None:
        self.bindings = bindings
        self.external = external
        self._values: dict[tuple[str, bool], Value] = {}
        self._in_progress: dict[str, int] = {}  # how deep the variables are that each has used so far
        self._depths: dict[str, int] = {}
        self.extents = ValueExtents()
        self.failed: dict[str, EvalmakeError] = {}

    def variable(self, name: str, span: Span, declared: bool = False) -> Value:
        """The value of a variable; `declared` ignores overrides."""
        binding = self.bindings.get(name)
        if binding is None:
            meant = closest_name(name, self.bindings)
            if meant:
                hint = f"did you mean `{meant}`, declared at {_declared_at(self.bindings[meant])}?"
            else:
                alone = span.source.text[: span.start].endswith("${")
                hint = f'`{name} = VALUE` declares it; `env("{name}")` reads the environment'
                hint += "" if alone else "; a text has quotes"
            raise make_error("unknown-variable", f"no variable is named `{name}`", span, help=[hint])
        if name in self.failed:
            raise EvalmakeError(self.failed[name].diagnostics)
        if (name, declared) not in self._values:
            self._evaluate(name, binding, span, declared)
        if self._in_progress:
            user = next(reversed(self._in_progress))
            self._in_progress[user] = max(self._in_progress[user], self._depths[name] + 1)
            if self._in_progress[user] > MAX_NESTING:
                raise _too_deep_error(span)
        return self._values[name, declared]

    def _evaluate(self, name: str, binding: Binding, span: Span, declared: bool) -> None:
        """Evaluate a variable, and note how deep the variables are that it uses."""
        if name in self._in_progress:
            names = list(self._in_progress)
            ring = " -> ".join([*names[names.index(name) :], name])
            raise make_error("variable-cycle", f"the variable `{name}` depends on itself: {ring}", span)
        if len(self._in_progress) > MAX_NESTING:
            raise _too_deep_error(span)
        self._in_progress[name] = 0
        try:
            if binding.overridden and not declared:
                value = binding.override
            else:
                value = Evaluator(self, binding.source, declared=declared)(binding.node.value)
        except EvalmakeError as error:
            self.failed[name] = error
            raise
        except RecursionError:
            self.failed[name] = _too_deep_error(span)
            raise self.failed[name] from None
        finally:
            depth = self._in_progress.pop(name)
        self._depths[name] = max(depth, self._depths.get(name, 0))
        self._values[name, declared] = value


def _too_deep_error(span: Span) -> EvalmakeError:
    return make_error(
        "too-deep",
        f"variables use each other more than {MAX_NESTING} deep",
        span,
        help=["give one of them its value directly"],
    )


def _declared_at(binding: Binding) -> str:
    return binding.location


class Evaluator:
    """Evaluates the expressions of one file; `axes` are names that `${name}` may mean besides variables."""

    def __init__(
        self,
        scope: Scope,
        source: Source,
        axes: frozenset[str] = frozenset(),
        declared: bool = False,
    ) -> None:
        self.scope = scope
        self.source = source
        self.axes = axes
        self.declared = declared

    def span(self, node: tree.Expr | tree.Name) -> Span:
        """The span of `node`."""
        return Span(self.source, node.start, node.end)

    def __call__(self, node: tree.Expr) -> Value:
        match node:
            case tree.Literal():
                return self._evaluate_literal(node)
            case tree.Reference():
                return Symbol(node.text)
            case tree.Use():
                return self.scope.variable(node.text, self.span(node), self.declared)
            case tree.Range():
                return self._evaluate_range(node)
            case tree.ListOf():
                items = tuple(self._evaluate_item(item, "a list") for item in node.items)
                self.scope.extents.check(items, self.span(node))
                return items
            case tree.MapOf():
                return self._evaluate_map(node)
            case tree.Call():
                return Functions(self.source, self.scope.external, self).call(node)

    def evaluate_secrets(self, node: tree.Expr) -> Value:
        """The value of a key that takes a list of secrets, as no other list may hold one."""
        if not isinstance(node, tree.ListOf):
            return self(node)
        items = tuple(self(item) for item in node.items)
        self.scope.extents.check(items, self.span(node))
        return items

    def _evaluate_item(self, item: tree.Expr, holder: str) -> Value:
        value = self(item)
        if isinstance(value, SecretRef):
            raise make_error(
                "secret-place",
                f"{holder} cannot contain a secret",
                self.span(item),
                help=["give it to a key that takes a secret, such as `api_key`, or to an `env` map"],
            )
        return value

    def _evaluate_literal(self, node: tree.Literal) -> Value:
        text = node.text
        match node.kind:
            case "STRING":
                return self._check_text(self._evaluate_string(node), node)
            case "RAW":
                return self._check_text(dedent(text[3:-3]) if text.startswith("'''") else text[1:-1], node)
            case "NUMBER":
                return read_number(text, self.span(node))
            case "DURATION":
                return read_duration(text, self.span(node))
            case "SIZE":
                return read_size(text, self.span(node))
            case "PERCENT":
                return read_percent(text, self.span(node))
            case "MONEY" | "PRICE":
                return read_amount(_AMOUNTS[node.kind], text, self.span(node))
            case "DIGEST":
                return self._evaluate_digest(node)
        return {"TRUE": True, "FALSE": False, "NONE": None}[node.kind]

    def _check_text(self, text: str | Template, node: tree.Literal) -> str | Template:
        self.scope.extents.check(text, self.span(node))
        parts = text.parts if isinstance(text, Template) else (text,)
        if any("\0" in part for part in parts if isinstance(part, str)):
            raise make_error("bad-escape", "a text cannot contain the character NUL", self.span(node))
        return text

    def _evaluate_digest(self, node: tree.Literal) -> Digest:
        algorithm, _, digits = node.text.partition(":")
        wanted = 64 if algorithm == "sha256" else 32
        if len(digits) != wanted:
            raise make_error(
                "bad-digest",
                f"a {algorithm} digest has {wanted} digits, but this one has {len(digits)}",
                self.span(node),
            )
        return Digest(node.text)

    def _evaluate_range(self, node: tree.Range) -> Value:
        ends = [self._evaluate_literal(end) for end in (node.first, node.last)]
        if not all(isinstance(end, int) for end in ends):
            raise make_error("bad-value", "a range goes from one whole number to another", self.span(node))
        first, last = int(str(ends[0])), int(str(ends[1]))
        if last < first:
            raise make_error(
                "bad-value",
                f"the range {node.first.text}..{node.last.text} is empty",
                self.span(node),
                help=[f"write {last}..{first}: a range counts upwards and includes both ends"],
            )
        if last - first >= _LONGEST_RANGE:
            raise make_error(
                "too-many-cells",
                f"a range of {last - first + 1} numbers is more than 1000000",
                self.span(node),
            )
        return tuple(range(first, last + 1))

    def _evaluate_map(self, node: tree.MapOf) -> Value:
        found: dict[str, Value] = {}
        places: dict[str, tree.Pair] = {}
        for pair in node.pairs:
            key = unquote(pair.key.text)
            if key in found:
                raise make_error(
                    "duplicate-key",
                    f"`{key}` is given twice in one map",
                    self.span(pair.key),
                    "given again here",
                    also=[(self.span(places[key].key), "first given here")],
                )
            found[key], places[key] = self(pair.value), pair
        self.scope.extents.check(found, self.span(node))
        return found

    def _evaluate_string(self, node: tree.Literal) -> str | Template:
        long = node.text.startswith('"""')
        body = dedent(node.text[3:-3]) if long else node.text[1:-1]
        offset = node.start + (3 if long else 1)
        parts: list[str | Symbol] = []
        at = 0
        for hole in _INTERPOLATION.finditer(body):
            parts.append(self._unescape(body[at : hole.start()], node))
            at = hole.end()
            if hole[0] == "$${":
                parts.append("${")
            else:
                parts.append(self._interpolate(hole[1], node, offset + hole.start(1), long))
        parts.append(self._unescape(body[at:], node))
        if all(isinstance(part, str) for part in parts):
            return "".join(str(part) for part in parts)
        return Template(tuple(part for part in parts if part != ""))

    def _interpolate(self, name: str, node: tree.Literal, at: int, long: bool) -> str | Symbol:
        span = self.span(node) if long else Span(self.source, at, max(at + len(name), at + 1))
        if name in self.axes:
            return Symbol(name)
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            known = f", or of an axis ({', '.join(sorted(self.axes))})" if self.axes else ""
            raise make_error(
                "bad-interpolation",
                f"`${{{name}}}` names neither a variable nor an axis",
                span,
                help=[f"use the name of an UPPER_CASE variable{known}; `$${{` is a literal `${{`"],
            )
        value = self.scope.variable(name, span, self.declared)
        match value:
            case SecretRef():
                raise make_error(
                    "secret-place",
                    "a text cannot contain a secret",
                    span,
                    help=["give it to a key that takes a secret, such as `api_key`, or to an `env` map"],
                )
            case bool() | None:
                return "none" if value is None else str(value).lower()
            case str() | int() | float() | Duration() | Size() | Digest() | Money() | Price():
                return str(value)
        raise make_error("bad-interpolation", f"`{name}` is {describe_type(value)} and cannot be part of a text", span)

    def _unescape(self, text: str, node: tree.Literal) -> str:
        try:
            return unescape(text)
        except ValueError as error:
            message, help_ = error.args
            raise make_error("bad-escape", message, self.span(node), help=[help_]) from None
