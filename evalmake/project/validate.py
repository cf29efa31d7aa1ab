"""Written fields to typed blocks; pydantic's complaints become diagnostics at their spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from evalmake.lang.diagnostic import Diagnostics, closest
from evalmake.lang.source import Span
from evalmake.lang.values import Duration, Size, show, type_name
from evalmake.project.fields import Fields

B = TypeVar("B", bound=BaseModel)

_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "string_type": "a text",
    "dict_type": "a map",
    "tuple_type": "a list",
    "model_type": "a map",
    "model_attributes_type": "a map",
}


def validate(
    block: type[B],
    values: Mapping[str, Any],
    fields: Fields,
    found: Diagnostics,
    about: str,
    span: Span,
    *,
    known: Sequence[str] = (),
    what: str = "",
    also: Sequence[tuple[Span, str]] = (),
    prefix: tuple[str, ...] = (),
) -> B | None:
    """The typed block, or `None` with the reasons in `found`.

    `what` is the subject of an unknown key ("a model", "the `slurm` backend"), `known` the keys it
    has beyond the block's own, `also` a label that says why, `prefix` where `values` stand in `fields`.
    """
    try:
        return block.model_validate(dict(values))
    except ValidationError as error:
        told: set[tuple[Any, ...]] = set()
        for item in error.errors(include_url=False, include_context=True):
            place = _place(prefix + item["loc"], fields)
            if place in told:
                continue
            told.add(place)
            _tell(item, place, block, fields, found, about, span, known, what, also)
    return None


def _place(loc: tuple[Any, ...], fields: Fields) -> tuple[str, ...]:
    """The longest prefix of `loc` that was written somewhere."""
    words = tuple(str(part) for part in loc)
    for length in range(len(words), 0, -1):
        if words[:length] in fields.spans:
            return words[:length]
    return words[:1]


def _tell(
    item: Any,
    place: tuple[str, ...],
    block: type[BaseModel],
    fields: Fields,
    found: Diagnostics,
    about: str,
    span: Span,
    known: Sequence[str],
    what: str,
    also: Sequence[tuple[Span, str]],
) -> None:
    key = ".".join(place)
    kind, value = item["type"], item["input"]
    spans = fields.spans.get(place)
    at = spans.value if spans else span
    if kind == "extra_forbidden":
        names = sorted({*block.model_fields, *known})
        if len(item["loc"]) > 1 and what and len(place) > 1:
            names = _nested(block, place[-2]) or names
            what = f"`{place[-2]}`"
        unknown_key(
            found, str(item["loc"][-1]), spans.key if spans else span, names, what, about, also
        )
    elif kind == "missing":
        found.error("missing-key", f"{about or 'it'} has no `{item['loc'][-1]}`", span, about=about)
    elif kind == "literal_error":
        words = [
            w.strip("' ") for w in str(item["ctx"]["expected"]).replace(" or ", ", ").split(",")
        ]
        meant = closest(str(value), words)
        found.error(
            "unknown-word", f"`{key}` cannot be {show(value)}", at, about=about,
            notes=[f"it is one of {', '.join(words)}"],
            help=[f"did you mean `{meant}`?"] if meant else [],
        )  # fmt: skip
    elif kind == "quoted_word":
        found.error(
            "quoted-name", f"`{key}` takes a name, and a name has no quotes", at, about=about,
            help=[f"write {key} = {value}"],
        )  # fmt: skip
    elif kind == "is_instance_of" and (unit_of := _unit(item, value)):
        unit, example = unit_of
        found.error(
            "missing-unit", f"`{key}` is {unit} and needs a unit", at, about=about,
            help=[f"did you mean `{value}{example}`?"],
        )  # fmt: skip
    else:
        _wrong_type(item, key, at, found, about)


def _unit(item: Any, value: object) -> tuple[str, str] | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    wanted = item.get("ctx", {}).get("class")
    return {Duration.__name__: ("a duration", "s"), Size.__name__: ("a size", "GiB")}.get(wanted)


def _wrong_type(item: Any, key: str, at: Span, found: Diagnostics, about: str) -> None:
    kind, value = item["type"], item["input"]
    if kind in ("bad_rate", "bad_url", "bad_share", "secret_url", "value_error"):
        code = "secret-place" if kind == "secret_url" else "bad-value"
        found.error(code, f"`{key}`: {item['msg'].removeprefix('Value error, ')}", at, about=about)
        return
    if kind.startswith(("greater_than", "less_than")):
        found.error("bad-value", f"`{key}` is {show(value)}: {_bound(item)}", at, about=about)
        return
    if type(value).__name__ == "SecretRef":
        found.error(
            "secret-place", f"`{key}` cannot be a secret", at, about=about,
            help=["a secret stands in keys that take one, as `api_key`, and in `env` maps"],
        )  # fmt: skip
        return
    wanted = _WANTED.get(kind) or _classes(item)
    found.error(
        "wrong-type", f"`{key}` takes {wanted}, and this is {type_name(value)}", at, about=about
    )


def _bound(item: Any) -> str:
    context = item["ctx"]
    for name, words in (
        ("ge", "at least"),
        ("gt", "more than"),
        ("le", "at most"),
        ("lt", "less than"),
    ):
        if name in context:
            return f"it must be {words} {context[name]}"
    return str(item["msg"])


def _classes(item: Any) -> str:
    wanted = str(item.get("ctx", {}).get("class", ""))
    return {
        "Duration": "a duration",
        "Size": "a size",
        "Digest": "a digest",
        "Files": "`file(...)` or `glob(...)`",
        "SecretRef": "`secret(...)`",
        "Resources": "a map",
        "Adapter": "a map",
    }.get(wanted, "another type of value")


def _nested(block: type[BaseModel], key: str) -> list[str]:
    inner = block.model_fields[key].annotation if key in block.model_fields else None
    return sorted(getattr(inner, "model_fields", {}))


def unknown_key(
    found: Diagnostics,
    key: str,
    span: Span,
    names: Sequence[str],
    what: str,
    about: str,
    also: Sequence[tuple[Span, str]] = (),
) -> None:
    """Say that `what` has no key `key`, and which it has."""
    meant = closest(key, names)
    noun = "setting" if also else "key"
    found.error(
        "unknown-key", f"{what} has no {noun} `{key}`", span, about=about, also=also,
        notes=[f"its {noun}s are {', '.join(names)}"],
        help=[f"did you mean `{meant}`?"] if meant else [],
    )  # fmt: skip
