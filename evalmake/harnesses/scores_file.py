"""Reads `scores.json`, in the native harness's long form or the short form that any program may write."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.result_set import Score


def read_scores(path: Path, metric: str | None) -> Outcome:
    """Read the scores in `path`; the outcome has an `error` if there are none.

    Long form: {"status", "metric", "scores": {NAME: {"value", "stderr", "low", "high", "scored",
    "unscored", "clusters"}}, "usage"}. Short form: {NAME: number, ...} or {NAME: {"value", "stderr", "n"}}.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Outcome(error=f"the harness wrote no {path.name}")
    except (OSError, ValueError) as error:
        return Outcome(error=f"{path.name} is not JSON: {error}")
    if not isinstance(data, dict):
        return Outcome(error=f"{path.name} is not an object of scores")
    status = data.get("status", "success")
    if status not in ("success", "succeeded", "unscored"):
        return Outcome(error=f"the harness reports status {status}")
    given = data.get("scores") if isinstance(data.get("scores"), dict) else data
    return parse_scores(given, metric or data.get("metric"), data.get("usage"))


def parse_scores(given: Any, metric: object, usage: Any) -> Outcome:
    """Parse a map of names to numbers or maps."""
    usage = usage if isinstance(usage, dict) else {}
    scores = []
    for name, value in given.items():
        if name in ("status", "metric", "usage"):
            continue
        score = _parse_score(name, value)
        if isinstance(score, str):
            return Outcome(error=score)
        scores.append(score)
    if not scores:
        return Outcome(error="the harness reported no score")
    headline = metric if isinstance(metric, str) and metric else scores[0].metric
    if headline not in {score.metric for score in scores}:
        known = ", ".join(score.metric for score in scores)
        return Outcome(error=f"the harness reported no `{headline}`; it reported {known}")
    return Outcome(tuple(scores), headline, {k: v for k, v in usage.items() if _is_number(v)})


def _parse_score(name: str, value: Any) -> Score | str:
    if _is_number(value):
        value = {"value": value}
    if not isinstance(value, dict) or not (_is_number(value.get("value")) or value.get("value") is None):
        return f"the score `{name}` is {json.dumps(value)[:40]}, not a number"
    number = value.get("value")
    if number is not None and not math.isfinite(number):
        return f"the score `{name}` is {number}, not a number"
    count = value.get("scored", value.get("n")) or 0
    if not _is_number(count) or not _is_number(value.get("unscored", 0)):
        return f"the counts of the score `{name}` are not numbers"
    rest = {k: value[k] for k in ("stderr", "low", "high") if _is_number(value.get(k))}
    if not_finite := [k for k, number in rest.items() if not math.isfinite(number)]:
        return f"the {not_finite[0]} of the score `{name}` is {rest[not_finite[0]]}, not a number"
    if not name.isprintable():
        return f"the name of a score is not printable: {name!a}"
    clusters = value.get("clusters") if _is_number(value.get("clusters")) else None
    return Score(
        name,
        number,
        scored=int(count),
        unscored=int(value.get("unscored", 0)),
        clusters=int(clusters) if clusters and clusters >= 1 else None,
        **rest,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
