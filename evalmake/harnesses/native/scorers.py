"""Scorers: functions from an item and a reply to a verdict; built in, or the user's own.

The modules that read answers are imported by the scorer that needs them: their patterns take time to compile.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import math
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from evalmake.harnesses.native.answers import mathematics
from evalmake.harnesses.native.client import Reply
from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.pattern_search import search
from evalmake.harnesses.native.prompts import Item
from evalmake.harnesses.native.task_file import Task
from evalmake.harnesses.native.text_folding import make_folding, mentions
from evalmake.scoring.share_names import is_share_name
from evalmake.scoring.unscored_causes import CauseKind

_TEXT_SCORERS = ("exact", "contains", "regex", "f1", "checks")
_READERS = ("number", "math", "choice", "choices", "regex")
"""Scorers that look for an answer in a reply, and may find none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reply's scores by metric, and the answer extracted from it.

    Without scores and error, the scorer left the sample unscored; with an error, scoring failed, and `cause_kind` says
    of what kind that is. `judge` is the judge's reply, or several; `message` is the model's whole one, where the scorer
    reads it.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    answer: str | None = None
    error: str | None = None
    cause_kind: CauseKind | None = None
    judge: str | tuple[str, ...] | None = None
    message: Mapping[str, Any] | None = None
    similarities: tuple[float, ...] | None = None
    """How near the reply was to the texts of checks, in their order."""
    checks: tuple[Mapping[str, Any], ...] | None = None
    """What became of each check."""


PureScorer = Callable[[Item, str], Verdict]
Scorer = Callable[[Item, str, Reply], Awaitable[Verdict]]
"""Scores what is scored of a reply's text; the reply itself is for those that look at more of it."""


def make_scorer(task: Task, name: str) -> Scorer:
    """Make a scorer of a task (not a judge); TaskError if the user's cannot be loaded."""
    if name == "python":
        return _make_user_scorer(task)
    if name == "math":
        return _score_math
    pure = PURE_SCORERS[name](task)

    async def score(item: Item, reply: str, _: Reply) -> Verdict:
        return pure(item, reply)

    return score


async def _score_math(item: Item, reply: str, _: Reply) -> Verdict:
    """The reply says the same as an accepted answer, as mathematics."""
    from evalmake.harnesses.native.answers.reply_text import drop_reasoning, shorten

    right, answer = await mathematics.is_equal(item.targets, shorten(drop_reasoning(reply)))
    return _accuracy_verdict(answer, right)


def find_scored_text(task: Task, scorer: str, reply: str) -> str:
    """The part of a reply that is scored: what `extract` finds behind its reasoning, empty if it finds nothing.

    Without `extract`, only scorers that compare the text itself need its reasoning removed here.
    """
    if task.extract is None and scorer not in _TEXT_SCORERS:
        return reply
    from evalmake.harnesses.native.answers.reply_text import drop_reasoning

    answer = drop_reasoning(reply)
    if task.extract is None:
        return answer
    found = search(task.extract, answer)
    return "" if found is None else _captured_text(found)


def lacks_answer(task: Task, scorer: str, reply: str, scored: str, verdict: Verdict) -> bool:
    """Whether a reply says something, and `extract` or its scorer finds no answer in it."""
    unmatched = task.extract is not None and not scored.strip()
    if verdict.error is not None or not (unmatched or (scorer in _READERS and verdict.answer is None)):
        return False
    from evalmake.harnesses.native.answers.reply_text import drop_reasoning

    return bool(drop_reasoning(reply).strip())


def make_exact(task: Task) -> PureScorer:
    """The reply equals an accepted answer, but for what `normalize` lists."""
    fold = make_folding(task.normalize)

    def score(item: Item, reply: str) -> Verdict:
        return _accuracy_verdict(reply.strip(), fold(reply) in map(fold, item.targets))

    return score


def make_contains(task: Task) -> PureScorer:
    """An accepted answer occurs in the reply, as whole words."""
    fold = make_folding(task.normalize)

    def score(item: Item, reply: str) -> Verdict:
        found = next((one for one in item.targets if mentions(reply, one, fold)), None)
        return _accuracy_verdict(found, found is not None)

    return score


def make_number(task: Task) -> PureScorer:
    """The number that the reply gives equals an accepted answer."""
    from evalmake.harnesses.native.answers.number import are_equal, find_number, read_target

    def score(item: Item, reply: str) -> Verdict:
        answer = find_number(reply)
        if answer is None:
            return _accuracy_verdict(None, False)
        return _accuracy_verdict(answer.text, any(are_equal(answer, read_target(one)) for one in item.targets))

    return score


def make_choice(task: Task) -> PureScorer:
    """The reply chooses one option, and it is right."""
    from evalmake.harnesses.native.answers.letter import find_chosen_option

    def score(item: Item, reply: str) -> Verdict:
        index = find_chosen_option(reply, item.options, item.prompt)
        return _accuracy_verdict(None if index is None else item.marks[index], index in item.right)

    return score


def make_choices(task: Task) -> PureScorer:
    """The reply chooses all right options and no other."""
    from evalmake.harnesses.native.answers.letter import find_chosen_options

    def score(item: Item, reply: str) -> Verdict:
        chosen = find_chosen_options(reply, item.options, item.prompt)
        answer = ", ".join(item.marks[index] for index in sorted(chosen))
        return _accuracy_verdict(answer or None, chosen == item.right)

    return score


def make_regex(task: Task) -> PureScorer:
    """The reply matches the pattern; with a target, the captured text is an accepted answer."""
    fold, pattern = make_folding(task.normalize), task.pattern
    assert pattern is not None, "read_task checks it"

    def score(item: Item, reply: str) -> Verdict:
        found = search(pattern, reply)
        if found is None:
            return _accuracy_verdict(None, False)
        answer = _captured_text(found).strip()
        accepted = set(map(fold, item.targets))
        return _accuracy_verdict(answer, task.target is None or fold(answer) in accepted)

    return score


def make_f1(task: Task) -> PureScorer:
    """The best token F1 over the accepted answers, as in SQuAD's evaluation script."""
    from evalmake.harnesses.native.token_f1 import compute_token_f1

    def score(item: Item, reply: str) -> Verdict:
        best = max(compute_token_f1(reply, one) for one in item.targets)
        return Verdict({"f1": best}, reply.strip())

    return score


PURE_SCORERS: Mapping[str, Callable[[Task], PureScorer]] = {
    "exact": make_exact,
    "contains": make_contains,
    "number": make_number,
    "choice": make_choice,
    "choices": make_choices,
    "regex": make_regex,
    "f1": make_f1,
}


def _accuracy_verdict(answer: str | None, right: bool) -> Verdict:
    return Verdict({"accuracy": float(right)}, answer)


def _captured_text(found: re.Match[str]) -> str:
    """Group 1 (empty if it took no part in the match), or the whole match."""
    return (found[1] or "") if found.re.groups else found[0]


def _make_user_scorer(task: Task) -> Scorer:
    """Call the user's function in one thread: off the event loop, one call at a time."""
    function = load_user_function(task)
    takes_reply = takes_whole_reply(task, function)
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="scorer")

    def call(item: Item, reply: str, whole: Reply) -> Verdict:
        try:
            result = function(item.record.data, reply, item.target, *([whole] if takes_reply else []))
            return Verdict(parse_user_scores(result), reply.strip())
        except (Exception, SystemExit) as error:
            message = f"{task.function}() failed: {type(error).__name__}: {error}"
            return Verdict(answer=reply.strip(), error=message, cause_kind="scorer")

    async def score(item: Item, reply: str, whole: Reply) -> Verdict:
        verdict = await asyncio.get_running_loop().run_in_executor(thread, call, item, reply, whole)
        return replace(verdict, message=whole.message) if takes_reply else verdict

    return score


def takes_whole_reply(task: Task, function: Callable[..., object]) -> bool:
    """Whether a user's function needs a fourth argument, the whole reply; TaskError if it takes neither three nor four.

    A fourth parameter that has a default keeps it.
    """
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return False  # some functions written in C do not say what they take
    for count in (3, 4):
        try:
            signature.bind(*[None] * count)
        except TypeError:
            continue
        return count == 4
    raise TaskError(
        f"{task.scorer_file}: `{task.function}{signature}` cannot be called with the record, the text of the reply, the"
        " target and, if it wants that, the whole reply"
    )


def load_user_function(task: Task) -> Callable[..., object]:
    """Load the scorer file and return its function; TaskError if either is wrong."""
    name = task.scorer_file or ""
    path = (task.folder / name).absolute()
    if not os.path.isfile(path):
        raise TaskError(f"{name}: no such file")
    spec = importlib.util.spec_from_file_location("evalmake_user_scorer", path)
    if spec is None or spec.loader is None:
        raise TaskError(f"{name}: a scorer file is a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise TaskError(f"{name}:{error.lineno}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        raise TaskError(f"{name}: {type(error).__name__}: {error}") from None
    function = getattr(module, task.function, None)
    if not callable(function):
        names = [key for key, one in vars(module).items() if callable(one) and key[0] != "_"]
        raise TaskError(f"{name}: there is no function '{task.function}'; there is {', '.join(names) or 'none'}")
    found: Callable[..., object] = function
    return found


def parse_user_scores(result: object) -> dict[str, float]:
    """Parse the return value of a user's function: a number, or a number for each metric.

    None, in either place, means unscored; TypeError or ValueError for anything else.
    """
    if result is None:
        return {}
    named = result if isinstance(result, Mapping) else {"accuracy": result}
    return {str(key): _parse_score(str(key), value) for key, value in named.items() if value is not None}


def _parse_score(metric: str, value: object) -> float:
    try:
        score = float(value)  # type: ignore[arg-type]  # numpy's numbers are not int or float
    except (TypeError, ValueError):
        raise TypeError(f"it returned {value!r}, not a number") from None
    if isinstance(value, str) or not math.isfinite(score):
        raise ValueError(f"it returned {value!r}, not a finite number")
    if is_share_name(metric) and not 0 <= score <= 1:
        raise ValueError(
            f"it returned {value!r} as `{metric}`, not from 0 to 1: return {{'points': ...}} for another scale"
        )
    return score
