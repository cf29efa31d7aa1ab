"""Which answer is given: a draw from the question's text and the seeds, compared with the skill."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from xxhash import xxh3_64_intdigest

from evalmake.engines.mock.arithmetic import written
from evalmake.engines.mock.questions import Question

_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` is what is said; `bare` the same without the marks around it."""

    text: str
    bare: str


class Mind:
    """Answers questions right with probability `skill`, the same way for the same seeds."""

    def __init__(self, seed: int, skill: float) -> None:
        self.seed = seed & _MASK
        self.skill = skill
        self._occurrences: Counter[int] = Counter()

    def sampling(self, key: str, seed: object, temperature: float) -> str:
        """What tells this request's draw from others with the same prompt `key`.

        That is the request's own seed; without one, and not greedy, how often it was asked before.
        """
        if seed is not None or temperature == 0:
            return f"seed {seed}"
        digest = self._hash(key)
        self._occurrences[digest] += 1
        return f"time {self._occurrences[digest]}"

    def answer(self, question: Question, key: str, sampling: str) -> Answer:
        """Answer a question; `key` is the whole prompt it stands in."""
        draw = self._hash(f"{sampling}\0{key}")
        if question.right is None:
            bare = _guess(question, draw)
        elif (draw >> 11) * 2.0**-53 < self.skill:
            bare = question.right
        else:
            bare = _mistake(question.right, question.options, draw)
        form = question.form if question.right or question.options else "{}"
        return Answer(form.format(bare), bare)

    def _hash(self, text: str) -> int:
        return xxh3_64_intdigest(text.encode("utf-8", "replace"), self.seed)


def _guess(question: Question, draw: int) -> str:
    if question.options:
        return question.options[draw % len(question.options)]
    return f"This is a stand-in answer, number {draw % 100_000}."


def _mistake(right: str, options: tuple[str, ...], draw: int) -> str:
    """Another option, or a number from 1 to 9 beside the right one."""
    if options:
        others = [option for option in options if option != right]
        return others[draw % len(others)]
    offset = draw % 9 + 1 if draw & 1024 else -(draw % 9 + 1)
    if "." in right:
        return written(float(right) + offset)
    return str(int(right) + offset)
