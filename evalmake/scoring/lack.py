"""Why an evaluation has no result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lack:
    """Why an evaluation has no result that counts; by default, because it never ran."""

    kind: str = "never-run"  # or failed, cancelled, fell-short, rerun
    reason: str = "it has not run"  # one line
    seconds: float = 0.0  # of its last attempt
    log: tuple[str, ...] = ()  # the last lines of that attempt's log, without secrets


def know_no_lack(name: str) -> Lack:
    """What is known of an evaluation of which nothing is on record."""
    return Lack()
