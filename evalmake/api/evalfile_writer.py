"""The arguments of `evaluate` as the text of an Evalfile, which means the same and can be checked in."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from pathlib import Path

from evalmake.api.declarations import Declaration, Eval
from evalmake.command_registry import COMMAND_NAMES
from evalmake.language import tree
from evalmake.language.diagnostic import Diagnostic, EvalmakeError, make_error
from evalmake.language.file_search import is_pattern
from evalmake.language.formatter import format_source
from evalmake.language.money import Money, Price
from evalmake.language.parser import parse, parse_override
from evalmake.language.source import Source, Span
from evalmake.language.text import with_article
from evalmake.language.values import NAME, Digest, Duration, Files, SecretRef, Size, Symbol, format_value
from evalmake.project.key_types import Block
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.schema import KINDS, PLUGIN_KINDS
from evalmake.project.validation import value_errors

CALL = "evaluate(...)"
"""The file name that messages show for that text."""
_NO_KEYS = ("when", "skip", "require")
_RESERVED = ("true", "false", "none", *COMMAND_NAMES)
_NAMED_BY = {
    "model": ("name", "deployment"),
    "deployment": ("weights", "engine"),
    "benchmark": ("task", "files", "harness"),
    "executor": ("backend",),
    "eval": ("benchmark",),
}
_LITERALS: Mapping[str, Callable[[str], object]] = {
    "DURATION": Duration.parse,
    "SIZE": Size.parse,
    "MONEY": Money.parse,
    "PRICE": Price.parse,
    "DIGEST": Digest,
    "PERCENT": lambda text: float(f"{text[:-1]}e-2"),
}


@dataclass(frozen=True, slots=True)
class WrittenEvalfile:
    """The text, and the argument that each of its blocks stands for: (kind, name) -> `model.deployment`."""

    source: Source
    arguments: Mapping[tuple[str, str], str]

    def add_argument(self, diagnostic: Diagnostic) -> Diagnostic:
        """A diagnostic with a note that names the argument it is about."""
        span = diagnostic.span
        if span is None or span.source is not self.source:
            return diagnostic
        argument = self._find_argument(span)
        notes = (*diagnostic.notes, f"the argument is `{argument}`") if argument else ()
        return replace(diagnostic, notes=notes or diagnostic.notes)

    def _find_argument(self, span: Span) -> str:
        try:
            items = parse(self.source).items
        except EvalmakeError:
            return "require"  # the one argument that is copied as it is, and so may not parse
        for block in items:
            if isinstance(block, tree.Declaration) and block.start <= span.start < block.end:
                outer = self.arguments[block.kind.text, block.name.text]
                inner = next((_find_key(s) for s in block.body if s.start <= span.start < s.end), "")
                return ".".join(part for part in (outer, inner) if part)
        return ""


def write_evalfile(evaluation: Eval, folder: Path, plugins: PluginRegistry) -> WrittenEvalfile:
    """An Evalfile for `folder` that declares this one evaluation and what it needs."""
    writer = _Writer(plugins, Path(os.path.abspath(folder)))
    writer.declare(evaluation, "")
    name, text = str(folder / CALL), "\n\n".join(writer.blocks) + "\n"
    with contextlib.suppress(EvalmakeError):  # loading it will report what is wrong
        text = format_source(Source(name, text))
    return WrittenEvalfile(Source(name, text), writer.arguments)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value will be written: at a key of a block or below it. `block` is None if no block knows the key."""

    argument: str
    block: type[Block] | None
    key: str
    path: tuple[str | int, ...] = ()

    def below(self, step: str | int) -> _Place:
        """The place of one item of a list or map."""
        inner = f"[{step}]" if isinstance(step, int) else f".{step}"
        return _Place(self.argument + inner, self.block, self.key, (*self.path, step))

    def find_errors(self, value: object) -> set[str]:
        """The errors that the schema has for a value in this place."""
        for step in reversed(self.path):
            value = (value,) if isinstance(step, int) else {step: value}
        return value_errors(self.block, self.key, value) if self.block else set()


@dataclass(frozen=True, slots=True)
class _Call:
    """`file("p")` or `glob("p")`."""

    function: str
    path: str

    def __str__(self) -> str:
        return f"{self.function}({format_value(self.path)})"


@dataclass(slots=True)
class _Writer:
    """Writes each declaration once, after those that it needs."""

    plugins: PluginRegistry
    folder: Path
    blocks: list[str] = field(default_factory=list)
    arguments: dict[tuple[str, str], str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    def declare(self, declaration: Declaration, argument: str) -> str:
        """Write a block, unless the same was written before; return its name."""
        known = repr(declaration)
        if known not in self._names:
            body = [self._write_statement(declaration, key, argument) for key in declaration.keys]
            name = self._names[known] = self._choose_name(declaration)
            self.arguments[declaration.kind, name] = argument
            self.blocks.append("\n".join([f"{declaration.kind} {name} {{", *body, "}"]))
        return self._names[known]

    def _write_statement(self, declaration: Declaration, key: str, argument: str) -> str:
        value = declaration.keys[key]
        whole = f"{argument}.{key}" if argument else key
        if declaration.kind == "eval" and key == "require":
            texts = [value] if isinstance(value, str) else list(_check_list(value, whole))
            return "\n".join(f"require {text}" for text in texts)
        if not NAME.fullmatch(key) or key in _NO_KEYS:
            raise make_error("unknown-key", f"`{whole}`: {with_article(declaration.kind)} has no key `{key}`")
        place = _Place(whole, self._find_block(declaration, key), key)
        return f"{key} = {format_value(self._convert(value, place))}"

    def _find_block(self, declaration: Declaration, key: str) -> type[Block] | None:
        """The schema that has the key: the kind's, or that of the plugin it names."""
        own = KINDS[declaration.kind]
        if key in own.model_fields or declaration.kind not in PLUGIN_KINDS:
            return own if key in own.model_fields else None
        chooser, group, _ = PLUGIN_KINDS[declaration.kind]
        try:
            settings: type[Block] = self.plugins.get(group, str(declaration.keys.get(chooser))).Settings
        except KeyError:
            return None
        return settings if key in settings.model_fields else None

    def _convert(self, value: object, place: _Place) -> object:
        """A Python value as an Evalfile's value."""
        match value:
            case Declaration():
                return Symbol(self.declare(value, place.argument))
            case None | bool() | SecretRef():
                return value
            case Integral():
                return int(value)
            case Real() if math.isfinite(value):
                return float(value)
            case str():
                return self._convert_text(value, place)
            case Path():
                return self._convert_path(str(value))
            case Mapping():
                return {_check_key(k, place): self._convert(v, place.below(k)) for k, v in value.items()}
            case list() | tuple():
                return [self._convert(item, place.below(i)) for i, item in enumerate(value)]
        description = f"{value}" if isinstance(value, Real) else f"of type {type(value).__name__}"
        raise make_error("wrong-type", f"`{place.argument}` is {description}, which an Evalfile cannot express")

    def _convert_text(self, text: str, place: _Place) -> object:
        """A text as the type that its place takes."""
        if place.block is None:
            return text
        for value, example in self._list_readings(text):
            if not place.find_errors(example):
                return value
        if not place.find_errors(SecretRef("")):  # the text may be the secret itself, so the message does not show it
            raise make_error(
                "secret-place",
                f"`{place.argument}` takes a secret, but this is a text",
                help=['name it: `evalmake.secret("NAME")` reads it from the environment or the keyring'],
            )
        unquoted = "quoted_word" in place.find_errors(text) and NAME.fullmatch(text)
        return Symbol(text) if unquoted else text

    def _list_readings(self, text: str) -> Iterator[tuple[object, object]]:
        """The values that a text may mean, each with an example for the schema to check."""
        if NAME.fullmatch(text) and text not in _RESERVED[:3]:
            yield Symbol(text), Symbol(text)
        yield text, text
        if (literal := _parse_literal(text)) is not None:
            yield literal
        yield self._convert_path(text), Files(())

    def _convert_path(self, path: str) -> _Call:
        """A call of `file` or `glob`: relative to the Evalfile if the path lies below its folder, else absolute."""
        absolute = os.path.abspath(path)
        inside = Path(absolute).is_relative_to(self.folder)
        several = is_pattern(path) and not os.path.exists(path)
        shown = os.path.relpath(absolute, self.folder) if inside else absolute
        return _Call("glob" if several else "file", shown)

    def _choose_name(self, declaration: Declaration) -> str:
        """A name that no other block has, after the declaration's content."""
        hints = (declaration.keys[key] for key in _NAMED_BY[declaration.kind] if key in declaration.keys)
        words = (_slug(self._names.get(repr(h), "") or str(h)) for h in hints)
        word = next(filter(None, words), "")
        if not NAME.fullmatch(word) or word in _RESERVED:
            word = f"{declaration.kind}-{word}".rstrip("-")
        name, count = word, 1
        while (declaration.kind, name) in self.arguments:
            count += 1
            name = f"{word}-{count}"
        return name


def _slug(text: str) -> str:
    """`nvidia/Nemotron-9B@r2` -> `nemotron-9b`, `data/sums.jsonl` -> `sums`."""
    last = text.partition("@")[0].rstrip("/").rpartition("/")[2]
    last = re.sub(r"\.(jsonl?|csv|parquet|sh|py|ya?ml)$", "", last.lower())
    return re.sub(r"([.-])[.-]+", r"\1", re.sub(r"[^a-z0-9_.-]+", "-", last)).strip("._-")


def _parse_literal(text: str) -> tuple[Symbol, object] | None:
    """A duration, size, share or digest, and its value."""
    try:
        node = parse_override(Source("", text))
    except EvalmakeError:
        return None
    if not isinstance(node, tree.Literal) or node.kind not in _LITERALS:
        return None
    return Symbol(node.text), _LITERALS[node.kind](node.text)


def _find_key(statement: tree.Statement) -> str:
    return statement.key.text if isinstance(statement, tree.Assign) else "require"


def _check_key(key: object, place: _Place) -> str:
    if isinstance(key, str) and key.isprintable() and '"' not in key and not key.endswith("\\"):
        return key
    raise make_error("wrong-type", f"`{place.argument}` has the key {key!r}, which an Evalfile cannot express")


def _check_list(value: object, argument: str) -> Sequence[object]:
    if isinstance(value, list | tuple):
        return value
    raise make_error("wrong-type", f'`{argument}` takes texts, as "accuracy >= 80%"')
