"""Log-probabilities in the shape of OpenAI's legacy completions API.

The model they belong to is the one that answers: after a question, what `Mind` would answer at
temperature 0 is nearly certain, token by token. The right answer, where it is not that one, is the
least likely of all, so the right one of several continuations is the likeliest with probability
`skill`. All else is in between, by a hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from xxhash import xxh3_64_intdigest

from evalmake.engines.mock.questions import read_question
from evalmake.engines.mock.skill import Mind
from evalmake.engines.mock.tokens import pieces

LONGEST = 24
"""A continuation is looked for among so many last tokens of a prompt."""
MOST_ALTERNATIVES = 20

_CERTAIN = -0.01
_LIKELY = -0.1
_DENIED = -100.0
_OTHER_TOKENS = tuple(f" {word}" for word in ["the", "a", "of", "and", "to", "in", "is", "it", "for", "on"])
_OTHER_TOKENS += tuple(word.upper() for word in _OTHER_TOKENS)


@dataclass(frozen=True, slots=True)
class _Scored:
    """A token, its log-probability, and the likeliest token there."""

    piece: str
    logprob: float
    best: str


def completion_logprobs(
    prompt: list[str], completion: list[str], mind: Mind, sampling: str, alternatives: int
) -> dict[str, Any]:
    """`logprobs` for an echoed prompt (empty if not echoed) and the completion after it."""
    scored = list(_score_prompt(prompt, mind, sampling))
    scored += [_Scored(piece, _CERTAIN, piece) for piece in completion]
    logprobs: list[float | None] = [token.logprob for token in scored]
    top: list[dict[str, float] | None] = [_alternatives(token, alternatives) for token in scored]
    if prompt:
        logprobs[0] = top[0] = None
    lengths = accumulate((len(token.piece) for token in scored), initial=0)
    return {
        "tokens": [token.piece for token in scored],
        "token_logprobs": logprobs,
        "top_logprobs": top if alternatives else None,
        "text_offset": list(lengths)[:-1],
    }


def chat_logprobs(completion: list[str], alternatives: int) -> dict[str, Any]:
    """`logprobs` of a chat choice: a model that is sure of what it says."""
    return {"content": [_chat_token(piece, alternatives) for piece in completion]}


def _chat_token(piece: str, alternatives: int) -> dict[str, Any]:
    top = _alternatives(_Scored(piece, _CERTAIN, piece), alternatives) if alternatives else {}
    told = [_told(token, logprob) for token, logprob in top.items()]
    return {**_told(piece, _CERTAIN), "top_logprobs": told}


def _told(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}


def _score_prompt(prompt: list[str], mind: Mind, sampling: str) -> Iterator[_Scored]:
    start, expected = _continuation(prompt, mind, sampling)
    for place, piece in enumerate(prompt):
        if place < start:
            logprob = _plausible(piece, place)
            yield _Scored(piece, logprob, next(t for t in _OTHER_TOKENS if t != piece))
        elif place == start and expected is not None:
            yield _Scored(piece, _DENIED, expected)
        else:
            yield _Scored(piece, _CERTAIN, piece)


def _continuation(prompt: list[str], mind: Mind, sampling: str) -> tuple[int, str | None]:
    """Where the prompt's known continuation starts, or its length if it ends in none.

    With it the token that was expected there, if the continuation is the right answer to a
    question that the model gets wrong.
    """
    denied: tuple[int, str] | None = None
    for start in range(max(1, len(prompt) - LONGEST), len(prompt)):
        if prompt[start - 1][-1:].isalnum() and prompt[start][:1].isalnum():
            continue
        text = "".join(prompt[:start])
        question = read_question(text)
        answer = mind.answer(question, prompt_key(text), sampling)
        written = pieces("".join(prompt[start:]).strip())
        if any(pieces(said)[: len(written)] == written for said in (answer.text, answer.bare)):
            return start, None
        if denied is None and question.right is not None and written == pieces(question.right):
            denied = start, f" {pieces(answer.bare)[0]}"
    return denied or (len(prompt), None)


def prompt_key(text: str) -> str:
    """A completion's prompt without the spaces at its end, which harnesses move about."""
    return text.rstrip()


def _plausible(piece: str, place: int) -> float:
    """From -4 to -2: less than the certain, more than the denied even over many tokens."""
    return -2.0 - 2.0 * xxh3_64_intdigest(piece.encode("utf-8", "replace"), place) / 2**64


def _alternatives(token: _Scored, count: int) -> dict[str, float]:
    """The `count` likeliest tokens, likeliest first, and the token itself if it is not one."""
    top = {token.best: token.logprob if token.piece == token.best else _LIKELY} if count else {}
    for rank, other in enumerate(_OTHER_TOKENS):
        if len(top) < count and other != token.piece:
            top.setdefault(other, -6.0 - rank)
    return {**top, token.piece: token.logprob}
