"""The records of a task: those of its files, with the names of fields that the task gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalmake.harnesses.native.dataset import Record, read_files
from evalmake.harnesses.native.errors import Mistake, RecordError, TaskError
from evalmake.harnesses.native.task_file import Task
from evalmake.harnesses.native.template import blame_key, has_field, lookup


def read_records(task: Task) -> list[Record]:
    """All records of the task's files; TaskError with a line for each that cannot be read, or lacks a field."""
    return rename_fields(read_source(task), task.fields)


def read_source(task: Task) -> list[Record]:
    """The records of the task's files, or what `sql` makes of them."""
    if task.sql is None:
        return read_files(task.folder, task.files, task.paths)
    from evalmake.harnesses.native.sql_query import query_records

    return query_records(task.folder, task.files, task.paths, task.sql)


def rename_fields(records: Sequence[Record], fields: Mapping[str, str], strict: bool = True) -> list[Record]:
    """The records with fields of new names, each in place of an old one; what else a record has, it keeps.

    Unless `strict`, records that lack an old field stay as they are.
    """
    if not fields:
        return list(records)
    renamed, mistakes = [], list[Mistake]()
    for record in records:
        if not strict and not all(has_field(record.data, old) for old in fields.values()):
            renamed.append(record)
            continue
        try:
            renamed.append(replace(record, data=_rename(record.data, fields)))
        except RecordError as error:
            mistakes.append(error.at(record.where))
    if mistakes:
        raise TaskError(*mistakes)
    return renamed


def _rename(data: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    with blame_key("fields"):
        new = {name: lookup(data, old) for name, old in fields.items()}
    kept = {name: value for name, value in data.items() if name not in fields.values()}
    for name in new:
        if name in kept:
            raise RecordError("fields", f"the record has a field '{name}' of its own", "give the other a new name, too")
    return new | kept
