"""What an Evalfile reads from outside, and a record of what it has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalmake.language.file_hashes import FileHashes


@dataclass
class ExternalInputs:
    """The environment and files that an Evalfile can read, and a record of what it has read.

    `watched` has the places on which the answer of a `glob()` depends, besides the files found.
    """

    environment: Mapping[str, str]
    hashes: FileHashes
    variables_read: dict[str, str | None] = field(default_factory=dict)
    watched: set[str] = field(default_factory=set)
    settle: float = 0.0
    """For how many seconds a folder must have been quiet, for a `glob()` over folders to find it."""
    next_settled: float | None = None
    """When the next of the folders that were left out will have been quiet for so long, in seconds from now."""
