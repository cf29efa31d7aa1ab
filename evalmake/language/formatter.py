"""Formats Evalfiles: only whitespace and commas change, never the order."""

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

_Bracketed = tree.ListOf | tree.MapOf | tree.Call
_Binding = tree.Assign | tree.Axis | tree.Variable | tree.Pair


def format_source(source: Source) -> str:
    """The formatted text of `source`; EvalmakeError if it does not parse."""
    return _Formatter(source).file()


@dataclass(slots=True)
class _Entry:
    """One entry of a sequence: a node, or a comment on lines of its own where `node` is None."""

    node: Any
    comment: str = ""
    blank: bool = False
    text: str = ""
    broken: bool = False


@dataclass(slots=True)
class _Run:
    """Neighbouring assignments; their operators are aligned."""

    entries: list[_Entry] = field(default_factory=list)

    def width(self) -> int:
        """The width of the longest name."""
        return max(len(_left_side(entry.node)) for entry in self.entries)


class _Formatter:
    def __init__(self, source: Source) -> None:
        self.text = source.text
        self.tree = parse(source)
        self.starts = [start for start, _ in self.tree.comments]

    def file(self) -> str:
        """The whole formatted text."""
        _, lines = self._format_sequence(self.tree.items, None, len(self.text), 0, self._format_item)
        return "\n".join(lines) + "\n" if lines else ""

    # Sequences: items, statements, pairs and list entries, each with its comments.

    def _format_sequence(
        self,
        nodes: Sequence[Any],
        opened: int | None,
        closed: int,
        indent: int,
        render: Callable[[Any, int], str],
    ) -> tuple[str, list[str]]:
        """The comment on the line of the opening bracket (which ends at `opened`), and the lines inside."""
        head, entries = self._collect_entries(nodes, opened, closed)
        for entry in entries:
            if entry.node is not None and not isinstance(entry.node, _Binding):
                entry.text = render(entry.node, indent)
        self._align_operators(entries, indent)
        lines: list[str] = []
        for entry in entries:
            lines += [""] if entry.blank and lines else []
            parts = [part for part in (entry.text, entry.comment) if part]
            lines.append(" " * indent + "  ".join(parts))
        return head, lines

    def _collect_entries(self, nodes: Sequence[Any], opened: int | None, closed: int) -> tuple[str, list[_Entry]]:
        head = ""
        entries: list[_Entry] = []
        at = opened or 0
        for node in [*nodes, None]:
            until = closed if node is None else node.start
            for start, end in self._comments_between(at, until):
                comment = _format_comment(self.text[start:end], first=start == 0)
                beside = "\n" not in self.text[at:start]
                if beside and entries and entries[-1].node is not None:
                    entries[-1].comment = comment
                elif beside and not entries and opened is not None:
                    head = comment
                else:
                    entries.append(_Entry(None, comment, self._has_blank_line(at, start)))
                at = end
            if node is not None:
                entries.append(_Entry(node, blank=self._has_blank_line(at, node.start)))
                at = node.end
        return head, entries

    def _comments_between(self, start: int, end: int) -> Sequence[tuple[int, int]]:
        return self.tree.comments[bisect_left(self.starts, start) : bisect_left(self.starts, end)]

    def _has_blank_line(self, start: int, end: int) -> bool:
        return bool(re.search(r"\n[ \t]*\n", self.text[start:end]))

    def _align_operators(self, entries: list[_Entry], indent: int) -> None:
        """Align the operators of each run. A value that then does not fit is broken over lines, and ends its run.

        Once broken it stays so even where it would fit again, or a second pass would join it.
        """
        for entry in entries:
            if isinstance(entry.node, _Binding):
                entry.broken = "\n" in self._format_binding(entry.node, indent, 0)
        settled = False
        while not settled:
            settled = True
            for run in _find_runs(entries):
                for entry in run.entries:
                    entry.text = self._format_binding(entry.node, indent, run.width(), entry.broken)
                    if "\n" in entry.text and not entry.broken:
                        entry.broken, settled = True, False

    # Items and statements.

    def _format_item(self, node: tree.Item, indent: int) -> str:
        match node:
            case tree.Include():
                words = ["include?" if node.maybe else "include", node.path.text]
                return " ".join(words + ([node.digest.text] if node.digest else []))
            case tree.Alias():
                return _format_alias(node)
            case tree.SettingsBlock():
                return self._format_block("settings", node, node.start, indent)
            case tree.Defaults():
                return self._format_block(f"defaults {node.kind.text}", node, node.kind.end, indent)
            case tree.Declaration():
                head = f"{node.kind.text} {node.name.text}"
                if node.parents:
                    head += f" from {', '.join(parent.text for parent in node.parents)}"
                return self._format_block(head, node, node.head_end, indent)
        raise AssertionError(node)  # a variable is formatted with its run

    def _format_statement(self, node: tree.Statement, indent: int) -> str:
        match node:
            case tree.When():
                head = "when " + self._format_condition(node.tests, indent, 5)
                return self._format_block(head, node, node.tests[-1].end, indent)
            case tree.Skip():
                return "skip " + self._format_condition(node.tests, indent, 5)
            case tree.Require():
                head = f"require {node.metric.text} {node.op} {f'{node.than.text} ' if node.than else ''}"
                head += self._format_expression(node.value, indent, indent + len(head))
                if node.tolerance is not None:
                    head += " by " if node.than else " within "
                    head += self._format_expression(node.tolerance, indent, _end_column(head, indent))
                return f"{head} as {node.tier.text}" if node.tier else head
        raise AssertionError(node)

    def _format_condition(self, tests: Sequence[tree.Test], indent: int, before: int) -> str:
        text = ""
        for test in tests:
            text += " and " if text else ""
            text += f"{test.key.text} {'in' if test.among else '='} "
            text += self._format_expression(test.value, indent, _end_column(text, indent + before))
        return text

    def _format_block(
        self,
        head: str,
        node: tree.When | tree.SettingsBlock | tree.Defaults | tree.Declaration,
        after: int,
        indent: int,
    ) -> str:
        opened = self.text.index("{", after) + 1
        body = node.body
        written = self.text[opened : node.end]
        if not body and not self._comments_between(opened, node.end):
            return f"{head} {{}}"
        if len(body) == 1 and "\n" not in written:
            inner = body[0]
            text = (
                self._format_binding(inner, indent, 0)
                if isinstance(inner, _Binding)
                else self._format_statement(inner, indent)
            )
            line = f"{head} {{ {text} }}"
            if "\n" not in line and indent + len(line) <= WIDTH:
                return line
        comment, lines = self._format_sequence(body, opened, node.end - 1, indent + STEP, self._format_statement)
        return "\n".join([f"{head} {{{_trailing_comment(comment)}", *lines, " " * indent + "}"])

    # Values.

    def _format_binding(self, node: _Binding, indent: int, width: int, broken: bool = False) -> str:
        left = f"{_left_side(node):{width}} {'in' if isinstance(node, tree.Axis) else '='} "
        return left + self._format_expression(node.value, indent, WIDTH if broken else indent + len(left))

    def _format_expression(self, node: tree.Expr | tree.Pair, indent: int, column: int) -> str:
        """Format a value; `indent` is that of its line, `column` is where it begins."""
        match node:
            case tree.Range():
                return f"{node.first.text}..{node.last.text}"
            case tree.ListOf() | tree.MapOf() | tree.Call():
                return self._format_brackets(node, indent, column)
            case tree.Pair():
                return self._format_binding(node, indent, 0)
        return node.text

    def _format_brackets(self, node: _Bracketed, indent: int, column: int) -> str:
        start, begin, end, nodes = _split_brackets(node, self.text)
        commented = self._comments_between(start, node.end)
        if not nodes and not commented:
            return begin + end
        together = isinstance(node, tree.Call) or "\n" not in self.text[start : node.end]
        if together and not commented:
            pad = " " if isinstance(node, tree.MapOf) else ""
            line = begin + pad + self._join_on_one_line(nodes, indent, column + len(begin + pad)) + pad + end
            fits = column + len(line) <= WIDTH and "\n" not in line
            if fits or isinstance(node, tree.Call):
                return line
        comment, lines = self._format_sequence(nodes, start + 1, node.end - 1, indent + STEP, self._format_entry)
        return "\n".join([begin + _trailing_comment(comment), *lines, " " * indent + end])

    def _join_on_one_line(self, nodes: Sequence[Any], indent: int, column: int) -> str:
        text = ""
        for node in nodes:
            text += ", " if text else ""
            text += self._format_expression(node, indent, _end_column(text, column))
        return text

    def _format_entry(self, node: tree.Expr, indent: int) -> str:
        return self._format_expression(node, indent, indent)


def _find_runs(entries: list[_Entry]) -> list[_Run]:
    """The runs of assignments; a blank line, a comment line, another statement or a broken value ends a run."""
    runs: list[_Run] = []
    going = False
    for entry in entries:
        if not isinstance(entry.node, _Binding):
            going = False
            continue
        if not going or entry.blank:
            runs.append(_Run())
        runs[-1].entries.append(entry)
        going = not entry.broken
    return runs


def _split_brackets(node: _Bracketed, text: str) -> tuple[int, str, str, Sequence[Any]]:
    """The offset of the bracket, the texts before and after the entries, and the entries."""
    match node:
        case tree.ListOf():
            return node.start, "[", "]", node.items
        case tree.MapOf():
            return node.start, "{", "}", node.pairs
    return text.index("(", node.name.end), node.name.text + "(", ")", node.arguments


def _left_side(node: _Binding) -> str:
    return node.name.text if isinstance(node, tree.Variable) else node.key.text


def _end_column(text: str, start: int) -> int:
    """The column after `text` that begins at column `start`."""
    _, newline, last = text.rpartition("\n")
    return len(last) if newline else start + len(text)


def _format_alias(node: tree.Alias) -> str:
    lines = [f"{node.name.text}:"]
    for target in node.targets:
        if len(lines[-1]) + len(target.text) + 1 > WIDTH - 2 and lines[-1].strip():
            lines[-1] += " \\"
            lines.append(" " * (STEP - 1))
        lines[-1] += " " + target.text
    return "\n".join(lines)


def _trailing_comment(comment: str) -> str:
    return "  " + comment if comment else ""


def _format_comment(text: str, first: bool) -> str:
    """Put a space after `#`; a `#!` line at the top stays as it is."""
    text = text.rstrip()
    return text if first and text.startswith("#!") else re.sub(r"^(#+)(?=[^\s#])", r"\1 ", text)
