"""Reads the cache in which simple-evals keeps each of its results: TYPE/cache/cache.sqlite.

It is a database of `diskcache`. Its keys are "0", "1", ... of questions times repetitions, one round of all questions
after the other, and its values are JSON: {"score": 1.0, "metrics": {"en": 1.0}, "html": ..., "convo": [messages]}.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalmake.disk_database import connect_read_only, find_value_file
from evalmake.harnesses.nemo.readers.reading import Reading, find_only, hash_content, read_json
from evalmake.harnesses.samples import GatewayRequests, Row

_TARGET = re.compile(r"<p>Correct Answer: (.*?)</p>", re.DOTALL)


def read(folder: Path, requests: GatewayRequests) -> Reading | None:
    """The samples, each with the scores of the task and of the parts that it belongs to."""
    database = find_only(folder, "*/cache/cache.sqlite/cache.db")
    if database is None:
        return None
    results = find_only(database.parents[2], "*.json")
    if results is None:
        return None
    told, values = read_json(results), dict(_read_values(database.parent))
    task, repetitions = told["task_name"], int(told.get("n_repeats", 1))
    if sorted(values) != list(range(len(values))) or len(values) % repetitions:
        raise ValueError(f"the cache holds {len(values)} results, not those of all samples")
    kind = "micro" if repetitions == 1 else f"micro_avg_of_{repetitions}"
    questions = len(values) // repetitions
    rows = [
        _build_row(f"{task}/{key % questions}", key // questions + 1, values[key], task, kind, requests)
        for key in sorted(values)
    ]
    return Reading(rows)


def _read_values(folder: Path) -> Iterator[tuple[int, Any]]:
    connection = connect_read_only(folder)
    try:
        for key, name, value in connection.execute("SELECT key, filename, value FROM Cache"):
            text = find_value_file(folder, name).read_bytes() if value is None else value
            yield int(key), json.loads(text)
    finally:
        connection.close()


def _build_row(
    id: str, repetition: int, value: Mapping[str, Any], task: str, kind: str, requests: GatewayRequests
) -> Row:
    messages = list(value.get("convo") or ())
    replies: list[Any] = []
    while messages and messages[-1].get("role") == "assistant":
        replies.insert(0, messages.pop().get("content"))
    content = messages[-1].get("content") if messages else None
    prompt = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    found = _TARGET.search(value.get("html") or "")
    names = {task: value.get("score"), **(value.get("metrics") or {})}
    scores = {f"{name}_score_{kind}": float(score) for name, score in names.items() if score is not None}
    unscored = value.get("score") is None
    return Row(
        id,
        hash_content(messages),
        {} if unscored else scores,
        repetition,
        error="simple-evals gave no score" if unscored else None,
        target=html.unescape(found[1]) if found else None,
        reply=str(replies[0]) if replies else None,
        **requests.match([prompt] * len(replies)),
    )
