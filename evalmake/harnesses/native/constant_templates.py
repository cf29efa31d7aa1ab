"""Refuses templates that say the same of every record."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evalmake.harnesses.native.dataset import Record
from evalmake.harnesses.native.errors import RecordError, TaskError
from evalmake.harnesses.native.question_content import MEDIA_KEYS
from evalmake.harnesses.native.task_file import Task
from evalmake.harnesses.native.template import Template, find_doubled_fields


def refuse_constant_templates(task: Task, first: Sequence[Record]) -> None:
    """TaskError if all records would have the same prompt, target or options: no field stands in them.

    A system message and a rubric may be the same for all, and so may the prompt where pictures, clips or options
    differ, but not if they have fields in doubled braces only.
    """
    mistakes = []
    shared = ("system", "rubric", "prompt") if _asks_otherwise(task) else ("system", "rubric")
    asked = () if task.messages or (task.answer and not task.prompt.parts) else ("prompt",)
    for key in (*asked, *MEDIA_KEYS, "answer", "target", "choices", "weight", "limit_by", "tags", "system", "rubric"):
        template = getattr(task, key)
        if key == "tags":  # all of them together: one that is the same for all may stand beside others
            template = next(iter(task.tags), None) if not any(one.fields for one in task.tags) else None
        for record in first if isinstance(template, Template) and not template.fields else ():
            if key in shared and not find_doubled_fields(template, record.data):
                continue
            names = ", ".join(record.data) or "none"
            message = f"no field of the record is in the {key} '{template.literal[:60]}'; the record has {names}"
            mistakes.append(RecordError(key, message, _suggest_field(template, record)).at(record.where))
    if mistakes:
        raise TaskError(*mistakes)


def _asks_otherwise(task: Task) -> bool:
    """Whether records differ in what is asked about: a picture, a clip, or the options."""
    templates = [getattr(task, key) for key in (*MEDIA_KEYS, "choices")]
    return any(isinstance(one, Template) and one.fields for one in templates) or any(
        one.fields for one in (task.choices if isinstance(task.choices, tuple) else ())
    )


def _suggest_field(template: Template, record: Record) -> str:
    """How to write the field that a template without one probably means."""
    text = template.literal.strip()
    for name in record.data:
        if text == name:
            return f"write `{{{name}}}`"
    for name in find_doubled_fields(template, record.data):
        return f"write `{{{name}}}`: doubled braces stand for braces"
    for name in record.data:
        if found := re.search(rf"[$<%\[({{]+\s*{re.escape(name)}(?!\w)\s*[>%\])}}]*", text):
            return f"a field is written in braces: `{{{name}}}` in place of `{found[0].strip()}`"
    if re.search(r"\{[\w.]+\}", text):
        return (
            f"doubled braces stand for braces; a field has single ones, as `{{{next(iter(record.data), 'question')}}}`"
        )
    return f"a field is written in braces, as `{{{next(iter(record.data), 'question')}}}`"
