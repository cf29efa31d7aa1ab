"""Scores replies of an earlier attempt in place of asking for them, once each is seen to be that of its own request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalmake.harnesses.native import prompts
from evalmake.harnesses.native.client import Reply, find_answer
from evalmake.harnesses.native.conversation import render_text
from evalmake.harnesses.native.errors import MissingReply, TaskError
from evalmake.harnesses.native.expected_request import RequestSettings, build_request, to_plain
from evalmake.harnesses.native.item_requester import build_sample
from evalmake.harnesses.native.json_io import as_object, dumps, loads
from evalmake.harnesses.native.likelihood import has_tie, score_options
from evalmake.harnesses.native.prompts import Example, Item
from evalmake.harnesses.native.record_checks import list_checks
from evalmake.harnesses.native.reply_scoring import ReplyScoring
from evalmake.harnesses.native.sample_log import Sample
from evalmake.harnesses.native.task_file import Task
from evalmake.model_reply.tool_calls import read_recorded_calls

Row = Mapping[str, Any]

_REDACTED = ("[secret ", "[token]")
"""What stands in a sample in place of a secret."""
_FACTS = ("reply", "tokens_in", "tokens_out", "latency", "finish_reason", "refused", "tool_calls", "turns")


def read_samples(task: Task) -> dict[tuple[int, int | None], Row]:
    """The stored samples by the index of their record and their repetition; TaskError where the file cannot be read."""
    assert task.samples is not None
    try:
        lines = Path(task.folder / task.samples).read_bytes().split(b"\n")
        rows = [loads(line) for line in lines if line]
        return {(row["index"], row.get("repetition")): row for row in rows}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise TaskError(f"{task.samples}: {error}") from None


class StoredReplyScoring:
    """Takes the place of what requests items; only a judge or an embedder is asked, if there is one."""

    requests = 0

    def __init__(self, task: Task, asked: RequestSettings, examples: Sequence[Example], scoring: ReplyScoring) -> None:
        self.task = task
        self.scoring = scoring
        self.ties = 0
        self._asked = asked
        self._examples = examples
        self._rows = read_samples(task)

    async def request(self, item: Item) -> Sample:
        """The item's sample; MissingReply if its reply is not on record, or not all that its scorers look at."""
        row = self._rows.get((item.record.index, item.repetition))
        if row is None or row.get("item") != item.record.item or not self._is_reply_to(item, row):
            raise MissingReply(f"sample {item.id}: its request is another one than that on record")
        if (reason := _find_lack(row)) or (reason := _find_need(item)):
            raise MissingReply(f"sample {item.id}: {reason}")
        if prompts.measures_likelihood(item.scorers, self._asked.api):
            return self._score_options(item, row)
        verdict = await self.scoring.score(_add_conversation(item, row), _read_reply(row))
        if verdict.message is not None and "message" not in row:
            raise MissingReply(
                f"sample {item.id}: its scorer reads the whole message, of which only the text is on record"
            )
        return build_sample(item, dict(row["request"]), verdict, {name: row.get(name) for name in _FACTS})

    def _is_reply_to(self, item: Item, row: Row) -> bool:
        """Whether the request on record is the one that would be sent now."""
        request = row.get("request")
        if not isinstance(request, dict):
            return False
        shown = prompts.select_examples(self.task, self._examples, item)
        wanted = build_request(self._asked, item, shown, request)
        return wanted == request or to_plain(wanted) == request

    def _score_options(self, item: Item, row: Row) -> Sample:
        try:
            logprobs = [float(value) for value in loads(str(row["reply"]))]
        except (ValueError, TypeError):
            logprobs = []
        if len(logprobs) != len(item.marks):
            raise MissingReply(f"sample {item.id}: its reply has no log-probability of each option")
        self.ties += has_tie(logprobs)
        facts = {name: row.get(name) for name in ("reply", "tokens_in", "latency")}
        return build_sample(item, dict(row["request"]), score_options(item, logprobs), facts)

    def describe_constant(self) -> None:
        """Nothing: a run whose log-probabilities are all the same has no result to score again."""


def _find_lack(row: Row) -> str:
    """Why the reply of a sample cannot be scored again; empty if it can."""
    if not isinstance(row.get("reply"), str):
        return "it has no reply"
    texts = [row["reply"], *(dumps(row[key]).decode() for key in ("tool_calls", "turns", "message") if row.get(key))]
    return "its reply had a secret in it" if any(mark in text for text in texts for mark in _REDACTED) else ""


def _find_need(item: Item) -> str:
    """What a check looks at that no record has; empty where there is no such check."""
    if any(check.kind == "latency" for check in list_checks(item.checks)):
        return "a check looks at the seconds of its reply, which may come from the cache"
    return ""


def _read_reply(row: Row) -> Reply:
    text, reason, refused = str(row["reply"]), row.get("finish_reason"), row.get("refused") is True
    return Reply(
        text=text,
        answer="" if refused else find_answer(text, reason),
        refused=refused,
        finish_reason=reason,
        tokens_in=row.get("tokens_in"),
        tokens_out=row.get("tokens_out"),
        latency=row.get("latency"),
        tool_calls=read_recorded_calls(row.get("tool_calls")),
        message=as_object(row.get("message")),
    )


def _add_conversation(item: Item, row: Row) -> Item:
    """The item with the whole conversation for its prompt, as a judge should see it."""
    if len(item.conversation) < 2:
        return item
    return replace(item, prompt=render_text(row["request"]["messages"]))
