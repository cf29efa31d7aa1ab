"""The samples of stored results, whichever harness left them, by the names of `sample_filter/fields.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from evalmake.model_reply.content import REASONING_FIELDS, read_part_reasoning, read_reasoning, read_text
from evalmake.model_reply.reasoning_tags import split_reasoning
from evalmake.planner.action import ActionResult
from evalmake.results import find_headline, read_sample_lines
from evalmake.sample_filter.fields import KnownNames, Meaning
from evalmake.store.store import Store
from evalmake.stored_results import StoredResult, find_attempt

_decode = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class SampledResult:
    """A stored result with what its samples share."""

    stored: StoredResult
    attempt: ActionResult
    metric: str  # the headline; empty if the attempt has none
    axes: Mapping[str, object]

    @property
    def full_score(self) -> float | None:
        """The best score that a sample can have: the end of the stated scale, or else 1; None of points."""
        block = self.stored.node.evaluation.benchmark.block
        if block.better == "lower":
            return 0.0
        return {"percent": 100.0, "points": None}.get(block.scale or "", 1.0)


class StoredSample(NamedTuple):
    """One sample: a line of `samples.jsonl`, and the result that it belongs to."""

    result: SampledResult
    row: Mapping[str, Any]

    @property
    def scores(self) -> Mapping[str, Any]:
        """Its scores by metric."""
        scores = self.row.get("scores")
        return scores if isinstance(scores, dict) else {}

    @property
    def score(self) -> float | None:
        """Its score by the headline metric; of an attempt without one, the only score there is."""
        scores = self.scores
        if self.result.metric in scores:
            return _to_number(scores[self.result.metric])
        return _to_number(*scores.values()) if len(scores) == 1 and not self.result.metric else None


def _to_number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


# Reading ---------------------------------------------------------------------------------------------


def find_sampled_results(store: Store, stored: Sequence[StoredResult]) -> list[SampledResult]:
    """Those results, and last attempts of evaluations without one, that may have samples."""
    found = []
    for one in stored:
        attempt = find_attempt(store, one)
        if attempt is not None and one.history is not None:
            cell = one.node.evaluation
            metric = find_headline(cell, one.history) or attempt.metric
            found.append(SampledResult(one, attempt, metric, dict(cell.axes)))
    return found


def read_samples(store: Store, result: SampledResult) -> Iterator[StoredSample]:
    """The samples of a result, one at a time; a line that is no sample is left out."""
    for line in read_sample_lines(store, result.attempt):
        try:
            row = _parse_line(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and row.get("id") is not None:
            yield StoredSample(result, row)


def _parse_line(line: bytes) -> object:
    """What a line holds, read as by `json.loads`, which would take half as long again; ValueError if it is no JSON."""
    text = line.decode("utf-8", "surrogatepass")
    if text.startswith("{"):
        value, end = _decode(text)
        if text[end:] in ("", "\n"):
            return value
    return json.loads(text)


def find_known_names(store: Store, results: Sequence[SampledResult]) -> KnownNames:
    """The names that expressions and columns about these samples may use."""
    metrics = dict.fromkeys(score.metric for result in results for score in result.attempt.scores)
    for result in results:
        if not result.attempt.scores:
            metrics |= dict.fromkeys(name for one in islice(read_samples(store, result), 1) for name in one.scores)
    axes = dict.fromkeys(name for result in results for name in result.axes)

    def list_record_fields() -> Iterator[str]:
        for result in results:
            yield from (name for one in islice(read_samples(store, result), 1) for name in _read_record(one))

    return KnownNames(tuple(metrics), tuple(axes), list_record_fields)


# Fields ----------------------------------------------------------------------------------------------


def make_field_reader(meaning: Meaning) -> Callable[[StoredSample], object]:
    """A function from a sample to what a name stands for; None where it has no such thing."""
    name, path = meaning.name, meaning.path
    match meaning.kind:
        case "axis":
            return lambda sample: sample.result.axes.get(name)
        case "score":
            return lambda sample: sample.scores.get(name)
        case "record":
            return lambda sample: _follow(_read_record(sample), path)
    return _READERS.get(name) or (lambda sample: sample.row.get(name))


def _follow(value: object, path: Sequence[str]) -> object:
    """A part of an object; a path may also be one name with points."""
    if isinstance(value, dict) and ".".join(path) in value:
        return value[".".join(path)]
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _read_record(sample: StoredSample) -> Mapping[str, object]:
    record = sample.row.get("input")
    return record if isinstance(record, dict) else {}


def read_messages(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was asked: pairs of a role and a text. A prompt that is no chat has the role ""."""
    request = row.get("request")
    asked: Any = request if isinstance(request, dict) else row
    messages = asked.get("messages")
    if isinstance(messages, list):
        return [
            (str(one.get("role") or ""), _describe_content(one.get("content")))
            for one in messages
            if isinstance(one, dict)
        ]
    prompt = asked.get("prompt")
    if prompt is None:
        return []
    return [("", prompt if isinstance(prompt, str) else json.dumps(prompt, ensure_ascii=False))]


def _describe_content(content: object) -> str:
    """The text of a message; what is no text in it by its kind, `[image_url]`."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    parts = [(part, read_text([part]) or "") for part in content]
    return "\n".join(
        text or f"[{part.get('type', 'part') if isinstance(part, dict) else 'part'}]" for part, text in parts
    )


def _read_prompt(sample: StoredSample) -> str | None:
    messages = read_messages(sample.row)
    return "\n".join(text for _, text in messages) if messages else None


def _read_reasoning(sample: StoredSample) -> str | None:
    """The reasoning beside the reply, or else that between the tags in it."""
    row = sample.row
    message: Any = row.get("message") if isinstance(row.get("message"), dict) else row
    for name in REASONING_FIELDS:
        if text := read_reasoning(message.get(name)):
            return text
    if text := read_part_reasoning(message.get("content")):
        return text
    reply = row.get("reply")
    return split_reasoning(reply).reasoning or None if isinstance(reply, str) and "<" in reply else None


_READERS: Mapping[str, Callable[[StoredSample], object]] = {
    "score": lambda sample: sample.score,
    "prompt": _read_prompt,
    "reasoning": _read_reasoning,
    "tags": lambda sample: sample.row.get("tags") or [],
    "weight": lambda sample: sample.row.get("weight", 1.0),
    "repetition": lambda sample: sample.row.get("repetition", 1),
    "model": lambda sample: sample.result.stored.node.evaluation.model.name,
    "benchmark": lambda sample: sample.result.stored.node.evaluation.benchmark.name,
    "eval": lambda sample: sample.result.stored.node.evaluation.eval,
    "seed": lambda sample: sample.result.stored.node.evaluation.seed,
    "cell": lambda sample: sample.result.stored.name,
}
"""How fields are read that are not simply in the row."""
