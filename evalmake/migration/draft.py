"""An Evalfile in the making: blocks with comments, and an account of what has no place in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalmake.command_registry import COMMAND_NAMES
from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.formatter import format_source
from evalmake.language.source import Source
from evalmake.language.values import NAME, SecretRef, Symbol, format_value
from evalmake.migration.configuration import EnvironmentVariable, Text
from evalmake.migration.yaml_file import Node, looks_secret

_KEYWORDS = ("true", "false", "none", "model", "deployment", "benchmark", "eval", "executor", "report")
_MOST_REASONS = 8
_RESERVED = {*_KEYWORDS, *COMMAND_NAMES, "local", "all"}


@dataclass(frozen=True, slots=True)
class Expression:
    """A value that is written as it stands, such as `90s` or `secret("X")`."""

    text: str

    def __str__(self) -> str:
        return self.text


NONE = Expression("none")
"""Takes back what is said elsewhere."""


@dataclass(frozen=True, slots=True)
class Item:
    """A value, and the node that it comes from: its comments go where the value goes."""

    value: Any
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something of the configuration that has no place in the Evalfile, or another form there."""

    path: str
    why: str
    node: Node | None = None

    @property
    def place(self) -> str:
        """`line 12, ` in the file; empty without a place."""
        return f"line {self.node.line}, " if self.node and self.node.line else ""


@dataclass(slots=True)
class Block:
    """A declaration; each statement is `key = value`, `key in value` or a whole line."""

    head: str
    comments: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def comment(self, *nodes: Node | None) -> Block:
        """Write the comments of nodes above the block."""
        for node in nodes:
            if node is not None:
                self.comments += [text for text in _all_comments(node) if text not in self.comments]
        return self

    def set(self, key: str, value: Any, operator: str = "=") -> None:
        """Write a statement; nothing for None, an empty map or an empty list."""
        item = value if isinstance(value, Item) else Item(value)
        if item.value is None or (isinstance(item.value, dict | list) and not item.value):
            return
        text = write_value(item.value)
        self.lines += _write_commented(f"{key} {operator} {text}", item.node)

    def text(self) -> str:
        """The declaration, unformatted."""
        head = [*(f"# {text}".rstrip() for text in self.comments), f"{self.head} {{"]
        if not self.lines:
            return "\n".join([*head[:-1], f"{self.head} {{}}"])
        return "\n".join([*head, *self.lines, "}"])


@dataclass(slots=True)
class Draft:
    """The Evalfile as a whole."""

    origin: str
    header: list[str] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    _comments: list[tuple[str, int, str]] = field(default_factory=list)
    wheels: bool = False
    """Whether benchmarks of NVIDIA's come from its wheels and not from its containers."""
    files: dict[str, str] = field(default_factory=dict)
    """Data files that lie beside the Evalfile, by name."""
    _names: set[tuple[str, str]] = field(default_factory=set)

    def block(self, kind: str, name: str, parent: str = "", *nodes: Node | None) -> Block:
        """A new declaration at the end."""
        block = Block(f"{kind} {name} from {parent}" if parent else f"{kind} {name}").comment(*nodes)
        self.blocks.append(block)
        return block

    def name(self, kind: str, text: str) -> str:
        """A name after `text` that no other declaration of the kind has."""
        word = to_name(text)
        if not NAME.fullmatch(word) or word in _RESERVED:
            word = f"{kind}-{word}".rstrip("-")
        name, count = word, 1
        while (kind, name) in self._names:
            count += 1
            name = f"{word}-{count}"
        self._names.add((kind, name))
        return name

    def take(self, kind: str, name: str) -> bool:
        """Take a name that is declared elsewhere; False if it is taken already."""
        if (kind, name) in self._names:
            return False
        self._names.add((kind, name))
        return True

    def include(self, harness: str) -> None:
        """Include a file of the catalog, once."""
        if harness not in self.includes:
            self.includes.append(harness)

    def note(self, path: str, why: str, node: Node | None = None) -> None:
        """Say that something has no place, or another form."""
        self.notes.append(Note(path, why, node))

    def refuse(self, message: str, node: Node, before: int, help: Sequence[str] = ()) -> EvalmakeError:
        """The error that nothing is left of a part of a configuration; the notes behind the first `before` say why."""
        told = list(dict.fromkeys(f"{note.place}{note.path}: {note.why}" for note in self.notes[before:]))
        more = [f"and {len(told) - _MOST_REASONS} more"] if len(told) > _MOST_REASONS else []
        return make_error("bad-config", message, node.span, notes=[*told[:_MOST_REASONS], *more], help=help)

    def keep_comments(self, path: str, node: Node | None) -> None:
        """Remember the comments of a node and of all below it, by path and line: those of what is dropped stay, too."""
        if node is None:
            return
        self._comments += [(path, node.line, text) for text in _all_comments(node)]
        inner = dict(enumerate(node.value)) if isinstance(node.value, list) else node.value
        for key, below in inner.items() if isinstance(inner, dict) else ():
            self.keep_comments(f"{path}.{key}".lstrip("."), below)

    def withhold_comments(self, node: Node | None) -> None:
        """Forget the comments of a node that may speak of a secret."""
        withheld = _all_comments(node) if node else ()
        self._comments = [one for one in self._comments if one[2] not in withheld]

    def _list_comments(self, body: str) -> list[str]:
        """The comments that are nowhere in the Evalfile yet, each with its place."""
        written = {line.partition("# ")[2].strip() for line in body.splitlines() if "#" in line}
        left = {
            text: f"# line {line}, {path}: {text}"
            for path, line, text in self._comments
            if text.strip() and text.strip() not in written and "docs-" not in text
        }
        return list(left.values())

    def resolve(self, value: Any) -> Any:
        """A value of the configuration as an Evalfile's: variables of the environment become `env(...)`."""
        match value:
            case Text():
                return self._resolve_text(value)
            case dict():
                return {key: self.resolve(item) for key, item in value.items()}
            case list():
                return [self.resolve(item) for item in value]
        return value

    def _resolve_text(self, text: Text) -> Expression | str:
        if not any(isinstance(part, EnvironmentVariable) for part in text.parts):
            return "".join(map(str, text.parts))
        if text.variable:
            return Expression(_write_env(text.variable))
        parts = []
        for part in text.parts:
            if isinstance(part, EnvironmentVariable):
                self.variables[part.name.upper()] = _write_env(part)
                parts.append(f"${{{part.name.upper()}}}")
            else:
                parts.append(format_value(part)[1:-1])
        return Expression(f'"{"".join(parts)}"')

    def write(self) -> str:
        """The Evalfile, formatted."""
        parts = ["\n".join(f"# {line}".rstrip() for line in self.header)] if self.header else []
        parts.append("\n".join(f"{name} = {text}" for name, text in self.variables.items()))
        parts.append("\n".join(f'include "catalog:{name}"' for name in self.includes))
        parts += [block.text() for block in self.blocks]
        if comments := self._list_comments("\n".join(parts)):
            parts.append("\n".join([f"# Comments of {self.origin} on what has no place here:", *comments]))
        if self.notes:
            title = f"# From {self.origin}, without a place here or in another form:"
            parts.append("\n".join([title, *(f"# {n.place}{n.path}: {n.why}" for n in self.sorted_notes())]))
        text = "\n\n".join(part for part in parts if part)
        try:
            return format_source(Source("Evalfile", f"{text}\n"))
        except EvalmakeError as error:
            message = f"a value of it cannot be written in an Evalfile: {error}"
            raise make_error("bad-config", message, help=["write it by hand: `evalmake help language`"]) from None

    def sorted_notes(self) -> list[Note]:
        """The notes in the order of the file, each once."""
        once = {(note.path, note.why): note for note in self.notes}
        return sorted(once.values(), key=lambda note: note.node.line if note.node else 0)


def to_name(text: str) -> str:
    """`nvidia/Nemotron-9B` -> `nemotron-9b`."""
    last = text.partition("@")[0].rstrip("/").rpartition("/")[2].lower()
    return re.sub(r"([.-])[.-]+", r"\1", re.sub(r"[^a-z0-9.-]+", "-", last)).strip("._-")


def write_seconds(seconds: float) -> Expression:
    """A duration: 5400 -> `1h30m`."""
    if seconds != int(seconds):
        return Expression(f"{int(seconds * 1000)}ms")
    parts, rest = "", int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        parts += f"{count}{unit}" if count else ""
    return Expression(parts or "0s")


def write_value(value: Any) -> str:
    """A value as an Evalfile writes it; maps and lists keep the comments of their items."""
    match value:
        case Item():
            return write_value(value.value)
        case Expression() | Symbol() | SecretRef():
            return format_value(value)
        case str():
            return _write_text(value)
        case Mapping():
            return _write_entries("{", [(f"{_write_key(k)} = ", v) for k, v in value.items()], "}")
        case list() | tuple():
            return _write_entries("[", [("", item) for item in value], "]")
        case None | bool() | int() | float():
            return format_value(value)
    raise make_error("bad-config", f"an Evalfile cannot express {value!r}")


def guard_secret(name: str, text: str, may_be_name: bool = True) -> SecretRef | None:
    """A secret in place of a text that is one, by its form or by the name of its key.

    Under such a key, `WORD` is the name of a variable where that `may_be_name`, and else a secret, too.
    """
    named = re.search(r"(?i)(api[_-]?key|token|secret|password|authorization)$", name)
    if not looks_secret(text) and not (named and not (may_be_name and re.fullmatch(r"[A-Z][A-Z0-9_]*", text))):
        return None
    return SecretRef(re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_"))


def _write_env(variable: EnvironmentVariable) -> str:
    default = "" if variable.default is None else f", {format_value(variable.default)}"
    return f"env({format_value(variable.name)}{default})"


def _write_entries(opening: str, entries: Sequence[tuple[str, Any]], closing: str) -> str:
    """A map or a list: on several lines if one of its items has a comment."""
    texts = [f"{head}{write_value(item)}" for head, item in entries]
    nodes = [item.node if isinstance(item, Item) else None for _, item in entries]
    if not any(node and (node.comments or node.remark) for node in nodes):
        return f"{opening}{', '.join(texts)}{closing}"
    lines = [line for text, node in zip(texts, nodes, strict=True) for line in _write_commented(text, node)]
    return "\n".join([opening, *lines, closing])


def _write_commented(text: str, node: Node | None) -> list[str]:
    """A statement or an item with the comments of its node."""
    if node is None:
        return [text]
    above = [f"# {line}".rstrip() for line in node.comments]
    if node.remark and "\n" in text:
        return [*above, f"# {node.remark}", text]
    return [*above, f"{text}  # {node.remark}" if node.remark else text]


def _all_comments(node: Node) -> Iterable[str]:
    return [*node.comments, *([node.remark] if node.remark else [])]


def _write_text(text: str) -> str:
    """A text in quotes; one of several lines as a long raw text, where that is the same text."""
    lines = text.split("\n")
    plain = all(line.isprintable() and (not line or line.strip()) for line in lines) and "'''" not in text
    if len(lines) < 3 or not plain or not any(line and not line[0].isspace() for line in lines) or "\t" in text:
        return format_value(text)
    body = "\n".join(f"        {line}" if line else "" for line in lines[:-1])
    last = f"        {lines[-1]}" if lines[-1] else "    "
    return f"'''\n{body}\n{last}'''" if not text.endswith("'") else format_value(text)


def _write_key(key: Any) -> str:
    text = str(key)
    if not text.isprintable() or '"' in text or "\\" in text:
        raise make_error("bad-config", f"an Evalfile cannot express the key {key!r} of a map")
    return text if re.fullmatch(rf"{NAME.pattern}|[A-Z][A-Z0-9_]*", text) else f'"{text}"'
