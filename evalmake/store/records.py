"""The formats of all that the store holds: JSON texts with a version and a seal.

A text's seal is a digest of the text and of the key under which it is stored. So a byte that has changed is noticed
by whoever reads it, and a text that was moved, too. Those of version 1 (evalmake 0.1) have no seal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from xxhash import xxh3_128_hexdigest

from evalmake.planner.action import ActionResult, Artifact
from evalmake.planner.staleness import ActionHistory
from evalmake.scoring.score import Score

VERSION = 2
_BATCH = 2000  # larger batches only take more memory
_VERSION_PATTERN = re.compile(r'(?:\[|\{"v":)\s*(\d{1,9})[,}\]]')
_RECORD_KEY = re.compile(r"record/(.+)/([1-9][0-9]{0,8})")
_OF_LIST, _OF_MAP = len(',""]') + 32, len(',"seal":""}') + 32


class UnreadableRecord(ValueError):
    """A record that cannot be read."""


class NewerRecord(UnreadableRecord):
    """A record that a later evalmake wrote."""


def record_to_text(result: ActionResult) -> str:
    """One attempt as JSON."""
    return _seal(_record_key(result.action, result.attempt), {"v": VERSION, **asdict(result)})


def record_from_text(action: str, number: int, text: str) -> ActionResult:
    """The attempt from its JSON; UnreadableRecord where it is not one, or that of another attempt."""
    key = _record_key(action, number)
    data = _unseal(key, text)
    try:
        data["outputs"] = tuple(Artifact(**item) for item in data["outputs"])
        data["scores"] = tuple(Score(**item) for item in data["scores"])
        found = ActionResult(**data)
    except (TypeError, KeyError, ValueError):
        raise _damaged(key) from None
    if (found.action, found.attempt) != (action, number):
        raise _damaged(key)
    return found


def _record_key(action: str, number: int) -> str:
    return f"record/{action}/{number}"


def parse_record_key(key: str) -> tuple[str, int]:
    """The action and the number of the attempt whose record has this key; UnreadableRecord where no attempt's has."""
    match = _RECORD_KEY.fullmatch(key)
    if match is None:
        raise _damaged(key)
    return match[1], int(match[2])


def is_sealed(text: str) -> bool:
    """Whether a text has a seal; those of evalmake 0.1 have none."""
    return _read_version(text) != 1


def history_to_text(head: ActionHistory) -> str:
    """An action's history as a JSON list: short, as planning reads thousands."""
    scores = [
        [s.metric, s.value, s.stderr, s.low, s.high, s.scored, s.unscored, s.reported, s.clusters] for s in head.scores
    ]
    row = [VERSION, head.attempts, head.last, head.detail, head.success, head.blobs, scores, head.metric]
    row += [head.started, head.finished, head.seconds, dict(head.usage), head.accepted, head.rerun, head.record]
    row += [head.cause_kind] if head.cause_kind else []
    return _seal(f"head/{head.action}", row)


def histories_from_texts(texts: Sequence[tuple[str, str]]) -> tuple[dict[str, ActionHistory], list[str]]:
    """The histories of actions from their JSON, and the actions whose JSON has no seal, or a wrong one.

    One list of many parses three times as fast as each alone.
    """
    heads: dict[str, ActionHistory] = {}
    proved = [(action, text) for action, text in texts if _is_proved_head(action, text)]
    for start in range(0, len(proved), _BATCH):
        some = proved[start : start + _BATCH]
        rows = json.loads(f"[{','.join([text for _, text in some])}]")
        heads.update((action, _head(action, row)) for (action, _), row in zip(some, rows, strict=True))
    return heads, [action for action, _ in texts if action not in heads]


def _is_proved_head(action: str, text: str) -> bool:
    body = text[:-_OF_LIST]
    if body[:3] == f"[{VERSION}," and text[-_OF_LIST:] == f',"{_digest(f"head/{action}", body)}"]':
        return True
    _read_version(text)
    return False


def _head(action: str, row: list[Any]) -> ActionHistory:
    _, attempts, last, detail, success, blobs, scores, *rest, _ = row
    score_list = tuple([Score(*values) for values in scores])
    return ActionHistory(action, attempts, last, detail, success, tuple(blobs), score_list, *rest)


def pairs_to_text(key: str, pairs: Mapping[str, str]) -> str:
    """The walk that is stored under `key`, as JSON."""
    return _seal(key, {"v": VERSION, "walk": dict(pairs)})


def pairs_from_text(key: str, text: str) -> dict[str, str]:
    """The walk from its JSON."""
    try:
        return {str(path): str(value) for path, value in _unseal(key, text)["walk"].items()}
    except (TypeError, KeyError, AttributeError):
        raise _damaged(key) from None


def _seal(key: str, value: Sequence[object] | Mapping[str, object]) -> str:
    """A value as JSON, with its seal as the last element or entry."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    body, end = text[:-1], text[-1]
    name = "" if end == "]" else '"seal":'
    return f'{body},{name}"{_digest(key, body)}"{end}'


def _unseal(key: str, text: str) -> dict[str, Any]:
    """The map in a text; UnreadableRecord where its seal is wrong."""
    if is_sealed(text) and text[-34:-2] != _digest(key, text[:-_OF_MAP]):
        raise _damaged(key)
    try:
        data: dict[str, Any] = json.loads(text)
        del data["v"]
        data.pop("seal", None)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _damaged(key) from None
    return data


def _digest(key: str, body: str) -> str:
    return xxh3_128_hexdigest(f"{key}\n{body}".encode("utf-8", "surrogatepass"))


def _read_version(text: str) -> int:
    """The version of a text, 0 where there is none; NewerRecord for one that this evalmake does not know."""
    match = _VERSION_PATTERN.match(text)
    version = int(match[1]) if match else 0
    if version > VERSION:
        raise NewerRecord(f"its version is {version}")
    return version


def _damaged(key: str) -> UnreadableRecord:
    return UnreadableRecord(f"{key[:80]} is not what evalmake wrote")
