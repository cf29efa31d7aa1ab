"""The values of an Evalfile: plain Python values, and a small type for each that Python does not have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import NoReturn

from evalmake.language.money import Money, Price

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
NAME = re.compile(r"_?[a-z][a-z0-9_]*([.-][a-z0-9_]+)*")
"""The pattern of a bare word, as in the grammar."""
_KEY = re.compile(rf"{NAME.pattern}|[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time; `text` is how the Evalfile writes it."""

    seconds: float
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Duration:
        """`1h30m` -> 5400 seconds."""
        parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
        return cls(sum(float(n) * _UNIT_SECONDS[unit] for n, unit in parts), text)

    def __str__(self) -> str:
        return self.text or f"{self.seconds:g}s"


@dataclass(frozen=True, slots=True)
class Size:
    """An amount of memory; `text` is how the Evalfile writes it."""

    bytes: int
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Size:
        """`16GiB` -> 2**34 bytes, `80GB` -> 80e9."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(i?)B", text)
        assert match, text
        base = 1024 if match[3] else 1000
        return cls(int(float(match[1]) * base ** _SIZE_POWERS[match[2]]), text)

    def __str__(self) -> str:
        return self.text or f"{self.bytes}B"


@dataclass(frozen=True, slots=True)
class Digest:
    """A content address with its algorithm: `sha256:...` or `xxh128:...`."""

    text: str

    @property
    def short(self) -> str:
        """The algorithm and eight digits, for people."""
        algorithm, _, digits = self.text.partition(":")
        return f"{algorithm}:{digits[:8]}"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class File:
    """One input: `name` is relative to its `file()` or `glob()`, `path` is where it lies now."""

    name: str
    sha256: str
    path: Path = field(compare=False)


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a `file()` or `glob()`; their contents and names below its root are the identity."""

    files: tuple[File, ...]
    single: bool = False

    @classmethod
    def join(cls, parts: Sequence[Files]) -> Files:
        """The files of several calls, in their order; ValueError for one that two of them name.

        Two files of one name, from different folders, are told apart by the number of their part.
        """
        if len(parts) == 1:
            return parts[0]
        found: dict[Path, File] = {}
        names: set[str] = set()
        for number, part in enumerate(parts, 1):
            for file in part.files:
                if file.path in found:
                    raise ValueError(f"the list has `{file.name}` twice")
                name = file.name
                while name in names:
                    name = f"{number}/{name}"
                found[file.path] = File(name, file.sha256, file.path)
                names.add(name)
        return cls(tuple(found.values()))

    @property
    def roots(self) -> set[Path]:
        """The folders below which the names are."""
        return {file.path.parents[len(PurePath(file.name).parts) - 1] for file in self.files}

    def __str__(self) -> str:
        return ", ".join(f.name for f in self.files)


def join_files(value: object) -> object:
    """The files of a list of `file()` and `glob()`, as a key that takes files has them; any other value as it is."""
    if isinstance(value, tuple) and value and all(isinstance(one, Files) for one in value):
        return Files.join(value)
    return value


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that a `glob()` with a `/` at its end has found, and the files in it."""

    name: str
    files: Files

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret by name. It has no text, no digest and no pickle."""

    name: str

    def __str__(self) -> str:
        return f"[secret {self.name}]"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A bare word; its key says what it names."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Template:
    """A text that mentions axes: literal texts and axis names in turn."""

    parts: tuple[str | Symbol, ...]

    def fill(self, axes: dict[str, object]) -> str:
        """The text for one cell."""
        return "".join(part if isinstance(part, str) else _to_text(axes[part.text]) for part in self.parts)


def _to_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


Value = (
    None
    | bool
    | int
    | float
    | str
    | Duration
    | Size
    | Money
    | Price
    | Digest
    | Files
    | Folder
    | SecretRef
    | Symbol
    | Template
    | tuple["Value", ...]
    | dict[str, "Value"]
)


def describe_type(value: object) -> str:
    """The type of `value` in words: `a number`, `a list`."""
    match value:
        case None:
            return "`none`"
        case bool():
            return "`true` or `false`"
        case int() | float():
            return "a number"
        case Template():
            return "a text with an axis in it"
        case str():
            return "a text"
        case Duration():
            return "a duration"
        case Size():
            return "a size"
        case Money():
            return "an amount of money"
        case Price():
            return "a price"
        case Digest():
            return "a digest"
        case Files():
            return "files"
        case Folder():
            return "a folder"
        case SecretRef():
            return "a secret"
        case Symbol():
            return "a name"
        case tuple() | list():
            return "a list"
        case dict():
            return "a map"
    return type(value).__name__


def format_value(value: object) -> str:
    """`value` as an Evalfile writes it."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case str():
            return _quote(value)
        case tuple() | list():
            return "[" + ", ".join(format_value(item) for item in value) + "]"
        case dict():
            pairs = ", ".join(f"{_format_key(k)} = {format_value(v)}" for k, v in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case Template():
            return '"' + "".join(p if isinstance(p, str) else f"${{{p}}}" for p in value.parts) + '"'
        case Files():
            calls = ", ".join(f'file("{f.name}")' for f in value.files)
            return calls if len(value.files) == 1 else f"[{calls}]"
        case SecretRef():
            return f"secret({_quote(value.name)})"
    return str(value)


def _quote(text: str) -> str:
    """Quote a text: escape control and invisible characters, and `${`."""
    shown = (
        _ESCAPES.get(char) or (char if char.isprintable() or char > "\uffff" else f"\\u{ord(char):04x}")
        for char in text
    )
    return f'"{"".join(shown).replace("${", "$${")}"'


def _format_key(key: str) -> str:
    """A key of a map, in quotes where it needs them."""
    return key if _KEY.fullmatch(key) else f'"{key}"'
