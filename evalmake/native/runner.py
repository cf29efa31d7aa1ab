"""The run: asks every item with bounded concurrency, scores and records each reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalmake.native import prompts
from evalmake.native.errors import TaskError
from evalmake.native.prompts import Example, Item
from evalmake.native.scorers import Scorer, make_scorer
from evalmake.native.settings import Settings
from evalmake.native.task import Task


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be asked, checked before the first request."""

    task: Task
    settings: Settings
    items: Sequence[Item]
    examples: Sequence[Example]
    scorer: Scorer | None
    """None for a judge and for likelihood, which need a client."""


def make_plan(task: Task, settings: Settings, items: Sequence[Item]) -> Plan:
    """Load what else the task names; TaskError if it cannot be."""
    if task.scorer == "judge" and settings.judge is None:
        raise TaskError("the scorer 'judge' needs EVALMAKE_JUDGE_URL")
    examples = prompts.build_examples(task, settings.model.api)
    scorer = None if task.scorer == "judge" else make_scorer(task)
    return Plan(task, settings, items, examples, scorer)


async def run(plan: Plan) -> dict[str, Any]:
    """Ask all items. Returns the content of scores.json; its `message` says why it is no success.

    An EndpointError is raised after the samples so far are in order on the disk, with the result
    of a failed run in its `result`.
    """
