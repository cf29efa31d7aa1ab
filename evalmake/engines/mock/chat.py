"""/v1/chat/completions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from evalmake.engines.mock.likelihood import MOST_ALTERNATIVES, chat_logprobs
from evalmake.engines.mock.media import check_part
from evalmake.engines.mock.questions import parse_question
from evalmake.engines.mock.reply_bodies import (
    Events,
    GeneratedText,
    cut_text,
    reply_envelope,
    stream_events,
    token_usage,
)
from evalmake.engines.mock.request_fields import ApiError, Body, Sampling, read_integer
from evalmake.engines.mock.skill import Skill
from evalmake.engines.mock.tokens import count_tokens
from evalmake.engines.mock.tool_calls import call_function, check_calls, find_demanded_tool

Calls = list[Body] | None
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def complete_chat(body: Body, skill: Skill, model: str, serial: int) -> Body | Events:
    """Answer a conversation: an object, or a list of events for a stream."""
    messages = _read_messages(body)
    texts = [_message_text(message.get("content")) for message in messages]
    max_tokens = read_integer(body, "max_completion_tokens", None, 1, 2**31)
    sampling = Sampling.read(body, max_tokens or read_integer(body, "max_tokens", None, 1, 2**31))
    alternatives = _read_alternatives(body)
    conversation = "\n".join(texts)
    question = parse_question(_last_user_text(messages, texts), conversation)
    key = _conversation_key(messages)
    sample = skill.take_sample(key, sampling.seed, sampling.temperature)
    answers = [
        skill.answer_question(question, key, sampling.choice_sample(sample, index)).text
        for index in range(sampling.count)
    ]
    generated = [cut_text(answer, sampling) for answer in answers]
    function = find_demanded_tool(body)
    calls = [None if function is None else call_function(function, answer, serial) for answer in answers]
    usage = token_usage(count_tokens(conversation), sum(len(one.tokens) for one in generated))
    if sampling.stream:
        envelope = reply_envelope("chat.completion.chunk", "chatcmpl", model, serial)
        return stream_events(envelope, _stream_parts(generated, calls, alternatives), usage, sampling)
    envelope = reply_envelope("chat.completion", "chatcmpl", model, serial)
    choices = [
        _choice(index, one, call, alternatives) for index, (one, call) in enumerate(zip(generated, calls, strict=True))
    ]
    return {**envelope, "choices": choices, "usage": usage}


def _read_messages(body: Body) -> list[Body]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "messages must be a list with at least one message", "messages")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ApiError(400, "each message must be an object with a role", "messages")
    check_calls(messages)
    return messages


def _last_user_text(messages: list[Body], texts: list[str]) -> str:
    """The text of the user's last message, or of the last message if the user has none."""
    for message, text in zip(reversed(messages), reversed(texts), strict=True):
        if message["role"] == "user":
            return text
    return texts[-1]


def _conversation_key(messages: list[Body]) -> str:
    """The conversation as one text, the same however its JSON was written."""
    return "\0".join(
        f"{message['role']}\0{content}"
        if isinstance(content := message.get("content"), str)
        else f"{message['role']}\0{_to_json(content)}"
        for message in messages
    )


def _message_text(content: Any) -> str:
    """A message's text: a string, or the text among its parts (pictures and sounds are not looked at)."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ApiError(400, "content must be text or a list of parts", "messages")
    for part in content:
        check_part(part)
    return "\n".join(str(part["text"]) for part in content if "text" in part)


def _read_alternatives(body: Body) -> int | None:
    """How many alternatives to each token the request asks for; None without log-probabilities."""
    return read_integer(body, "top_logprobs", 0, 0, MOST_ALTERNATIVES) if body.get("logprobs") else None


def _logprobs(tokens: list[str], alternatives: int | None) -> Body | None:
    return None if alternatives is None else chat_logprobs(tokens, alternatives)


def _choice(index: int, generated: GeneratedText, calls: Calls, alternatives: int | None) -> Body:
    if calls is not None:
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        return {"index": index, "message": message, "logprobs": None, "finish_reason": "tool_calls"}
    return {
        "index": index,
        "message": {"role": "assistant", "content": generated.text},
        "logprobs": _logprobs(generated.tokens, alternatives),
        "finish_reason": generated.finish,
    }


def _stream_parts(generated: list[GeneratedText], calls: list[Calls], alternatives: int | None) -> Iterator[Body]:
    for index, (one, called) in enumerate(zip(generated, calls, strict=True)):
        if called is not None:
            delta = [{"index": number, **call} for number, call in enumerate(called)]
            yield _stream_part(index, {"role": "assistant", "content": None, "tool_calls": delta}, None, None)
            yield _stream_part(index, {}, None, "tool_calls")
            continue
        yield _stream_part(index, {"role": "assistant", "content": ""}, None, None)
        for token in one.tokens:
            yield _stream_part(index, {"content": token}, _logprobs([token], alternatives), None)
        yield _stream_part(index, {}, None, one.finish)


def _stream_part(index: int, delta: Body, logprobs: Body | None, finish: str | None) -> Body:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
