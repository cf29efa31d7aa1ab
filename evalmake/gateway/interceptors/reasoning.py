"""Reasoning kept from the scorer: between tags in the text, or in a field of its own.

The text is kept in the record (`reasoning.jsonl`) and counted. A model whose template opens the tag
in the prompt says only the closing one: all before it is reasoning. Reasoning that never closes is
told as unfinished, and the answer is empty, as the model gave none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from evalmake.gateway.interceptors.interceptor import Body, Events, Interceptor, Record

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
                said = _popped(message)
                if isinstance(message.get("content"), str):
                    message["content"] = self._strip(message["content"], said, choice, record)
                else:
                    self.tell(said, choice, record, True, False)
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
        self.tell([*said, thought], choice, record, finished, bool(answer))
        return answer

    def tell(self, said: list[str], choice: Body, record: Record, closed: bool, answered: bool) -> None:
        """Leave a choice's reasoning in the record; it is cut off where the tokens ended in it."""
        text = "\n".join(filter(None, said))
        cut = bool(text) and not answered and choice.get("finish_reason") == "length"
        finished = closed and not cut
        if finished and not text:
            return
        record.count("reasoned")
        record.count("reasoning_characters", len(text))
        if not finished:
            record.count("reasoning_unfinished")
        record.row(
            "reasoning",
            {
                "choice": choice.get("index", 0),
                "finished": finished,
                "text": text,
            },
        )


@dataclass(slots=True)
class _Choice:
    held: str = ""
    thought: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    free: bool = False
    """The reasoning is over: what comes is the answer."""
    begun: bool = False
    """A part of the answer is out."""
    ended: bool = False
    key: str = "content"


class _Stripped(Events):
    """One stream: text is held until the closing tag, or until the end shows that there is none."""

    def __init__(self, reasoning: Reasoning, record: Record) -> None:
        self.reasoning = reasoning
        self.record = record
        self.choices: dict[int, _Choice] = {}
        self.shape: Body = {}

    def event(self, event: Body) -> Iterable[Body]:
        """Take the reasoning out of an event."""
        self.shape = {key: value for key, value in event.items() if key not in ("choices", "usage")}
        for choice in _choices(event):
            index = choice.get("index", 0)
            state = self.choices.setdefault(index if isinstance(index, int) else 0, _Choice())
            part = choice.get("delta")
            if not isinstance(part, dict):
                part, state.key = choice, "text"
            state.fields += _popped(part)
            if isinstance(part.get(state.key), str):
                part[state.key] = self._said(state, part[state.key])
            if choice.get("finish_reason") is not None and not state.ended:
                rest = self._rest(state, choice)
                if rest:
                    part[state.key] = (part.get(state.key) or "") + rest
        return (event,)

    def end(self) -> Iterable[Body]:
        """What is still held of choices that nothing finished."""
        for index, state in self.choices.items():
            if not state.ended and (rest := self._rest(state, {"index": index})):
                part = {state.key: rest}
                choice = part if state.key == "text" else {"delta": part}
                yield {**self.shape, "choices": [{"index": index, **choice}]}

    def _said(self, state: _Choice, text: str) -> str:
        if not state.free:
            state.held += text
            before, closed, text = state.held.partition(self.reasoning.close)
            if not closed:
                return ""
            state.thought.append(before.replace(self.reasoning.open, ""))
            state.free, state.held = True, ""
        if not state.begun:
            text = text.lstrip()
            state.begun = bool(text)
        return text

    def _rest(self, state: _Choice, choice: Body) -> str:
        """What was held back, at the end of a choice."""
        thought, answer, finished = self.reasoning.split(state.held)
        state.held, state.free, state.ended = "", True, True
        said = ["".join(state.fields), *state.thought, thought]
        state.begun = state.begun or bool(answer)
        self.reasoning.tell(said, choice, self.record, finished, state.begun)
        return answer


def _popped(part: Body) -> list[str]:
    """The reasoning field, taken out; some servers say the same under two names."""
    return [str(text) for name in _FIELDS if (text := part.pop(name, None))][:1]


def _choices(body: Body) -> list[Body]:
    choices = body.get("choices")
    return [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
