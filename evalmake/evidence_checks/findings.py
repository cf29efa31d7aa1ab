"""What checks come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    """How a check ended."""

    HOLDS = "holds"
    LEFT_OUT = "left out"
    """It cannot be told, as whoever signed kept something back and says so."""
    UNCHECKED = "unchecked"
    """It could not be checked here, and could be elsewhere."""
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its subject, how it ended, and in words what was found."""

    subject: str
    state: State
    message: str
    details: tuple[str, ...] = ()


@dataclass(slots=True)
class Findings:
    """The checks of one piece of evidence, in their order."""

    checks: list[Check] = field(default_factory=list)

    def hold(self, subject: str, message: str) -> None:
        """Note what holds."""
        self.checks.append(Check(subject, State.HOLDS, message))

    def leave_out(self, subject: str, message: str) -> None:
        """Note what was kept back."""
        self.checks.append(Check(subject, State.LEFT_OUT, message))

    def skip(self, subject: str, message: str, *details: str) -> None:
        """Note what could not be checked here."""
        self.checks.append(Check(subject, State.UNCHECKED, message, details))

    def fail(self, subject: str, message: str, *details: str) -> None:
        """Note what does not hold."""
        self.checks.append(Check(subject, State.FAILS, message, details))

    def judge(self, subject: str, wrong: list[str], message: str) -> None:
        """Note that all of a subject holds, or what of it does not."""
        if wrong:
            first, *more = wrong
            self.fail(subject, first, *more)
        else:
            self.hold(subject, message)

    @property
    def has_failed(self) -> bool:
        """Whether anything does not hold."""
        return any(check.state is State.FAILS for check in self.checks)

    def fails(self, subject: str) -> bool:
        """Whether a subject does not hold."""
        return any(check.subject == subject and check.state is State.FAILS for check in self.checks)

    @property
    def status(self) -> int:
        """The exit status: 0 if all holds, 1 if something could not be checked, 2 if something does not hold."""
        states = {check.state for check in self.checks}
        return 2 if State.FAILS in states else 1 if State.UNCHECKED in states else 0


def count(number: int, noun: str) -> str:
    """Return "1 file" or "2 files"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
