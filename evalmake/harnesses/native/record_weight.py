"""What a record counts in means, and the groups that it belongs to: `weight` and `tags`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evalmake.harnesses.native.errors import RecordError
from evalmake.harnesses.native.task_file import Task
from evalmake.harnesses.native.template import as_text, blame_key, to_number
from evalmake.scoring.sample_counts import LEAST_WEIGHT, MOST_WEIGHT, is_weight

_LONGEST_TAG, _MOST_TAGS = 100, 100


def read_weight(task: Task, record: Mapping[str, object]) -> float:
    """The weight of a record, a number or a text that is one; RecordError if it is none."""
    if task.weight is None:
        return 1.0
    with blame_key("weight"):
        value = task.weight.value(record)
    weight = to_number(value)
    if weight is None:
        raise RecordError("weight", f"the weight is {as_text(value)[:40]!r}, not a number")
    if not is_weight(weight):
        help = "leave records that are not to count out by `where`" if weight == 0 else ""
        message = f"the weight is {weight:g}; it can be from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}"
        raise RecordError("weight", message, help)
    return weight


def read_tags(task: Task, record: Mapping[str, object]) -> tuple[str, ...]:
    """The tags of a record, each once: texts, or lists of them; null and empty texts are none."""
    with blame_key("tags"):
        values = [template.value(record) for template in task.tags]
    found = dict.fromkeys(tag for value in values for tag in _list_tags(value))
    if len(found) > _MOST_TAGS:
        raise RecordError("tags", f"there are {len(found)} tags; a record can have {_MOST_TAGS}")
    return tuple(found)


def _list_tags(value: object) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, list | dict):
            kind = "a list" if isinstance(one, list) else "an object"
            raise RecordError("tags", f"a tag is {kind}, and a tag is a text", "name the field in it")
        tag = as_text(one).strip()
        if len(tag) > _LONGEST_TAG or not tag.isprintable():
            what = "longer than 100 characters" if len(tag) > _LONGEST_TAG else "not printable"
            raise RecordError("tags", f"the tag {tag[:40]!r} is {what}")
        if tag:
            yield tag
