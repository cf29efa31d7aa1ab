"""Merges the layers of a declaration: `defaults`, `from` parents, its own block, `when`. The nearest wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalmake.language import tree
from evalmake.language.diagnostic import Diagnostics, EvalmakeError, closest_name
from evalmake.language.expressions import Evaluator, Scope
from evalmake.language.parser import MAX_NESTING
from evalmake.language.source import Span
from evalmake.project import catalog
from evalmake.project.axis_keys import find_overlap
from evalmake.project.fields import Fields, ValueOrigin
from evalmake.project.includes import LoadedFile
from evalmake.project.key_types import LISTS_OF_SECRETS
from evalmake.project.schema import AXIS_KEYS


@dataclass(frozen=True, slots=True)
class ParsedDeclaration:
    """A declaration in the syntax tree, with its file."""

    node: tree.Declaration
    file: LoadedFile

    @property
    def span(self) -> Span:
        """Its head: kind, name and parents."""
        return Span(self.file.source, self.node.kind.start, self.node.head_end)

    @property
    def name_span(self) -> Span:
        """The span of its name."""
        return self.file.span(self.node.name)


@dataclass(frozen=True, slots=True)
class Layer:
    """A block of statements, its file, and the origin that `evalmake show` prints for its values."""

    file: LoadedFile
    body: tuple[tree.Statement, ...]
    origin: str


@dataclass(slots=True)
class MergedLayers:
    """The layers of a declaration, merged; only evals have axes and conditions."""

    fields: Fields = field(default_factory=Fields)
    axes: dict[str, tuple[tree.Axis, LoadedFile]] = field(default_factory=dict)
    whens: list[tuple[tree.When, LoadedFile]] = field(default_factory=list)
    skips: list[tuple[tree.Skip, LoadedFile]] = field(default_factory=list)
    requires: list[tuple[tree.Require, LoadedFile]] = field(default_factory=list)


class Inheritance:
    """Finds the layers of declarations and merges them."""

    def __init__(
        self,
        parsed: Mapping[tuple[str, str], ParsedDeclaration],
        defaults: Mapping[tuple[int, str], Sequence[Layer]],
        scope: Scope,
        diagnostics: Diagnostics,
    ) -> None:
        self.parsed = parsed
        self.defaults = defaults
        self.scope = scope
        self.diagnostics = diagnostics
        self._has_deep_chain = False
        self._evaluated: dict[tuple[int, str, frozenset[str]], tuple[Any, ValueOrigin, dict[str, ValueOrigin]]] = {}

    def layers(self, declaration: ParsedDeclaration) -> list[Layer] | None:
        """The layers of a declaration, farthest first; `None` after a bad `from`."""
        kind = declaration.node.kind.text
        line = self._find_line(declaration)
        if line is None:
            return None
        # A later layer wins. First the defaults of every file of the line: those of a parent's file belong to the
        # parent, so they beat those of the declaration's own file. Then the blocks, the declaration's own last.
        blocks: list[Layer] = []
        for file in _distinct_files(line):
            blocks += self.defaults.get((id(file), kind), ())
        for link in line:
            origin = "own" if link is declaration else f"from {link.node.name.text}"
            blocks.append(Layer(link.file, link.node.body, origin))
        return blocks

    def _find_line(self, declaration: ParsedDeclaration) -> list[ParsedDeclaration] | None:
        """All that a declaration inherits from, and itself last: each once, after its own parents.

        Of two parents, the one that is named last comes later, unless the other inherits from it.
        """
        found: dict[int, ParsedDeclaration] = {}
        chain = [declaration]
        pending = [iter(declaration.node.parents)]
        self._check_parents(declaration)
        while chain:
            child, parent = chain[-1], next(pending[-1], None)
            if parent is None:
                found[id(child)] = chain.pop()
                pending.pop()
                continue
            above = self.parsed.get((child.node.kind.text, parent.text))
            if above is None:
                self._report_missing_parent(child.node.kind.text, parent, child)
                return None
            if any(above is link for link in chain):
                self._report_cycle(chain, above, parent)
                return None
            if id(above) in found:
                continue
            chain.append(above)
            self._check_parents(above)
            pending.append(iter(above.node.parents))
            if len(chain) > MAX_NESTING:
                self._report_deep_chain(declaration)
                return None
        return list(found.values())

    def _check_parents(self, declaration: ParsedDeclaration) -> None:
        """Refuse a parent that is named twice."""
        first: dict[str, tree.Name] = {}
        for parent in declaration.node.parents:
            if parent.text in first:
                self.diagnostics.error(
                    "duplicate-name",
                    f"the parent `{parent.text}` is named twice",
                    declaration.file.span(parent),
                    "named again here",
                    also=[(declaration.file.span(first[parent.text]), "first named here")],
                    about=f"{declaration.node.kind.text} {declaration.node.name.text}",
                    help=["leave one of them out"],
                )
            first.setdefault(parent.text, parent)

    def _report_cycle(self, chain: Sequence[ParsedDeclaration], above: ParsedDeclaration, parent: tree.Name) -> None:
        """Report a declaration that inherits from itself: once for each cycle, at its first name."""
        ring = [one.node.name.text for one in chain[[one is above for one in chain].index(True) :]]
        if above.node.name.text == min(ring):
            self.diagnostics.error(
                "inheritance-cycle",
                f"{above.node.kind.text} `{ring[0]}` inherits from itself: {' -> '.join([*ring, ring[0]])}",
                chain[-1].file.span(parent),
            )

    def _report_deep_chain(self, declaration: ParsedDeclaration) -> None:
        """Report the first chain of `from` that is too long; those who inherit from it are no news."""
        if not self._has_deep_chain:
            self._has_deep_chain = True
            self.diagnostics.error(
                "too-deep",
                f"declarations inherit from each other more than {MAX_NESTING} deep",
                declaration.file.span(declaration.node.parents[0]),
                help=["inherit from one of the first, and repeat the keys that change"],
            )

    def resolve(self, declaration: ParsedDeclaration) -> MergedLayers | None:
        """Merge all layers of `declaration`; `None` after an error."""
        blocks = self.layers(declaration)
        if blocks is None:
            return None
        merged, before = MergedLayers(), len(self.diagnostics)
        axes: frozenset[str] = frozenset()
        if declaration.node.kind.text == "eval":
            written = (statement for block in blocks for statement in block.body)
            axes = frozenset((*AXIS_KEYS, *(one.key.text for one in written if isinstance(one, tree.Axis))))
        for block in blocks:
            self.apply_layer(merged, block, axes, declaration.node.kind.text == "eval")
        return merged if len(self.diagnostics) == before else None

    def apply_layer(self, merged: MergedLayers, block: Layer, axes: frozenset[str], is_eval: bool) -> None:
        """Apply one layer; its values win over those of earlier layers."""
        evaluator = Evaluator(self.scope, block.file.source, axes)
        assigned: dict[str, tuple[tree.Name, Any]] = {}
        for statement in block.body:
            if not is_eval and not isinstance(statement, tree.Assign):
                self.report_eval_only(statement, block.file)
                continue
            match statement:
                case tree.Assign():
                    merged.axes.pop(statement.key.text, None)
                    value = self.assign(merged.fields, statement, block, evaluator)
                    assigned[statement.key.text] = (statement.key, value)
                    while axis := find_overlap(statement.key.text, value, merged.axes):
                        self._replace_axis(merged, axis, statement, block)
                case tree.Axis():
                    merged.fields.values.pop(statement.key.text, None)
                    self._put_axis(merged, statement, block, assigned)
                case tree.When():
                    merged.whens.append((statement, block.file))
                case tree.Skip():
                    merged.skips.append((statement, block.file))
                case tree.Require():
                    merged.requires.append((statement, block.file))
        self._check_duplicate_keys(block)

    def _put_axis(
        self, merged: MergedLayers, axis: tree.Axis, block: Layer, assigned: Mapping[str, tuple[tree.Name, Any]]
    ) -> None:
        """Add an axis, which replaces one of a farther layer; `assigned` has the values of its own layer above it."""
        key = axis.key.text
        for other, (node, _) in [*merged.axes.items()]:
            if other == key or other.startswith(f"{key}.") or key.startswith(f"{other}."):
                del merged.axes[other]
                if other != key and any(node is own for own in block.body):
                    self._report_twice(max(key, other, key=len), axis.key, node.key, block)
        root = assigned.get(key.partition(".")[0])
        if root and find_overlap(root[0].text, root[1], [key]):
            self._report_twice(key, root[0], axis.key, block)
        merged.axes[key] = (axis, block.file)

    def _replace_axis(self, merged: MergedLayers, axis: str, statement: tree.Assign, block: Layer) -> None:
        """Take away a farther layer's axis that an entry of `params` or `adapter` replaces."""
        node, _ = merged.axes.pop(axis)
        if any(node is own for own in block.body):
            self._report_twice(axis, statement.key, node.key, block)

    def assign(self, fields: Fields, statement: tree.Assign, block: Layer, evaluator: Evaluator) -> Any:
        """Evaluate one `key = value` into `fields`; a statement that several inherit is evaluated once."""
        key = (id(statement), block.origin, evaluator.axes)
        if key not in self._evaluated:
            try:
                takes_secrets = statement.key.text in LISTS_OF_SECRETS
                value = (evaluator.evaluate_secrets if takes_secrets else evaluator)(statement.value)
            except EvalmakeError as error:
                self.diagnostics.extend(error.diagnostics)
                return {}
            self._evaluated[key] = (value, *_find_origins(statement, block, value))
        fields.put(statement.key.text, *self._evaluated[key])
        return self._evaluated[key][0]

    def _check_duplicate_keys(self, block: Layer) -> None:
        seen: dict[str, tree.Name] = {}
        for statement in block.body:
            if not isinstance(statement, tree.Assign | tree.Axis):
                continue
            key = statement.key
            if key.text in seen:
                self._report_twice(key.text, key, seen[key.text], block)
            seen[key.text] = key

    def _report_twice(self, what: str, one: tree.Name, other: tree.Name, block: Layer) -> None:
        first, again = sorted((one, other), key=lambda key: key.start)
        self.diagnostics.error(
            "duplicate-key",
            f"`{what}` is given twice",
            block.file.span(again),
            "given again here",
            also=[(block.file.span(first), "first given here")],
        )

    def _report_missing_parent(self, kind: str, parent: tree.Name, child: ParsedDeclaration) -> None:
        names = {name: s for (k, name), s in self.parsed.items() if k == kind}
        meant = closest_name(parent.text, names)
        hint = []
        if meant:
            hint = [f"did you mean `{meant}`, declared at {names[meant].span.location}?"]
        elif kind == "benchmark":
            hint = catalog.suggest_benchmarks(parent.text)
        elsewhere = [k for (k, name) in self.parsed if name == parent.text and k != kind]
        notes = [f"there is a {elsewhere[0]} of that name, but `from` inherits within a kind"] if elsewhere else []
        self.diagnostics.error(
            "unknown-name",
            f"no {kind} is named `{parent.text}`",
            child.file.span(parent),
            about=f"{kind} {child.node.name.text}",
            notes=notes,
            help=hint,
        )

    def report_eval_only(self, statement: tree.Statement, file: LoadedFile) -> None:
        word = {tree.Axis: "in", tree.When: "when", tree.Skip: "skip", tree.Require: "require"}[type(statement)]
        self.diagnostics.error(
            "misplaced",
            f"`{word}` belongs in an eval",
            file.span(statement),
            help=[_suggest_eval(statement, file)],
        )


def _find_origins(statement: tree.Assign, block: Layer, value: object) -> tuple[ValueOrigin, dict[str, ValueOrigin]]:
    """The origin of a value, and those of its entries if it is a map."""
    file = block.file
    inner: dict[str, ValueOrigin] = {}
    if isinstance(statement.value, tree.MapOf):
        for pair in statement.value.pairs:
            name = pair.key.text.strip("\"'")
            inner[name] = ValueOrigin(file.span(pair.key), file.span(pair.value), block.origin)
    elif isinstance(value, dict):
        place = ValueOrigin(file.span(statement.value), file.span(statement.value), block.origin)
        inner = dict.fromkeys(value, place)
    return ValueOrigin(file.span(statement.key), file.span(statement.value), block.origin), inner


def _distinct_files(line: Sequence[ParsedDeclaration]) -> list[LoadedFile]:
    """The files of a line of parents, each once; the declaration's own comes first."""
    return list({id(link.file): link.file for link in reversed(line)}.values())


_OF_MODELS = ("api", "api_key", "deployment", "endpoint", "name", "price")
"""Keys of models that no axis goes over."""


def _suggest_eval(statement: tree.Statement, file: LoadedFile) -> str:
    """What to write in an eval in place of a statement that only an eval has."""
    if not isinstance(statement, tree.Axis):
        return "only an eval has axes, conditions and requirements"
    written, key = file.span(statement).text, statement.key.text
    if key in _OF_MODELS:
        return f"a model has one `{key}`: declare a model for each, and write `model in [a, b]` in an eval"
    if '"' in written or "'" in written:
        return f"only an eval has axes; write it there, by the names of variables: `{key} in [SHORT, LONG]`"
    return f"only an eval has axes; write it there: `{' '.join(written.split())}`"
