"""`python -m evalmake.harnesses.native.replay task.json SAMPLES`: score recorded replies again.

Environment, outputs and exit status are those of `python -m evalmake.harnesses.native`, and so is all code that makes
prompts, scores and means. But nothing is sent: each reply is the one in SAMPLES, a `samples.jsonl`.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalmake.harnesses.native.__main__ import BAD_INPUT, ENDPOINT_FAILED, IO_FAILED, NONE_SCORED
from evalmake.harnesses.native.client import Client, ParsedReply, Reply, find_answer
from evalmake.harnesses.native.embedder import EmbedderError
from evalmake.harnesses.native.errors import EndpointError, RequestError, TaskError
from evalmake.harnesses.native.item_requester import ItemRequester
from evalmake.harnesses.native.json_io import as_object, loads
from evalmake.harnesses.native.likelihood import Likelihood, OptionLogprobs
from evalmake.harnesses.native.prompts import Body, Item
from evalmake.harnesses.native.runner import Plan, Run, make_plan
from evalmake.harnesses.native.settings import Endpoint, read_settings
from evalmake.harnesses.native.task_file import read_task
from evalmake.model_reply.tool_calls import read_recorded_calls
from evalmake.scoring.unscored_causes import CURES, CauseKind

if TYPE_CHECKING:
    from evalmake.harnesses.native.judge import Judge
    from evalmake.harnesses.native.runner import Requester

_JUDGE = "judge: "
"""What the error of a sample begins with whose judge failed."""
_EMBEDDER = "embedder: "
"""What it begins with whose embedder failed."""
_TURN = re.compile(r"turn \d+ of \d+: ")
"""What the error of a sample begins with whose conversation failed in one of several turns."""


class RecordedReplies:
    """The recorded samples by the index and repetition of their item, and the one whose turn it is."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = {(row.get("index"), row.get("repetition")): row for row in rows}
        self._row: Mapping[str, Any] | None = None
        self._judged = self._compared = 0
        self._asked = 0
        """How many turns of its conversation were asked for."""

    def turn_to(self, item: Item) -> None:
        """Answer for this item from now on."""
        self._row = self._rows.get((item.record.index, item.repetition))
        self._asked = self._judged = self._compared = 0

    @property
    def row(self) -> Mapping[str, Any]:
        """The sample whose turn it is; RequestError where there is none."""
        if self._row is None:
            raise RequestError("no reply to it is on record")
        return self._row

    def text(self) -> str:
        """The reply; RequestError where the request failed."""
        row = self.row
        if row.get("reply") is None:
            raise RequestError(_TURN.sub("", str(row.get("error"))), kind=_read_kind(row))
        return str(row["reply"])

    def reply(self) -> Reply:
        """The model's reply; the next one of a conversation with several turns."""
        turns, number = self.row.get("turns"), self._asked
        self._asked += 1
        if not isinstance(turns, list) or number >= len(turns):
            return self._read_reply(self.text(), self.row)
        is_last = number + 1 == len(turns) and self.row.get("reply") is not None
        row = as_object(turns[number]) | ({"message": self.row.get("message")} if is_last else {})
        return self._read_reply(str(row.get("reply") or ""), row)

    def _read_reply(self, text: str, row: Mapping[str, Any]) -> Reply:
        reason = row.get("finish_reason")
        refused = row.get("refused") is True
        answer = "" if refused else find_answer(text, reason)
        tokens = row.get("tokens_in"), row.get("tokens_out")
        calls, message = read_recorded_calls(row.get("tool_calls")), as_object(row.get("message"))
        return Reply(
            text,
            answer,
            refused,
            reason,
            *tokens,
            row.get("latency") or 0.0,
            calls,
            message,
            self.row.get("cached") is True,
        )

    def verdict(self) -> Reply:
        """The judge's reply. One that gave no grade may have been cut off, which is not on record."""
        row, text = self.row, self.row.get("judge")
        if text is None and str(row.get("error")).startswith(_JUDGE):
            raise RequestError(str(row["error"]).removeprefix(_JUDGE), kind=_read_kind(row))
        if isinstance(text, list):  # of several checks, in their order
            self._judged += 1
            text = text[self._judged - 1] if self._judged <= len(text) else None
        if text is None:
            raise EndpointError("the judge's reply is not on record")
        reason = None if row.get("scores") else "length"
        return Reply(str(text), str(text), False, reason, None, None, 0.0)

    def similarity(self) -> float:
        """What the embedder gave for the next check."""
        row, number = self.row, self._compared
        self._compared += 1
        given = row.get("similarities")
        if isinstance(given, list) and number < len(given):
            return float(given[number])
        if str(row.get("error")).startswith(_EMBEDDER):
            raise EmbedderError(str(row["error"]).removeprefix(_EMBEDDER), kind=_read_kind(row))
        raise EndpointError("what the embedder gave is not on record")


def _read_kind(row: Mapping[str, Any]) -> CauseKind | None:
    return next((kind for kind in CURES if kind == row.get("cause_kind")), None)


class _RecordedClient(Client):
    """Answers from the record; sends nothing."""

    def __init__(self, endpoint: Endpoint, recorded: RecordedReplies, is_judge: bool) -> None:
        super().__init__(endpoint)
        self._recorded, self._is_judge = recorded, is_judge

    async def ask(self, body: Body) -> Reply:
        """Return the recorded reply."""
        return self._recorded.verdict() if self._is_judge else self._recorded.reply()

    async def post(self, body: Body) -> ParsedReply:
        """Refuse: nothing is sent."""
        raise EndpointError("a replay sends nothing")


class _RecordedLikelihood(Likelihood):
    """Gives the recorded log-probabilities of options."""

    def __init__(self, client: Client, seed: int | None, recorded: RecordedReplies) -> None:
        super().__init__(client, seed)
        self._recorded = recorded

    async def measure(self, body: Body, start: int) -> OptionLogprobs:
        """Return what is on record."""
        try:
            found = loads(self._recorded.text().encode())
            logprobs = [float(value) for value in found]
        except (ValueError, TypeError):
            raise RequestError("the recorded reply has no log-probabilities") from None
        if len(logprobs) != len(body["prompt"]):
            raise RequestError("the recorded reply has the log-probabilities of other options")
        row = self._recorded.row
        return OptionLogprobs(logprobs, row.get("tokens_in") or 0, row.get("latency") or 0.0)


class Replay(Run):
    """A run whose replies are on record; one item at a time."""

    def __init__(self, plan: Plan, rows: Sequence[Mapping[str, Any]]) -> None:
        settings = replace(plan.settings, concurrency=1, progress=None)
        recorded = RecordedReplies(rows)
        super().__init__(
            replace(plan, settings=settings),
            lambda endpoint: _RecordedClient(endpoint, recorded, endpoint is settings.judge),
        )
        self._recorded = recorded

    async def request_items(self, items: Iterable[tuple[int, Item]], requester: Requester) -> None:
        """Turn to the recorded reply of each item before it is scored."""

        def take_turns() -> Iterator[tuple[int, Item]]:
            for place, item in items:
                self._recorded.turn_to(item)
                yield place, item

        await super().request_items(take_turns(), requester)

    async def _compare(self, reply: str, texts: Sequence[str]) -> float:
        return self._recorded.similarity()

    def build_requester(self, stack: ExitStack) -> tuple[Requester, Judge | None]:
        """Build the requester, which takes log-probabilities and similarities from the record, too."""
        requester, judge = super().build_requester(stack)
        requester.scoring.compare = self._compare
        if isinstance(requester, ItemRequester):
            requester.likelihood = _RecordedLikelihood(requester.client, requester.seed, self._recorded)
        return requester, judge


def main(task: str, samples: str) -> int:
    """Replay; the exit status."""
    try:
        given = read_task(Path(task))
        plan = make_plan(given, read_settings(os.environ, has_model=given.answer is None))
        rows = [loads(line) for line in Path(samples).read_bytes().split(b"\n") if line]
    except (TaskError, ValueError) as error:
        messages = error.messages if isinstance(error, TaskError) else [f"{samples}: {error}"]
        return _fail(BAD_INPUT, *messages)
    replay = Replay(plan, [row for row in rows if isinstance(row, dict)])
    try:
        result = asyncio.run(replay.result())
    except OSError as error:
        return _fail(IO_FAILED, str(error))
    if result.message is None:
        return 0
    return _fail(ENDPOINT_FAILED if result.aborted else NONE_SCORED, result.message)


def _fail(status: int, *messages: str) -> int:
    for message in messages:
        print(f"error: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
