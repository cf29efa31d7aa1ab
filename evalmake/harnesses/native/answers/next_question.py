"""The question that a base model asks itself after its answer: nothing from there on belongs to the reply."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from evalmake.lazy_pattern import compile_on_use

_HEADINGS = (
    "Question|Q|Problem|Exercise|Instruction|User|Human|Frage|Aufgabe|Pregunta|Problema|Domanda|Pergunta|Exercice"
    "|Вопрос|Задача|问题|問題|题目|질문|문제|سؤال|السؤال|प्रश्न"
)
_NEXT_QUESTION = compile_on_use(
    rf"\n[^\S\n]*[#*_]*[^\S\n]?(?:(?:{_HEADINGS})(?:[^\S\n]+\d+|\d+)?[\s*_]*[:：]"
    r"|The\s+following\s+(?:are|is)(?:\s+an?)?\s+multiple[-\s]+choice)"
)


def cut_next_question(reply: str, is_answered: Callable[[str], bool]) -> str:
    """A reply up to the first line that asks another question, if what stands before gives an answer."""
    for found in islice(_NEXT_QUESTION.finditer(reply), 2):  # the first may repeat the question that was asked
        if is_answered(reply[: found.start()]):
            return reply[: found.start()]
    return reply
