"""Which answer is given: a draw from the question's text and the seeds, compared with the declared skill."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from xxhash import xxh3_64_intdigest

from evalmake.engines.mock.arithmetic import format_number
from evalmake.engines.mock.questions import Question

_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` is what the reply says; `bare` is the same without the marks around it."""

    text: str
    bare: str


class Skill:
    """Answers questions right with a given probability, the same way for the same seeds."""

    def __init__(self, seed: int, probability: float) -> None:
        self.seed = seed & _MASK
        self.probability = probability
        self._repetitions: Counter[int] = Counter()

    def take_sample(self, key: str, seed: object, temperature: float) -> str:
        """What makes this request's draw differ from others with the same prompt `key`.

        That is the request's own seed. Without one, and if the request is not greedy, it is the repetition number.
        """
        if seed is not None or temperature == 0:
            return f"seed {seed}"
        digest = self._hash(key)
        self._repetitions[digest] += 1
        return f"time {self._repetitions[digest]}"

    def answer_question(self, question: Question, key: str, sample: str) -> Answer:
        """Answer a question; `key` is the whole prompt that it stands in."""
        draw = self._hash(f"{sample}\0{key}")
        if question.right is None:
            bare = _guess(question, draw)
        elif (draw >> 11) * 2.0**-53 < self.probability:
            bare = question.right
        else:
            bare = _choose_wrong_answer(question.right, question.options, draw)
        form = question.form if question.right or question.options else "{}"
        return Answer(form.format(bare), bare)

    def _hash(self, text: str) -> int:
        return xxh3_64_intdigest(text.encode("utf-8", "replace"), self.seed)


def _guess(question: Question, draw: int) -> str:
    if question.options:
        return question.options[draw % len(question.options)]
    return f"This is a stand-in answer, number {draw % 100_000}."


def _choose_wrong_answer(right: str, options: tuple[str, ...], draw: int) -> str:
    """Another option, or a number that differs from the right one by 1 to 9."""
    if options:
        others = [option for option in options if option != right]
        return others[draw % len(others)]
    offset = draw % 9 + 1 if draw & 1024 else -(draw % 9 + 1)
    if "." in right:
        return format_number(float(right) + offset)
    return str(int(right) + offset)
