"""What a record asks besides a prompt: its conversation, its tools, a picture, a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalmake.harnesses.native.conversation import Message, list_parts, read_messages
from evalmake.harnesses.native.dataset import Record
from evalmake.harnesses.native.errors import RecordError, TaskError
from evalmake.harnesses.native.json_io import dump_sorted
from evalmake.harnesses.native.media import MediaFolder, list_named_files, make_part, names_file
from evalmake.harnesses.native.record_checks import list_given_checks
from evalmake.harnesses.native.record_filter import filter_records
from evalmake.harnesses.native.records import read_source, rename_fields
from evalmake.harnesses.native.task_file import Task, make_task
from evalmake.harnesses.native.template import MissingFieldError, Template, blame_key, lookup
from evalmake.harnesses.native.tools import read_tools

MEDIA_KEYS = ("image", "audio")
_ASKS_NOTHING = {"target": "-"}
"""What a task needs beside its data and the keys that name files."""


def read_conversation(task: Task, system: str | None, record: Record) -> tuple[Message, ...]:
    """The messages of a record; none where the task has a prompt."""
    if task.messages is None:
        return ()
    with blame_key("messages"):
        messages = read_messages(lookup(record.data, task.messages), task.messages, system)
    folder = MediaFolder(task.folder, task.media, task.paths)
    return tuple(
        message | {"content": [folder.place(part, record.file, "messages") for part in message["content"]]}
        if list_parts([message])
        else message
        for message in messages
    )


def read_offered_tools(task: Task, record: Record) -> tuple[Mapping[str, Any], ...]:
    """The tools that a record offers: those of the task, or its own."""
    if not isinstance(task.tools, str):
        return task.tools
    with blame_key("tools"):
        return read_tools(lookup(record.data, task.tools), task.tools)


def read_media(task: Task, record: Record) -> tuple[dict[str, Any], ...]:
    """The parts of the picture and the clip that a record has beside its prompt."""
    folder = MediaFolder(task.folder, task.media, task.paths)
    parts = []
    for key in MEDIA_KEYS:
        template: Template | None = getattr(task, key)
        if template is None:
            continue
        with blame_key(key):
            text = _fill(key, template, record.data)
        parts.append(folder.place(make_part(key, text), record.file, key))
    return tuple(parts)


def describe_question(prompt: str, messages: Sequence[Message], media: Sequence[Mapping[str, Any]]) -> str:
    """What tells a question from others, apart from its options."""
    return dump_sorted(messages) if messages else "\n".join([prompt, *map(dump_sorted, media)])


def list_own_demands(task: Task, data: Mapping[str, Any], system: str | None, rubric: str | None) -> list[object]:
    """What a record asks and expects besides its prompt and its target: a system message, a rubric, checks of its own.

    Records that differ in these are no copies of one question. What all records share is left out.
    """
    filled = ((task.system, system), (task.rubric, rubric))
    texts: list[object] = [text for template, text in filled if template is not None and template.fields]
    checks = list_given_checks(task.checks, data)
    return [*texts, checks] if checks != list(task.checks) else texts


def user_content(prompt: str, parts: Sequence[Mapping[str, Any]]) -> str | list[Mapping[str, Any]]:
    """The content of a user's message: the prompt alone, or behind its picture and clip."""
    return [*parts, {"type": "text", "text": prompt}] if parts else prompt


def find_named_files(keys: Mapping[str, Any], file: Path) -> list[str]:
    """The texts by which the records of a data file name other files, sorted.

    `keys` are those of a task by which they do. What is wrong with the data is told where they are checked, not here.
    """
    if not (keys.keys() & {*MEDIA_KEYS}) and not _may_name_files(file):
        return []
    try:
        task = make_task(
            "task",
            Path(),
            {**_ASKS_NOTHING, "files": [str(file)], "prompt": None if "messages" in keys else "-", **keys},
        )
        records = rename_fields(read_source(task), task.fields, strict=False)
        if task.where:
            records = filter_records(records, task.where)
    except TaskError:
        return []
    return sorted({text for record in records for text in _list_texts(task, record.data)})


def _may_name_files(file: Path) -> bool:
    """Whether messages of a data file can have parts that name files: most have none, and are not parsed for them."""
    try:
        data = file.read_bytes()
    except OSError:
        return False
    return file.suffix == ".parquet" or any(kind in data for kind in (b"image_url", b"input_audio"))


def _list_texts(task: Task, data: dict[str, Any]) -> list[str]:
    found: list[str] = []
    if task.messages is not None:
        try:
            found += list_named_files(lookup(data, task.messages))
        except MissingFieldError:
            return []
    for key, kind in zip(MEDIA_KEYS, ("image_url", "input_audio"), strict=True):
        template: Template | None = getattr(task, key)
        try:
            text = _fill(key, template, data) if template is not None else ""
        except (MissingFieldError, RecordError):
            continue
        if text and names_file(kind, text):
            found.append(text)
    return found


def _fill(key: str, template: Template, data: dict[str, Any]) -> str:
    """The text by which a record names its picture or clip."""
    for path in template.fields:
        value = lookup(data, path)
        if value is None or value == "":
            help = f'ask the records that have one: `where = "{path} != none"`' if value is None else ""
            raise RecordError(key, f"the field '{path}' is {'null' if value is None else 'empty'}", help)
        if isinstance(value, list | dict):
            kind = "a list" if isinstance(value, list) else "an object"
            help = "write several into the parts of a message, and `messages` in place of `prompt`"
            raise RecordError(key, f"the field '{path}' is {kind}, and the {key} is one file", help)
    return template.text(data)
