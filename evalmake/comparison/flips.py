"""The items that scored otherwise on the second side, with what was asked, what was wanted, and both replies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalmake.comparison.cells import ComparedCell
from evalmake.comparison.pairing import CellPair
from evalmake.scoring.headline import MetricKind
from evalmake.scoring.item import Key
from evalmake.scoring.paired_items import pair_runs


@dataclass(frozen=True, slots=True)
class Flip:
    """One item: its mean scores on both sides, and texts of the replies that differ most."""

    id: str
    before: float
    after: float
    is_worse: bool
    prompt: str = ""
    target: str = ""
    reply_before: str | None = None
    reply_after: str | None = None


def find_flips(pair: CellPair, metric: str, kind: MetricKind) -> tuple[Flip, ...]:
    """The items of a pair that differ: the worse ones first, the largest change first."""
    before, after = ([cell for cell in side if cell.result] for side in (pair.before, pair.after))
    paired = pair_runs([cell.run for cell in after], [cell.run for cell in before], metric)
    if paired is None:
        return ()
    changed = {
        key: (b, a) for key, (a, b) in zip(paired.common, paired.means(), strict=True) if paired.is_changed(a, b)
    }
    sign = -1 if kind.better == "lower" else 1
    worse = {key: sign * (a - b) < 0 for key, (b, a) in changed.items()}
    rows_before = _read_rows(before, changed.keys(), metric)
    rows_after = _read_rows(after, changed.keys(), metric)
    found = []
    for key, (b, a) in changed.items():
        one, other = _choose(rows_before.get(key, []), metric, a < b), _choose(rows_after.get(key, []), metric, a > b)
        asked = one or other or {}
        prompt, target = _find_prompt(asked), _as_text(asked.get("target"))
        replies = (_find_reply(one), _find_reply(other))
        found.append(Flip(key[0], b, a, worse[key], prompt or "", target or "", *replies))
    return tuple(sorted(found, key=lambda flip: (not flip.is_worse, -abs(flip.after - flip.before))))


def _read_rows(cells: Iterable[ComparedCell], wanted: Iterable[Key], metric: str) -> dict[Key, list[Mapping[str, Any]]]:
    """The rows of some items in the samples of all runs."""
    found: dict[Key, list[Mapping[str, Any]]] = {key: [] for key in wanted}
    for cell in cells:
        for line in cell.read_samples():
            row = _parse_row(line)
            key = (str(row.get("id")), str(row.get("item") or ""))
            if key in found and _score(row, metric) is not None:
                found[key].append(row)
    return found


def _parse_row(line: bytes) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _score(row: Mapping[str, Any], metric: str) -> float | None:
    scores = row.get("scores")
    value = scores.get(metric) if isinstance(scores, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _choose(rows: Sequence[Mapping[str, Any]], metric: str, highest: bool) -> Mapping[str, Any] | None:
    """Of several runs' replies the one that shows the change best: of the side that scored higher, its best."""
    ordered = sorted(rows, key=lambda row: _score(row, metric) or 0.0, reverse=highest)
    return ordered[0] if ordered else None


def _find_prompt(row: Mapping[str, Any]) -> str | None:
    """What was asked: the last message, or the text that was to go on; of a harness that does not tell, nothing."""
    request = row.get("request")
    if not isinstance(request, dict):
        return None
    messages = request.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        return _as_text(messages[-1].get("content"))
    return _as_text(request.get("prompt"))


def _find_reply(row: Mapping[str, Any] | None) -> str | None:
    return None if row is None else _as_text(row.get("reply"))


def _as_text(value: object) -> str | None:
    """A text as it is, and other values as JSON; the texts of a message in parts."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        texts = [part["text"] for part in value if isinstance(part.get("text"), str)]
        if texts:
            return "\n".join(texts)
    return json.dumps(value, ensure_ascii=False)
