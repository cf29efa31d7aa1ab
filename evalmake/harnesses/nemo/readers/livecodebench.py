"""Reads livecodebench's MODEL_Scenario.SCENARIO_..._eval_all.json: a list of problems with all of their samples.

{"question_id": ..., "output_list": [replies], "graded_list": [true, false], "pass@1": 0.5, ...}. Problems of code
execution have an `id` of their own, and outputs of tests to be predicted a `test_id`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalmake.harnesses.nemo.readers.reading import Reading, find_only, hash_content, read_json
from evalmake.harnesses.samples import GatewayRequests, Row


def read(folder: Path, requests: GatewayRequests) -> Reading | None:
    """A row for each sample of each problem."""
    path = find_only(folder, "**/*_eval_all.json")
    named = path and re.search(r"Scenario\.([^_]+)_", path.name)
    if not path or not named:
        return None
    metric = f"{named[1]}_pass@1_pass@1"
    rows = [row for problem in read_json(path) for row in _build_rows(problem, metric)]
    return Reading(rows)


def _build_rows(problem: Mapping[str, Any], metric: str) -> list[Row]:
    grades, replies = problem["graded_list"], problem["output_list"]
    if len(replies) != len(grades):  # of code execution, some are left out
        replies = [None] * len(grades)
    id = str(problem.get("id") or problem["question_id"])
    test = problem.get("test_id")
    keys = ("question_content", "starter_code", "code", "input", "output", "test_id")
    content = hash_content(*(problem.get(key) for key in keys))
    return [
        Row(
            id if test is None else f"{id}/{test}",
            content,
            {metric: float(grade)},
            number,
            target=problem.get("output"),
            reply=reply if reply is None or isinstance(reply, str) else str(reply),
        )
        for number, (grade, reply) in enumerate(zip(grades, replies, strict=True), 1)
    ]
