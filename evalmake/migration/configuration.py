"""A configuration as a translation reads it: by paths, with interpolations resolved, and what nobody has read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from evalmake.language.diagnostic import Diagnostics, EvalmakeError, make_error
from evalmake.migration.value_kinds import find_wrong_kind, stand_in
from evalmake.migration.yaml_file import MISSING, Node

_INTERPOLATION = re.compile(r"\$\{([^${}]*)\}")
_MOST_STEPS = 20


@dataclass(frozen=True, slots=True)
class Text:
    """A text with variables of the environment in it: texts and `EnvironmentVariable`s in turn."""

    parts: tuple[str | EnvironmentVariable, ...]

    @property
    def variable(self) -> EnvironmentVariable | None:
        """The variable, if the text is nothing else."""
        only = self.parts[0] if len(self.parts) == 1 else ""
        return only if isinstance(only, EnvironmentVariable) else None


@dataclass(frozen=True, slots=True)
class EnvironmentVariable:
    """`${oc.env:NAME}`, perhaps with a default."""

    name: str
    default: str | None = None


@dataclass(slots=True)
class Configuration:
    """Values by their paths. Whatever nobody has read in the end has no place, and is reported."""

    root: Node
    missing: dict[str, Node] = field(default_factory=dict)
    _leaves: list[tuple[str, Node]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._leaves = list(self.root.leaves())

    def find(self, path: str) -> Node | None:
        """The node at a path such as `execution.mounts`; None if there is none, or its value is null."""
        node: Node | None = self.root
        for step in path.split(".") if path else ():
            inner = node.value if node else None
            if isinstance(inner, dict):
                node = inner.get(step)
            elif isinstance(inner, list) and step.isdigit() and int(step) < len(inner):
                node = inner[int(step)]
            else:
                return None
        return node if node and node.value is not None else None

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a path, read; a value that somebody has yet to give is noted in `missing`."""
        node = self.find(path)
        return default if node is None else self.read(node, path)

    def read(self, node: Node, path: str) -> Any:
        """The value of a node, with interpolations resolved; an error if it is not of the kind that its key takes."""
        value = self._resolve_value(node, path)
        if node.value != MISSING and (kind := find_wrong_kind(path, value)):
            raise make_error("bad-config", f"`{path.rpartition('.')[2]}` takes {kind}", node.span)
        return value

    def _resolve_value(self, node: Node, path: str) -> Any:
        node.used = True
        match node.value:
            case dict():
                return {key: self.read(item, f"{path}.{key}") for key, item in node.value.items()}
            case list():
                return [self.read(item, f"{path}.{at}") for at, item in enumerate(node.value)]
            case str() if node.value == MISSING:
                self.missing[path] = node
                return stand_in(path)
            case str() if "${" in node.value:
                return self._interpolate(node.value, node, 0)
        return node.value

    def items(self, path: str) -> Iterator[tuple[str, Node]]:
        """The entries of a map at a path."""
        node = self.find(path)
        if node is None:
            return
        if not isinstance(node.value, dict):
            raise make_error("bad-config", f"`{path}` takes a map", node.span)
        node.used = True
        yield from node.value.items()

    def check_missing(self) -> None:
        """Raise an error that names every value that was needed and is not given."""
        found = Diagnostics()
        self.note_missing(found)
        found.check()

    def note_missing(self, found: Diagnostics) -> None:
        """Note every value that was needed and is not given; once, if several tasks have it from all tasks."""
        once: dict[object, tuple[str, Node]] = {}
        for path, node in sorted(self.missing.items(), key=lambda one: len(one[0])):
            once.setdefault(node.span or path, (path, node))
        for path, node in once.values():
            text = f"`{path}` is not given: it is `{MISSING}`"
            found.error("bad-config", text, node.span, help=[f"give it on the command line: {path}=..."])

    def unread(self) -> Iterator[tuple[str, Node]]:
        """The plain values of the user's own that nobody has read."""
        for path, node in self._leaves:
            if not node.used and node.span is not None and node.value not in (None, {}, [], ""):
                yield path, node

    def _interpolate(self, text: str, node: Node, depth: int) -> Any:
        if depth > _MOST_STEPS:
            raise make_error("bad-config", f"`{text}` leads back to itself", node.span)
        parts: list[str | EnvironmentVariable] = []
        at = 0
        for found in _INTERPOLATION.finditer(text):
            value = self._resolve(found[1], node, depth)
            if found[0] == text and not isinstance(value, EnvironmentVariable):
                return value
            parts.append(text[at : found.start()])
            parts += value.parts if isinstance(value, Text) else [self._to_part(value)]
            at = found.end()
        parts.append(text[at:])
        joined = _join(parts)
        if "${" in "".join(part for part in joined if isinstance(part, str)):
            raise self._refuse(text, node)
        return Text(joined) if any(isinstance(p, EnvironmentVariable) for p in joined) else "".join(map(str, joined))

    def _resolve(self, inner: str, node: Node, depth: int) -> Any:
        name, colon, argument = inner.partition(":")
        if colon and name == "oc.env":
            variable, comma, default = argument.partition(",")
            return EnvironmentVariable(variable.strip(), default.strip() if comma else None)
        if colon or not re.fullmatch(r"[A-Za-z_][\w.-]*", inner):
            raise self._refuse(f"${{{inner}}}", node)
        target = self.find(inner)
        if target is None:
            raise make_error("bad-config", f"`${{{inner}}}` names nothing in the configuration", node.span)
        if isinstance(target.value, str) and "${" in target.value:
            return self._interpolate(target.value, target, depth + 1)
        return self.read(target, inner)

    @staticmethod
    def _to_part(value: Any) -> str | EnvironmentVariable:
        return value if isinstance(value, EnvironmentVariable) else str(value)

    @staticmethod
    def _refuse(text: str, node: Node) -> EvalmakeError:
        return make_error(
            "bad-config",
            f"`{text}` cannot be resolved",
            node.span,
            notes=["known are ${oc.env:NAME}, with or without a default, and ${a.b}, a value of this configuration"],
            help=["write the value itself, or give it on the command line"],
        )


def _join(parts: list[str | EnvironmentVariable]) -> tuple[str | EnvironmentVariable, ...]:
    """Parts without empty texts, neighbouring texts as one."""
    joined: list[str | EnvironmentVariable] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)
