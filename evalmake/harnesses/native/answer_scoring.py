"""Scores the answers of items that are in the data, as replies are scored; no model is asked."""

from __future__ import annotations

from typing import Any

from evalmake.harnesses.native.client import Reply, find_answer
from evalmake.harnesses.native.item_requester import build_sample
from evalmake.harnesses.native.prompts import Item
from evalmake.harnesses.native.reply_scoring import ReplyScoring
from evalmake.harnesses.native.sample_log import Sample
from evalmake.harnesses.native.scorers import Verdict

_NULL = "its answer is null in the data"


class AnswerScoring:
    """Takes the place of what requests items; a judge is asked, if there is one."""

    requests = None
    """No requests are counted where none can be sent."""
    ties = 0

    def __init__(self, scoring: ReplyScoring) -> None:
        self.scoring = scoring

    async def request(self, item: Item) -> Sample:
        """The item's sample; EndpointError if its judge will never give an answer."""
        shown = describe_question(item)
        if item.answer is None:
            return build_sample(item, shown, Verdict(error=_NULL, cause_kind="unknown"), {})
        reply = Reply(item.answer, find_answer(item.answer, None), False, None, None, None, None)
        return build_sample(item, shown, await self.scoring.score(item, reply), {"reply": item.answer})

    def describe_constant(self) -> None:
        """Nothing: no log-probabilities are measured."""


def describe_question(item: Item) -> dict[str, Any]:
    """What the answer was given to, in the form of a request, as far as the data tell; it is never sent."""
    messages = [message for turn in item.conversation for message in turn]
    if not messages and item.prompt:
        messages = [{"role": "user", "content": item.prompt}]
    return {"messages": messages} if messages else {}
