"""What a build says of itself at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from evalmake.language.diagnostic import Diagnostic, Severity


@dataclass(slots=True)
class BuildResult:
    """How a build went."""

    succeeded: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)
    interrupted: bool = False
    detached: int = 0  # jobs that were left to themselves

    def warn_of_cache(self, trouble: str) -> None:
        """Say once that replies are not kept: it costs time and money, and no score."""
        if trouble and not any(p.code == "replies-failed" for p in self.problems):
            said = f"the reply cache cannot be used: {trouble}"
            self.problems.append(Diagnostic("replies-failed", said, severity=Severity.WARNING))
