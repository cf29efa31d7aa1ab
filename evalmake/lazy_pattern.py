"""Regular expressions that are compiled when they are first used.

A scorer has hundreds of patterns, and most replies need a few. To compile all of them takes as long as all else
that a job does before its first request.
"""

from __future__ import annotations

import re
from typing import Any, cast


def compile_on_use(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern that `re.compile` makes at the first search."""
    return cast("re.Pattern[str]", LazyPattern(pattern, flags))


class LazyPattern:
    """Stands for a compiled pattern, and takes over each of its methods when it is first asked for."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self.flags_wanted = flags

    def __getattr__(self, name: str) -> Any:
        """An attribute that the compiled pattern has."""
        value = getattr(re.compile(self.pattern, self.flags_wanted), name)
        setattr(self, name, value)  # from now on without this detour
        return value
