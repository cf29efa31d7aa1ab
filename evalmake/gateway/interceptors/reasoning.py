"""Reasoning kept from the scorer: between tags in the text, or in a field of its own.

The text is kept in the record (`reasoning.jsonl`) and counted. A model whose template opens the tag
in the prompt says only the closing one: all before it is reasoning. Reasoning that never closes is
told as unfinished, and the answer is empty, as the model gave none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from evalmake.gateway.interceptors.base import Body, Events, Interceptor, Record

TAGS = ("<think>", "</think>")
_FIELDS = ("reasoning_content", "reasoning")


class Reasoning(Interceptor):
    """Strips what lies between `tags`, and the reasoning fields."""

    answers = True

    def __init__(self, tags: bool | list[str]) -> None:
        self.open, self.close = TAGS if isinstance(tags, bool) else (tags[0], tags[1])

    def reply(self, body: Body, record: Record) -> Body:
        """Strip a whole reply."""
        for choice in _choices(body):
            message = choice.get("message")
            if isinstance(message, dict):
                said = [str(text) for name in _FIELDS if (text := message.pop(name, None))][:1]
                if isinstance(message.get("content"), str):
                    message["content"] = self._strip(message["content"], said, choice, record)
                elif said:
                    self._tell(said, choice, record, True)
            elif isinstance(choice.get("text"), str):
                choice["text"] = self._strip(choice["text"], [], choice, record)
        return body

    def events(self, record: Record) -> Events:
        """Strip a stream: a choice's text is held back until it is known to be no reasoning."""
        return _Stripped(self, record)

    def split(self, text: str) -> tuple[str, str, bool]:
        """Reasoning, answer, and whether the reasoning was finished."""
        before, closed, after = text.rpartition(self.close)
        if closed:
            return before.replace(self.open, "").replace(self.close, ""), after.lstrip(), True
        head, opened, rest = text.partition(self.open)
        return (rest, head.rstrip(), False) if opened else ("", text, True)

    def _strip(self, text: str, said: list[str], choice: Body, record: Record) -> str:
        thought, answer, finished = self.split(text)
        self._tell([*said, thought] if thought else said, choice, record, finished)
        return answer

    def _tell(self, said: list[str], choice: Body, record: Record, finished: bool) -> None:
        text = "\n".join(said)
        if not text and finished:
            return
        record.count("reasoned")
        record.count("reasoning_characters", len(text))
        if not finished:
            record.count("reasoning_unfinished")
        record.row("reasoning", {
            "choice": choice.get("index", 0), "finished": finished, "text": text,
        })  # fmt: skip


@dataclass(slots=True)
class _Choice:
    held: str = ""
    thought: list[str] = field(default_factory=list)
    free: bool = False
    """The reasoning is over: what comes is the answer."""
    told: bool = False
    last: Body = field(default_factory=dict)


class _Stripped(Events):
    """One stream: text is held until the closing tag, or until the end shows that there is none."""

    def __init__(self, reasoning: Reasoning, record: Record) -> None:
        self.reasoning = reasoning
        self.record = record
        self.choices: dict[object, _Choice] = {}

    def event(self, event: Body) -> Iterable[Body]:
        """Take the reasoning out of an event."""
        self.shape = {key: value for key, value in event.items() if key not in ("choices", "usage")}
        for choice in _choices(event):
            state = self.choices.setdefault(choice.get("index", 0), _Choice())
            part = choice.get("delta")
            key = "content" if isinstance(part, dict) else "text"
            part = part if isinstance(part, dict) else choice
            state.thought += [str(text) for name in _FIELDS if (text := part.pop(name, None))]
            if isinstance(part.get(key), str):
                part[key] = self._said(state, part[key], choice)
            if choice.get("finish_reason") is not None:
                rest = self._rest(state, choice)
                if rest:
                    part[key] = (part.get(key) or "") + rest
        return (event,)

    def _said(self, state: _Choice, text: str, choice: Body) -> str:
        if state.free:
            return text
        state.held += text
        before, closed, after = state.held.partition(self.reasoning.close)
        if not closed:
            return ""
        state.thought.append(before.replace(self.reasoning.open, ""))
        state.free, state.held = True, ""
        self._tell(state, choice, True)
        return after.lstrip()

    def _rest(self, state: _Choice, choice: Body) -> str:
        """What was held back, at the end of a choice."""
        thought, answer, finished = self.reasoning.split(state.held)
        state.held = ""
        state.thought += [thought] if thought else []
        self._tell(state, choice, finished)
        return answer

    def _tell(self, state: _Choice, choice: Body, finished: bool) -> None:
        if not state.told:
            state.told = True
            self.reasoning._tell(["".join(state.thought)], choice, self.record, finished)


def _choices(body: Body) -> list[Body]:
    choices = body.get("choices")
    return [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
