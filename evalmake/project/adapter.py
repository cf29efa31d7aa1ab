"""The keys of `adapter = { ... }`: what the gateway does to requests and replies."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from evalmake.language.values import Duration, Size
from evalmake.project.key_types import (
    Block,
    Endpoint,
    LoggedExchanges,
    Natural,
    Parameters,
    Statuses,
    Texts,
    define_key,
    to_word,
)

SystemMode = Literal["replace", "prepend", "append"]


class Adapter(Block):
    """What the gateway does to requests and replies; an eval's adapter beats a benchmark's, and that a model's."""

    system: str | None = define_key(
        None, "The system message that every conversation gets.", '"Answer briefly."', identity=True
    )
    system_mode: Annotated[SystemMode | None, BeforeValidator(to_word)] = define_key(
        None,
        "Whether `system` replaces the conversation's own system message, or goes before or after it.",
        "prepend",
        identity=True,
        unset="replace",
        validate_default=False,
    )
    params: Parameters | None = define_key(
        None,
        "Request parameters that the gateway adds, unless `params` of a declaration with a later word have them.",
        "{ top_k = 20 }",
        identity=True,
    )
    drop: Texts | None = define_key(
        None, "Request parameters that the gateway removes, at any depth.", '["logit_bias"]', identity=True
    )
    rename: dict[str, str] | None = define_key(
        None,
        "Request parameters that the gateway renames: old name to new name.",
        '{ max_tokens = "max_completion_tokens" }',
        identity=True,
    )
    headers: dict[str, str] | None = define_key(
        None, "HTTP headers that the gateway adds.", '{ "X-Team" = "evals" }', identity=True
    )
    drop_headers: Texts | None = define_key(
        None, "HTTP headers that the gateway removes.", '["User-Agent"]', identity=True
    )
    strip_reasoning: bool | Annotated[Texts, Field(min_length=2, max_length=2)] | None = define_key(
        None,
        "Removes the model's reasoning from replies before they are scored; the record keeps it.",
        "true",
        identity=True,
        type="`true`, `false`, or a list of the opening and the closing tag",
        unset="false",
    )
    reseed: bool | None = define_key(
        None,
        "Gives repeated requests seeds of their own, where the harness sends the same seed with each.",
        "true",
        identity=True,
        unset="false",
    )
    plugins: dict[str, Parameters] | None = define_key(
        None,
        "Interceptors of other packages, each with its settings.",
        '{ redact = { words = ["secret"] } }',
        identity=True,
    )
    cache: bool | None = define_key(None, "Whether replies come from the reply cache.", "false", unset="true")
    cache_truncated: bool | None = define_key(
        None, "Whether the cache keeps replies that a token limit cut off.", "true", unset="false"
    )
    cache_empty: bool | None = define_key(
        None, "Whether the cache keeps replies with an empty text.", "true", unset="false"
    )
    client_errors: Statuses = define_key(
        None,
        "Which 4xx replies end the evaluation; 408 and 429 never do. A list names those that do not, also 401 to 403.",
        "[404, 422]",
        type="`true`, `false`, or a list of statuses from 400 to 499",
        unset="false",
    )
    log: LoggedExchanges = define_key(
        None,
        "How many requests and replies the record keeps: a number for both, or a map with a number for each.",
        "{ requests = 20 }",
        type="whole number, or map of whole numbers",
        unset="none are kept",
    )
    retry: Natural | None = define_key(None, "How often the gateway tries a request again.", "2", unset="5")
    timeout: Duration | None = define_key(None, "How long the model may be silent in one request.", "5m", unset="10m")
    max_reply: Size | None = define_key(
        None, "How large a reply or a stream may be; a larger one fails.", "1GiB", unset="256MiB"
    )
    requests: Annotated[Literal["any"] | None, BeforeValidator(to_word)] = define_key(
        None,
        "With `any`, an evaluation that sent its model or its judge no request is valid, too.",
        "any",
        unset="at least one",
    )
    progress_url: Endpoint | None = define_key(
        None, "The address to which the gateway posts progress.", '"https://acme.com/progress"'
    )


def merge_adapters(*adapters: Adapter) -> dict[str, Any]:
    """Merge adapters: a later value wins, maps are merged key by key."""
    merged: dict[str, Any] = {}
    for adapter in adapters:
        for name in adapter.model_fields_set:
            value = getattr(adapter, name)
            if isinstance(value, dict):
                before = merged.get(name)
                value = {**(before if isinstance(before, dict) else {}), **value}
            if value is not None:
                merged[name] = value
    return merged
