"""Request parameters: those that were sent, as the gateway counted them, beside those that the definition declares."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from evalmake.audit.outputs import Object, find_counts, find_map
from evalmake.gateway.proxy.declared_parameters import ALIASES
from evalmake.planner.digest import describe_text, is_container_size

_NAME = re.compile(r"[^.\[]+")
_SOURCES = (("", "params."), ("", "adapter.params."), ("benchmark", "adapter.params."), ("model", "adapter.params."))
"""Where a definition declares parameters: the part of the identity, and how the paths begin."""
_RENAME = "adapter.rename."
_NOT_DECLARED = ("model", "stream", "stream_options")
"""Fields of requests that are no parameters of a declaration."""
_SENT = "parameters"
_DIGEST = "sha256:"

Pairs = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ParameterStory:
    """A request parameter: its values as they are declared, as text, and how often each value was sent, as JSON."""

    name: str
    declared: tuple[str, ...]
    sent: Mapping[str, int]
    differs: bool  # whether another value than a declared one was sent, or one that nothing declares, or none


def describe_parameters(identity: Mapping[str, Pairs], usage: Object) -> tuple[ParameterStory, ...] | None:
    """Each parameter that is declared or was sent; None where the gateway did not note what it sent."""
    if _SENT not in usage:
        return None
    sent = {name: find_counts(usage, _SENT, name) for name in find_map(usage, _SENT) if name not in _NOT_DECLARED}
    found = []
    for name, declared in find_declared(identity).items():
        field = _find_field(name, identity, sent)
        found.append(_describe(name, declared, sent.pop(field, {}), usage))
    seed = identity.get("", {}).get("seed", "")
    for name, values in sent.items():
        own = [{"": seed}] if name == "seed" and seed else []  # every evaluation has one
        found.append(_describe(name, own, values, usage))
    return tuple(found)


def list_asked_models(usage: Object) -> list[str]:
    """The models that requests asked for by name."""
    return [str(_parse(text)) for text in find_counts(usage, _SENT, "model")]


def _describe(name: str, declared: Sequence[Pairs], sent: Mapping[str, int], usage: Object) -> ParameterStory:
    known = {form for pairs in declared for form in _list_forms(pairs)}
    other = [text for text in sent if _canonical(text) not in known]
    if name == "seed" and len(other) < len(sent) and name not in find_map(usage, "undeclared"):
        other = []  # repetitions have seeds of their own, and the gateway knows which are theirs
    return ParameterStory(name, tuple(dict.fromkeys(map(_to_text, declared))), sent, bool(other) or not sent)


def _find_field(name: str, identity: Mapping[str, Pairs], sent: Mapping[str, object]) -> str:
    """The field of requests that carries a declared parameter: an adapter or a harness may rename it."""
    renamed = [part[_RENAME + name].partition(":")[2] for part in identity.values() if _RENAME + name in part]
    return next((one for one in (*renamed, *ALIASES.get(name, (name,))) if one in sent), name)


def find_declared(identity: Mapping[str, Pairs]) -> dict[str, list[Pairs]]:
    """The walks of the values that a definition declares of each parameter; several where it does so twice."""
    found: dict[str, list[Pairs]] = {}
    for part, beginning in _SOURCES:
        values: dict[str, dict[str, str]] = {}
        for path, text in identity.get(part, {}).items():
            if path.startswith(beginning) and (name := _NAME.match(path, len(beginning))):
                values.setdefault(name[0], {})[path[name.end() :]] = text
        for owner, pairs in sorted(values.items()):
            found.setdefault(owner, []).append(pairs)
    return found


def describe_declared(identity: Mapping[str, Pairs]) -> dict[str, str]:
    """The declared parameters as text, by name."""
    return {name: " or ".join(dict.fromkeys(map(_to_text, found))) for name, found in find_declared(identity).items()}


def _to_text(pairs: Pairs) -> str:
    """A declared value for people: `0.5`, or `enable_thinking false` for a map."""
    shown = {path: describe_text(text) for path, text in pairs.items() if not is_container_size(text)}
    if set(shown) == {""}:
        return shown[""]
    return ", ".join(f"{path.lstrip('.')} {text}" for path, text in shown.items()) or "empty"


def _list_forms(pairs: Pairs) -> Iterator[str]:
    """The forms in which the gateway may note a declared value: as JSON, or as a digest of its text."""
    value = _rebuild("", iter(pairs.items()))
    text = (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    )
    yield _canonical(json.dumps(value))
    yield _DIGEST + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _rebuild(path: str, pairs: Iterator[tuple[str, str]]) -> Any:
    """The value of a walk, which lists each value before those in it."""
    own, text = next(pairs, (path, "NoneType:None"))
    kind, _, rest = text.partition(":")
    match kind:
        case "list":
            return [_rebuild(f"{own}[{index}]", pairs) for index in range(int(rest))]
        case "map":
            return dict(_rebuild_entry(own, pairs) for _ in range(int(rest)))
        case "bool":
            return rest == "True"
        case "int" | "size":
            return int(rest)
        case "float" | "duration":
            return float.fromhex(rest)
    return None if kind == "NoneType" else rest


def _rebuild_entry(path: str, pairs: Iterator[tuple[str, str]]) -> tuple[str, Any]:
    """The next key of a map and its value."""
    own, text = next(pairs, (path, "NoneType:None"))
    return own.removeprefix(path).lstrip("."), _rebuild(own, _with_first((own, text), pairs))


def _with_first(first: tuple[str, str], rest: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    yield first
    yield from rest


def _parse(text: str) -> Any:
    """A value that was sent; a text that is no JSON stands for itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _canonical(text: str) -> str:
    """The JSON of a value in one form, whose numbers are equal however they are written."""
    return text if text.startswith(_DIGEST) else json.dumps(_level(_parse(text)), sort_keys=True)


def _level(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [*map(_level, value)]
        case dict():
            return {key: _level(one) for key, one in value.items()}
    return value
