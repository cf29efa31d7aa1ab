"""What is said between the harness and a model for one item: a request, or one for each turn of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalmake.harnesses.native.client import Client, Reply
from evalmake.harnesses.native.conversation import Message, render_text
from evalmake.harnesses.native.errors import RequestError
from evalmake.harnesses.native.media import attach_files
from evalmake.harnesses.native.prompts import (
    Body,
    Example,
    Item,
    build_base_body,
    build_completion_prompt,
    build_turns,
)
from evalmake.model_reply.reasoning_tags import split_reasoning


class Exchange:
    """Asks one item turn by turn; `body` is the last request, `replies` are all replies, the last one is scored."""

    def __init__(self, client: Client, seed: int | None, item: Item, shown: Sequence[Example], folder: Path) -> None:
        """`folder` is where the pictures and clips of the item lie."""
        self._client, self._item, self._folder = client, item, folder
        self._base = build_base_body(client.endpoint, seed)
        if item.tools:
            self._base["tools"] = list(item.tools)
        self._turns = build_turns(item, shown)
        self.body: Body = self._base
        self.replies: list[Reply] = []
        if client.endpoint.api == "completions":
            self._turns = ()
            self.body = self._base | {"prompt": build_completion_prompt(item, shown)}

    async def ask(self) -> Reply:
        """The last reply; RequestError if a request fails.

        A reply that calls tools ends the conversation, as nobody runs them: it is the last one.
        """
        if not self._turns:
            self.replies.append(await self._client.ask(self.body))
            return self.replies[-1]
        messages: list[Message] = []
        for number, turn in enumerate(self._turns, 1):
            messages += turn
            self.body = self._base | {"messages": list(messages)}
            try:
                reply = await self._client.ask(attach_files(self.body, self._folder))
            except RequestError as error:
                if len(self._turns) > 1:
                    error.args = (f"turn {number} of {len(self._turns)}: {error}",)
                raise
            self.replies.append(reply)
            if reply.tool_calls:
                break
            messages.append({"role": "assistant", "content": drop_reasoning(reply)})
        return self.replies[-1]

    def facts(self) -> dict[str, Any]:
        """What the sample says of the replies: sums of tokens and seconds, and the turns if there are several."""
        if not self.replies:
            return {}
        last = self.replies[-1]
        facts = {**describe_reply(last), "refused": last.refused or None}
        if len(self._turns) < 2:
            return facts
        for name in ("tokens_in", "tokens_out", "latency"):
            known = [value for reply in self.replies if (value := getattr(reply, name)) is not None]
            facts[name] = sum(known) if known else None
        return facts | {"turns": [{k: v for k, v in describe_reply(one).items() if v} for one in self.replies]}

    def asked_item(self) -> Item:
        """The item with the whole conversation for its prompt, as a judge should see it."""
        return replace(self._item, prompt=render_text(self.body["messages"])) if len(self._turns) > 1 else self._item


def drop_reasoning(reply: Reply) -> str:
    """What of a reply goes into the conversation: its text without its reasoning."""
    found = split_reasoning(reply.text, cut=reply.finish_reason == "length")
    return reply.text if found.answer == reply.text else found.answer.strip()


def describe_reply(reply: Reply) -> dict[str, Any]:
    """The fields of a sample that one reply has."""
    return {
        "reply": reply.text,
        "tokens_in": reply.tokens_in,
        "tokens_out": reply.tokens_out,
        "latency": reply.latency,
        "finish_reason": reply.finish_reason,
        "refused": reply.refused or None,
        "tool_calls": [call.to_json() for call in reply.tool_calls] or None,
    }
