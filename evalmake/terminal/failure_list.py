"""Classes of failures, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evalmake.scoring.failure_classes import Failure, FailureClass

_LONGEST = 200  # characters of a message


def render_failures(evaluations: Sequence[FailureClass], samples: Sequence[FailureClass]) -> str:
    """For each class how many, what and where, and the first as an example; empty if nothing failed."""
    parts = (("failed", "evaluation", evaluations), ("without a score", "sample", samples))
    return "\n\n".join("\n".join(_render_part(how, noun, found)) for how, noun, found in parts if found)


def _render_part(how: str, noun: str, classes: Sequence[FailureClass]) -> Iterator[str]:
    total = sum(one.count for one in classes)
    yield f"{total} {noun}{'s' * (total != 1)} {how}"
    width = max(len(str(one.count)) for one in classes)
    for one in classes:
        yield f"  {one.count:>{width}}  {_shorten(one.label)}"
        yield f"  {'':{width}}  {_name(one.example)}: {_shorten(one.example.message)}"


def _name(failure: Failure) -> str:
    return f"{failure.name}, sample {failure.sample}" if failure.sample else failure.name


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST].rstrip()}..."


def failures_to_json(evaluations: Sequence[FailureClass], samples: Sequence[FailureClass]) -> dict[str, Any]:
    """The same for programs, with the names of all evaluations."""
    return {
        "evaluations": [_class_to_json(one) for one in evaluations],
        "samples": [_class_to_json(one) for one in samples],
    }


def _class_to_json(one: FailureClass) -> dict[str, Any]:
    first = one.example
    return {
        "failure": one.label,
        "type": one.key.type or None,
        "place": one.key.place or None,
        "pattern": one.key.pattern,
        "count": one.count,
        "evaluations": list(one.names),
        "first": {"evaluation": first.name, "sample": first.sample or None, "message": first.message},
    }
