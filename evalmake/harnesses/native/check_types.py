"""The types that a check can have, and which fields each has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from evalmake.language.diagnostic import closest_name

PASSED = "passed"
"""The metric that is 1 where all checks of a record pass."""
TEXTS = ("contains", "icontains", "starts-with")
LISTS = ("contains-any", "contains-all", "icontains-any", "icontains-all")
GROUPS = ("any", "all", "assert-set")
_FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **{name: (("value",), ()) for name in (*TEXTS, *LISTS, "equals", "regex", "json-schema", "tokens", "any", "all")},
    "json": ((), ("value",)),
    "contains-json": ((), ("value",)),
    "number": (("value",), ("tolerance",)),
    "choice": (("value",), ("options",)),
    "judge": (("value",), ("threshold",)),
    "similar": (("value",), ("threshold",)),
    "latency": ((), ("value", "threshold")),
    "tool-call": (("name",), ("arguments",)),
    "assert-set": (("assert",), ()),
}
"""Type -> the fields that it needs, and those that it may have."""
KNOWN = tuple(name for name in _FIELDS if name != "assert-set")
_ALIASES = {"is-json": "json", "llm-rubric": "judge", "assert-set": "all"}
"""promptfoo's names."""
_REFUSED = {
    "javascript": ("no JavaScript is run", "write a function in Python: `scorer = python`"),
    "python": ("code in a check is not run", "write a function in a file: `scorer = python`"),
    "cost": ("no prices are known", "limit the `tokens` of a reply"),
}
_AS_WRITTEN = ("regex", "json", "contains-json", "json-schema")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class ShapeMistake(NamedTuple):
    """What is wrong with a check, and what to do."""

    message: str
    help: str = ""


def read_type(name: str) -> tuple[bool, str]:
    """Whether a type is turned around, and the type itself."""
    negated = name.startswith("not-")
    plain = name.removeprefix("not-")
    return negated, _ALIASES.get(plain, plain)


def describe_shape_mistake(given: object) -> ShapeMistake | None:
    """What is wrong with the type and the fields of a check, whatever their values are."""
    if not isinstance(given, Mapping):
        return ShapeMistake("a check is an object with a `type`", 'as {"type": "contains", "value": "Paris"}')
    name = given.get("type")
    if not isinstance(name, str):
        return ShapeMistake("it has no `type`", f"there are {', '.join(KNOWN)}")
    plain = name.removeprefix("not-")
    if plain in _REFUSED:
        why, cure = _REFUSED[plain]
        return ShapeMistake(f"`{name}`: {why}", cure)
    kind = _ALIASES.get(plain, plain)
    if kind not in _FIELDS:
        meant = closest_name(plain, (*KNOWN, *_ALIASES))
        help = f"did you mean `{meant}`?" if meant else f"there are {', '.join(KNOWN)}"
        return ShapeMistake(f"there is no check `{name[:40]}`", help)
    return _find_field_mistake(name, given, _FIELDS[plain if plain in _FIELDS else kind])


def _find_field_mistake(
    name: str, given: Mapping[str, Any], fields: tuple[tuple[str, ...], tuple[str, ...]]
) -> ShapeMistake | None:
    needed, optional = fields
    known = ("type", *needed, *optional)
    for field in needed:
        if field not in given:
            return ShapeMistake(f"`{name}` needs `{field}`")
    for field in given:
        if field not in known:
            has = ", ".join(f"`{one}`" for one in known)
            return ShapeMistake(f"`{name}` has no `{str(field)[:40]}`", f"it has {has}")
    inner = given.get("value" if "value" in given else "assert")
    if read_type(name)[1] not in ("any", "all") or (isinstance(inner, list | tuple) and inner):
        return None
    return ShapeMistake(f"`{name}` has a list of checks, and it has none")


def find_static_mistakes(checks: object) -> Iterator[ShapeMistake]:
    """What is wrong with the checks of an Evalfile, however deep; a text says where a record has its own."""
    for given in checks if isinstance(checks, list | tuple) else ():
        if isinstance(given, str):
            continue
        mistake = describe_shape_mistake(given)
        if mistake is not None:
            yield mistake
        elif read_type(str(given["type"]))[1] in ("any", "all"):
            yield from find_static_mistakes(given.get("value", given.get("assert")))


def is_as_written(kind: str, field: str) -> bool:
    """Whether no field of a record is filled into a field of a check: its braces are its own."""
    return field == "type" or (field == "value" and kind in _AS_WRITTEN)


def list_templates(value: object) -> Iterator[str]:
    """The texts of the checks of an Evalfile into which fields of a record are filled."""
    if isinstance(value, str):
        yield value
    for one in value if isinstance(value, list | tuple) else ():
        yield from list_templates(one)
    if isinstance(value, Mapping):
        _, kind = read_type(str(value.get("type")))
        for field, one in value.items():
            if not is_as_written(kind, field):
                yield from list_templates(one)


def has_kind(checks: object, kind: str) -> bool:
    """Whether a check of an Evalfile is of a kind, as `judge`, however deep."""
    given = [one for one in checks if isinstance(one, Mapping)] if isinstance(checks, list | tuple) else []
    return any(
        read_type(str(one.get("type")))[1] == kind or has_kind(one.get("value", one.get("assert")), kind)
        for one in given
    )


def find_static_types(checks: object) -> tuple[str, ...] | None:
    """The types of the checks of an Evalfile, each once; None if records have some of their own."""
    if not isinstance(checks, list | tuple) or any(isinstance(one, str) for one in checks):
        return None
    found = (read_type(str(one["type"])) for one in checks if isinstance(one, Mapping) and "type" in one)
    return tuple(dict.fromkeys(f"not-{kind}" if negated else kind for negated, kind in found))


def read_unit(value: object) -> float | None:
    """The seconds of a text with a unit."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(ms|s|m)", value) if isinstance(value, str) else None
    return float(found[1]) * _UNITS[found[2]] if found else None
