"""Log-probabilities in the shape of OpenAI's legacy completions API.

They agree with the answers: after a question, the answer that `Skill` gives at temperature 0 is nearly certain,
token by token. The right answer, where it is another one, is the least likely of all. So the right one of several
continuations is the likeliest with the probability that the skill declares. All else is in between, by a hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from xxhash import xxh3_64_intdigest

from evalmake.engines.mock.questions import parse_question
from evalmake.engines.mock.skill import Skill
from evalmake.engines.mock.tokens import split_tokens

LONGEST = 24
"""How many of a prompt's last tokens are searched for a continuation."""
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
    prompt: list[str], completion: list[str], skill: Skill, sample: str, alternatives: int
) -> dict[str, Any]:
    """`logprobs` for an echoed prompt (empty if not echoed) and the completion after it."""
    scored = list(_score_prompt(prompt, skill, sample))
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
    described = [_describe_token(token, logprob) for token, logprob in top.items()]
    return {**_describe_token(piece, _CERTAIN), "top_logprobs": described}


def _describe_token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}


def _score_prompt(prompt: list[str], skill: Skill, sample: str) -> Iterator[_Scored]:
    start, expected = _find_continuation(prompt, skill, sample)
    for place, piece in enumerate(prompt):
        if place < start:
            logprob = _plausible_logprob(piece, place)
            yield _Scored(piece, logprob, next(t for t in _OTHER_TOKENS if t != piece))
        elif place == start and expected is not None:
            yield _Scored(piece, _DENIED, expected)
        else:
            yield _Scored(piece, _CERTAIN, piece)


def _find_continuation(prompt: list[str], skill: Skill, sample: str) -> tuple[int, str | None]:
    """Where the prompt's known continuation starts; the prompt's length if it ends in none.

    Also the token that was expected there, if the continuation is the right answer to a question that the skill
    answers wrong.
    """
    denied: tuple[int, str] | None = None
    for start in range(max(1, len(prompt) - LONGEST), len(prompt)):
        if prompt[start - 1][-1:].isalnum() and prompt[start][:1].isalnum():
            continue
        text = "".join(prompt[:start])
        question = parse_question(text)
        answer = skill.answer_question(question, prompt_key(text), sample)
        continuation = split_tokens("".join(prompt[start:]).strip())
        if any(split_tokens(expected)[: len(continuation)] == continuation for expected in (answer.text, answer.bare)):
            return start, None
        if denied is None and question.right is not None and continuation == split_tokens(question.right):
            denied = start, f" {split_tokens(answer.bare)[0]}"
    return denied or (len(prompt), None)


def prompt_key(text: str) -> str:
    """A completion's prompt without the spaces at its end: harnesses put them there or into the continuation."""
    return text.rstrip()


def _plausible_logprob(piece: str, place: int) -> float:
    """From -4 to -2: less than the certain, more than the denied, even in sum over many tokens."""
    return -2.0 - 2.0 * xxh3_64_intdigest(piece.encode("utf-8", "replace"), place) / 2**64


def _alternatives(token: _Scored, count: int) -> dict[str, float]:
    """The `count` likeliest tokens, likeliest first, and the token itself if it is not one."""
    top = {token.best: token.logprob if token.piece == token.best else _LIKELY} if count else {}
    for rank, other in enumerate(_OTHER_TOKENS):
        if len(top) < count and other != token.piece:
            top.setdefault(other, -6.0 - rank)
    return {**top, token.piece: token.logprob}
