"""Every form written to the store, versioned: JSON texts with a `v`, read by the code that knows it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from evalmake.planner.action import ActionResult, Artifact
from evalmake.planner.staleness import ActionHistory
from evalmake.scoring.score import Score

VERSION = 1
_AT_ONCE = 2000  # more only take more memory


class UnreadableRecord(ValueError):
    """A record that is none."""


class NewerRecord(UnreadableRecord):
    """A record written by a later evalmake."""


def record_to_text(result: ActionResult) -> str:
    """One attempt as JSON."""
    return _dumps({"v": VERSION, **asdict(result)})


def record_from_text(text: str) -> ActionResult:
    """The attempt back; UnreadableRecord when it is not one."""
    data = _loads(text)
    try:
        data["outputs"] = tuple(Artifact(**item) for item in data["outputs"])
        data["scores"] = tuple(Score(**item) for item in data["scores"])
        return ActionResult(**data)
    except (TypeError, KeyError):
        raise UnreadableRecord(f"no record: {text[:40]}") from None


def head_to_text(head: ActionHistory) -> str:
    """An action's standing as a short JSON list, read by the thousand when planning."""
    scores = [
        [s.metric, s.value, s.stderr, s.low, s.high, s.scored, s.unscored, s.reported, s.clusters] for s in head.scores
    ]
    return _dumps(
        [
            VERSION,
            head.attempts,
            head.last,
            head.detail,
            head.success,
            head.blobs,
            scores,
            head.metric,
            head.started,
            head.finished,
            head.seconds,
            dict(head.usage),
            head.accepted,
        ]
    )


def head_from_text(action: str, text: str) -> ActionHistory:
    """The standing of `action`."""
    return heads_from_texts([(action, text)])[action]


def heads_from_texts(texts: Sequence[tuple[str, str]]) -> dict[str, ActionHistory]:
    """The standings of many actions: a JSON list is read three times as fast as its items alone."""
    heads: dict[str, ActionHistory] = {}
    for start in range(0, len(texts), _AT_ONCE):
        some = texts[start : start + _AT_ONCE]
        try:
            rows = json.loads(f"[{','.join([text for _, text in some])}]")
            pairs = zip(some, rows, strict=True)
            heads.update((action, _head(action, row)) for (action, _), row in pairs)
        except UnreadableRecord:
            raise
        except (ValueError, TypeError):
            raise UnreadableRecord("the standing of an action is not what evalmake writes") from None
    return heads


def _head(action: str, row: list[Any]) -> ActionHistory:
    version, attempts, last, detail, success, blobs, scores, *rest = row
    if version > VERSION:
        raise NewerRecord(str(row)[:40])
    made = tuple([Score(*values) for values in scores])
    return ActionHistory(action, attempts, last, detail, success, tuple(blobs), made, *rest)


def pairs_to_text(pairs: Mapping[str, str]) -> str:
    """The walk of a part."""
    return _dumps({"v": VERSION, "walk": dict(pairs)})


def pairs_from_text(text: str) -> dict[str, str]:
    """The walk back."""
    return dict(_loads(text)["walk"])


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _loads(text: str) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(text)
        version = data.pop("v")
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UnreadableRecord(f"no record: {text[:40]}") from None
    if version > VERSION:
        raise NewerRecord(str(version))
    return data
