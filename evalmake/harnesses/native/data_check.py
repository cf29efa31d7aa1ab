"""Finds the errors in data files before a run, with the code that the run itself uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalmake.harnesses.native.dataset import read_files
from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.prompts import build_examples, build_items
from evalmake.harnesses.native.task_file import make_task
from evalmake.plugin_api.harness import DataError

_TEMPLATES = ("prompt", "system", "target", "choices")


def find_data_errors(data: Mapping[str, Any], api: str) -> list[DataError]:
    """The errors in the files of a task, each with the key of the benchmark that it contradicts."""
    try:
        task = make_task("task", Path(), dict(data))
    except TaskError:
        return []  # `check_benchmark` reports what is wrong with the keys themselves
    errors: list[DataError] = []
    for key in ("examples", "files"):
        try:
            if key == "files":
                build_items(task, api, read_files(task.folder, task.files, task.paths))
            else:
                build_examples(task, api)
        except TaskError as error:
            errors += [DataError(_find_key(message, data) or key, message) for message in error.messages]
    return errors


def _find_key(message: str, data: Mapping[str, Any]) -> str:
    """The key whose value a record does not fit; empty if it is the record itself that is wrong."""
    if field := re.search(r"the record has no field '([^']*)'", message):
        named = [key for key in _TEMPLATES if f"{{{field[1]}}}" in str(data.get(key))]
        named += [key for key in ("id", "cluster") if data.get(key) == field[1]]
        return named[0] if named else ""
    if re.search(r": the target ", message):
        return "target"
    return "choices" if ": choices: " in message else ""
