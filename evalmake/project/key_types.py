"""The types of keys: what plugin authors write in their `Settings`, with their checks and descriptions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from evalmake.language.money import Money, Price
from evalmake.language.values import Digest, Duration, Files, Folder, SecretRef, Size, Symbol, Template
from evalmake.project.column_groups import read_groups, read_sections, refuse_weights
from evalmake.project.prices import check_machine_price, check_model_price


class Block(BaseModel):
    """Base of every kind and of every plugin's `Settings`: frozen, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, defer_build=True)


LISTS_OF_SECRETS = ("sign",)
"""The keys whose lists may hold secrets."""


def define_key(
    default: Any,
    description: str,
    example: str,
    *,
    identity: bool = False,
    type: str = "",
    unset: str = "",
    **checks: Any,
) -> Any:
    """A field with its entry in `evalmake help keys`; the default `...` makes the key required.

    `example` is a value as an Evalfile writes it. `identity` says that the key is part of an evaluation's
    identity: a change of it runs the evaluation again. `type` names the values where the annotation does not say
    it, and `unset` says what holds where the key is left out.
    """
    extra: dict[str, Any] = {"identity": identity, "type": type, "unset": unset}
    return Field(default, description=description, examples=[example], json_schema_extra=extra, **checks)


class Reference:
    """Marks a field as the name of a declaration of `kind`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def read_symbol(value: object) -> object:
    """The text of a name without quotes; any other value as it is, for pydantic to judge."""
    return value.text if isinstance(value, Symbol) else value


def to_word(value: object) -> object:
    if isinstance(value, Symbol):
        return value.text
    if isinstance(value, str):
        raise PydanticCustomError("quoted_word", "a name is written without quotes")
    raise PydanticCustomError("word_type", "a name")


def spell_row(value: object) -> str:
    """The name of a row for a value of an axis."""
    return str(value).lower() if isinstance(value, bool) else "none" if value is None else str(value)


def _to_row(value: object) -> object:
    return spell_row(value) if isinstance(value, str | int | float) else to_word(value)


def to_target(value: object) -> object:
    """The text of a target: a name, or the path of a cell, which needs quotes as its `/` is in no name."""
    return value if isinstance(value, str) and "/" in value else to_word(value)


def _to_float(value: object) -> object:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_cache_size(value: object) -> object:
    if isinstance(value, Size) and value.bytes < 2**20:
        raise PydanticCustomError("bad_room", "the minimum is 1MiB; `none` turns the cache off")
    return value


def _to_folder_name(value: object) -> object:
    if value is None or isinstance(value, Folder):
        return str(value) if value else None
    raise PydanticCustomError("folder_type", "a folder")


def to_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def to_plain_value(value: object) -> object:
    """A value in which names, lengths of time and templates are texts, however deep; not a file, not a secret."""
    if isinstance(value, Symbol | Duration):
        return value.text
    if isinstance(value, list | tuple):
        return tuple(map(to_plain_value, value))
    if isinstance(value, dict):
        return {key: to_plain_value(one) for key, one in value.items()}
    if value is None or isinstance(value, str | int | float | Template):
        return value
    raise PydanticCustomError("not_json", "no JSON")


def _check_argument(value: object) -> object:
    """Check an engine's argument: anything but a secret or a bare word, however deep."""
    if isinstance(value, SecretRef):
        raise PydanticCustomError("secret_value", "no secret")
    if isinstance(value, Symbol):
        raise PydanticCustomError("bare_word", "no bare word")
    if isinstance(value, Folder):
        raise PydanticCustomError("not_json", "no JSON")
    for item in _items_of(value):
        _check_argument(item)
    return value


def _check_parameter(value: object) -> object:
    """Check a request parameter: any value that JSON has."""
    if isinstance(value, Duration | Size | Money | Price | Digest | Files):
        raise PydanticCustomError("not_json", "no JSON")
    for item in _items_of(value):
        _check_parameter(item)
    return _check_argument(value)


def _items_of(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, tuple | list) else ()


def _check_rate(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[1-9]\d*/(s|m|h|d)", value):
        raise PydanticCustomError("bad_rate", 'a rate is a count and a unit: "60/m"')
    return value


def _check_statuses(value: object) -> object:
    """Check `client_errors`: `true`, `false`, or a list of the statuses that do not end an evaluation."""
    listed = tuple(value) if isinstance(value, list | tuple) else None
    if listed is not None and all(type(one) is int and 400 <= one <= 499 for one in listed):
        return listed
    if value is None or isinstance(value, bool):
        return value
    raise PydanticCustomError("bad_statuses", "`true`, `false`, or a list of statuses from 400 to 499")


def _check_url(value: object) -> object:
    if isinstance(value, str) and not _is_url(value):
        raise PydanticCustomError("bad_url", "an endpoint is a URL: https://HOST/v1")
    if isinstance(value, str) and re.match(r"https?://[^/]*@", value):
        raise PydanticCustomError("secret_url", "a URL holds no user or password: use `api_key`")
    return value


def _check_notified(value: object) -> object:
    if (isinstance(value, str) and not _is_url(value)) or not isinstance(value, str | SecretRef | None):
        raise PydanticCustomError("bad_url", 'write a URL, "https://HOST/PATH", or `secret("NAME")`')
    if isinstance(value, str) and re.match(r"https?://[^/]*@", value):
        raise PydanticCustomError("secret_url", 'a URL holds no user or password: use `secret("NAME")`')
    return value


def _check_weights(value: object) -> object:
    """Refuse a list of files from several folders: a server is given one."""
    if isinstance(value, Files) and len(value.roots) > 1:
        raise PydanticCustomError("value_error", "a server loads its weights from one folder, and these lie in several")
    return value


def _to_signing_keys(value: object) -> tuple[SecretRef | Files, ...]:
    """The keys of `sign`: one or a list, each a secret or a single file."""
    keys = value if isinstance(value, tuple | list) else () if value is None else (value,)
    for key in keys:
        if not isinstance(key, SecretRef) and not (isinstance(key, Files) and key.single):
            raise PydanticCustomError("signing_key_type", "a key")
    return tuple(keys)


def _check_logged(value: object) -> object:
    """A number of requests and replies to keep, or a map that counts them apart."""
    counts = value.values() if isinstance(value, dict) else [value]
    known = not isinstance(value, dict) or set(value) <= {"requests", "replies"}
    if value is None or (known and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in counts)):
        return value
    message = "write how many are kept: `log = 20`, or `log = { requests = 20, replies = 5 }`"
    raise PydanticCustomError("bad_log", message)


def _is_url(text: str) -> bool:
    """Whether a text is an HTTP URL with a valid host and port."""
    if not re.fullmatch(r"https?://[^\s/]+\S*", text):
        return False
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna")
        return bool(host) and (parts.port is None or parts.port > 0)
    except ValueError:  # the port is no number, or the host no valid name
        return False


def _check_share(value: object) -> object:
    value = _to_float(value)
    if isinstance(value, float) and not 0.5 < value < 1:
        raise PydanticCustomError("bad_share", "a confidence lies between 50% and 100%, such as 95%")
    return value


def _check_precision(value: object) -> object:
    value = _to_float(value)
    if isinstance(value, float) and not 0.001 <= value < 0.5:
        raise PydanticCustomError("bad_share", "a precision lies between 0.1% and 50%, such as 2%")
    return value


ColumnGroups = Annotated[Any, BeforeValidator(read_groups)]
PlainGroups = Annotated[Any, BeforeValidator(read_groups), BeforeValidator(refuse_weights)]
Sections = Annotated[Any, BeforeValidator(read_sections)]
FolderName = Annotated[str | None, BeforeValidator(_to_folder_name)]
Word = Annotated[str, BeforeValidator(to_word)]
RowName = Annotated[str, BeforeValidator(_to_row)]
Targets = Annotated[tuple[Annotated[str, BeforeValidator(to_target)], ...], BeforeValidator(to_tuple)]
Real = Annotated[float, BeforeValidator(_to_float)]
Count = Annotated[int, Field(ge=1)]
Repeats = Annotated[int, Field(ge=1, le=1000)]
Natural = Annotated[int, Field(ge=0)]
Confidence = Annotated[float, BeforeValidator(_check_share)]
Precision = Annotated[float, BeforeValidator(_check_precision)]
Rate = Annotated[str, BeforeValidator(_check_rate)]
Endpoint = Annotated[str, BeforeValidator(_check_url)]
Notified = Annotated[SecretRef | str, BeforeValidator(_check_notified)]
CacheSize = Annotated[Size, BeforeValidator(_check_cache_size)]
Statuses = Annotated[Any, BeforeValidator(_check_statuses)]
LoggedExchanges = Annotated[Any, BeforeValidator(_check_logged)]
ModelName = Annotated[Word, Reference("model")]
ExecutorName = Annotated[Word, Reference("executor")]
Weights = Annotated[str | Files | None, BeforeValidator(_check_weights)]
ModelPrice = Annotated[Any, BeforeValidator(check_model_price)]
MachinePrice = Annotated[Any, BeforeValidator(check_machine_price)]
SigningKeys = Annotated[Any, BeforeValidator(_to_signing_keys)]
Texts = Annotated[tuple[str, ...], BeforeValidator(to_tuple)]
Parameters = dict[str, Annotated[Any, BeforeValidator(_check_parameter)]]
Arguments = dict[str, Annotated[Any, BeforeValidator(_check_argument)]]
Environment = dict[str, str | SecretRef | int | float | bool]


@cache
def find_reference_keys(block: type[BaseModel]) -> dict[str, str]:
    """The keys of `block` that name a declaration -> the kind of the declaration."""
    found = {}
    for name, info in block.model_fields.items():
        for mark in (*info.metadata, *getattr(info.annotation, "__metadata__", ())):
            if isinstance(mark, Reference):
                found[name] = mark.kind
        for part in getattr(info.annotation, "__args__", ()):
            for mark in getattr(part, "__metadata__", ()):
                if isinstance(mark, Reference):
                    found[name] = mark.kind
    return found
