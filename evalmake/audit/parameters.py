"""Request parameters: those that were sent, as the gateway counted them, beside those that the definition declares."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalmake.audit.outputs import Object, find, find_counts
from evalmake.planner.digest import describe_text, is_container_size, walk

_NAME = re.compile(r"[^.\[]+")
_SOURCES = (("", "params."), ("", "adapter.params."), ("benchmark", "adapter.params."), ("model", "adapter.params."))
"""Where a definition declares parameters: the part of the identity, and how the paths begin."""
_NOT_ASKED = ("model", "stream", "stream_options", "messages", "prompt", "input")
"""Fields of requests that are no parameters of a declaration."""

Pairs = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ParameterStory:
    """A request parameter: its values as they are declared, as text, and how often each value was sent."""

    name: str
    declared: tuple[str, ...]
    sent: Mapping[str, int]
    differs: bool  # whether another value than a declared one was sent, or one that nothing declares, or none


def describe_parameters(identity: Mapping[str, Pairs], usage: Object) -> tuple[ParameterStory, ...] | None:
    """Each parameter that is declared or was sent; None where the gateway did not note what it sent."""
    if not isinstance(find(usage, "sent"), Mapping):
        return None
    declared = find_declared(identity)
    names = [*declared, *(name for name in find(usage, "sent") if name not in _NOT_ASKED and name not in declared)]
    return tuple(_describe(str(name), declared.get(name, []), usage, identity) for name in names)


def _describe(name: str, declared: Sequence[Pairs], usage: Object, identity: Mapping[str, Pairs]) -> ParameterStory:
    sent = find_counts(usage, "sent", name)
    known = [_normalize(pairs) for pairs in declared]
    if name == "seed" and not known:  # every evaluation has one
        known = [_normalize({"": identity.get("", {}).get("seed", "")})]
    differs = not sent or any(_parse(value) not in known for value in sent)
    return ParameterStory(name, tuple(dict.fromkeys(map(_to_text, declared))), sent, differs)


def find_declared(identity: Mapping[str, Pairs]) -> dict[str, list[Pairs]]:
    """The walks of the values that a definition declares of each parameter; several where it does so twice."""
    found: dict[str, list[Pairs]] = {}
    for part, beginning in _SOURCES:
        values: dict[str, dict[str, str]] = {}
        for path, text in identity.get(part, {}).items():
            if path.startswith(beginning) and (name := _NAME.match(path, len(beginning))):
                values.setdefault(name[0], {})[path[name.end() :]] = text
        for name_, pairs in sorted(values.items()):
            found.setdefault(name_, []).append(pairs)
    return found


def describe_declared(identity: Mapping[str, Pairs]) -> dict[str, str]:
    """The declared parameters as text, by name."""
    return {name: " or ".join(dict.fromkeys(map(_to_text, found))) for name, found in find_declared(identity).items()}


def _parse(value: str) -> dict[str, object]:
    """A value that was sent, in the form of those that are declared; a text that is no JSON stands for itself."""
    try:
        pairs = dict(walk(json.loads(value)))
    except (ValueError, TypeError, RecursionError):
        pairs = {"": f"str:{value}"}
    return _normalize(pairs)


def _normalize(pairs: Pairs) -> dict[str, object]:
    """A walk without the sizes of containers, whose numbers are equal however they are written."""
    return {path.lstrip("."): _to_value(text) for path, text in pairs.items() if not is_container_size(text)}


def _to_value(text: str) -> object:
    kind, _, rest = text.partition(":")
    try:
        return float(rest) if kind == "int" else float.fromhex(rest) if kind in ("float", "duration") else text
    except (ValueError, OverflowError):
        return text


def _to_text(pairs: Pairs) -> str:
    """A declared value for people: `0.5`, or `enable_thinking false` for a map."""
    shown = {path: describe_text(text) for path, text in pairs.items() if not is_container_size(text)}
    if set(shown) == {""}:
        return shown[""]
    return ", ".join(f"{path.lstrip('.')} {text}" for path, text in shown.items()) or "empty"
