"""/v1/chat/completions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from evalmake.engines.mock.likelihood import MOST_ALTERNATIVES, chat_logprobs
from evalmake.engines.mock.questions import read_question
from evalmake.engines.mock.reply_bodies import Events, Said, cut, envelope, events, usage
from evalmake.engines.mock.request_fields import ApiError, Body, Sampling, integer
from evalmake.engines.mock.skill import Mind
from evalmake.engines.mock.tokens import count

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def chat(body: Body, mind: Mind, model: str, serial: int) -> Body | Events:
    """Answer a conversation: an object, or a list of events if it is to be streamed."""
    messages = _messages(body)
    texts = [_text(message.get("content")) for message in messages]
    most = integer(body, "max_completion_tokens", None, 1, 2**31)
    sampling = Sampling.read(body, most or integer(body, "max_tokens", None, 1, 2**31))
    alternatives = _alternatives(body)
    whole = "\n".join(texts)
    question = read_question(_asked(messages, texts), whole)
    key = _key(messages)
    draw = mind.sampling(key, sampling.seed, sampling.temperature)
    said = [
        cut(mind.answer(question, key, sampling.nth(draw, index)).text, sampling) for index in range(sampling.count)
    ]
    spent = usage(count(whole), sum(len(one.tokens) for one in said))
    if sampling.stream:
        head = envelope("chat.completion.chunk", "chatcmpl", model, serial)
        return events(head, _parts(said, alternatives), spent, sampling)
    head = envelope("chat.completion", "chatcmpl", model, serial)
    choices = [_choice(index, one, alternatives) for index, one in enumerate(said)]
    return {**head, "choices": choices, "usage": spent}


def _messages(body: Body) -> list[Body]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "messages must be a list with at least one message", "messages")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ApiError(400, "each message must be an object with a role", "messages")
    return messages


def _asked(messages: list[Body], texts: list[str]) -> str:
    """The text of the user's last message, else of the last one."""
    for message, text in zip(reversed(messages), reversed(texts), strict=True):
        if message["role"] == "user":
            return text
    return texts[-1]


def _key(messages: list[Body]) -> str:
    """The conversation as one text, the same however its JSON was written."""
    return "\0".join(
        f"{message['role']}\0{content}"
        if isinstance(content := message.get("content"), str)
        else f"{message['role']}\0{_to_json(content)}"
        for message in messages
    )


def _text(content: Any) -> str:
    """A message's text: a string, or the text among its parts (images are not looked at)."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ApiError(400, "content must be text or a list of parts", "messages")
    return "\n".join(str(part["text"]) for part in content if "text" in part)


def _alternatives(body: Body) -> int | None:
    """How many alternatives to each token are asked for; None without log-probabilities."""
    return integer(body, "top_logprobs", 0, 0, MOST_ALTERNATIVES) if body.get("logprobs") else None


def _logprobs(tokens: list[str], alternatives: int | None) -> Body | None:
    return None if alternatives is None else chat_logprobs(tokens, alternatives)


def _choice(index: int, said: Said, alternatives: int | None) -> Body:
    return {
        "index": index,
        "message": {"role": "assistant", "content": said.text},
        "logprobs": _logprobs(said.tokens, alternatives),
        "finish_reason": said.finish,
    }


def _parts(said: list[Said], alternatives: int | None) -> Iterator[Body]:
    for index, one in enumerate(said):
        yield _part(index, {"role": "assistant", "content": ""}, None, None)
        for token in one.tokens:
            yield _part(index, {"content": token}, _logprobs([token], alternatives), None)
        yield _part(index, {}, None, one.finish)


def _part(index: int, delta: Body, logprobs: Body | None, finish: str | None) -> Body:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
