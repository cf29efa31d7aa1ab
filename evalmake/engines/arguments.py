"""The arguments of servers that have hundreds: some are checked, all are passed on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict

from evalmake.language.money import Money, Price
from evalmake.language.values import Digest, Duration, Files, Size, describe_type
from evalmake.project.key_types import Block


def _check_plain(value: object) -> object:
    if isinstance(value, Duration | Size | Money | Price | Digest | Files):
        kind = describe_type(value).removeprefix("an ").removeprefix("a ")
        raise ValueError(f"a server takes no {kind} as it stands")
    if isinstance(value, dict | tuple | list):
        for item in value.values() if isinstance(value, dict) else value:
            _check_plain(item)
    return value


def reserved(reason: str) -> BeforeValidator:
    """The validator of an argument that an Evalfile must not give: refuses all, with the reason."""

    def refuse(value: object) -> object:
        raise ValueError(reason)

    return BeforeValidator(refuse)


Port = Annotated[None, reserved("the port is a key of the deployment: `port = ...`, beside `args`")]
Address = Annotated[None, reserved("evalmake sets where a server listens")]
ModelName = Annotated[None, reserved("the name is a key of the deployment: `served_name = ...`, beside `args`")]
WeightsName = Annotated[None, reserved("weights are a key of the deployment: `weights = ...`, beside `args`")]
WeightsRevision = Annotated[None, reserved('a revision is a part of the weights: `weights = "hf://ORG/NAME@REVISION"`')]


class Arguments(Block):
    """Base of an engine's `Args`. An argument that it does not know may be any text, number, flag, list or map."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[Any, BeforeValidator(_check_plain)]]


class DashedArguments(Arguments):
    """The same for servers whose arguments have dashes."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))


def to_flags(args: Mapping[str, Any], negate_false: bool = False) -> Iterator[str]:
    """`args` as words of a command line; with `negate_false`, `false` becomes `--no-...`."""
    for key, value in args.items():
        if value is False and negate_false:
            yield f"--no-{key}"
        if value is None or value is False:
            continue
        yield f"--{key}"
        if isinstance(value, tuple | list):
            yield from map(to_word, value)
        elif value is not True:
            yield to_word(value)


def to_word(value: object) -> str:
    """One value as a word: maps and lists as JSON, all else as the Evalfile has it."""
    if isinstance(value, dict | tuple | list | bool):
        return json.dumps(value, sort_keys=True)
    return str(value)
