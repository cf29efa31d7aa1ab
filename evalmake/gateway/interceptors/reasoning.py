"""Reasoning kept from the scorer: between tags in the text, in parts of the content, or in a field of its own.

The record has its text (`reasoning.jsonl`) and counts. Reasoning that never closes is recorded as unfinished, and
the answer is empty, because the model gave none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from evalmake.gateway.interceptors.interceptor import Body, EvaluationRecord, EventRewriter, Interceptor
from evalmake.model_reply.content import REASONING_FIELDS, has_reasoning, read_part_reasoning, read_reasoning, read_text
from evalmake.model_reply.finish_reason import read_finish_reason
from evalmake.model_reply.reasoning_tags import BEHAVIOUR, KNOWN_TAGS, ReasoningSplitter, Tags

_TEXT_PARTS = ("text", "output_text")


class ReasoningFilter(Interceptor):
    """Removes what lies between `tags` (`true`: those of known models), and the reasoning parts and fields."""

    rewrites_replies = True
    behaviour: ClassVar[int] = BEHAVIOUR

    def __init__(self, tags: bool | list[str]) -> None:
        self.known: tuple[Tags, ...] = KNOWN_TAGS if isinstance(tags, bool) else (tuple(tags),)

    def rewrite_reply(self, body: Body, record: EvaluationRecord) -> Body:
        """Remove the reasoning from a whole reply."""
        for choice in _choices(body):
            state = _ChoiceState(self.known)
            part, key = _text_place(choice)
            has_reasoned = has_reasoning(part)
            text = state.take_part(part, key)
            rest = state.end(choice, record)
            if text is not None:
                _set_text(part, key, text + rest)
            elif has_reasoned and key == "content" and not part.get("tool_calls"):
                part[key] = ""  # the model replied, with nothing but its reasoning
        return body

    def new_event_rewriter(self, record: EvaluationRecord) -> EventRewriter:
        """Remove it from a stream: hold a choice's text back until it is known to be no reasoning."""
        return _StreamFilter(self.known, record)


class _ChoiceState:
    """How far the reply of one choice has come."""

    def __init__(self, known: tuple[Tags, ...]) -> None:
        self.splitter = ReasoningSplitter(known)
        self.fields: list[str] = []
        """Pieces of the reasoning fields and parts."""
        self.answered = False
        self.ended = False
        self.key = "content"

    def take_part(self, part: Body, key: str) -> str | None:
        """Take the reasoning out of a message or a delta; returns what is certain of its answer, None without text."""
        self.key = key
        self.fields += [_pop_reasoning_fields(part), read_part_reasoning(part.get(key))]
        text = read_text(part.get(key))
        if text is None or self.ended:  # text after the end comes from another interceptor
            return text
        answer = self.splitter.feed(text)
        self.answered = self.answered or bool(answer.strip())
        return answer

    def end(self, choice: Body, record: EvaluationRecord) -> str:
        """Record the reasoning of a choice that ended; returns the rest of its answer."""
        cut = read_finish_reason(choice) == "length"
        rest = self.splitter.finish(cut)
        self.ended = True
        self.answered = self.answered or bool(rest.strip())
        texts = ["".join(self.fields), *self.splitter.reasoning]
        text = "\n".join(filter(None, texts))
        finished = self.splitter.is_finished and not (text and cut and not self.answered)
        if text or not finished:
            _record_reasoning(record, choice.get("index", 0), text, finished)
            if not finished and not cut:
                record.add_count("reasoning_stopped")
        return rest


def _record_reasoning(record: EvaluationRecord, index: object, text: str, finished: bool) -> None:
    """Record a choice's reasoning. It is unfinished where it never closed, or used up all tokens."""
    record.add_count("reasoned")
    record.add_count("reasoning_characters", len(text))
    if not finished:
        record.add_count("reasoning_unfinished")
    record.append_row("reasoning", {"choice": index, "finished": finished, "text": text})


@dataclass
class _StreamFilter(EventRewriter):
    """One stream.

    Text is held until the closing tag comes, or until the end shows that there is none: an opening tag may be
    missing, so before that nobody knows which it is.
    """

    known: tuple[Tags, ...]
    record: EvaluationRecord
    choices: dict[int, _ChoiceState] = field(default_factory=dict)
    envelope: Body = field(default_factory=dict)
    """The fields of the last event around its choices, for events that `flush` adds."""

    def rewrite_event(self, event: Body) -> Iterable[Body]:
        """Take the reasoning out of an event."""
        self.envelope = {key: value for key, value in event.items() if key not in ("choices", "usage")}
        for choice in _choices(event):
            index = choice.get("index", 0)
            index = index if isinstance(index, int) else 0
            if index not in self.choices:
                self.choices[index] = _ChoiceState(self.known)
            state = self.choices[index]
            part, key = _text_place(choice)
            text = state.take_part(part, key)
            if text is not None:
                _set_text(part, key, text)
            if choice.get("finish_reason") is not None and not state.ended:
                rest = state.end(choice, self.record)
                if rest:
                    _set_text(part, key, (text or "") + rest)
        return (event,)

    def flush(self) -> Iterable[Body]:
        """Send what is still held of choices that no event finished."""
        for index, state in self.choices.items():
            if not state.ended and (rest := state.end({"index": index}, self.record)):
                part = {state.key: rest}
                choice = part if state.key == "text" else {"delta": part}
                yield {**self.envelope, "choices": [{"index": index, **choice}]}


def _text_place(choice: Body) -> tuple[Body, str]:
    """The object that holds a choice's text, and the key: of a message, a delta, or a text completion."""
    for name in ("message", "delta"):
        if isinstance(choice.get(name), dict):
            return choice[name], "content"
    return choice, "text"


def _set_text(part: Body, key: str, text: str) -> None:
    """Set the text; parts of a content that are no text, such as images, stay."""
    old = part.get(key)
    others = [one for one in old if isinstance(one, dict) and _is_other_part(one)] if isinstance(old, list) else []
    part[key] = [{"type": "text", "text": text}, *others] if others else text


def _is_other_part(part: Body) -> bool:
    return part.get("type") not in _TEXT_PARTS and not read_text([part]) and not read_part_reasoning([part])


def _pop_reasoning_fields(part: Body) -> str:
    """Remove the reasoning fields; returns the text of one, because some servers send several with the same text."""
    texts = [read_reasoning(part.pop(name, None)) for name in REASONING_FIELDS]
    return next(filter(None, texts), "")


def _choices(body: Body) -> list[Body]:
    choices = body.get("choices")
    return [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
