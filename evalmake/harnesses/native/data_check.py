"""Checks data files before a run, with the code that the run itself uses."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.prompts import Example, Item, build_examples, build_items
from evalmake.harnesses.native.records import read_records
from evalmake.harnesses.native.right_options import LETTERS, list_indices
from evalmake.harnesses.native.scorer_file_check import find_scorer_mistakes
from evalmake.harnesses.native.task_file import Task, make_task
from evalmake.harnesses.native.template import as_text, find_doubled_fields
from evalmake.plugin_api.harness import DataError, DataNote

_FEW = 5  # items, below which equal answers are no wonder
_CHANCE = 0.01  # what has this chance or less is no accident


def check_data(data: Mapping[str, Any], api: str, limit: int | None = None) -> list[DataError | DataNote]:
    """The errors in the files of a task, each with the key of the benchmark that it contradicts; without any, notes."""
    try:
        task = make_task("task", Path(), dict(data))
    except TaskError:
        return []  # `check_benchmark` reports what is wrong with the keys themselves
    errors = list(find_scorer_mistakes(task))
    examples: list[Example] = []
    items: list[Item] = []
    try:
        examples = build_examples(task, api)
    except TaskError as error:
        errors += _convert_mistakes(error, "examples")
    try:
        items = build_items(task, api, read_records(task))
    except TaskError as error:
        errors += _convert_mistakes(error, "files")
    return [*errors] or [
        *_find_high_limit(items, limit),
        *_find_nulls(task, items),
        *_find_repeats(items),
        *_find_equal_options(items),
        *_find_lettered_options(items),
        *_find_equal_targets(items),
        *_find_first_unused(items),
        *_find_shown_questions(task, items, examples),
        *_find_doubled_braces(task, items),
    ]


def _convert_mistakes(error: TaskError, key: str) -> list[DataError]:
    return [DataError(one.key or key, one.message, one.help, one.place) for one in error.mistakes]


def _find_high_limit(items: Sequence[Item], limit: int | None) -> Iterator[DataNote]:
    """A note on a limit that is above the number of items, and so limits nothing."""
    if limit is not None and limit > len(items):
        yield DataNote("limit", f"the limit is {limit}, and there are {len(items)} records: all of them are asked")


def _find_nulls(task: Task, items: Sequence[Item]) -> Iterator[DataNote]:
    """A note on answers that are null, which get no score."""
    nulls = [item for item in items if item.answer is None] if task.answer is not None else []
    if nulls:
        yield DataNote(
            "answer",
            f"{len(nulls)} of {len(items)} records have a null answer, which gets no score: {nulls[0].record.where}",
        )


def _find_repeats(items: Sequence[Item]) -> Iterator[DataNote]:
    """A note on items that ask what an earlier one asks, and on those of them that expect another answer.

    Those with checks, a rubric or a system message of their own are no repeats.
    """
    first: dict[tuple[str, str], Item] = {}
    pairs = [(item, first.setdefault((item.digests.question, item.digests.demands), item)) for item in items]
    repeats = [(item, earlier) for item, earlier in pairs if earlier is not item]
    if not repeats:
        return
    text = f"{len(repeats)} of {len(items)} records ask the same as an earlier one: {_places(repeats, 'as')}"
    others = [(one, other) for one, other in repeats if _answer(one) != _answer(other)]
    if others:
        text += f"; {len(others)} of them expect another answer: {_places(others, 'than')}"
    yield DataNote("files", text)


def _find_equal_options(items: Sequence[Item]) -> Iterator[DataNote]:
    """A note on items in which two options are the same text, of which only one counts as right."""
    equal = [item for item in items if len(set(item.options)) < len(item.options)]
    if equal:
        text = f"{len(equal)} of {len(items)} records have the same option twice: {equal[0].record.where}"
        yield DataNote("choices", text)


def _find_lettered_options(items: Sequence[Item]) -> Iterator[DataNote]:
    """A note on items whose options begin with letters of their own, to which the prompt adds others."""
    lettered = [item for item in items if item.options and all(map(_has_letter, item.options, LETTERS))]
    if lettered:
        first = lettered[0].options[0][:40]
        text = f"{len(lettered)} of {len(items)} records have options with letters of their own: "
        yield DataNote("choices", f"{text}{lettered[0].record.where} has '{first}', which is sent as 'A) {first}'")


def _has_letter(option: str, letter: str) -> bool:
    """Whether an option begins as "A) ", "(A) ", "A. " or "A: " do."""
    return re.match(rf"\(?{letter}[).:]\s", option.strip(), re.IGNORECASE) is not None


def _find_equal_targets(items: Sequence[Item]) -> Iterator[DataNote]:
    """A note if all items expect the same answer, which a model could learn from nothing."""
    for kind, answers in (("right answer", [_answer(item) for item in items]), ("right option", _letters(items))):
        if len(items) >= _FEW and answers and all(answer == answers[0] for answer in answers) and answers[0]:
            first = answers[0]
            shown = ", ".join(map(as_text, first if isinstance(first, list) else [first]))[:40]
            yield DataNote("target", f"all {len(items)} records have the same {kind}, '{shown}'")
            return


def _find_first_unused(items: Sequence[Item]) -> Iterator[DataNote]:
    """A note on indices of which none is 0, though the first of the options must be right now and then."""
    indexed = [item for item in items if item.right and list_indices(item.target, item.options)]
    if not indexed or any(0 in item.right for item in indexed):
        return
    if math.prod(1 - len(item.right) / len(item.options) for item in indexed) <= _CHANCE:
        text = f"of {len(indexed)} records whose target is an index, none has 0, the first option"
        yield DataNote(
            "target", f"{text}: if the indices count from 1, each of them names the option after the right one"
        )


def _letters(items: Sequence[Item]) -> list[str]:
    return ["".join(LETTERS[index] for index in sorted(item.right)) for item in items]


def _places(pairs: Sequence[tuple[Item, Item]], joint: str) -> str:
    return f"{pairs[0][0].record.where} {joint} {pairs[0][1].record.where}"


def _answer(item: Item) -> object:
    return [item.options[index] for index in sorted(item.right)] or item.target


def _find_shown_questions(task: Task, items: Sequence[Item], examples: Sequence[Example]) -> Iterator[DataNote]:
    """A note on questions that are worked examples, too."""
    if not examples:
        return
    known = {example.question for example in examples} | {example.content for example in examples}
    shown = [item for item in items if known & {item.digests.question, item.digests.content}]
    if shown:
        text = f"{len(shown)} of {len(items)} questions are also worked examples: {shown[0].record.where}"
        fewer = len(examples) if task.fewshot is None else task.fewshot
        rest = ", and gets one example fewer" if len(examples) <= fewer else ""
        yield DataNote("examples", f"{text}; no question is shown its own answer{rest}")


def _find_doubled_braces(task: Task, items: Sequence[Item]) -> Iterator[DataNote]:
    """A note on each text in which a field has the doubled braces of other template languages."""
    # A field may be absent from some records, or null.
    known = {name: value for item in items for name, value in item.record.data.items() if value is not None}
    templates = [(key, getattr(task, key)) for key in ("prompt", "system", "rubric", "target")]
    templates += [("choices", one) for one in task.choices] if isinstance(task.choices, tuple) else []
    for key, template in templates:
        what = "expected" if key == "target" else "sent"
        for name in dict.fromkeys(find_doubled_fields(template, known)) if template else ():
            yield DataNote(key, f"`{{{{{name}}}}}` is {what} as these letters in braces; the field is `{{{name}}}`")
