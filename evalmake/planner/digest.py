"""What makes up a value, its digest, and how two differ: one walk, the only definition of identity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import xxhash

from evalmake.language.values import Digest, Duration, Files, Size

Pairs = tuple[tuple[str, str], ...]
_SHA256 = re.compile(r"\b(sha256:[0-9a-f]{12})[0-9a-f]{52}\b")


def walk(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every (path, text) that makes up `value`, in one order; TypeError for what has none."""
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
                inner = path if value.single else f"{path}[{file.name}]"
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


def digest(pairs: Iterable[tuple[str, str]]) -> str:
    """xxh3-128 of the pairs' UTF-8, each text after its length in characters, as `xxh128:HEX`."""
    whole = "".join([f"{len(path)}:{path}{len(text)}:{text}" for path, text in pairs])
    return f"xxh128:{xxhash.xxh3_128_hexdigest(whole.encode())}"


@dataclass(frozen=True, slots=True)
class Part:
    """A walked piece of an identity, shared by all the actions that have it."""

    pairs: Pairs
    digest: str

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Part:
        """Walk `value` once."""
        pairs = tuple(walk(dict(value)))
        return cls(pairs, digest(pairs))


@dataclass(frozen=True, slots=True)
class Change:
    """One path whose text changed; `None` is absent."""

    path: str
    before: str | None
    now: str | None


def find_changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[Change]:
    """What changed between two walks, in order of path; container counts only where nothing else did."""
    changed = [
        Change(path, before.get(path), now.get(path))
        for path in sorted({*before, *now})
        if before.get(path) != now.get(path)
    ]
    telling = [d for d in changed if not _count(d)]
    return telling or changed


def _count(difference: Change) -> bool:
    texts = [t for t in (difference.before, difference.now) if t is not None]
    return all(text.startswith(("map:", "list:", "files:")) for text in texts)


def describe_text(text: str | None) -> str:
    """A walk's text for people: `float:0x1.6p-1` is 0.7, a digest is shortened."""
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
            return rest if rest and len(rest) <= 60 and "\n" not in rest else repr(_cropped(rest))
        case "int" | "size" | "map" | "list" | "files" | "digest":
            return rest[:19] if kind == "digest" else rest
    return f"sha256:{text[:8]}" if not colon and len(text) == 64 else text


def _cropped(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:37]}...{text[-20:]}"  # a digest is at the end
