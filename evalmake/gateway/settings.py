"""What evalmake tells the gateway: one file for the process, one for each evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Base:
    """Reads itself from a JSON object; unknown keys are those of a later evalmake."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file; OSError, ValueError or TypeError when it is none of ours."""
        data = json.loads(path.read_text(encoding="utf-8"))
        known = {item.name for item in fields(cls)}
        if not isinstance(data, dict) or data.keys() - known:
            raise ValueError(f"{path} holds no {cls.__name__}")
        return cls(**data)

    def text(self) -> str:
        """As JSON."""
        return json.dumps({item.name: getattr(self, item.name) for item in fields(self)})


@dataclass(frozen=True, slots=True)
class Settings(Base):
    """The process: everything that all evaluations of one model share.

    The key and secret headers come by environment variables, here are only the variables' names.
    """

    sessions: str
    """The folder with a file for each evaluation, named by its key."""
    cache: str | None = None
    """The folder of the response cache."""
    cache_size: int = 20 * 2**30
    """Bytes; the oldest replies go first."""
    seeds: list[str] = field(default_factory=list)
    """Caches that are only read, in this order after our own."""
    rate: str | None = None
    """`60/m`: requests in any second, minute, hour or day."""
    concurrency: int | None = None
    key_variable: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, str] = field(default_factory=dict)
    """Header -> variable that holds its value."""


@dataclass(frozen=True, slots=True)
class Adapter(Base):
    """What is done to an evaluation's requests and replies: model, benchmark and eval together."""

    system: str | None = None
    system_mode: str = "replace"
    params: Mapping[str, Any] = field(default_factory=dict)
    drop: list[str] = field(default_factory=list)
    rename: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    drop_headers: list[str] = field(default_factory=list)
    strip_reasoning: bool | list[str] = False
    reseed: bool = False
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cache: bool = True
    cache_truncated: bool = False
    log: int = 0
    retry: int = 5
    timeout: float = 600.0
    """Seconds of silence after which a request is given up."""
    client_errors: bool | list[int] = False
    """End the evaluation at the first 4xx reply; a list names the statuses that do not end it."""
    progress_url: str | None = None
    """Where the evaluation's counts are posted while they change."""


@dataclass(frozen=True, slots=True)
class Session(Base):
    """One evaluation's use of the model."""

    token: str
    upstreams: list[str]
    """Base URLs that serve the same model; they are read anew where one does not answer."""
    folder: str
    """Where its rows, counts and logs are written."""
    model: str = ""
    """The model's identity: no two share a reply."""
    patience: float = 0.0
    """Seconds in which a server that nobody can connect to is waited for: it is started again."""
    sampling: str = ""
    """What tells its samples from those of other evaluations: the seed."""
    not_before: float = 0.0
    """Seconds since the epoch: an older reply is not used."""
    max_age: float | None = None
    """Seconds: nor is one of a greater age."""
    adapter: Mapping[str, Any] = field(default_factory=dict)
