"""Reasoning kept from the scorer: between tags in the text, or in a field of its own.

The record has its text (`reasoning.jsonl`) and counts. A model whose chat template opens the tag in the prompt
writes only the closing one: all before that is reasoning. Reasoning that never closes is recorded as unfinished, and
the answer is empty, because the model gave none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from evalmake.gateway.interceptors.interceptor import Body, EvaluationRecord, EventRewriter, Interceptor

TAGS = ("<think>", "</think>")
_FIELDS = ("reasoning_content", "reasoning")


class ReasoningFilter(Interceptor):
    """Removes what lies between `tags`, and the reasoning fields."""

    rewrites_replies = True

    def __init__(self, tags: bool | list[str]) -> None:
        self.open, self.close = TAGS if isinstance(tags, bool) else (tags[0], tags[1])

    def rewrite_reply(self, body: Body, record: EvaluationRecord) -> Body:
        """Remove the reasoning from a whole reply."""
        for choice in _choices(body):
            message = choice.get("message")
            if isinstance(message, dict):
                from_field = _pop_reasoning_field(message)
                if isinstance(message.get("content"), str):
                    message["content"] = self._strip(message["content"], from_field, choice, record)
                else:
                    self.record_reasoning(from_field, choice, record, closed=True, answered=False)
            elif isinstance(choice.get("text"), str):
                choice["text"] = self._strip(choice["text"], [], choice, record)
        return body

    def new_event_rewriter(self, record: EvaluationRecord) -> EventRewriter:
        """Remove it from a stream: hold a choice's text back until it is known to be no reasoning."""
        return _StreamFilter(self, record)

    def split(self, text: str) -> tuple[str, str, bool]:
        """Reasoning, answer, and whether the reasoning was finished."""
        before, closed, after = text.rpartition(self.close)
        if closed:
            return before.replace(self.open, "").replace(self.close, ""), after.lstrip(), True
        head, opened, rest = text.partition(self.open)
        return (rest, head.rstrip(), False) if opened else ("", text, True)

    def _strip(self, text: str, from_field: list[str], choice: Body, record: EvaluationRecord) -> str:
        reasoning, answer, closed = self.split(text)
        self.record_reasoning([*from_field, reasoning], choice, record, closed, bool(answer))
        return answer

    def record_reasoning(
        self, texts: list[str], choice: Body, record: EvaluationRecord, closed: bool, answered: bool
    ) -> None:
        """Record a choice's reasoning. It is unfinished where it never closed, or used up all tokens."""
        text = "\n".join(filter(None, texts))
        used_up = bool(text) and not answered and choice.get("finish_reason") == "length"
        finished = closed and not used_up
        if finished and not text:
            return
        record.add_count("reasoned")
        record.add_count("reasoning_characters", len(text))
        if not finished:
            record.add_count("reasoning_unfinished")
        record.append_row("reasoning", {"choice": choice.get("index", 0), "finished": finished, "text": text})


@dataclass(slots=True)
class _ChoiceState:
    """How far the stream of one choice has come."""

    held: str = ""
    """Text that may still be reasoning."""
    reasoning: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    """Pieces of the reasoning field."""
    reasoning_over: bool = False
    """What comes is the answer."""
    answer_started: bool = False
    """A part of the answer was sent."""
    ended: bool = False
    key: str = "content"


class _StreamFilter(EventRewriter):
    """One stream.

    Text is held until the closing tag comes, or until the end shows that there is none: an opening tag may be
    missing, so before that nobody knows which it is.
    """

    def __init__(self, filter: ReasoningFilter, record: EvaluationRecord) -> None:
        self.filter = filter
        self.record = record
        self.choices: dict[int, _ChoiceState] = {}
        self.envelope: Body = {}
        """The fields of the last event around its choices, for events that `flush` adds."""

    def rewrite_event(self, event: Body) -> Iterable[Body]:
        """Take the reasoning out of an event."""
        self.envelope = {key: value for key, value in event.items() if key not in ("choices", "usage")}
        for choice in _choices(event):
            index = choice.get("index", 0)
            state = self.choices.setdefault(index if isinstance(index, int) else 0, _ChoiceState())
            part = choice.get("delta")
            if not isinstance(part, dict):
                part, state.key = choice, "text"
            state.fields += _pop_reasoning_field(part)
            if isinstance(part.get(state.key), str):
                part[state.key] = self._filter_text(state, part[state.key])
            if choice.get("finish_reason") is not None and not state.ended:
                rest = self._end_choice(state, choice)
                if rest:
                    part[state.key] = (part.get(state.key) or "") + rest
        return (event,)

    def flush(self) -> Iterable[Body]:
        """Send what is still held of choices that no event finished."""
        for index, state in self.choices.items():
            if not state.ended and (rest := self._end_choice(state, {"index": index})):
                part = {state.key: rest}
                choice = part if state.key == "text" else {"delta": part}
                yield {**self.envelope, "choices": [{"index": index, **choice}]}

    def _filter_text(self, state: _ChoiceState, text: str) -> str:
        """Hold a piece of text, or return what of it is the answer."""
        if not state.reasoning_over:
            state.held += text
            before, closed, text = state.held.partition(self.filter.close)
            if not closed:
                return ""
            state.reasoning.append(before.replace(self.filter.open, ""))
            state.reasoning_over, state.held = True, ""
        if not state.answer_started:
            text = text.lstrip()
            state.answer_started = bool(text)
        return text

    def _end_choice(self, state: _ChoiceState, choice: Body) -> str:
        """Record the reasoning of a choice that ended; returns the answer among what was held."""
        reasoning, answer, closed = self.filter.split(state.held)
        state.held, state.reasoning_over, state.ended = "", True, True
        texts = ["".join(state.fields), *state.reasoning, reasoning]
        state.answer_started = state.answer_started or bool(answer)
        self.filter.record_reasoning(texts, choice, self.record, closed, state.answer_started)
        return answer


def _pop_reasoning_field(part: Body) -> list[str]:
    """Remove the reasoning fields; returns one of them, because some servers send both with the same text."""
    return [str(text) for name in _FIELDS if (text := part.pop(name, None))][:1]


def _choices(body: Body) -> list[Body]:
    choices = body.get("choices")
    return [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
