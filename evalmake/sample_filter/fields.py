"""The fields of a sample, by the names that expressions and columns use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal as OneOf

from evalmake.language.diagnostic import EvalmakeError, closest_name
from evalmake.language.source import Source
from evalmake.sample_filter.parser import FOREIGN_WORDS
from evalmake.sample_filter.tokens import make_filter_error
from evalmake.sample_filter.tree import Field, Node, list_fields

FIELDS = {
    "id": "the item's name",
    "score": "its score by the headline metric",
    "reply": "the reply, as it was scored",
    "prompt": "what was asked: the messages, or the text",
    "target": "the right answer",
    "answer": "what the scorer took for the answer",
    "reasoning": "the reasoning that the reply holds",
    "error": "why there is no reply",
    "tokens_in": "tokens of the prompt",
    "tokens_out": "tokens of the reply",
    "latency": "seconds until the reply was there",
    "finish_reason": "why the reply ended: `stop`, `length`, ...",
    "tags": "the groups that the item belongs to, a list",
    "cluster": "what it shares with items that belong together",
    "weight": "what the item counts in means",
    "repetition": "which of several times it was asked, from 1",
    "model": "the model",
    "benchmark": "the benchmark",
    "eval": "the eval",
    "seed": "the seed",
    "cell": "the path of the evaluation",
}
"""Each field with what it holds."""
PARTS = {"scores": 'a metric: `scores.f1`, `scores["exact match"]`', "record": "a field of the record: `record.level`"}
"""Fields that have parts, and how one is named."""

Kind = OneOf["field", "axis", "score", "record"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name stands for: a field, the value of an axis, a score, or a part of the record by its path."""

    kind: Kind
    path: tuple[str, ...]

    @property
    def name(self) -> str:
        """The field, axis or metric."""
        return self.path[0]


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that samples of some evaluations have."""

    metrics: Collection[str] = ()
    axes: Collection[str] = ()
    list_record_fields: Callable[[], Iterable[str]] = tuple  # asked for a mistake only

    def find(self, path: Sequence[str]) -> Meaning | None:
        """What a name stands for; None if it is unknown. A field hides an axis, and an axis a metric."""
        first, rest = path[0], tuple(path[1:])
        if not rest and first in FIELDS:
            return Meaning("field", (first,))
        if ".".join(path) in self.axes:
            return Meaning("axis", (".".join(path),))
        if len(rest) == 1 and first == "scores" and rest[0] in self.metrics:
            return Meaning("score", rest)
        if rest and first == "record":
            return Meaning("record", rest)
        return Meaning("score", (first,)) if not rest and first in self.metrics else None

    def explain(self, path: Sequence[str]) -> tuple[str, str]:
        """The message and the help for a name that is unknown."""
        first, rest = path[0], path[1:]
        if first in PARTS and not rest:
            return f"`{first}` has parts", f"name {PARTS[first]}"
        if first == "scores":
            meant = closest_name(".".join(rest), self.metrics)
            known = ", ".join(f"`{metric}`" for metric in list(self.metrics)[:8])
            help = f"did you mean `{meant}`?" if meant else f"the metrics are {known}" if known else ""
            return f"no metric is named `{'.'.join(rest)}`", help
        if first == "record":
            meant = closest_name(".".join(rest), self.list_record_fields())
            return f"no record has a field `{'.'.join(rest)}`", f"did you mean `record.{meant}`?" if meant else ""
        if rest and first in FIELDS:
            return f"`{first}` has no parts", f"write `{first}`"
        name = ".".join(path)
        if name in FOREIGN_WORDS:
            return f"there is no `{name}`", f"write {FOREIGN_WORDS[name]}"
        record = [*self.list_record_fields()]
        if name in record:
            return f"no field is named `{name}`", f"a field of the record is `record.{name}`"
        meant = closest_name(name, [*FIELDS, *self.metrics, *self.axes])
        if not meant and (other := closest_name(name, record)):
            meant = f"record.{other}"
        return f"no field is named `{name}`", f"did you mean `{meant}`?" if meant else ""


def find_meanings(source: Source, node: Node, known: KnownNames) -> dict[Field, Meaning]:
    """What each name of an expression stands for; EvalmakeError at the first that is unknown."""
    found = {}
    for field in list_fields(node):
        meaning = known.find(field.path)
        if meaning is None:
            raise make_unknown_field(source, field, known)
        found[field] = meaning
    return found


def make_unknown_field(source: Source, field: Field, known: KnownNames) -> EvalmakeError:
    """The error for a name that is unknown."""
    message, help = known.explain(field.path)
    if not help:
        help = (
            f'a text stands in quotes: "{source.text[field.start : field.end]}"; `evalmake help results` has the fields'
        )
    return make_filter_error(source, message, field.start, field.end, help=help, is_name=True)
