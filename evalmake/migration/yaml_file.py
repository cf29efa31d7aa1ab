"""YAML with the place and the comments of every value.

The events of PyYAML are composed here, and not by its loader, because that has neither comments nor places, and
follows aliases without end: a file of a hundred lines can stand for a billion values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.source import Source, Span

_MOST_LEVELS = 60
_MOST_VALUES = 50_000
_MOST_BYTES = 4 * 2**20
_PLAIN_TAGS = (None, "!", "tag:yaml.org,2002:str")
_INT = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
MISSING = "???"
"""What stands for a value that somebody has yet to give."""


@dataclass(eq=False, slots=True)
class Node:
    """A value: a map or a list of nodes, or a plain value. `used` says that a translation has read it."""

    value: Any
    span: Span | None = None
    comments: tuple[str, ...] = ()
    remark: str = ""
    used: bool = False

    @property
    def line(self) -> int:
        """Its line in its file; 0 without one."""
        return self.span.source.position(self.span.start)[0] if self.span else 0

    def plain(self) -> Any:
        """The value as plain Python."""
        match self.value:
            case dict():
                return {key: item.plain() for key, item in self.value.items()}
            case list():
                return [item.plain() for item in self.value]
        return self.value

    def leaves(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """Each plain value in it, and each empty map or list, by its path."""
        if not isinstance(self.value, dict | list) or not self.value:
            yield path, self
            return
        pairs = self.value.items() if isinstance(self.value, dict) else enumerate(self.value)
        for key, item in pairs:
            yield from item.leaves(f"{path}.{key}" if path else str(key))

    def use(self) -> Node:
        """Mark all of it as read."""
        for _, leaf in self.leaves():
            leaf.used = True
        return self


@dataclass(frozen=True, slots=True)
class Document:
    """A file: its values, and the comment above all of them."""

    root: Node
    header: tuple[str, ...] = ()


def read_document(path: Path) -> Document:
    """The values of a file; EvalmakeError with the line of what is wrong with it."""
    return parse_document(Source(str(path), read_text(path)))


def read_text(path: Path) -> str:
    """The text of a file."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise make_error("bad-config", f"`{path}` is larger than 4 MiB")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise make_error("not-utf8", f"`{path}` is not UTF-8 text") from None
    except OSError as error:
        raise make_error("missing-file", f"cannot read `{path}`: {error.strerror}") from None


def parse_document(source: Source) -> Document:
    """The values of a text, with its comments."""
    composer = _Composer(source)
    root = composer.compose()
    return Document(root, _attach_comments(source, composer))


def parse_scalar(text: str) -> object:
    """A word without quotes as YAML reads it, but for times such as 04:00:00, which stay texts."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    return text


@dataclass(slots=True)
class _Composer:
    """Builds nodes from events, within limits."""

    source: Source
    entries: list[tuple[int, Node]] = field(default_factory=list)
    scalars: list[tuple[int, int]] = field(default_factory=list)
    _anchors: dict[str, tuple[Node, int]] = field(default_factory=dict)
    _count: int = 0
    _events: Iterator[Any] = field(default_factory=lambda: iter(()))

    def compose(self) -> Node:
        import yaml

        self._events = yaml.parse(self.source.text, Loader=yaml.SafeLoader)
        try:
            event = self._next()
            while not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent | yaml.StreamEndEvent):
                event = self._next()
            if isinstance(event, yaml.StreamEndEvent):
                return Node({}, self.source.span(0))
            root = self._build(event, 0)
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    raise self._error("there is more than one document", event)
            return root
        except yaml.YAMLError as error:
            raise self._describe(error) from None

    def _next(self) -> Any:
        return next(self._events)

    def _build(self, event: Any, depth: int) -> Node:
        import yaml

        span = Span(self.source, event.start_mark.index, max(event.end_mark.index, event.start_mark.index + 1))
        self._count += 1
        if self._count > _MOST_VALUES:
            raise self._error(
                f"there are more than {_MOST_VALUES} values, counting each alias with what it stands for", event
            )
        if depth > _MOST_LEVELS:
            raise self._error(f"values are nested more than {_MOST_LEVELS} deep", event)
        before = self._count
        match event:
            case yaml.AliasEvent():
                return self._follow(event)
            case yaml.ScalarEvent():
                self.scalars.append((event.start_mark.index, event.end_mark.index))
                node = Node(self._read_scalar(event), span)
            case yaml.SequenceStartEvent():
                node = Node(self._build_list(depth), span)
            case _:
                node = Node(self._build_map(depth), span)
        if event.anchor:
            self._anchors[event.anchor] = node, self._count - before + 1
        return node

    def _follow(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            raise self._error(f"`*{event.anchor}` has no anchor `&{event.anchor}` before it", event)
        node, size = self._anchors[event.anchor]
        self._count += size
        return node

    def _read_scalar(self, event: Any) -> object:
        if event.tag not in _PLAIN_TAGS:
            if event.tag.removeprefix("tag:yaml.org,2002:") not in ("int", "float", "bool", "null"):
                raise self._error(f"the tag `{event.tag}` is not read", event)
            return parse_scalar(event.value)
        return parse_scalar(event.value) if event.style is None and event.implicit[0] else event.value

    def _build_list(self, depth: int) -> list[Node]:
        import yaml

        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            position = len(self.entries)
            item = self._build(event, depth + 1)
            self.entries.insert(position, (event.start_mark.line, item))
            items.append(item)
        return items

    def _build_map(self, depth: int) -> dict[str, Node]:
        import yaml

        items: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error("the key of a map is not a plain word", event)
            self.scalars.append((event.start_mark.index, event.end_mark.index))
            position = len(self.entries)
            node = self._build(self._next(), depth + 1)
            if event.value == "<<" and event.style is None:
                merged |= self._merge(node, event)
                continue
            if event.value in items:
                raise self._error(f"`{event.value}` is given twice", event)
            # A node of an alias has the place of its anchor; this use of it has its own.
            node = Node(node.value, Span(self.source, event.start_mark.index, event.end_mark.index))
            self.entries.insert(position, (event.start_mark.line, node))
            items[event.value] = node
        return {**merged, **items}

    def _merge(self, node: Node, event: Any) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for one in node.value if isinstance(node.value, list) else [node]:
            if not isinstance(one.value, dict):
                raise self._error("`<<` takes a map", event)
            found = {**one.value, **found}
        return found

    def _error(self, message: str, event: Any) -> EvalmakeError:
        return make_error("bad-config", message, self.source.span(event.start_mark.index))

    def _describe(self, error: Any) -> EvalmakeError:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        at = mark.index if mark else getattr(error, "position", 0)
        at = min(at, max(len(self.source.text) - 1, 0))
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
        return make_error("bad-config", f"this is not YAML: {problem}", self.source.span(at))


_SECRET = re.compile(r"\b(nvapi-|sk-|hf_|ghp_|glpat-|AKIA)[\w-]{8,}")


def looks_secret(text: str) -> bool:
    """Whether a text has the form of a key or token of a known service."""
    return _SECRET.search(text) is not None


def _attach_comments(source: Source, composer: _Composer) -> tuple[str, ...]:
    """Give each comment to the value below it or on its line; return those above all values."""
    entries = composer.entries
    first = entries[0][0] if entries else len(source.text)
    header: list[tuple[int, str]] = []
    for line, text, alone in _find_comments(source, composer.scalars):
        if alone and line < first:
            header.append((line, text))
            continue
        if alone:
            node = next((node for at, node in entries if at > line), None)
        else:
            node = next((node for at, node in reversed(entries) if at <= line), None)
        if node is not None and alone:
            node.comments += (text,)
        elif node is not None:
            node.remark = text
    if entries and header and header[-1][0] == first - 1:  # the last block belongs to the first value
        while header and header[-1][0] == first - 1:
            first, text = header.pop()
            entries[0][1].comments = (text, *entries[0][1].comments)
    return tuple(text for _, text in header)


def _find_comments(source: Source, scalars: list[tuple[int, int]]) -> Iterator[tuple[int, str, bool]]:
    """The comments of a text: line (from 0), text, and whether it has its line for itself."""
    spans, at = sorted(scalars), 0
    for found in re.finditer(r"(?<!\S)#[ \t]?(.*)", source.text):
        while at < len(spans) and spans[at][1] <= found.start():
            at += 1
        if at < len(spans) and spans[at][0] <= found.start():
            continue
        if looks_secret(found[1]):
            continue
        line, column = source.position(found.start())
        alone = not source.line(line)[: column - 1].strip()
        yield line - 1, found[1].rstrip(), alone
