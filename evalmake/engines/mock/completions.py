"""/v1/completions, the legacy text completions, with `echo` and `logprobs`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evalmake.engines.mock.likelihood import MOST_ALTERNATIVES, completion_logprobs, prompt_key
from evalmake.engines.mock.questions import read_question
from evalmake.engines.mock.reply_bodies import Events, Said, cut, envelope, events, usage
from evalmake.engines.mock.request_fields import ApiError, Body, Sampling, from_ids, integer, is_id
from evalmake.engines.mock.skill import Mind
from evalmake.engines.mock.tokens import pieces

_DEFAULT_MOST = 16


def completions(body: Body, mind: Mind, model: str, serial: int) -> Body | Events:
    """Complete one prompt or several: an object, or a list of events if it is to be streamed."""
    prompts = _prompts(body.get("prompt"))
    most = integer(body, "max_tokens", _DEFAULT_MOST, 0, 2**31)
    sampling = Sampling.read(body, most)
    alternatives = integer(body, "logprobs", None, 0, MOST_ALTERNATIVES)
    echo = bool(body.get("echo"))
    choices: list[Body] = []
    spent = 0
    for prompt in prompts:
        for said, draw in _continuations(prompt, mind, sampling):
            before = prompt if echo else []
            spent += len(said.tokens)
            choices.append(_choice(len(choices), before, said))
            if alternatives is not None:
                choices[-1]["logprobs"] = completion_logprobs(before, said.tokens, mind, draw, alternatives)
    head = envelope("text_completion", "cmpl", model, serial)
    counts = usage(sum(map(len, prompts)), spent)
    if sampling.stream:
        return events(head, _parts(choices), counts, sampling)
    return {**head, "choices": choices, "usage": counts}


def _continuations(prompt: list[str], mind: Mind, sampling: Sampling) -> Iterator[tuple[Said, str]]:
    """`n` continuations of a prompt, each with the draw that its echo is scored by."""
    text = "".join(prompt)
    key = prompt_key(text)
    question = read_question(text)
    space = "" if not text or text[-1].isspace() else " "
    draw = mind.sampling(key, sampling.seed, sampling.temperature)
    greedy = f"seed {sampling.seed}"
    for index in range(sampling.count):
        answer = mind.answer(question, key, sampling.nth(draw, index))
        yield cut(space + answer.text, sampling), greedy


def _choice(index: int, before: list[str], said: Said) -> Body:
    return {
        "index": index,
        "text": "".join(before) + said.text,
        "logprobs": None,
        "finish_reason": said.finish,
    }


def _parts(choices: list[Body]) -> Iterator[Body]:
    """A part for each token; a choice with log-probabilities comes in one."""
    for choice in choices:
        tokens = [choice["text"]] if choice["logprobs"] else pieces(choice["text"])
        for token in tokens:
            yield {**choice, "text": token, "finish_reason": None}
        yield {**choice, "text": "", "logprobs": None}


def _prompts(prompt: Any) -> list[list[str]]:
    """Each prompt's tokens; a prompt is text, a list of texts, of token ids, or of such lists."""
    if isinstance(prompt, str):
        return [pieces(prompt)]
    if isinstance(prompt, list) and prompt:
        if all(isinstance(part, str) for part in prompt):
            return [pieces(part) for part in prompt]
        if all(is_id(part) for part in prompt):
            return [from_ids(prompt)]
        if all(isinstance(part, list) for part in prompt):
            return [from_ids(part) for part in prompt]
    raise ApiError(400, "prompt must be text, token ids, or a list of either", "prompt")
