"""Whether a question asks for the option that is not so: "Which is NOT a mammal?", "All are mammals except:"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from evalmake.harnesses.native.answers.reply_text import fold, strip_markup
from evalmake.harnesses.native.answers.words import WORDS
from evalmake.harnesses.native.answers.words.exceptions import EXCEPTIONS, NEVER, Asking
from evalmake.harnesses.native.right_options import LETTERS
from evalmake.harnesses.native.text_folding import UNSPACED
from evalmake.lazy_pattern import compile_on_use

_ASKED, _LISTED = 1_500, 10_000
"""Characters at the start and at the end of a long text, between which it only shows: without its options, and with."""
_CAPITALS = compile_on_use(
    r"\b(?:[Ww]hich|[Ww]hat|[Ww]ho|[Ff]ollowing|[Aa]ll|[Ee]ach)\b[^.?!\n]{0,200}"
    r"(?<!do )(?<!DO )(?<! or )\b(?:NOT|EXCEPT|LEAST|FALSE|INCORRECT|UNTRUE)\b(?! (?:gate|AND|OR|or|[A-Z])\b)"
)
"""Words that English questions stress."""


def asks_exception(question: str, options: Sequence[str]) -> bool:
    """Whether a question, of which these options are no part, asks for the one that is not so."""
    asked = _cut(_drop_options(_cut(question, _LISTED), options), _ASKED)
    text = strip_markup(fold(asked))
    return bool(_CAPITALS.search(text) or any(one.search(text) for one in _patterns()))


def _cut(text: str, size: int) -> str:
    return text if len(text) <= 2 * size else f"{text[:size]}\n{text[-size:]}"


def _drop_options(question: str, options: Sequence[str]) -> str:
    """A question without the options that it lists: each has its letter before it, or a line of its own."""
    for letter, option in zip(LETTERS, options, strict=False):
        text = re.escape(option.strip())
        question = re.sub(rf"(?<!\w){letter}[.):\]][ \t]{{0,9}}{text}(?!\w)", "\n", question)
        question = re.sub(rf"^[-*•\d.) \t]{{0,9}}{text}[ \t]{{0,9}}$", "\n", question, flags=re.MULTILINE)
    return question


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    return tuple(_compile(language, words) for language, words in EXCEPTIONS.items())


def _compile(language: str, words: Asking) -> re.Pattern[str]:
    def whole(pattern: str) -> str:
        return f"(?:{pattern})" if UNSPACED.search(words.which) else rf"(?<![\w'])(?:{pattern})(?!\w)"

    every = WORDS[language].get("all", NEVER) + "|" + words.which
    asked = rf"{whole(words.which)}(?:(?!{whole(words.aside)})[^.?!,:;\n]){{0,100}}?{whole(words.denied)}"
    excepted = rf"{whole(every)}[^.?!\n]{{0,200}}{whole(words.excepted)}{_BLANK}"
    return compile_on_use(f"{asked}|{excepted}|{whole(words.odd)}", re.IGNORECASE | re.MULTILINE)


_BLANK = r"(?:\s+(?:for|one|which|of|the|following|these|those|that|to|in|by|a|an)\b){0,5}\s{0,3}(?:[:;.?!(…\-\[]|$)"
"""What stands for the exception: nothing, or "which of the following?"."""
