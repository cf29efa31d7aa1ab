"""Replies of an earlier attempt, which an evaluation scores again instead of asking for them."""

from __future__ import annotations

from dataclasses import dataclass

REPLIES_OF = "replies-of"
"""The fact of a record whose replies an earlier attempt asked for: that attempt."""


@dataclass(frozen=True, slots=True)
class StoredReplies:
    """The samples of an attempt; `samples` is the sha256 of their file.

    `action` and `attempt` say who asked for the replies: the attempt itself, or the one whose replies it scored again.
    """

    action: str
    attempt: int
    samples: str
    count: int

    @property
    def origin(self) -> str:
        """The attempt that asked, as a record names it."""
        return f"{self.action}/{self.attempt}"
