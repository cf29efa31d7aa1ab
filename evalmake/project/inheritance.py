"""Which value holds for a key: `when`, own block, `from` parents, `defaults`; each with its span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalmake.language import tree
from evalmake.language.diagnostic import Diagnostics, EvalmakeError, closest
from evalmake.language.expressions import Evaluator, Scope
from evalmake.language.source import Span
from evalmake.project import catalog
from evalmake.project.fields import Fields, Written
from evalmake.project.includes import Loaded
from evalmake.project.schema import AXES


@dataclass(frozen=True, slots=True)
class Stated:
    """A declaration as written, with the file it stands in."""

    node: tree.Declaration
    file: Loaded

    @property
    def span(self) -> Span:
        """Its head: kind and name, and its parent's name where it has one."""
        end = (self.node.parent or self.node.name).end
        return Span(self.file.source, self.node.kind.start, end)

    @property
    def name_span(self) -> Span:
        """Its name."""
        return self.file.span(self.node.name)


@dataclass(frozen=True, slots=True)
class Block:
    """One layer of statements: whose file, and what to call its values' origin."""

    file: Loaded
    body: tuple[tree.Statement, ...]
    origin: str


@dataclass(slots=True)
class Layered:
    """All statements that reach a declaration, merged; axes and conditions only for evals."""

    fields: Fields = field(default_factory=Fields)
    axes: dict[str, tuple[tree.Axis, Loaded]] = field(default_factory=dict)
    whens: list[tuple[tree.When, Loaded]] = field(default_factory=list)
    skips: list[tuple[tree.Skip, Loaded]] = field(default_factory=list)
    requires: list[tuple[tree.Require, Loaded]] = field(default_factory=list)


class Inheritance:
    """Resolves declarations of one kind at a time."""

    def __init__(
        self,
        stated: Mapping[tuple[str, str], Stated],
        defaults: Mapping[tuple[int, str], Sequence[Block]],
        scope: Scope,
        found: Diagnostics,
    ) -> None:
        self.stated = stated
        self.defaults = defaults
        self.scope = scope
        self.found = found
        self._evaluated: dict[tuple[int, str, frozenset[str]], tuple[Any, Written, dict[str, Written]]] = {}

    def layers(self, declared: Stated) -> list[Block] | None:
        """The blocks that reach a declaration, furthest first; `None` after a bad `from`."""
        kind = declared.node.kind.text
        chain = [declared]
        while parent := chain[-1].node.parent:
            child = chain[-1]
            above = self.stated.get((kind, parent.text))
            if above is None:
                self._no_parent(kind, parent, child)
                return None
            if above in chain:
                if above.node.name.text != min(s.node.name.text for s in chain[chain.index(above) :]):
                    return None  # the ring is told once, at its first name
                ring = " -> ".join(s.node.name.text for s in [*chain[chain.index(above) :], above])
                self.found.error(
                    "inheritance-cycle",
                    f"{kind} `{above.node.name.text}` inherits from itself: {ring}",
                    child.file.span(parent),
                )
                return None
            chain.append(above)
        blocks: list[Block] = []
        for link in _files(chain):
            blocks += self.defaults.get((id(link), kind), ())
        for link_ in reversed(chain):
            origin = "own" if link_ is declared else f"from {link_.node.name.text}"
            blocks.append(Block(link_.file, link_.node.body, origin))
        return blocks

    def resolve(self, declared: Stated) -> Layered | None:
        """Merge every layer of `declared`; `None` when a value in it was wrong."""
        blocks = self.layers(declared)
        if blocks is None:
            return None
        layered, before = Layered(), len(self.found)
        axes = frozenset(AXES) if declared.node.kind.text == "eval" else frozenset()
        for block in blocks:
            self.lay(layered, block, axes, declared.node.kind.text == "eval")
        return layered if len(self.found) == before else None

    def lay(self, layered: Layered, block: Block, axes: frozenset[str], is_eval: bool) -> None:
        """Lay one block over what is there."""
        evaluator = Evaluator(self.scope, block.file.source, axes)
        for statement in block.body:
            if not is_eval and not isinstance(statement, tree.Assign):
                self._only_evals(statement, block.file)
                continue
            match statement:
                case tree.Assign():
                    layered.axes.pop(statement.key.text, None)
                    self.assign(layered.fields, statement, block, evaluator)
                case tree.Axis():
                    layered.fields.values.pop(statement.key.text, None)
                    layered.axes.pop(statement.key.text, None)
                    layered.axes[statement.key.text] = (statement, block.file)
                case tree.When():
                    layered.whens.append((statement, block.file))
                case tree.Skip():
                    layered.skips.append((statement, block.file))
                case tree.Require():
                    layered.requires.append((statement, block.file))
        self._twice(block)

    def assign(self, fields: Fields, statement: tree.Assign, block: Block, evaluator: Evaluator) -> None:
        """Evaluate one `key = value` into `fields`; a default only once for all it reaches."""
        key = (id(statement), block.origin, evaluator.axes)
        if key not in self._evaluated:
            try:
                value = evaluator(statement.value)
            except EvalmakeError as error:
                self.found.extend(error.diagnostics)
                return
            self._evaluated[key] = (value, *_written(statement, block, value))
        fields.put(statement.key.text, *self._evaluated[key])

    def _twice(self, block: Block) -> None:
        seen: dict[str, tree.Name] = {}
        for statement in block.body:
            if not isinstance(statement, tree.Assign | tree.Axis):
                continue
            key = statement.key
            if key.text in seen:
                self.found.error(
                    "duplicate-key",
                    f"`{key.text}` is given twice",
                    block.file.span(key),
                    "given again here",
                    also=[(block.file.span(seen[key.text]), "first given here")],
                )
            seen[key.text] = key

    def _no_parent(self, kind: str, parent: tree.Name, child: Stated) -> None:
        names = {name: s for (k, name), s in self.stated.items() if k == kind}
        meant = closest(parent.text, names)
        hint = []
        if meant:
            hint = [f"did you mean `{meant}`, declared at {names[meant].span.place}?"]
        elif kind == "benchmark":
            hint = catalog.suggestions(parent.text)
        elsewhere = [k for (k, name) in self.stated if name == parent.text and k != kind]
        notes = [f"there is a {elsewhere[0]} of that name, but `from` inherits within a kind"] if elsewhere else []
        self.found.error(
            "unknown-name",
            f"no {kind} is named `{parent.text}`",
            child.file.span(parent),
            about=f"{kind} {child.node.name.text}",
            notes=notes,
            help=hint,
        )

    def _only_evals(self, statement: tree.Statement, file: Loaded) -> None:
        word = {tree.Axis: "in", tree.When: "when", tree.Skip: "skip", tree.Require: "require"}[type(statement)]
        self.found.error(
            "misplaced",
            f"`{word}` belongs in an eval",
            file.span(statement),
            help=["only an eval has axes, conditions and requirements"],
        )


def _written(statement: tree.Assign, block: Block, value: object) -> tuple[Written, dict[str, Written]]:
    """Where a value stands, and where the entries of a map do."""
    file = block.file
    inner: dict[str, Written] = {}
    if isinstance(statement.value, tree.MapOf):
        for pair in statement.value.pairs:
            name = pair.key.text.strip("\"'")
            inner[name] = Written(file.span(pair.key), file.span(pair.value), block.origin)
    elif isinstance(value, dict):
        place = Written(file.span(statement.value), file.span(statement.value), block.origin)
        inner = dict.fromkeys(value, place)
    return Written(file.span(statement.key), file.span(statement.value), block.origin), inner


def _files(chain: Sequence[Stated]) -> list[Loaded]:
    """The chain's files, the declaration's own first: a parent's defaults are nearer to its blocks."""
    files: list[Loaded] = []
    for link in chain:
        if not any(link.file is file for file in files):
            files.append(link.file)
    return files
