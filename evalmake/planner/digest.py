"""Identity: `walk` lists everything that counts of a value. Digests and differences are computed from its result."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import xxhash

from evalmake.language.values import Digest, Duration, Files, Size

BEHAVIOURS = "benchmark.behaviours."
"""The path before the parts of a harness that have a behaviour number of their own."""

Pairs = tuple[tuple[str, str], ...]
_SHA256 = re.compile(r"\b(sha256:[0-9a-f]{12})[0-9a-f]{52}\b")


def walk(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield a (path, text) for everything that counts of `value`, always in the same order.

    Raise TypeError for a type of value that has no digest.
    """
    match value:
        case None | bool() | int() | str():
            yield path, f"{type(value).__name__}:{value}"
        case float():
            yield path, f"float:{value.hex()}"
        case Digest():
            yield path, f"digest:{value.text}"
        case Duration():
            yield path, f"duration:{value.seconds.hex()}"
        case Size():
            yield path, f"size:{value.bytes}"
        case Files():
            yield path, f"files:{len(value.files)}"
            for file in value.files:
                inner = path if value.single else f"{path}[{_as_text(file.name)}]"
                yield f"{inner}.sha256", file.sha256
        case list() | tuple():
            yield path, f"list:{len(value)}"
            for index, item in enumerate(value):
                yield from walk(item, f"{path}[{index}]")
        case dict():
            yield path, f"map:{len(value)}"
            for key in sorted(value):
                yield from walk(value[key], f"{path}.{key}" if path else key)
        case _:
            raise TypeError(f"{path}: a {type(value).__name__} has no digest")


def _as_text(name: str) -> str:
    """The name of a file as text that can be stored; bytes that are no UTF-8 are written as `\\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def digest(pairs: Iterable[tuple[str, str]]) -> str:
    """Return `xxh128:HEX`: the xxh3-128 of the pairs in UTF-8, with the length in characters before each text."""
    whole = "".join([f"{len(path)}:{path}{len(text)}:{text}" for path, text in pairs])
    return f"xxh128:{xxhash.xxh3_128_hexdigest(whole.encode('utf-8', 'surrogatepass'))}"


@dataclass(frozen=True, slots=True)
class Part:
    """The walk of one piece of an identity. All actions with this piece share it."""

    pairs: Pairs
    digest: str

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Part:
        """Walk `value` once."""
        pairs = tuple(walk(dict(value)))
        return cls(pairs, digest(pairs))


@dataclass(frozen=True, slots=True)
class Change:
    """A path whose text changed. `None` means that the path is absent."""

    path: str
    before: str | None
    now: str | None


def find_changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[Change]:
    """Return what changed between two walks, sorted by path.

    The sizes of containers are left out, unless nothing else changed.
    """
    changed = [
        Change(path, before.get(path), now.get(path))
        for path in sorted({*before, *now})
        if before.get(path) != now.get(path)
    ]
    return [change for change in changed if not _is_container_size(change)] or changed


def _is_container_size(change: Change) -> bool:
    return all(is_container_size(text) for text in (change.before, change.now) if text is not None)


def is_container_size(text: str) -> bool:
    """Return whether a text of a walk is the size of a map, a list or a set of files."""
    return text.startswith(("map:", "list:", "files:"))


def describe_change(path: str, before: str | None, now: str | None) -> tuple[str, str]:
    """Return what changed and how, for people: `scorer choice` and `behaviour 1 -> 2`."""
    if path.startswith(BEHAVIOURS):  # behaviour 1 is left out of identities
        return path.removeprefix(
            BEHAVIOURS
        ), f"behaviour {describe_text(before or 'int:1')} -> {describe_text(now or 'int:1')}"
    return path, f"{describe_text(before)} -> {describe_text(now)}"


def describe_text(text: str | None) -> str:
    """Return a text of a walk for people: `float:0x1.6p-1` becomes 0.6875, and a digest is shortened."""
    if text is None:
        return "(none)"
    kind, colon, rest = text.partition(":")
    match kind:
        case "float":
            return repr(float.fromhex(rest))
        case "NoneType":
            return "none"
        case "bool":
            return rest.lower()
        case "duration":
            return f"{float.fromhex(rest):g}s"
        case "str":
            rest = _SHA256.sub(r"\1", rest)
            return rest if rest and len(rest) <= 60 and "\n" not in rest else repr(_crop(rest))
        case "int" | "size" | "map" | "list" | "files" | "digest":
            return rest[:19] if kind == "digest" else rest
    return f"sha256:{text[:8]}" if not colon and len(text) == 64 else text


def _crop(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:37]}...{text[-20:]}"  # the end of a reference is often a digest
