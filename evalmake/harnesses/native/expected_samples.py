"""What the samples of a task must say, by its data alone: which records were asked, and how. Nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalmake.harnesses.native import prompts
from evalmake.harnesses.native.answer_scoring import describe_question
from evalmake.harnesses.native.errors import EndpointError, TaskError
from evalmake.harnesses.native.expected_request import RequestSettings, build_request, to_plain
from evalmake.harnesses.native.json_io import dumps
from evalmake.harnesses.native.prompts import Example, Item
from evalmake.harnesses.native.records import read_records
from evalmake.harnesses.native.repeats import RepeatedItems
from evalmake.harnesses.native.runner import count_expected, find_headline, order_items
from evalmake.harnesses.native.sample_log import NAMES, Sample
from evalmake.harnesses.native.sampling import sample_records
from evalmake.harnesses.native.stop_sequence import StopSequence
from evalmake.harnesses.native.summary import Tally
from evalmake.harnesses.native.task_file import Task, read_task
from evalmake.plugin_api.harness import SampleContradiction
from evalmake.scoring.numbers import is_nearly_equal
from evalmake.scoring.stopping import ITEMS_IN_ALL, STOPPED_AFTER


@dataclass(frozen=True, slots=True)
class AskedTask:
    """A task by its file, how its records are asked, and of how many."""

    path: Path
    how: RequestSettings
    limit: int | None
    stops_early: bool = False


@dataclass(frozen=True, slots=True)
class _Expected:
    """A task, and the items that are asked."""

    task: Task
    examples: Sequence[Example]
    items: Sequence[Item]
    in_all: int  # items that could be asked


def contradict_data(asked: AskedTask, rows: Sequence[Mapping[str, Any]]) -> Iterator[SampleContradiction]:
    """Yield each way in which samples are not those of the data; ValueError where the data cannot be read."""
    expected = _read_expected(asked, rows)
    if len(rows) != len(expected.items):
        told = f"{len(expected.items)} that its data and limit ask for"
        yield SampleContradiction("", "samples", f"{len(rows)}", told)
    found = {(row.get("index"), row.get("repetition")): row for row in rows}
    if len(found) != len(rows):
        yield SampleContradiction("", "samples", "two of one record", "one of each")
    for item in expected.items:
        row = found.pop((item.record.index, item.repetition), None)
        if row is None:
            yield SampleContradiction(item.id, "sample", "none", "asked for")
        else:
            shown = prompts.select_examples(expected.task, expected.examples, item)
            yield from _contradict_row(asked, item, shown, row, expected.task.answer is not None)
    for row in found.values():
        yield SampleContradiction(str(row.get("id")), "sample", "there", "not asked for")
    if expected.task.repeats > 1:
        yield from _contradict_repeats(expected, rows)


def recount(asked: AskedTask, rows: Sequence[Mapping[str, Any]], metric: str, has_checks: bool) -> dict[str, Any]:
    """Return the content of `scores.json` by the samples alone, but for the number of requests.

    With checks, the data say how many samples can have a metric; ValueError where they cannot be read.
    """
    known = _read_expected(asked, rows) if has_checks or asked.stops_early else None
    tally = Tally(total=len(rows), expected=count_expected(known.items) if known and has_checks else {})
    tally.sequential = asked.stops_early
    for row in rows:
        tally.add(_to_sample(row))
    found = tally.result("success", metric, 0)
    if known is not None and asked.stops_early:
        found["usage"] |= {STOPPED_AFTER: len(known.items), ITEMS_IN_ALL: known.in_all}
    return found


def _read_expected(asked: AskedTask, rows: Sequence[Mapping[str, Any]]) -> _Expected:
    try:
        task = read_task(asked.path)
        examples = prompts.build_examples(task, asked.how.api)
        items = prompts.build_items(task, asked.how.api, read_records(task))
    except TaskError as error:
        raise ValueError(error.messages[0]) from None
    records = sample_records([item.record for item in items], asked.limit, task.limit_by)
    chosen = {record.index for record in records}
    asked_for = order_items([item for item in items if item.record.index in chosen], task)
    return _Expected(task, examples, _find_enough(asked_for, task, rows), len(asked_for))


def _find_enough(items: Sequence[Item], task: Task, rows: Sequence[Mapping[str, Any]]) -> Sequence[Item]:
    """The items after which a run with these samples stopped to ask; all of them without a rule."""
    if task.until is None:
        return items
    sequence = StopSequence(task.until, find_headline(task, items), len(items))
    left = {row.get("index"): row for row in rows}
    found = 0
    for place, item in enumerate(items):
        row = left.pop(item.record.index, None)
        if row is None and not left:  # of several that are missing, the last cannot be told from what was never asked
            return items[: place + 1 if found == place else place]
        found += row is not None
        try:
            list(sequence.add(place, _to_sample(row or {"scores": {}})))
        except EndpointError as error:
            raise ValueError(str(error)) from None
        if sequence.ended:
            break
    return items[: sequence.counted]


def _to_sample(row: Mapping[str, Any]) -> Sample:
    return Sample(**{name: row.get(name) for name in NAMES})  # type: ignore[arg-type]


def _contradict_repeats(expected: _Expected, rows: Sequence[Mapping[str, Any]]) -> Iterator[SampleContradiction]:
    """Yield the scores of several samples of an item together that are not those of its samples."""
    repeated = RepeatedItems(expected.task, expected.items, find_headline(expected.task, expected.items))
    by_item: dict[object, list[Sample]] = {}
    for row in rows:
        by_item.setdefault(row.get("index"), []).append(_to_sample(row))
    for samples in by_item.values():
        for metric, value in repeated.score(samples).items():
            for sample in samples:
                given = sample.scores.get(metric, value) if sample.scores else value
                if not is_nearly_equal(given, value):
                    yield SampleContradiction(sample.id, f"scores.{metric}", _spell(given), _spell(value))


def _contradict_row(
    asked: AskedTask, item: Item, shown: Sequence[Example], row: Mapping[str, Any], is_answered: bool
) -> Iterator[SampleContradiction]:
    """Yield what of a sample is not of its record; with `is_answered`, the record has its reply."""
    expected: dict[str, Any] = {
        "id": item.id,
        "item": item.record.item,
        "input": item.record.data,
        "target": item.target,
        "cluster": item.cluster,
        "weight": None if item.weight == 1 else item.weight,
        "tags": item.tags or None,
    }
    expected |= {"reply": item.answer} if is_answered else {}
    for name, value in expected.items():
        if row.get(name) != to_plain(value):
            yield SampleContradiction(item.id, name, _spell(row.get(name)), _spell(value))
    request = row.get("request")
    request = request if isinstance(request, dict) else {}
    wanted = describe_question(item) if is_answered else build_request(asked.how, item, shown, request)
    for name, value in wanted.items():
        if request.get(name) != to_plain(value):
            yield SampleContradiction(item.id, f"request.{name}", _spell(request.get(name)), _spell(value))
    for name in sorted(request.keys() - wanted.keys()):
        yield SampleContradiction(item.id, f"request.{name}", _spell(request[name]), "none")


def _spell(value: object) -> str:
    text = dumps(value).decode("utf-8", "replace")
    return text if len(text) <= 60 else f"{text[:59]}…"
