"""Reads NVIDIA's common form of samples, which newer harnesses write beside their own."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from evalmake.harnesses.nemo.readers.reading import Reading
from evalmake.harnesses.samples import GatewayRequests, Row


def read(folder: Path, requests: GatewayRequests) -> Reading | None:
    """The samples; a step without a score is none."""
    rows = list(_read_rows(folder))
    return Reading(rows) if rows else None


def _read_rows(folder: Path) -> Iterator[Row]:
    seen: Counter[tuple[str, str]] = Counter()
    for path in sorted(folder.glob("**/nemo-evaluator-per-sample-outputs/**/*.jsonl")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
                if row.get("score") is None:  # an intermediate step, or not scored
                    continue
                id, name = str(row["id"]), row.get("score_name") or "score"
                seen[id, name] += 1
                content = json.dumps([row.get("query"), row.get("ground_truth")], sort_keys=True)
                reply = row.get("generation")
                yield Row(
                    id,
                    hashlib.sha256(content.encode()).hexdigest(),
                    {name: float(row["score"])},
                    seen[id, name],
                    target=row.get("ground_truth"),
                    reply=reply if isinstance(reply, str) else json.dumps(reply),
                    tokens_in=row.get("num_prompt_tokens"),
                    tokens_out=row.get("num_generated_tokens"),
                )
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
