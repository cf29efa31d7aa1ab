"""What was read in a reply so far: the claim that stands, what a correction takes back, and what is only mentioned."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class Strength(IntEnum):
    """How plainly a claim is made."""

    REPORTED = 1  # "many people say B", "B would be right if ..."
    CONCLUDED = 2  # "so B", "I choose B"
    ANNOUNCED = 3  # "the answer is B", "B is correct", a line that is nothing but B
    FRAMED = 4  # \boxed{B}, <answer>B</answer>, {"answer": "B"}, #### B


@dataclass(frozen=True, slots=True)
class Claim:
    """The options that are claimed; `open` if they are alternatives ("A or B")."""

    options: frozenset[int]
    strength: Strength
    open: bool = False
    is_assent: bool = False
    """Whether only words after the options make the claim ("B is correct"), which an explanation may say, too."""
    concludes: bool = False
    """Whether a sentence says no more than that this follows: "Therefore, D."."""


@dataclass(slots=True)
class Reading:
    """What was read so far."""

    claim: Claim | None = None
    reported: Claim | None = None
    doubted: bool = False
    """Whether a correction was read since the last claim."""
    affirmed: set[int] = field(default_factory=set)
    rejected: set[int] = field(default_factory=set)
    mentioned: list[str] = field(default_factory=list)
    """Marks that nothing rejects."""
    predicates: set[int] = field(default_factory=set)
    """Options whose text ends a statement about something else: "The capital is Rome"."""
    stated: set[frozenset[int]] = field(default_factory=set)
    """Options of which something is stated together: "The primes are A and C", "A and C are prime"."""
    set_apart: set[int] = field(default_factory=set)
    """Options told to be what is asked, as they are not so: "The statement that is not true is C"."""
    denied: set[int] = field(default_factory=set)
    """Options of which something is denied, which answers only a question for an exception: "C is not a mammal"."""

    def add(self, claim: Claim) -> None:
        """Let a claim stand, unless a stronger one stands already."""
        if claim.strength == Strength.REPORTED:
            self.reported = claim
        elif self.claim is None or self.doubted or self.claim.open or not self._stays(claim):
            self.affirmed = set() if self.doubted else self.affirmed
            self.claim, self.doubted = claim, False

    def _stays(self, claim: Claim) -> bool:
        """Whether the claim that stands overrules a later one: "The answer is C. B is correct in general"."""
        assert self.claim is not None
        if self.claim.is_assent and claim.concludes:
            return False  # "A, B and C are right. Therefore, D."
        announced = self.claim.strength >= Strength.ANNOUNCED and not self.claim.is_assent
        return claim.strength < self.claim.strength or (announced and claim.is_assent)

    def reject(self, options: frozenset[int]) -> None:
        """Note rejected options; in a correction, the claim of one is taken back."""
        self.rejected |= options
        if self.doubted and self.claim and self.claim.options <= options:
            self.claim = None
