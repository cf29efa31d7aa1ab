"""Reads the settings from the environment: model, judge, limit, folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.json_io import strict_loads

APIS = ("chat", "completions", "embeddings", "vlm")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model behind an OpenAI-compatible API. `url` ends in /v1; `repr` shows no secret.

    Messages name it by `variable`, the variable that holds its address.
    """

    variable: str
    url: str = field(repr=False)
    name: str
    api: str
    api_key: str = field(repr=False)
    params: Mapping[str, Any]

    @property
    def route(self) -> str:
        """The path that requests are posted to, with `/v1` for what the address ends in."""
        routes = {"completions": "/v1/completions", "embeddings": "/v1/embeddings"}
        return routes.get(self.api, "/v1/chat/completions")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a run. `limit` None means all records; `seed` None sends no seed.

    No `model` asks none, and neither does one without an address, whose replies are on record.
    """

    model: Endpoint | None
    judge: Endpoint | None
    embedder: Endpoint | None
    seed: int | None
    limit: int | None
    concurrency: int
    out: Path
    progress: Path | None


def read_settings(environ: Mapping[str, str], has_model: bool = True, asks_model: bool = True) -> Settings:
    """Read EVALMAKE_* variables, those of the model if there is one; TaskError with a line for each error."""
    reader = _Reader(environ)
    model = None
    if has_model:
        model = reader.endpoint("EVALMAKE_MODEL", "EVALMAKE_API_KEY", "EVALMAKE_PARAMS", has_address=asks_model)
    judge = None
    if environ.get("EVALMAKE_JUDGE_URL"):
        judge = reader.endpoint("EVALMAKE_JUDGE", "EVALMAKE_JUDGE_API_KEY", "EVALMAKE_JUDGE_PARAMS")
    embedder = None
    if environ.get("EVALMAKE_EMBEDDER_URL"):
        embedder = reader.endpoint("EVALMAKE_EMBEDDER", "EVALMAKE_EMBEDDER_API_KEY", "EVALMAKE_EMBEDDER_PARAMS")
    settings = Settings(
        model=model,
        judge=judge,
        embedder=embedder,
        seed=reader.whole("EVALMAKE_SEED"),
        limit=reader.whole("EVALMAKE_LIMIT", least=1),
        concurrency=reader.whole("EVALMAKE_CONCURRENCY", least=1) or 16,
        out=reader.folder("EVALMAKE_OUT"),
        progress=reader.path("EVALMAKE_PROGRESS"),
    )
    if reader.mistakes:
        raise TaskError(*reader.mistakes)
    return settings


class _Reader:
    """Reads typed values from the environment and collects the errors."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.mistakes: list[str] = []

    def endpoint(self, prefix: str, key: str, params: str, has_address: bool = True) -> Endpoint:
        """Read the endpoint from the variables that begin with `prefix`."""
        return Endpoint(
            variable=f"{prefix}_URL",
            url=self.url(f"{prefix}_URL") if has_address else "",
            name=self.needed(f"{prefix}_NAME"),
            api=self.api(f"{prefix}_API"),
            api_key=self.key(key),
            params=self.params(params),
        )

    def needed(self, name: str) -> str:
        """Read a required text."""
        value = self.environ.get(name, "")
        if not value:
            self.mistakes.append(f"{name} is not set")
        return value

    def url(self, name: str) -> str:
        """Read an http address; the error does not repeat it, because it may hold a password."""
        value = self.needed(name)
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if value and not good:
            self.mistakes.append(f"{name} is not an http:// or https:// address")
        return value

    def key(self, name: str) -> str:
        """Read a key, which becomes a part of one line of each request; the error does not repeat it."""
        value = self.environ.get(name, "")
        if not value.isprintable():
            self.mistakes.append(f"{name} has a line break or another character that no header can have")
        return value

    def api(self, name: str) -> str:
        """Read the API; embeddings have no text to score, and an embedder nothing else."""
        is_embedder = name.startswith("EVALMAKE_EMBEDDER")
        value = self.environ.get(name) or ("embeddings" if is_embedder else "chat")
        if is_embedder:
            if value != "embeddings":
                self.mistakes.append(f"{name} is '{value}', and an embedder has 'embeddings'")
        elif value not in APIS:
            self.mistakes.append(f"{name} is '{value}'; it can be {', '.join(APIS)}")
        elif value == "embeddings":
            self.mistakes.append(f"{name} is 'embeddings': the native harness scores text, not vectors")
        return value

    def params(self, name: str) -> Mapping[str, Any]:
        """Read the parameters that are merged into each request."""
        params = self.mapping(name)
        if params.get("stream"):
            self.mistakes.append(f"{name}: 'stream' is not for the native harness")
        return params

    def mapping(self, name: str) -> dict[str, Any]:
        """Read a JSON object; empty if the variable is unset."""
        text = self.environ.get(name) or "{}"
        try:
            value = strict_loads(text)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
        self.mistakes.append(f"{name} is not a JSON object")
        return {}

    def whole(self, name: str, least: int | None = None) -> int | None:
        """Read an integer; None if the variable is unset or empty."""
        text = self.environ.get(name, "").strip()
        if not text:
            return None
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or (least is not None and value < least):
            bound = "" if least is None else f" from {least} up"
            self.mistakes.append(f"{name} is '{text}', not a whole number{bound}")
            return None
        return value

    def path(self, name: str) -> Path | None:
        """Read an optional path."""
        value = self.environ.get(name)
        return Path(value) if value else None

    def folder(self, name: str) -> Path:
        """Read the path of an existing folder."""
        path = Path(self.needed(name))
        if self.environ.get(name) and not path.is_dir():
            self.mistakes.append(f"{name}: {path} is not a folder")
        return path
