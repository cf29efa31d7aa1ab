"""Validates fields by their schema; pydantic's errors become diagnostics at their spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.language.source import Span
from evalmake.language.text import with_article
from evalmake.language.values import NAME, Symbol, describe_type, format_value
from evalmake.project.fields import Fields
from evalmake.project.file_lists import BadList, join_lists
from evalmake.project.foreign_keys import find_own_name, find_own_word, suggest_form
from evalmake.project.prices import PriceMistake
from evalmake.project.schema import KINDS
from evalmake.project.value_help import suggest_value

B = TypeVar("B", bound=BaseModel)

_WANTED_BY_ERROR = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "string_type": "a text",
    "word_type": "a name",
    "folder_type": 'an axis over folders: weights in glob("PATTERN/")',
    "not_json": "a number, a text, `true` or `false`, a list or a map",
    "signing_key_type": "`secret(...)`, `file(...)` or a list of them",
    "dict_type": "a map",
    "tuple_type": "a list",
    "model_type": "a map",
    "model_attributes_type": "a map",
}
_WANTED_BY_CLASS = {
    "Duration": "a duration",
    "Size": "a size",
    "Digest": "a digest",
    "Files": "`file(...)`, `glob(...)` or a list of them",
    "SecretRef": "`secret(...)`",
    "Resources": "a map",
    "Adapter": "a map",
}

COUNT_HELP = "write how many items to ask, such as 100"

Hints = Callable[[str], Sequence[str]]


def validate(
    block: type[B],
    values: Mapping[str, Any],
    fields: Fields,
    diagnostics: Diagnostics,
    about: str,
    span: Span,
    *,
    known: Sequence[str] = (),
    what: str = "",
    also: Sequence[tuple[Span, str]] = (),
    prefix: tuple[str, ...] = (),
    hints: Hints = lambda key: (),
    topic: str = "",
) -> B | None:
    """The typed block, or `None` after an error.

    `what` is the subject of an unknown key ("a model", "the `slurm` backend"), `known` the keys it
    has beyond the block's own, `also` a label that says why, `prefix` where `values` stand in `fields`,
    `hints` what to say of a key that is unknown or missing, `topic` the word of `evalmake help` that lists the keys.
    """
    try:
        return block.model_validate(join_lists(block, _without_cleared(block, values)))
    except BadList as error:
        diagnostics.error("bad-value", f"`{error.key}`: {error}", fields.spans[*prefix, error.key].value, about=about)
    except ValidationError as error:
        reported: set[tuple[Any, ...]] = set()
        for item in error.errors(include_url=False, include_context=True):
            place = _written_place(prefix + item["loc"], fields)
            if place in reported:
                continue
            reported.add(place)
            _report_error(item, place, block, fields, diagnostics, about, span, known, what, also, hints, topic)
    return None


def _without_cleared(block: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without each `none` that clears its key: one that may be left out, and has no `none` of its own."""
    fields = block.model_fields
    return {
        key: value
        for key, value in values.items()
        if value is not None or key not in fields or fields[key].is_required() or not value_errors(block, key, None)
    }


def value_errors(block: type[BaseModel], key: str, value: object) -> set[str]:
    """Pydantic's error types for one key of `block` with `value`; empty if it fits."""
    try:
        block.model_validate({key: value})
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return {e["type"] for e in found if e["loc"][:1] == (key,) and e["type"] != "missing"}
    return set()


def refusal(block: type[BaseModel], key: str) -> str:
    """Return the message of the error if `key` of `block` accepts no value."""
    try:
        block.model_validate({key: 0})
    except ValidationError as error:
        return str(error.errors()[0]["msg"]).removeprefix("Value error, ")
    return ""


def _written_place(loc: tuple[Any, ...], fields: Fields) -> tuple[str, ...]:
    """The longest prefix of `loc` that has a span."""
    words = tuple(str(part) for part in loc)
    for length in range(len(words), 0, -1):
        if words[:length] in fields.spans:
            return words[:length]
    return words[:1]


def _report_error(
    item: Any,
    place: tuple[str, ...],
    block: type[BaseModel],
    fields: Fields,
    diagnostics: Diagnostics,
    about: str,
    span: Span,
    known: Sequence[str],
    what: str,
    also: Sequence[tuple[Span, str]],
    hints: Hints,
    topic: str,
) -> None:
    key = ".".join(part for part in place if not part.isdigit())
    kind, value = item["type"], item["input"]
    spans = fields.spans.get(place)
    at = spans.value if spans else span
    if kind == "extra_forbidden":
        names = sorted({*block.model_fields, *known})
        if len(item["loc"]) > 1 and what and len(place) > 1:
            names = _keys_of_map(block, place[-2]) or names
            what, topic = f"`{place[-2]}`", f"{topic}.{place[-2]}" if topic else ""
        name = str(item["loc"][-1])
        at = spans.key if spans else span
        report_unknown_key(diagnostics, name, at, names, what, about, also, hints(name), topic)
    elif kind == "missing":
        name = str(item["loc"][-1])
        diagnostics.error("missing-key", f"{about} has no `{name}`", span, about=about, help=hints(name))
    elif kind == "literal_error":
        words = [w.strip("' ") for w in str(item["ctx"]["expected"]).replace(" or ", ", ").split(",")]
        own = find_own_word(key, str(value))
        meant = own if own in words else None if own else closest_name(str(value), words)
        diagnostics.error(
            "unknown-word",
            f"`{key}` cannot be `{format_value(value) if isinstance(value, tuple | dict) else value}`",
            at,
            about=about,
            notes=[f"it can be {', '.join(words)}"],
            help=[f"did you mean `{meant}`?"] if meant else [own] if own else _suggest_copies(value),
        )
    elif kind == "quoted_word":
        unquoted = _without_quotes(value)
        if unknown := _find_unknown_word(block, key, unquoted):
            _report_error(unknown, place, block, fields, diagnostics, about, span, known, what, also, hints, topic)
            return
        diagnostics.error(
            "quoted-name",
            f"`{key}` takes a name, which has no quotes",
            at,
            about=about,
            help=[f"write `{format_value(unquoted)}`"],
        )
    elif isinstance(mistake := item.get("ctx", {}).get("error"), PriceMistake):
        _report_price(mistake, place, at, fields, diagnostics, about)
    elif unit := _likely_unit(item, value):
        diagnostics.error(
            "missing-unit",
            f"`{key}` is {_WANTED_BY_CLASS[_wanted_class(item)]} and needs a unit",
            at,
            about=about,
            help=[f"did you mean `{value}{unit}`?"],
        )
    else:
        _report_wrong_type(item, key, block, at, diagnostics, about)


def _without_quotes(value: object) -> object:
    """A text, or a list of texts, as the names that were meant."""
    if isinstance(value, list | tuple):
        return tuple(map(_without_quotes, value))
    return Symbol(value) if isinstance(value, str) else value


def _find_unknown_word(block: type[BaseModel], key: str, value: object) -> Any:
    """Pydantic's error that a name is none of those that `key` takes; None if there is none."""
    try:
        block.model_validate({key: value})
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=True)
        return next((one for one in found if one["loc"][:1] == (key,) and one["type"] == "literal_error"), None)
    return None


def _report_price(
    mistake: PriceMistake, place: tuple[str, ...], at: Span, fields: Fields, diagnostics: Diagnostics, about: str
) -> None:
    """Report a mistake in a price, at its entry of the map."""
    if spans := fields.spans.get((*place, mistake.entry)):
        at = spans.key if mistake.code == "unknown-key" else spans.value
    diagnostics.error(mistake.code, str(mistake), at, about=about, help=mistake.help)


def _suggest_copies(value: object) -> list[str]:
    """Help for a list where one word is expected."""
    return ["it takes one of them: write a declaration for each"] if isinstance(value, tuple | list) else []


def _wanted_class(item: Any) -> str:
    """The name of the class that was expected, if the error names one."""
    context = item.get("ctx", {})
    return str(context.get("class") or context.get("class_name", ""))


def _likely_unit(item: Any, value: object) -> str | None:
    """The likely unit of a bare number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return {"Duration": "s", "Size": "GiB"}.get(_wanted_class(item))


def _report_wrong_type(
    item: Any, key: str, block: type[BaseModel], at: Span, diagnostics: Diagnostics, about: str
) -> None:
    kind, value = item["type"], item["input"]
    if kind in (
        "bad_rate",
        "bad_url",
        "bad_share",
        "bad_log",
        "bad_statuses",
        "bad_room",
        "secret_url",
        "value_error",
    ):
        code = "secret-place" if kind == "secret_url" else "bad-value"
        said = item["msg"].removeprefix("Value error, ")
        diagnostics.error(code, f"`{key}`: {said}" if key else said, at, about=about)
    elif kind.startswith(("greater_than", "less_than")):
        diagnostics.error("bad-value", f"`{key}` is {format_value(value)}: {_describe_bound(item)}", at, about=about)
    elif kind == "secret_value" or type(value).__name__ == "SecretRef":
        diagnostics.error(
            "secret-place",
            f"`{key}` cannot be a secret",
            at,
            about=about,
            help=["use it in a key that takes a secret, such as `api_key`, or in an `env` map"],
        )
    elif kind == "bare_word":
        diagnostics.error(
            "wrong-type",
            f"`{key}` takes a value, but a word without quotes is a name",
            at,
            about=about,
            help=[f"write `{format_value(str(value))}`"] if isinstance(value, Symbol) else [],
        )
    else:
        wanted = _WANTED_BY_ERROR.get(kind) or _WANTED_BY_CLASS.get(_wanted_class(item), "a value of another type")
        given = describe_type(value)
        if kind.startswith("int") and isinstance(value, float):
            given = describe_share(value) or format_value(value)
        diagnostics.error(
            "wrong-type",
            f"`{key}` takes {wanted}, but this is {given}",
            at,
            about=about,
            help=[COUNT_HELP]
            if key == "limit" and describe_share(value)
            else suggest_value(key, wanted, Symbol(str(value)) if _is_quoted_name(block, key, value) else value, at),
        )


def _is_quoted_name(block: type[BaseModel], key: str, value: object) -> bool:
    """Whether a text is a name of which `key` takes a list."""
    is_name = isinstance(value, str) and NAME.fullmatch(value) is not None
    return is_name and not value_errors(block, key, (_without_quotes(value),))


def describe_share(value: object) -> str:
    """`10%, a share`, if the value may have been written as a percentage; else empty."""
    return f"{value * 100:g}%, a share" if isinstance(value, float) and 0 < value < 1 else ""


def _describe_bound(item: Any) -> str:
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


def _keys_of_map(block: type[BaseModel], key: str) -> list[str]:
    annotation = block.model_fields[key].annotation if key in block.model_fields else None
    kinds = (annotation, *getattr(annotation, "__args__", ()))  # the annotation may be optional
    return sorted({name for kind in kinds for name in getattr(kind, "model_fields", {})})


def report_unknown_key(
    diagnostics: Diagnostics,
    key: str,
    span: Span,
    names: Sequence[str],
    what: str,
    about: str,
    also: Sequence[tuple[Span, str]] = (),
    hints: Sequence[str] = (),
    topic: str = "",
) -> None:
    """Report that `what` has no key `key`, which keys it has, and where to read about them."""
    kind = topic.rpartition(" ")[2]
    own = find_own_name(kind, key)
    others = [] if hints else _suggest_kind(kind, key)
    told = others or suggest_form(kind, key) or "." in key
    meant = own if own in names else None if told else closest_name(key, names)
    noun = "setting" if also else "key"
    diagnostics.error(
        "unknown-key",
        f"{what} has no {noun} `{key}`",
        span,
        about=about,
        also=also,
        notes=[f"its {noun}s are {', '.join(names)}"],
        help=[*([f"did you mean `{meant}`?"] if meant else hints or others), *_read_on(topic, noun)],
    )


def _suggest_kind(kind: str, key: str) -> list[str]:
    """Help for a key that declarations of another kind have."""
    kinds = [with_article(one) for one, block in KINDS.items() if kind in KINDS and key in block.model_fields]
    listed = " and ".join([", ".join(kinds[:-1]), kinds[-1]] if kinds[1:] else kinds)
    return [f"`{key}` is a key of {listed}"] if kinds else []


def _read_on(topic: str, noun: str) -> list[str]:
    """Help that names the topic of the manual, quoted for the shell if it has two words."""
    word = f"'{topic}'" if " " in topic else topic
    return [f"`evalmake help {word}` describes its {noun}s"] if topic else []
