"""The one layout of an Evalfile: only whitespace and commas change, and order never does."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalmake.language import tree
from evalmake.language.parser import parse
from evalmake.language.source import Source

WIDTH = 100
STEP = 4

_Brackets = tree.ListOf | tree.MapOf | tree.Call
_Bound = tree.Assign | tree.Axis | tree.Variable | tree.Pair


def format_source(source: Source) -> str:
    """The text of `source` laid out anew; EvalmakeError when it does not parse."""
    return _Formatter(source).file()


@dataclass(slots=True)
class _Entry:
    """A line's worth of a sequence: a node, or a comment where `node` is none."""

    node: Any
    comment: str = ""
    blank: bool = False
    text: str = ""
    broken: bool = False


@dataclass(slots=True)
class _Run:
    """Neighbouring assignments, whose operators stand in one column."""

    entries: list[_Entry] = field(default_factory=list)

    def width(self) -> int:
        """How wide the names are."""
        return max(len(_left(entry.node)) for entry in self.entries)


class _Formatter:
    def __init__(self, source: Source) -> None:
        self.text = source.text
        self.tree = parse(source)
        self.starts = [start for start, _ in self.tree.comments]

    def file(self) -> str:
        """The whole text."""
        _, lines = self._sequence(self.tree.items, None, len(self.text), 0, self._item)
        return "\n".join(lines) + "\n" if lines else ""

    # Sequences: items, statements, pairs and list entries, each with the comments about it.

    def _sequence(
        self,
        nodes: Sequence[Any],
        opened: int | None,
        closed: int,
        indent: int,
        render: Callable[[Any, int], str],
    ) -> tuple[str, list[str]]:
        """What is said of the opening bracket (which ends at `opened`), and the lines within."""
        head, entries = self._entries(nodes, opened, closed)
        for entry in entries:
            if entry.node is not None and not isinstance(entry.node, _Bound):
                entry.text = render(entry.node, indent)
        self._align(entries, indent)
        lines: list[str] = []
        for entry in entries:
            lines += [""] if entry.blank and lines else []
            parts = [part for part in (entry.text, entry.comment) if part]
            lines.append(" " * indent + "  ".join(parts))
        return head, lines

    def _entries(self, nodes: Sequence[Any], opened: int | None, closed: int) -> tuple[str, list[_Entry]]:
        head = ""
        entries: list[_Entry] = []
        at = opened or 0
        for node in [*nodes, None]:
            until = closed if node is None else node.start
            for start, end in self._comments(at, until):
                comment = _comment(self.text[start:end], first=start == 0)
                beside = "\n" not in self.text[at:start]
                if beside and entries and entries[-1].node is not None:
                    entries[-1].comment = comment
                elif beside and not entries and opened is not None:
                    head = comment
                else:
                    entries.append(_Entry(None, comment, self._blank(at, start)))
                at = end
            if node is not None:
                entries.append(_Entry(node, blank=self._blank(at, node.start)))
                at = node.end
        return head, entries

    def _comments(self, start: int, end: int) -> Sequence[tuple[int, int]]:
        return self.tree.comments[bisect_left(self.starts, start) : bisect_left(self.starts, end)]

    def _blank(self, start: int, end: int) -> bool:
        return bool(re.search(r"\n[ \t\r]*\n", self.text[start:end]))

    def _align(self, entries: list[_Entry], indent: int) -> None:
        """Line up the operators of each run; what then does not fit is broken, and ends its run.

        Once broken it stays so even where it would fit again, or a second pass would join it.
        """
        for entry in entries:
            if isinstance(entry.node, _Bound):
                entry.broken = "\n" in self._bound(entry.node, indent, 0)
        settled = False
        while not settled:
            settled = True
            for run in _runs(entries):
                for entry in run.entries:
                    entry.text = self._bound(entry.node, indent, run.width(), entry.broken)
                    if "\n" in entry.text and not entry.broken:
                        entry.broken, settled = True, False

    # Items and statements.

    def _item(self, node: tree.Item, indent: int) -> str:
        match node:
            case tree.Include():
                words = ["include?" if node.maybe else "include", node.path.text]
                return " ".join(words + ([node.digest.text] if node.digest else []))
            case tree.Alias():
                return _alias(node)
            case tree.SettingsBlock():
                return self._block("settings", node, node.start, indent)
            case tree.Defaults():
                return self._block(f"defaults {node.kind.text}", node, node.kind.end, indent)
            case tree.Declaration():
                head = f"{node.kind.text} {node.name.text}"
                if node.parent:
                    head += f" from {node.parent.text}"
                return self._block(head, node, (node.parent or node.name).end, indent)
        raise AssertionError(node)  # a variable is laid out with its run

    def _statement(self, node: tree.Statement, indent: int) -> str:
        match node:
            case tree.When():
                head = "when " + self._condition(node.tests, indent, 5)
                return self._block(head, node, node.tests[-1].end, indent)
            case tree.Skip():
                return "skip " + self._condition(node.tests, indent, 5)
            case tree.Require():
                head = f"require {node.metric.text} {node.op} "
                return head + self._expr(node.value, indent, indent + len(head))
        raise AssertionError(node)

    def _condition(self, tests: Sequence[tree.Test], indent: int, before: int) -> str:
        text = ""
        for test in tests:
            text += " and " if text else ""
            text += f"{test.key.text} {'in' if test.among else '='} "
            text += self._expr(test.value, indent, _column(text, indent + before))
        return text

    def _block(
        self,
        head: str,
        node: tree.When | tree.SettingsBlock | tree.Defaults | tree.Declaration,
        after: int,
        indent: int,
    ) -> str:
        opened = self.text.index("{", after) + 1
        body = node.body
        written = self.text[opened : node.end]
        if not body and not self._comments(opened, node.end):
            return f"{head} {{}}"
        if len(body) == 1 and "\n" not in written:
            inner = body[0]
            text = self._bound(inner, indent, 0) if isinstance(inner, _Bound) else self._statement(inner, indent)
            line = f"{head} {{ {text} }}"
            if "\n" not in line and indent + len(line) <= WIDTH:
                return line
        said, lines = self._sequence(body, opened, node.end - 1, indent + STEP, self._statement)
        return "\n".join([f"{head} {{{_beside(said)}", *lines, " " * indent + "}"])

    # Values.

    def _bound(self, node: _Bound, indent: int, width: int, broken: bool = False) -> str:
        left = f"{_left(node):{width}} {'in' if isinstance(node, tree.Axis) else '='} "
        return left + self._expr(node.value, indent, WIDTH if broken else indent + len(left))

    def _expr(self, node: tree.Expr | tree.Pair, indent: int, column: int) -> str:
        """The value; `indent` is its line's, `column` where it begins, for the width."""
        match node:
            case tree.Range():
                return f"{node.first.text}..{node.last.text}"
            case tree.ListOf() | tree.MapOf() | tree.Call():
                return self._bracketed(node, indent, column)
            case tree.Pair():
                return self._bound(node, indent, 0)
        return node.text

    def _bracketed(self, node: _Brackets, indent: int, column: int) -> str:
        start, begin, end, nodes = _parts(node, self.text)
        commented = self._comments(start, node.end)
        if not nodes and not commented:
            return begin + end
        together = isinstance(node, tree.Call) or "\n" not in self.text[start : node.end]
        if together and not commented:
            pad = " " if isinstance(node, tree.MapOf) else ""
            line = begin + pad + self._joined(nodes, indent, column + len(begin + pad)) + pad + end
            fits = column + len(line) <= WIDTH and "\n" not in line
            if fits or isinstance(node, tree.Call):
                return line
        said, lines = self._sequence(nodes, start + 1, node.end - 1, indent + STEP, self._entry)
        return "\n".join([begin + _beside(said), *lines, " " * indent + end])

    def _joined(self, nodes: Sequence[Any], indent: int, column: int) -> str:
        text = ""
        for node in nodes:
            text += ", " if text else ""
            text += self._expr(node, indent, _column(text, column))
        return text

    def _entry(self, node: tree.Expr, indent: int) -> str:
        return self._expr(node, indent, indent)


def _runs(entries: list[_Entry]) -> list[_Run]:
    """The runs of assignments: ended by a blank or comment line, another statement, a broken one."""
    runs: list[_Run] = []
    going = False
    for entry in entries:
        if not isinstance(entry.node, _Bound):
            going = False
            continue
        if not going or entry.blank:
            runs.append(_Run())
        runs[-1].entries.append(entry)
        going = not entry.broken
    return runs


def _parts(node: _Brackets, text: str) -> tuple[int, str, str, Sequence[Any]]:
    """Where the bracket opens, what stands around the entries, and the entries."""
    match node:
        case tree.ListOf():
            return node.start, "[", "]", node.items
        case tree.MapOf():
            return node.start, "{", "}", node.pairs
    return text.index("(", node.name.end), node.name.text + "(", ")", node.arguments


def _left(node: _Bound) -> str:
    return node.name.text if isinstance(node, tree.Variable) else node.key.text


def _column(text: str, start: int) -> int:
    """The column after `text`, which begins at `start`."""
    _, newline, last = text.rpartition("\n")
    return len(last) if newline else start + len(text)


def _alias(node: tree.Alias) -> str:
    lines = [f"{node.name.text}:"]
    for target in node.targets:
        if len(lines[-1]) + len(target.text) + 1 > WIDTH - 2 and lines[-1].strip():
            lines[-1] += " \\"
            lines.append(" " * (STEP - 1))
        lines[-1] += " " + target.text
    return "\n".join(lines)


def _beside(comment: str) -> str:
    return "  " + comment if comment else ""


def _comment(text: str, first: bool) -> str:
    """`#` is followed by a space; a `#!` line at the top is left alone."""
    text = text.rstrip()
    return text if first and text.startswith("#!") else re.sub(r"^(#+)(?=[^\s#])", r"\1 ", text)
