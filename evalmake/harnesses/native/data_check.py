"""Finds the errors in data files before a run, with the code that the run itself uses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalmake.harnesses.native.dataset import read_files
from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.prompts import build_examples, build_items
from evalmake.harnesses.native.task_file import make_task
from evalmake.plugin_api.harness import DataError


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
            errors += [DataError(one.key or key, one.message, one.help) for one in error.mistakes]
    return errors
