"""An evaluation as the text of an Evalfile: it means the same, and can be checked in."""

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
from evalmake.language import tree
from evalmake.language.diagnostic import Diagnostic, EvalmakeError, make_error
from evalmake.language.formatter import format_source
from evalmake.language.parser import parse, parse_override
from evalmake.language.source import Source, Span
from evalmake.language.values import NAME, Digest, Duration, Files, SecretRef, Size, Symbol, format_value
from evalmake.project.includes import is_glob
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.schema import KINDS, PLUGIN_KINDS, Block
from evalmake.project.validation import value_errors
from evalmake.workspace import COMMANDS

CALL = "evaluate(...)"
"""What messages call the text that stands for the arguments."""
_NO_KEYS = ("when", "skip", "require")
_NO_NAMES = ("true", "false", "none", *COMMANDS)
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
    "DIGEST": Digest,
    "PERCENT": lambda text: float(text[:-1]) / 100,
}


@dataclass(frozen=True, slots=True)
class Written:
    """The text, and which argument each of its blocks was: (kind, name) -> `model.deployment`."""

    source: Source
    arguments: Mapping[tuple[str, str], str]

    def told(self, diagnostic: Diagnostic) -> Diagnostic:
        """A diagnostic that also says which argument it is about."""
        span = diagnostic.span
        if span is None or span.source is not self.source:
            return diagnostic
        argument = self._argument(span)
        notes = (*diagnostic.notes, f"the argument is `{argument}`") if argument else ()
        return replace(diagnostic, notes=notes or diagnostic.notes)

    def _argument(self, span: Span) -> str:
        try:
            items = parse(self.source).items
        except EvalmakeError:
            return "require"  # the one argument that is written as it was given
        for block in items:
            if isinstance(block, tree.Declaration) and block.start <= span.start < block.end:
                outer = self.arguments[block.kind.text, block.name.text]
                inner = next((_key(s) for s in block.body if s.start <= span.start < s.end), "")
                return ".".join(part for part in (outer, inner) if part)
        return ""


def write(evaluation: Eval, folder: Path, plugins: PluginRegistry) -> Written:
    """The Evalfile that, lying in `folder`, declares this one evaluation and what it needs."""
    writer = _Writer(plugins, Path(os.path.abspath(folder)))
    writer.declare(evaluation, "")
    name, text = str(folder / CALL), "\n\n".join(writer.blocks) + "\n"
    with contextlib.suppress(EvalmakeError):  # loading it says what is wrong
        text = format_source(Source(name, text))
    return Written(Source(name, text), writer.arguments)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is to stand: at a key of a block, or below it; no block knows the key if none."""

    argument: str
    block: type[Block] | None
    key: str
    path: tuple[str | int, ...] = ()

    def below(self, step: str | int) -> _Place:
        """The place of one item of a list or map."""
        inner = f"[{step}]" if isinstance(step, int) else f".{step}"
        return _Place(self.argument + inner, self.block, self.key, (*self.path, step))

    def refuses(self, value: object) -> set[str]:
        """What the schema says against a value in this place."""
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
    """Writes each declaration once, what it needs before it."""

    plugins: PluginRegistry
    folder: Path
    blocks: list[str] = field(default_factory=list)
    arguments: dict[tuple[str, str], str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    def declare(self, declared: Declaration, argument: str) -> str:
        """Write a block, unless the same was written before; its name."""
        known = repr(declared)
        if known not in self._names:
            body = [self._statement(declared, key, argument) for key in declared.keys]
            name = self._names[known] = self._name(declared)
            self.arguments[declared.kind, name] = argument
            self.blocks.append("\n".join([f"{declared.kind} {name} {{", *body, "}"]))
        return self._names[known]

    def _statement(self, declared: Declaration, key: str, argument: str) -> str:
        value = declared.keys[key]
        whole = f"{argument}.{key}" if argument else key
        if declared.kind == "eval" and key == "require":
            asked = [value] if isinstance(value, str) else list(_items(value, whole))
            return "\n".join(f"require {text}" for text in asked)
        if not NAME.fullmatch(key) or key in _NO_KEYS:
            raise make_error("unknown-key", f"`{whole}`: {_a(declared.kind)} has no key `{key}`")
        place = _Place(whole, self._block(declared, key), key)
        return f"{key} = {format_value(self._meant(value, place))}"

    def _block(self, declared: Declaration, key: str) -> type[Block] | None:
        """Whose key it is: the kind's own, or that of the plugin it chose."""
        own = KINDS[declared.kind]
        if key in own.model_fields or declared.kind not in PLUGIN_KINDS:
            return own if key in own.model_fields else None
        chooser, group, _ = PLUGIN_KINDS[declared.kind]
        try:
            settings: type[Block] = self.plugins.get(group, str(declared.keys.get(chooser))).Settings
        except KeyError:
            return None
        return settings if key in settings.model_fields else None

    def _meant(self, value: object, place: _Place) -> object:
        """A value of Python's as the Evalfile's."""
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
                return self._text(value, place)
            case Path():
                return self._file(str(value))
            case Mapping():
                return {_word(k, place): self._meant(v, place.below(k)) for k, v in value.items()}
            case list() | tuple():
                return [self._meant(item, place.below(i)) for i, item in enumerate(value)]
        said = f"{value}" if isinstance(value, Real) else f"of type {type(value).__name__}"
        raise make_error("wrong-type", f"`{place.argument}` is {said}, which an Evalfile cannot say")

    def _text(self, text: str, place: _Place) -> object:
        """What a text means is what its place takes."""
        if place.block is None:
            return text
        for meant, stand_in in self._readings(text):
            if not place.refuses(stand_in):
                return meant
        if not place.refuses(SecretRef("")):  # the text may be the secret itself: it is not shown
            raise make_error(
                "secret-place",
                f"`{place.argument}` takes a secret, and this is a text",
                help=['name it: `evalmake.secret("NAME")` takes it from the environment or the keyring'],
            )
        unquoted = "quoted_word" in place.refuses(text) and NAME.fullmatch(text)
        return Symbol(text) if unquoted else text

    def _readings(self, text: str) -> Iterator[tuple[object, object]]:
        """What a text may mean, each with what is shown to the schema for it."""
        if NAME.fullmatch(text) and text not in _NO_NAMES[:3]:
            yield Symbol(text), Symbol(text)
        yield text, text
        if (literal := _literal(text)) is not None:
            yield literal
        yield self._file(text), Files(())

    def _file(self, path: str) -> _Call:
        """Relative to the Evalfile where it lies beside or below it, else absolute."""
        absolute = os.path.abspath(path)
        inside = Path(absolute).is_relative_to(self.folder)
        several = is_glob(path) and not os.path.exists(path)
        shown = os.path.relpath(absolute, self.folder) if inside else absolute
        return _Call("glob" if several else "file", shown)

    def _name(self, declared: Declaration) -> str:
        """A name of its own, after what it is."""
        hints = (declared.keys[key] for key in _NAMED_BY[declared.kind] if key in declared.keys)
        words = (_slug(self._names.get(repr(h), "") or str(h)) for h in hints)
        word = next(filter(None, words), "")
        if not NAME.fullmatch(word) or word in _NO_NAMES:
            word = f"{declared.kind}-{word}".rstrip("-")
        name, count = word, 1
        while (declared.kind, name) in self.arguments:
            count += 1
            name = f"{word}-{count}"
        return name


def _slug(text: str) -> str:
    """`nvidia/Nemotron-9B@r2` -> `nemotron-9b`, `data/sums.jsonl` -> `sums`."""
    last = text.partition("@")[0].rstrip("/").rpartition("/")[2]
    last = re.sub(r"\.(jsonl?|csv|parquet|sh|py|ya?ml)$", "", last.lower())
    return re.sub(r"([.-])[.-]+", r"\1", re.sub(r"[^a-z0-9_.-]+", "-", last)).strip("._-")


def _literal(text: str) -> tuple[Symbol, object] | None:
    """A duration, size, share or digest, and its value."""
    try:
        node = parse_override(Source("", text))
    except EvalmakeError:
        return None
    if not isinstance(node, tree.Literal) or node.kind not in _LITERALS:
        return None
    return Symbol(node.text), _LITERALS[node.kind](node.text)


def _key(statement: tree.Statement) -> str:
    return statement.key.text if isinstance(statement, tree.Assign) else "require"


def _word(key: object, place: _Place) -> str:
    if isinstance(key, str) and key.isprintable() and '"' not in key and not key.endswith("\\"):
        return key
    raise make_error("wrong-type", f"`{place.argument}` has the key {key!r}, which an Evalfile cannot say")


def _items(value: object, argument: str) -> Sequence[object]:
    if isinstance(value, list | tuple):
        return value
    raise make_error("wrong-type", f'`{argument}` takes texts, as "accuracy >= 80%"')


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
