"""Hydra's composition of a configuration: the `defaults` list, sibling files, and overrides of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.language.source import COMMAND_LINE, Source, Span
from evalmake.migration.yaml_file import Node, parse_document, read_document

_OVERRIDE = re.compile(r"(\+\+|\+|~)?([^=]+)(?:=(.*))?", re.DOTALL)
_MOST_FILES = 50
_TASKS = "evaluation.tasks."


@dataclass(frozen=True, slots=True)
class _Override:
    """A word such as `++a.b=1`."""

    word: str
    prefix: str
    key: str
    text: str | None

    @property
    def node(self) -> Node:
        """Its value, as YAML reads it."""
        node = parse_document(Source(COMMAND_LINE, self.text or "")).root
        source = Source(COMMAND_LINE, self.word)
        return Node(node.value if self.text else "", source.span(0, len(self.word)))

    def error(self, message: str, help: Sequence[str] = (), code: str = "bad-override") -> EvalmakeError:
        source = Source(COMMAND_LINE, self.word)
        return make_error(code, f"`{self.key}`: {message}", source.span(0, len(self.word)), help=help)


@dataclass(slots=True)
class Composition:
    """Composes one file; `shipped` holds the configurations that come with the program, such as `execution/local`."""

    path: Path
    shipped: Mapping[str, object]
    _choices: dict[str, _Override] = field(default_factory=dict)
    _depth: int = 0

    def compose(self, root: Node, overrides: Sequence[str]) -> Node:
        """The file with its defaults below it and the overrides on top."""
        words = [_parse_override(word) for word in overrides]
        self._choices = {word.key: word for word in words if self._is_choice(word, root)}
        composed = self._compose_file(root, self.path.parent)
        for word in words:
            if word.key not in self._choices:
                _apply(composed, word)
        return composed

    def _is_choice(self, word: _Override, root: Node) -> bool:
        """Whether an override chooses a file of a group, as `deployment=vllm`."""
        groups = {group for group, _, _ in _read_defaults(root)}
        return word.key in groups or ("." not in word.key and any(n.startswith(f"{word.key}/") for n in self.shipped))

    def _compose_file(self, root: Node, folder: Path) -> Node:
        if not isinstance(root.value, dict):
            raise make_error("bad-config", "the file does not hold a map", root.span)
        self._depth += 1
        if self._depth > _MOST_FILES:
            raise make_error(
                "bad-config", f"`defaults` name each other through more than {_MOST_FILES} files", root.span
            )
        own = Node({key: node for key, node in root.value.items() if key not in ("defaults", "hydra")}, root.span)
        whole, placed = Node({}, root.span), False
        for group, name, node in _read_defaults(root):
            if name == "_self_":
                whole, placed = merge(whole, own), True
                continue
            chosen = self._choices.get(group)
            name, node = (chosen.text or "", chosen.node) if chosen else (name, node)
            if name not in ("null", "None", ""):
                whole = merge(whole, self._load(group, name, folder, node))
        for group, chosen in self._choices.items():
            if self._depth == 1 and group not in {one for one, _, _ in _read_defaults(root)}:
                whole = merge(whole, self._load(group, chosen.text or "", folder, chosen.node))
        self._depth -= 1
        return whole if placed else merge(whole, own)

    def _load(self, group: str, name: str, folder: Path, node: Node) -> Node:
        """A configuration of a group, at the group's place in the whole."""
        group, _, package = group.partition("@")
        place = package or group
        path = "/".join(part for part in (group, name.removesuffix(".yaml")) if part)
        if path.startswith("/") or ".." in PurePosixPath(path).parts:
            raise make_error("bad-config", f"`{path}` leads out of the folder of the file", node.span)
        file = folder / f"{path}.yaml"
        if file.is_file():
            found = self._compose_file(read_document(file).root, folder)
        elif path in self.shipped:
            found = build_node(self.shipped[path])
        else:
            meant = closest_name(path, self.shipped)
            raise make_error(
                "bad-config",
                f"`defaults` name `{path}`, which is neither beside the file nor shipped with the launcher",
                node.span,
                notes=[f"looked for {file}"],
                help=[f"did you mean `{meant}`?"] if meant else [],
            )
        for part in reversed([part for part in place.replace("/", ".").split(".") if part]):
            if part != "_global_":
                found = Node({part: found}, found.span)
        return found


def apply_overrides(root: Node, overrides: Sequence[str]) -> None:
    """Change a configuration that has no `defaults` by overrides."""
    for word in overrides:
        _apply(root, _parse_override(word))


def _read_defaults(root: Node) -> Iterator[tuple[str, str, Node]]:
    """The entries of a `defaults` list: group, name, and the node that names it."""
    listed = root.value.get("defaults") if isinstance(root.value, dict) else None
    for item in listed.value if listed and isinstance(listed.value, list) else []:
        if isinstance(item.value, str):
            group, at, package = item.value.partition("@")
            yield (f"@{package}" if at else ""), group, item
        elif isinstance(item.value, dict):
            for key, node in item.value.items():
                words = [word for word in key.split() if word not in ("override", "optional")]
                yield (words[-1].lstrip("/") if words else ""), str(node.value), node
        else:
            raise make_error("bad-config", "an entry of `defaults` is neither a name nor a map", item.span)
    if listed:
        listed.use()


def build_node(value: Any) -> Node:
    """A node of plain values, of no file."""
    match value:
        case dict():
            return Node({key: build_node(item) for key, item in value.items()})
        case list():
            return Node([build_node(item) for item in value])
    return Node(value)


def merge(below: Node, above: Node) -> Node:
    """Two values as one: maps key by key; of all else, the second."""
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    items = dict(below.value)
    for key, node in above.value.items():
        items[key] = merge(items[key], node) if key in items else node
    return Node(items, above.span or below.span, below.comments + above.comments, above.remark or below.remark)


def _parse_override(word: str) -> _Override:
    found = _OVERRIDE.fullmatch(word)
    if not found or (found[3] is None and found[1] != "~"):
        span = Span(Source(COMMAND_LINE, word), 0, max(len(word), 1))
        raise make_error(
            "bad-override", f"`{word}` is not `key=value`", span, help=["write an override as a.b.c=value"]
        )
    return _Override(word, found[1] or "", found[2], found[3])


def _apply(root: Node, word: _Override) -> None:
    """Change the composed configuration by one override."""
    *steps, last = _split_key(root, word)
    node = root
    for step in steps:
        node = _enter(node, step, word)
    if isinstance(node.value, list):
        position = _find_position(node, last, word)
        node.value[position] = word.node
        return
    if not isinstance(node.value, dict):
        raise word.error("there is no map to set it in")
    if word.prefix == "~":
        if node.value.pop(last, None) is None:
            raise word.error("there is no such key to remove", _suggest(last, node))
        return
    if last not in node.value and word.prefix == "":
        hint = [*_suggest(last, node), f"`+{word.word}` adds a key that is not there"]
        raise word.error("the configuration has no such key", hint)
    node.value[last] = word.node


def _split_key(root: Node, word: _Override) -> list[str]:
    """The steps to a key; a task may be named instead of counted, and names have dots."""
    if not word.key.startswith(_TASKS):
        return word.key.split(".")
    rest = word.key.removeprefix(_TASKS)
    if rest.split(".")[0].isdigit():
        return word.key.split(".")
    tasks = root.value.get("evaluation", Node({})).value.get("tasks", Node([])).value
    names = [str(task.plain().get("name", "")) if isinstance(task.value, dict) else "" for task in tasks]
    for position, name in enumerate(names):
        for known in (name, name.rpartition(".")[2]):
            if known and rest.startswith(f"{known}."):
                return ["evaluation", "tasks", str(position), *rest.removeprefix(f"{known}.").split(".")]
    named = [f"`{name}`" for name in names]
    raise word.error(f"no task has this name; there are {', '.join(named) or 'none'}")


def _enter(node: Node, step: str, word: _Override) -> Node:
    if isinstance(node.value, list):
        found: Node = node.value[_find_position(node, step, word)]
        return found
    if isinstance(node.value, dict) and step not in node.value and word.prefix in ("+", "++"):
        node.value[step] = Node({}, word.node.span)
    if not isinstance(node.value, dict) or step not in node.value:
        raise word.error(f"the configuration has no `{step}` there", _suggest(step, node))
    entered: Node = node.value[step]
    return entered


def _find_position(node: Node, step: str, word: _Override) -> int:
    if not step.isdigit() or int(step) >= len(node.value):
        raise word.error(f"there is no item {step} in a list of {len(node.value)}")
    return int(step)


def _suggest(name: str, node: Node) -> list[str]:
    known = list(node.value) if isinstance(node.value, dict) else []
    meant = closest_name(name, known)
    return [f"did you mean `{meant}`?"] if meant else [f"there are {', '.join(known)}"] if known else []
