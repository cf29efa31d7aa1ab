"""The kinds of an Evalfile and their keys; pydantic turns what was written into typed blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from evalmake.language.values import Digest, Duration, Files, SecretRef, Size, Symbol, Template


class Block(BaseModel):
    """Base of every kind and of every plugin's `Settings`: frozen, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, defer_build=True)


class Reference:
    """Marks a field as the name of a declaration of `kind`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def _word(value: object) -> object:
    if isinstance(value, Symbol):
        return value.text
    if isinstance(value, str):
        raise PydanticCustomError("quoted_word", "a name is written without quotes")
    raise PydanticCustomError("word_type", "a name")


def _real(value: object) -> object:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _room(value: object) -> object:
    if isinstance(value, Size) and value.bytes < 2**20:
        raise PydanticCustomError("bad_room", "it is at least 1MiB; `none` keeps no replies")
    return value


def _items(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _argument(value: object) -> object:
    """What an engine may be given: anything but a secret or a bare word, however deep."""
    if isinstance(value, SecretRef):
        raise PydanticCustomError("secret_value", "no secret")
    if isinstance(value, Symbol):
        raise PydanticCustomError("bare_word", "no bare word")
    for item in _inside(value):
        _argument(item)
    return value


def _parameter(value: object) -> object:
    """What a request may hold: what JSON has."""
    if isinstance(value, Duration | Size | Digest | Files):
        raise PydanticCustomError("not_json", "no JSON")
    for item in _inside(value):
        _parameter(item)
    return _argument(value)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, tuple | list) else ()


def _rate(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[1-9]\d*/(s|m|h|d)", value):
        raise PydanticCustomError("bad_rate", 'a rate is a count and a unit: "60/m"')
    return value


def _statuses(value: object) -> object:
    """What `client_errors` may be: a list is of those statuses that do not end an evaluation."""
    listed = tuple(value) if isinstance(value, list | tuple) else None
    if listed is not None and all(type(one) is int and 400 <= one <= 499 for one in listed):
        return listed
    if value is None or isinstance(value, bool):
        return value
    raise PydanticCustomError("bad_statuses", "`true`, `false`, or a list of statuses from 400 to 499")


def _url(value: object) -> object:
    if isinstance(value, str) and not _is_url(value):
        raise PydanticCustomError("bad_url", "an endpoint is a URL: https://HOST/v1")
    if isinstance(value, str) and re.match(r"https?://[^/]*@", value):
        raise PydanticCustomError("secret_url", "a URL holds no user or password: use `api_key`")
    return value


def _is_url(text: str) -> bool:
    """Whether a text is an http address with a host and a port that can be."""
    if not re.fullmatch(r"https?://[^\s/]+\S*", text):
        return False
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna")
        return bool(host) and (parts.port is None or parts.port > 0)
    except ValueError:  # of a port, or of a name
        return False


def _share(value: object) -> object:
    value = _real(value)
    if isinstance(value, float) and not 0 < value < 1:
        raise PydanticCustomError("bad_share", "a confidence lies between 0% and 100%, as 95%")
    return value


Word = Annotated[str, BeforeValidator(_word)]
Words = Annotated[tuple[Word, ...], BeforeValidator(_items)]
Real = Annotated[float, BeforeValidator(_real)]
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
SystemMode = Literal["replace", "prepend", "append"]
Confidence = Annotated[float, BeforeValidator(_share)]
ModelName = Annotated[Word, Reference("model")]
ExecutorName = Annotated[Word, Reference("executor")]
Texts = Annotated[tuple[str, ...], BeforeValidator(_items)]
Scalar = bool | int | float | str | None
Parameters = dict[str, Annotated[Any, BeforeValidator(_parameter)]]
Arguments = dict[str, Annotated[Any, BeforeValidator(_argument)]]
Environment = dict[str, str | SecretRef | int | float | bool]


class Resources(Block):
    """What one job asks for."""

    cpus: Annotated[float, BeforeValidator(_real)] | None = None
    memory: Size | None = None
    gpus: int | None = Field(default=None, ge=0)
    disk: Size | None = None


class Adapter(Block):
    """What the gateway does to requests and replies; what follows `cache` is no identity.

    `timeout` is how long the model may be silent; `log` how many pairs of request and reply are
    kept; `client_errors` whether a 4xx reply ends the evaluation, or the statuses that do not.
    """

    system: str | None = None
    system_mode: Annotated[SystemMode | None, BeforeValidator(_word)] = Field(default=None, validate_default=False)
    params: Parameters | None = None
    drop: Texts | None = None
    rename: dict[str, str] | None = None
    headers: dict[str, str] | None = None
    drop_headers: Texts | None = None
    strip_reasoning: bool | Annotated[Texts, Field(min_length=2, max_length=2)] | None = None
    reseed: bool | None = None
    plugins: dict[str, Parameters] | None = None
    cache: bool | None = None
    cache_truncated: bool | None = None
    client_errors: Annotated[Any, BeforeValidator(_statuses)] = None
    log: Natural | None = None
    retry: Natural | None = None
    timeout: Duration | None = None
    progress_url: Annotated[str, BeforeValidator(_url)] | None = None


def merge_adapters(*adapters: Adapter) -> dict[str, Any]:
    """Several adapters as one: the last word on a key counts, maps are laid over maps."""
    merged: dict[str, Any] = {}
    for adapter in adapters:
        for key in adapter.model_fields_set:
            value = getattr(adapter, key)
            if isinstance(value, dict):
                value = {**merged.get(key, {}), **value}
            if value is not None:
                merged[key] = value
    return merged


Pinnable = Annotated[Literal["images", "weights", "datasets", "includes"], BeforeValidator(_word)]


class Settings(Block):
    """`settings { ... }`: policy of the whole Evalfile."""

    requires: str | None = None
    store: str | None = None
    cells: Count = 10_000
    pinned: Annotated[tuple[Pinnable, ...], BeforeValidator(_items)] = ()
    overrides: tuple[str, ...] | None = None
    confidence: Confidence | None = None
    replies: Annotated[Size | None, BeforeValidator(_room)] = Size(20 * 2**30, "20GiB")
    seeds: Texts = ()


class Executor(Block):
    """Where evaluations run."""

    backend: Word
    slots: Count | None = None
    env: Environment = {}


class Deployment(Block):
    """A model server that evalmake starts, shares and stops."""

    engine: Word
    image: str | None = None
    weights: str | Files | None = None
    digest: Digest | None = None
    args: Arguments = {}
    env: Environment = {}
    run: str | None = None
    port: int | None = None
    health: str | None = None
    executor: ExecutorName = "local"
    resources: Resources = Resources()
    ready: Duration = Duration(300.0, "5m")
    replicas: Count = 1


class Model(Block):
    """What is evaluated: an endpoint, or a deployment of our own."""

    api: Annotated[Literal["chat", "completions", "embeddings", "vlm"], BeforeValidator(_word)] = "chat"
    name: str | None = None
    endpoint: Annotated[str, BeforeValidator(_url)] | None = None
    deployment: Annotated[Word, Reference("deployment")] | None = None
    revision: str | None = None
    adapter: Adapter = Adapter()
    api_key: SecretRef | None = None
    headers: dict[str, str | SecretRef] = {}
    concurrency: Count | None = None
    rate: Annotated[str, BeforeValidator(_rate)] | None = None
    max_age: Duration | None = None


class Benchmark(Block):
    """What it is measured by; the harness's own keys are in its `Settings`."""

    harness: Word
    image: str | None = None
    packages: Texts | None = None
    task: str | None = None
    fewshot: Natural | None = None
    dataset: str | Files | None = None
    digest: Digest | None = None
    files: Files | None = None
    params: Parameters = {}
    adapter: Adapter = Adapter()
    metric: str | None = None


class Eval(Block):
    """One cell's fields, after axes and `when`s."""

    model: ModelName
    benchmark: Annotated[Word, Reference("benchmark")]
    seed: Natural = 0
    limit: Count | None = None
    params: Parameters = {}
    adapter: Adapter = Adapter()
    executor: ExecutorName = "local"
    resources: Resources = Resources()
    timeout: Duration = Duration(3600.0, "1h")
    retries: Natural = 0
    confidence: Confidence | None = None


class Report(Block):
    """How results are told; the exporter's own keys are in its `Settings`."""

    of: Words
    format: Word = "markdown"
    path: str
    rows: Word = "model"
    column: Word = "benchmark"
    compare: Word | None = None
    sign: SecretRef | None = None


KINDS: Mapping[str, type[Block]] = {
    "model": Model,
    "deployment": Deployment,
    "benchmark": Benchmark,
    "eval": Eval,
    "executor": Executor,
    "report": Report,
}

# kind -> (the key that chooses the plugin, its entry point group, what a person calls it)
PLUGIN_KINDS: Mapping[str, tuple[str, str, str]] = {
    "executor": ("backend", "executors", "backend"),
    "deployment": ("engine", "engines", "engine"),
    "benchmark": ("harness", "harnesses", "harness"),
    "report": ("format", "exporters", "format"),
}

AXIS_KEYS = ("model", "benchmark", "seed", "limit")


@cache
def find_reference_keys(block: type[BaseModel]) -> dict[str, str]:
    """Fields of `block` that name a declaration -> its kind."""
    found = {}
    for key, info in block.model_fields.items():
        for mark in (*info.metadata, *getattr(info.annotation, "__metadata__", ())):
            if isinstance(mark, Reference):
                found[key] = mark.kind
        for part in getattr(info.annotation, "__args__", ()):
            for mark in getattr(part, "__metadata__", ()):
                if isinstance(mark, Reference):
                    found[key] = mark.kind
    return found


def fill_templates(value: Any, axes: dict[str, object]) -> Any:
    """`value` with every template in it filled for one cell."""
    match value:
        case Template():
            return value.fill(axes)
        case dict():
            return {key: fill_templates(item, axes) for key, item in value.items()}
        case tuple() | list():
            return tuple(fill_templates(item, axes) for item in value)
    return value
