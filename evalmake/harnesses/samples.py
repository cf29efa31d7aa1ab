"""The one form in which every harness's samples come into the record: `samples.jsonl`.

A row is one item asked once:

    {"id": "gsm8k/17",          the item's name, unique within the evaluation
     "item": "9f2c...",         a hash of the item's content: equal in any two runs of the same item
     "repetition": 1,           from 1: epochs and repeats of an item differ in it alone
     "scores": {"acc": 1.0},    metric -> finite number; a metric that was not scored is absent
     "error": null,             why the infrastructure gave no answer; then there are no scores
     "cluster": null,           items that belong together (one passage, one author) share it
     "target": ..., "reply": "...",
     "tokens_in": 12, "tokens_out": 3, "latency": 0.21 (seconds), "finish_reason": "stop"}

What is not known is null. Evalmake's own harness writes these names too, beside some of its own.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xxhash import xxh3_64_hexdigest

from evalmake.language.atomic_write import write_atomic
from evalmake.scoring.intervals import clustered_se, mean_se
from evalmake.scoring.score import Score

NAME = "samples.jsonl"
_ALIKE = 1e-6


@dataclass(frozen=True, slots=True)
class Row:
    """One item asked once; this module's docstring has the fields."""

    id: str
    item: str
    scores: Mapping[str, float]
    repetition: int = 1
    error: str | None = None
    cluster: str | None = None
    target: Any = None
    reply: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    latency: float | None = None
    finish_reason: str | None = None

    def __post_init__(self) -> None:
        for metric, value in self.scores.items():
            if not math.isfinite(value):
                raise ValueError(f"{self.id}: {metric} is {value}: leave out what was not scored")


def write_samples(path: Path, rows: Iterable[Row]) -> None:
    """Write `rows` to `path`, a line each, whole or not at all."""
    lines = [json.dumps(asdict(row), ensure_ascii=False, default=str) + "\n" for row in rows]
    write_atomic(path, "".join(lines).encode("utf-8", "surrogatepass"))


def score_from_samples(
    rows: Sequence[Row],
    metric: str,
    reported_stderr: float | None = None,
    reported_value: float | None = None,
) -> Score:
    """The score of `metric` over the items: repetitions averaged inside each item first.

    The standard error is ours, cluster-robust where items have clusters; the harness's own is kept
    beside it as reported. Where `reported_value` is not the mean of the items (BLEU, a median),
    both value and standard error are the harness's: a mean's formula does not fit them.
    `scored` and `unscored` count items.
    """
    items: dict[str, list[float]] = defaultdict(list)
    clusters: dict[str, str | None] = {}
    for row in rows:
        clusters[row.id] = row.cluster
        if metric in row.scores:
            items[row.id].append(row.scores[metric])
    means = [math.fsum(values) / len(values) for values in items.values()]
    estimate = mean_se(means)
    stderr, grouped = estimate.stderr, None
    if any(clusters[id] is not None for id in items):
        groups = [clusters[id] or id for id in items]
        stderr, grouped = clustered_se(means, groups), len(set(groups))
    value, unscored = estimate.mean, len(clusters) - len(items)
    if reported_value is not None and (value is None or not alike(value, reported_value)):
        value, stderr, grouped = reported_value, reported_stderr, None
    return Score(
        metric,
        value,
        stderr,
        scored=len(items),
        unscored=unscored,
        reported=reported_stderr,
        clusters=grouped,
    )


def alike(one: float, other: float) -> bool:
    """Whether two numbers differ by no more than rounding."""
    return math.isclose(one, other, rel_tol=_ALIKE, abs_tol=_ALIKE)


def shortfall(rows: Sequence[Row], metric: str, total: int, coverage: float = 1.0) -> str:
    """What to say where fewer than `coverage` of `total` samples have a score, else ""."""
    scored = sum(metric in row.scores for row in rows)
    if scored and scored >= coverage * total - 1e-9:
        return ""
    text = f"{scored} of {total} samples were scored, and {coverage * 100:g}% must be"
    reasons = Counter(row.error for row in rows if row.error)
    if reasons:
        reason, count = reasons.most_common(1)[0]
        text += f"; the most common reason ({count}): {reason}"
    return text


class Requests:
    """What the gateway noted of an evaluation's requests, to be matched with samples by prompt.

    Equal prompts are handed out in the order in which they were sent.
    """

    def __init__(self, path: Path) -> None:
        """`path` is the gateway's requests.jsonl; where there is none, nothing will match."""
        self._rows: dict[str, deque[Mapping[str, Any]]] = defaultdict(deque)
        for line in _lines(path):
            try:
                row = json.loads(line)
                if 200 <= row["status"] < 300:
                    self._rows[row["prompt"]].append(row)
            except (ValueError, TypeError, KeyError):
                continue

    def take(self, prompts: Iterable[str]) -> dict[str, Any]:
        """Fields for a Row whose prompts these were: the sums, and the last finish reason."""
        found = [row for prompt in prompts if (row := self._next(prompt))]
        if not found:
            return {}
        used = {
            "tokens_in": _sum(found, "tokens_in"),
            "tokens_out": _sum(found, "tokens_out"),
            "latency": _sum(found, "seconds"),
            "finish_reason": found[-1].get("finish"),
        }
        return {key: value for key, value in used.items() if value is not None}

    def _next(self, prompt: str) -> Mapping[str, Any] | None:
        """As it is, or as the only one of a list, which is how some clients send one prompt."""
        for text in (prompt, json.dumps([prompt], ensure_ascii=False)):
            rows = self._rows.get(xxh3_64_hexdigest(text.encode("utf-8", "replace")))
            if rows:
                return rows.popleft()
        return None


def requests_of(outputs: Path) -> Requests:
    """The gateway's notes beside a job's `outputs`."""
    return Requests(outputs.parent / "gateway" / "requests.jsonl")


def unanswered(outputs: Path, coverage: float) -> str:
    """What to say where less than `coverage` of what was asked was answered, by the gateway's notes.

    For harnesses that do not tell their samples apart: they may score such as wrong. A harness that
    asks again itself is no excuse, as equal requests may be samples of one question.
    """
    statuses: Counter[int] = Counter()
    for line in _lines(outputs.parent / "gateway" / "requests.jsonl"):
        try:
            row = json.loads(line)
            if "question" in row:
                statuses[row["status"]] += 1
        except (ValueError, TypeError, KeyError):
            continue
    total = statuses.total()
    failed = Counter({s: count for s, count in statuses.items() if not 200 <= s < 300})
    if total - failed.total() >= coverage * total - 1e-9:
        return ""
    status, count = failed.most_common(1)[0]
    why = "the harness did not wait" if status == 499 else f"HTTP status {status}"
    text = f"{failed.total()} of {total} requests were not answered, and {coverage * 100:g}% must be"
    return f"{text}; the most common reason ({count}): {why}"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    values = [row[name] for row in rows if isinstance(row.get(name), int | float)]
    return sum(values) if values else None
