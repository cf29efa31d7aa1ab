"""The settings that evalmake gives the gateway: one file for the process, one for each evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

CLOSED = "closed"
"""The file by which the gateway marks an evaluation's folder as soon as its record is whole and its token ended."""


@dataclass(frozen=True, slots=True)
class JsonSettings:
    """Settings that are one JSON object. An unknown key is an error: a later evalmake wrote the file."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file; raises OSError, ValueError or TypeError when it does not hold these settings."""
        data = json.loads(path.read_text(encoding="utf-8"))
        known = {item.name for item in fields(cls)}
        if not isinstance(data, dict) or data.keys() - known:
            raise ValueError(f"{path} does not hold {cls.__name__}")
        return cls(**data)

    def to_json(self) -> str:
        """The settings as JSON."""
        return json.dumps({item.name: getattr(self, item.name) for item in fields(self)})


@dataclass(frozen=True, slots=True)
class GatewaySettings(JsonSettings):
    """The process: everything that all evaluations of one model share.

    Secrets are not in the file. It names the environment variables that hold the key and the secret headers.
    """

    sessions: str
    """The folder with one `SessionSettings` file for each evaluation, named by the evaluation's key."""
    cache: str | None = None
    """The folder of the reply cache."""
    cache_size: int = 20 * 2**30
    """Bytes. Beyond it, the oldest replies are deleted first."""
    cache_shared: bool = False
    """Whether the group may use the cache, too."""
    read_only_caches: list[str] = field(default_factory=list)
    """Folders of caches to search, in this order, after the gateway's own."""
    rate: str | None = None
    """`60/m`: the number of requests in any second, minute, hour or day."""
    concurrency: int | None = None
    ca: str = ""
    """Certificates to trust beside the system's, in PEM form."""
    verify: bool = True
    """Whether to check the certificates of servers."""
    own_servers: bool = False
    """Whether evalmake started the servers: plain HTTP to them goes through no proxy."""
    key_variable: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, str] = field(default_factory=dict)
    """Header -> the variable that holds its value."""


@dataclass(frozen=True, slots=True)
class AdapterSettings(JsonSettings):
    """What to change in an evaluation's requests and replies, merged from model, benchmark and eval."""

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
    cache_empty: bool = False
    log: int | Mapping[str, int] = 0
    """How many exchanges are logged; a map counts `requests` and `replies` apart."""
    retry: int = 5
    timeout: float = 600.0
    """Seconds of silence after which a request fails."""
    max_reply: int = 256 * 2**20
    """Bytes of a reply or a stream; a larger one fails."""
    client_errors: bool | list[int] = False
    """Stop the evaluation at the first 4xx reply. A list names the statuses that do not stop it."""
    progress_url: str | None = None
    """Where to post the evaluation's counts when they change."""


@dataclass(frozen=True, slots=True)
class SessionSettings(JsonSettings):
    """One evaluation's use of the model."""

    token: str
    upstreams: list[str]
    """Base URLs of servers of the same model. The gateway reads them again when a server does not reply."""
    folder: str
    """Where the gateway writes the evaluation's rows, counts and logs."""
    model: str = ""
    """The model's identity. Two models never share a cached reply."""
    restart_timeout: float = 0.0
    """Seconds to wait for a server that refuses connections: evalmake restarts it."""
    seed: str = ""
    """The evaluation's seed: its samples are not those of another seed."""
    declared: Mapping[str, Any] = field(default_factory=dict)
    """The parameters and the seed that the evaluation declares, to record where requests carry others."""
    not_before: float = 0.0
    """Seconds since the epoch. An older cached reply is not used."""
    max_age: float | None = None
    """Seconds. A cached reply of a greater age is not used."""
    adapter: Mapping[str, Any] = field(default_factory=dict)
    seed_step: int = 0
    """What the harness adds to the declared seed for each repetition of a sample; 0 where it adds nothing."""
