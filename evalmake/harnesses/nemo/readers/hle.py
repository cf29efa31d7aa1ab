"""Reads hle's judged_hle_MODEL.json: an object with an entry for each question that was answered.

{"ID": {"response": ..., "usage": {...}, "judge_response": {"correct": "yes", "correct_answer": ..., "api_error":
false, ...}}}. An answer that the judge did not grade has `api_error`, and is `no`.
"""

from __future__ import annotations

from pathlib import Path

from evalmake.harnesses.nemo.readers.reading import Reading, find_only, hash_content, read_json
from evalmake.harnesses.samples import GatewayRequests, Row

_METRIC = "hle_accuracy_accuracy"


def read(folder: Path, requests: GatewayRequests) -> Reading | None:
    """The questions; one that the judge did not grade has no score."""
    path = find_only(folder, "**/judged_hle_*.json")
    if path is None:
        return None
    rows = []
    for id, answer in read_json(path).items():
        verdict = answer.get("judge_response") or {"api_error": True}
        failed = verdict["api_error"]
        usage = answer.get("usage") or {}
        rows.append(
            Row(
                id,
                hash_content(id, verdict.get("correct_answer")),
                {} if failed else {_METRIC: float("yes" in verdict["correct"])},
                error="the judge did not answer" if failed else None,
                target=verdict.get("correct_answer"),
                reply=answer["response"],
                tokens_in=usage.get("prompt_tokens"),
                tokens_out=usage.get("completion_tokens"),
            )
        )
    return Reading(rows, decimals=4)
