"""Reads mmath's MODEL/LANGUAGE.json: all of its questions, and the replies to those that were asked.

A question of the number `gid` (from 0) that was asked has prediction_GID, pred_answer_GID and correct_GID.
"""

from __future__ import annotations

from pathlib import Path

from evalmake.harnesses.nemo.readers.reading import Reading, find_only, hash_content, read_json
from evalmake.harnesses.samples import GatewayRequests, Row


def read(folder: Path, requests: GatewayRequests) -> Reading | None:
    """The questions that were asked; the score of all is the mean over its sources of questions."""
    metrics = find_only(folder, "**/metrics_*.json")
    questions = metrics and metrics.with_name(metrics.name.removeprefix("metrics_"))
    if not questions or not questions.exists():
        return None
    rows, sources = [], {}
    for item in read_json(questions):
        number = item["gid"]
        if f"correct_{number}" not in item:
            continue
        metric = f"{item['data_source']}_accuracy_accuracy"
        sources[metric] = True
        rows.append(
            Row(
                f"mmath/{number}",
                hash_content(item["question"], item["answer"]),
                {metric: float(item[f"correct_{number}"])},
                target=item["answer"],
                reply=item[f"prediction_{number}"],
                **requests.match([item["final_prompt"]]),
            )
        )
    return Reading(rows, {"MMATH_accuracy_accuracy": tuple(sources)})
