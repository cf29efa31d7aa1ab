"""The formats of all that the store holds: JSON texts with a version `v`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from evalmake.planner.action import ActionResult, Artifact
from evalmake.planner.staleness import ActionHistory
from evalmake.scoring.score import Score

VERSION = 1
_BATCH = 2000  # larger batches only take more memory


class UnreadableRecord(ValueError):
    """A record that cannot be read."""


class NewerRecord(UnreadableRecord):
    """A record that a later evalmake wrote."""


def record_to_text(result: ActionResult) -> str:
    """One attempt as JSON."""
    return _dumps({"v": VERSION, **asdict(result)})


def record_from_text(text: str) -> ActionResult:
    """The attempt from its JSON; UnreadableRecord where it is not one."""
    data = _loads(text)
    try:
        data["outputs"] = tuple(Artifact(**item) for item in data["outputs"])
        data["scores"] = tuple(Score(**item) for item in data["scores"])
        return ActionResult(**data)
    except (TypeError, KeyError):
        raise UnreadableRecord(f"no record: {text[:40]}") from None


def history_to_text(head: ActionHistory) -> str:
    """An action's history as a JSON list: short, as planning reads thousands."""
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
            head.rerun,
        ]
    )


def history_from_text(action: str, text: str) -> ActionHistory:
    """The history of an action from its JSON."""
    return histories_from_texts([(action, text)])[action]


def histories_from_texts(texts: Sequence[tuple[str, str]]) -> dict[str, ActionHistory]:
    """The histories of many actions. One list of many parses three times as fast as each alone."""
    heads: dict[str, ActionHistory] = {}
    for start in range(0, len(texts), _BATCH):
        some = texts[start : start + _BATCH]
        try:
            rows = json.loads(f"[{','.join([text for _, text in some])}]")
            pairs = zip(some, rows, strict=True)
            heads.update((action, _head(action, row)) for (action, _), row in pairs)
        except UnreadableRecord:
            raise
        except (ValueError, TypeError):
            raise UnreadableRecord("the history of an action is not what evalmake writes") from None
    return heads


def _head(action: str, row: list[Any]) -> ActionHistory:
    version, attempts, last, detail, success, blobs, scores, *rest = row
    if version > VERSION:
        raise NewerRecord(str(row)[:40])
    score_list = tuple([Score(*values) for values in scores])
    return ActionHistory(action, attempts, last, detail, success, tuple(blobs), score_list, *rest)


def pairs_to_text(pairs: Mapping[str, str]) -> str:
    """The walk of a part as JSON."""
    return _dumps({"v": VERSION, "walk": dict(pairs)})


def pairs_from_text(text: str) -> dict[str, str]:
    """The walk from its JSON."""
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
