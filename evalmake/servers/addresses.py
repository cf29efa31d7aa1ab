"""The addresses of servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The job of a server and its URLs: from this host, and from other jobs of its executor."""

    job_id: str
    url: str
    url_from_jobs: str = ""


ServerAddresses = Mapping[str, list[ServerAddress]]
"""The ready servers of each deployment and gateway, by its name."""
