"""Scorers: pure functions from an item and a reply to a verdict, and the user's own function."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import re
import string
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from evalmake.harnesses.native.answer_letter import chosen_option
from evalmake.harnesses.native.answer_number import equal, last_number
from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.prompts import Item
from evalmake.harnesses.native.task_file import Task


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reply's scores by metric and the answer read from it.

    No scores and no error mean that the scorer left the sample unscored; an error, that scoring
    itself failed. `judge` is what a judge said.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    answer: str | None = None
    error: str | None = None
    judge: str | None = None


PureScorer = Callable[[Item, str], Verdict]
Scorer = Callable[[Item, str], Awaitable[Verdict]]


def make_scorer(task: Task) -> Scorer:
    """The scorer of a task other than a judge; TaskError if the user's cannot be loaded."""
    if task.scorer == "python":
        return _user_scorer(task)
    pure = PURE[task.scorer](task)

    async def score(item: Item, reply: str) -> Verdict:
        return pure(item, reply)

    return score


def extracted(pattern: re.Pattern[str] | None, reply: str) -> str:
    """What a pattern takes from a reply: group 1 if it has one, else all; nothing if no match."""
    if pattern is None:
        return reply
    found = pattern.search(reply)
    return "" if found is None else _group(found)


def exact(task: Task) -> PureScorer:
    """The reply is an accepted answer, but for white space around it (and case)."""
    fold = _folding(task)

    def score(item: Item, reply: str) -> Verdict:
        answer = reply.strip()
        return _graded(answer, fold(answer) in {fold(one.strip()) for one in item.targets})

    return score


def contains(task: Task) -> PureScorer:
    """An accepted answer occurs in the reply."""
    fold = _folding(task)

    def score(item: Item, reply: str) -> Verdict:
        text = fold(reply)
        found = next((one for one in item.targets if fold(one.strip()) in text), None)
        return _graded(found, found is not None)

    return score


def number(task: Task) -> PureScorer:
    """The last number of the reply equals that of an accepted answer."""

    def score(item: Item, reply: str) -> Verdict:
        answer = last_number(reply)
        if answer is None:
            return _graded(None, False)
        accepted = [quantity for one in item.targets if (quantity := last_number(one))]
        return _graded(answer.text, any(equal(answer, quantity) for quantity in accepted))

    return score


def choice(task: Task) -> PureScorer:
    """The reply chooses the right option."""

    def score(item: Item, reply: str) -> Verdict:
        index = chosen_option(reply, item.options)
        return _graded(None if index is None else item.marks[index], index == item.right)

    return score


def regex(task: Task) -> PureScorer:
    """The reply matches; with a target, what the pattern takes from it is an accepted answer."""
    fold, pattern = _folding(task), task.pattern
    assert pattern is not None, "read_task saw to it"

    def score(item: Item, reply: str) -> Verdict:
        found = pattern.search(reply)
        if found is None:
            return _graded(None, False)
        answer = _group(found).strip()
        accepted = {fold(one.strip()) for one in item.targets}
        return _graded(answer, task.target is None or fold(answer) in accepted)

    return score


def f1(task: Task) -> PureScorer:
    """The best token F1 against an accepted answer, as SQuAD's evaluation script has it."""

    def score(item: Item, reply: str) -> Verdict:
        best = max(token_f1(reply, one) for one in item.targets)
        return Verdict({"f1": best}, reply.strip())

    return score


PURE: Mapping[str, Callable[[Task], PureScorer]] = {
    "exact": exact,
    "contains": contains,
    "number": number,
    "choice": choice,
    "regex": regex,
    "f1": f1,
}


def token_f1(reply: str, target: str) -> float:
    """The harmonic mean of token precision and recall, 0 to 1 (Rajpurkar et al. 2016).

    Lower case, without punctuation and articles; two texts without tokens agree.
    """
    said, wanted = _tokens(reply), _tokens(target)
    if not said or not wanted:
        return float(said == wanted)
    common = (Counter(said) & Counter(wanted)).total()
    return 2 * common / (len(said) + len(wanted))


def _tokens(text: str) -> list[str]:
    text = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def _folding(task: Task) -> Callable[[str], str]:
    return str.casefold if task.ignore_case else str


def _graded(answer: str | None, right: bool) -> Verdict:
    return Verdict({"accuracy": float(right)}, answer)


def _group(found: re.Match[str]) -> str:
    """Group 1, which may have taken no part in the match, or the whole match."""
    return (found[1] or "") if found.re.groups else found[0]


def _user_scorer(task: Task) -> Scorer:
    """The user's function, off the event loop and one call at a time."""
    function = load_function(task)
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="scorer")

    def call(item: Item, reply: str) -> Verdict:
        try:
            result = function(item.record.data, reply, item.target)
            return Verdict(user_scores(result), reply.strip())
        except (Exception, SystemExit) as error:
            message = f"{task.function}() failed: {type(error).__name__}: {error}"
            return Verdict(answer=reply.strip(), error=message)

    async def score(item: Item, reply: str) -> Verdict:
        return await asyncio.get_running_loop().run_in_executor(thread, call, item, reply)

    return score


def load_function(task: Task) -> Callable[[dict[str, Any], str, Any], object]:
    """Load the scorer file and find its function; TaskError says what is wrong with either."""
    name = task.scorer_file or ""
    path = (task.folder / name).absolute()
    if not path.is_file():
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
    found: Callable[[dict[str, Any], str, Any], object] = function
    return found


def user_scores(result: object) -> dict[str, float]:
    """The scores in what a user's function returned: a number, or a number for each metric.

    None, in either place, leaves unscored; TypeError or ValueError if it is something else.
    """
    if result is None:
        return {}
    named = result if isinstance(result, Mapping) else {"accuracy": result}
    return {str(key): _score(value) for key, value in named.items() if value is not None}


def _score(value: object) -> float:
    try:
        score = float(value)  # type: ignore[arg-type]  # numpy's numbers are no int or float
    except (TypeError, ValueError):
        raise TypeError(f"it returned {value!r}, not a number") from None
    if isinstance(value, str) or not math.isfinite(score):
        raise ValueError(f"it returned {value!r}, not a finite number")
    return score
