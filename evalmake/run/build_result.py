"""The result of a build's evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalmake.language.diagnostic import Diagnostic, Severity


@dataclass(slots=True)
class BuildResult:
    """The evaluations that succeeded and those that failed, and the problems to report."""

    succeeded: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)  # by `evalmake cancel` while the build ran
    problems: list[Diagnostic] = field(default_factory=list)
    usages: list[Mapping[str, float]] = field(default_factory=list)  # of every attempt that ended, also failed ones
    interrupted: bool = False
    withdrawn: int = 0  # reruns that Ctrl-C took back: the results on record count again
    detached: list[str] = field(default_factory=list)  # those whose jobs go on without evalmake

    def warn_of_cache(self, reason: str) -> None:
        """Warn once that replies are not cached: that costs time and money, but changes no score."""
        if reason and not any(p.code == "replies-failed" for p in self.problems):
            message = f"the reply cache cannot be used: {reason}"
            self.problems.append(Diagnostic("replies-failed", message, severity=Severity.WARNING))
