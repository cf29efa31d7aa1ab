"""The arguments of servers that have hundreds: some are checked, all are passed on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict

from evalmake.language.values import Digest, Duration, Files, Size, describe_type
from evalmake.project.key_types import Block


def _plain(value: object) -> object:
    if isinstance(value, Duration | Size | Digest | Files):
        raise ValueError(f"a server takes no {describe_type(value).removeprefix('a ')} as it stands")
    if isinstance(value, dict | tuple | list):
        for item in value.values() if isinstance(value, dict) else value:
            _plain(item)
    return value


def kept(why: str) -> BeforeValidator:
    """For an argument that is not an Evalfile's to give: refuses all, and says why."""

    def refuse(value: object) -> object:
        raise ValueError(why)

    return BeforeValidator(refuse)


Port = Annotated[None, kept("the port is a key of the deployment: `port = ...`, beside `args`")]
Host = Annotated[None, kept("evalmake says where a server listens")]
Named = Annotated[None, kept("evalmake names the model that is served, after its deployment")]
Weighed = Annotated[None, kept("weights are a key of the deployment: `weights = ...`, beside `args`")]
Revised = Annotated[None, kept('a revision is a part of the weights: `weights = "hf://ORG/NAME@REVISION"`')]


class Arguments(Block):
    """Base of an engine's `Args`: what it does not know may be any text, number, flag, list or map."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[Any, BeforeValidator(_plain)]]


class Dashed(Arguments):
    """The same where arguments are written with dashes."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))


def flags(args: Mapping[str, Any], negated: bool = False) -> Iterator[str]:
    """`args` as a command line has them; `negated`: `false` is said, as `--no-...`."""
    for key, value in args.items():
        if value is False and negated:
            yield f"--no-{key}"
        if value is None or value is False:
            continue
        yield f"--{key}"
        if isinstance(value, tuple | list):
            yield from map(text, value)
        elif value is not True:
            yield text(value)


def text(value: object) -> str:
    """One value as a word: maps and lists as JSON, all else as it is written."""
    if isinstance(value, dict | tuple | list | bool):
        return json.dumps(value, sort_keys=True)
    return str(value)
