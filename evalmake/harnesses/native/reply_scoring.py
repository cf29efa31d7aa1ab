"""Scores one reply by all scorers of its item: it is asked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalmake.harnesses.native.client import Reply
from evalmake.harnesses.native.embedder import Compare
from evalmake.harnesses.native.errors import RequestError
from evalmake.harnesses.native.prompts import Item
from evalmake.harnesses.native.scorers import Scorer, Verdict, find_scored_text, lacks_answer
from evalmake.harnesses.native.task_file import Task
from evalmake.harnesses.native.time_limit import TooSlow


class ReplyScoring:
    """Scores replies. `scorers` has a scorer by each name that the items have."""

    def __init__(self, task: Task, scorers: Mapping[str, Scorer]) -> None:
        self.task = task
        self.scorers = scorers
        self.compare: Compare | None = None
        """What tells how near a reply is to texts, where checks need it."""
        self.without_answer = 0
        """How many replies have text, and in it no answer for the first scorer."""

    async def score(self, item: Item, reply: Reply) -> Verdict:
        """The verdict on a reply: the scores of all scorers, or the error of the first that failed."""
        found: list[Verdict] = []
        try:
            for scorer in item.scorers:
                found.append(await self._score_by(scorer, item, reply, is_first=not found))
            if item.checks:
                found.append(await self._check(item, reply))
        except RequestError as error:
            return Verdict(error=f"judge: {error}", cause_kind=error.kind)
        except TooSlow as error:
            return Verdict(error=str(error), cause_kind="scorer", judge=join_judges(found))
        return merge_verdicts(found)

    async def _check(self, item: Item, reply: Reply) -> Verdict:
        from evalmake.harnesses.native.check_reply import ReplyChecks

        text = find_scored_text(self.task, "checks", reply.answer).strip()
        judged = find_scored_text(self.task, "judge", reply.text if reply.refused else reply.answer)
        return await ReplyChecks(item, text, judged, reply, self.scorers.get("judge"), self.compare).score()

    async def _score_by(self, scorer: str, item: Item, reply: Reply, *, is_first: bool) -> Verdict:
        answer = reply.text if reply.refused and scorer == "judge" else reply.answer
        scored = find_scored_text(self.task, scorer, answer)
        verdict = await self.scorers[scorer](item, scored, reply)
        self.without_answer += is_first and lacks_answer(self.task, scorer, answer, scored, verdict)
        return name_metrics(scorer, verdict) if self.task.named else verdict


def name_metrics(scorer: str, verdict: Verdict) -> Verdict:
    """The verdict of one of several scorers, with its name for that of its metric.

    A function that names several metrics itself keeps their names.
    """
    if len(verdict.scores) != 1:
        return verdict
    return replace(verdict, scores={scorer: next(iter(verdict.scores.values()))})


def join_judges(verdicts: Sequence[Verdict]) -> str | tuple[str, ...] | None:
    """What judges said, in order: a text, or several."""
    said: list[str] = []
    for verdict in verdicts:
        said += [verdict.judge] if isinstance(verdict.judge, str) else verdict.judge or ()
    return said[0] if len(said) == 1 else tuple(said) or None


def merge_verdicts(verdicts: Sequence[Verdict]) -> Verdict:
    """The scores of all, with the first answer; a scorer that failed leaves the sample without any."""
    failed = next((verdict for verdict in verdicts if verdict.error is not None), None)
    if failed is not None:
        return replace(failed, judge=join_judges(verdicts))
    if len(verdicts) == 1:
        return verdicts[0]
    return Verdict(
        scores={metric: value for verdict in reversed(verdicts) for metric, value in verdict.scores.items()},
        answer=next((verdict.answer for verdict in verdicts if verdict.answer is not None), None),
        judge=join_judges(verdicts),
        similarities=next((one.similarities for one in verdicts if one.similarities is not None), None),
        checks=next((one.checks for one in verdicts if one.checks is not None), None),
        message=next((verdict.message for verdict in verdicts if verdict.message is not None), None),
    )
