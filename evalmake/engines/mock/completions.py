"""/v1/completions, the legacy text completions, with `echo` and `logprobs`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evalmake.engines.mock.likelihood import MOST_ALTERNATIVES, completion_logprobs, prompt_key
from evalmake.engines.mock.questions import parse_question
from evalmake.engines.mock.reply_bodies import (
    Events,
    GeneratedText,
    cut_text,
    reply_envelope,
    stream_events,
    token_usage,
)
from evalmake.engines.mock.request_fields import ApiError, Body, Sampling, decode_ids, is_token_id, read_integer
from evalmake.engines.mock.skill import Skill
from evalmake.engines.mock.tokens import split_tokens

_DEFAULT_MAX_TOKENS = 16


def complete(body: Body, skill: Skill, model: str, serial: int) -> Body | Events:
    """Complete one prompt or several: an object, or a list of events for a stream."""
    prompts = _read_prompts(body.get("prompt"))
    sampling = Sampling.read(body, read_integer(body, "max_tokens", _DEFAULT_MAX_TOKENS, 0, 2**31))
    alternatives = read_integer(body, "logprobs", None, 0, MOST_ALTERNATIVES)
    echo = bool(body.get("echo"))
    choices: list[Body] = []
    generated_tokens = 0
    for prompt in prompts:
        for generated, sample in _generate(prompt, skill, sampling):
            echoed = prompt if echo else []
            generated_tokens += len(generated.tokens)
            choices.append(_choice(len(choices), echoed, generated))
            if alternatives is not None:
                choices[-1]["logprobs"] = completion_logprobs(echoed, generated.tokens, skill, sample, alternatives)
    envelope = reply_envelope("text_completion", "cmpl", model, serial)
    usage = token_usage(sum(map(len, prompts)), generated_tokens)
    if sampling.stream:
        return stream_events(envelope, _stream_parts(choices), usage, sampling)
    return {**envelope, "choices": choices, "usage": usage}


def _generate(prompt: list[str], skill: Skill, sampling: Sampling) -> Iterator[tuple[GeneratedText, str]]:
    """`n` continuations of a prompt, each with the sample that its echo is scored by."""
    text = "".join(prompt)
    key = prompt_key(text)
    question = parse_question(text)
    space = "" if not text or text[-1].isspace() else " "
    sample = skill.take_sample(key, sampling.seed, sampling.temperature)
    greedy = f"seed {sampling.seed}"
    for index in range(sampling.count):
        answer = skill.answer_question(question, key, sampling.choice_sample(sample, index))
        yield cut_text(space + answer.text, sampling), greedy


def _choice(index: int, echoed: list[str], generated: GeneratedText) -> Body:
    return {
        "index": index,
        "text": "".join(echoed) + generated.text,
        "logprobs": None,
        "finish_reason": generated.finish,
    }


def _stream_parts(choices: list[Body]) -> Iterator[Body]:
    """A part for each token; a choice with log-probabilities comes in one."""
    for choice in choices:
        tokens = [choice["text"]] if choice["logprobs"] else split_tokens(choice["text"])
        for token in tokens:
            yield {**choice, "text": token, "finish_reason": None}
        yield {**choice, "text": "", "logprobs": None}


def _read_prompts(prompt: Any) -> list[list[str]]:
    """Each prompt's tokens; a prompt is text, a list of texts, of token ids, or of such lists."""
    if isinstance(prompt, str):
        return [split_tokens(prompt)]
    if isinstance(prompt, list) and prompt:
        if all(isinstance(part, str) for part in prompt):
            return [split_tokens(part) for part in prompt]
        if all(is_token_id(part) for part in prompt):
            return [decode_ids(prompt)]
        if all(isinstance(part, list) for part in prompt):
            return [decode_ids(part) for part in prompt]
    raise ApiError(400, "prompt must be text, token ids, or a list of either", "prompt")
