"""What an evaluation used of its model: a row for each request, and the sums.

`requests.jsonl` and `usage.json` in the evaluation's folder, written about once a second and at the
end. A request's `prompt` is the xxh3-64 of its last message or prompt: a harness's samples are
matched with their tokens, latency and finish reason by it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from xxhash import xxh3_64_hexdigest

from evalmake.gateway.proxy.server_sent_events import listed

_LONGEST_TEXT = 100_000  # characters of a request or reply that is kept whole
_MOST_NAMES = 100


class Account:
    """One evaluation's."""

    def __init__(self, folder: Path, hide: Callable[[str], str]) -> None:
        """`hide` takes the secrets out of a text."""
        self.folder = folder
        self._hide = hide
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.finish: Counter[str] = Counter()
        self.models: Counter[str] = Counter()
        self.fingerprints: Counter[str] = Counter()
        self.probed: dict[str, str] = {}
        self.seconds = 0.0
        self.slowest = 0.0
        self.first = 0.0
        self.fatal = ""
        self.last_error = ""
        self._rows: dict[str, list[str]] = {}
        self._dirty = True

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a count."""
        self.counts[name] += amount
        self._dirty = True

    def probe(self, name: str, fact: str) -> None:
        """What was found of the endpoint that the evaluation relies on."""
        self.probed[name] = fact
        self._dirty = True

    def end(self, reason: str) -> None:
        """Why the evaluation is to end, if it is."""
        if reason != self.fatal:
            self.fatal = reason
            self._dirty = True

    def row(self, name: str, values: Mapping[str, object]) -> None:
        """Append a row to NAME.jsonl."""
        text = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
        self._rows.setdefault(name, []).append(text)
        self._dirty = True

    def finished(self, row: dict[str, object], reply: Mapping[str, Any] | None) -> None:
        """A request is over: its row, with what its reply says was used."""
        self.counts["requests"] += 1
        self.statuses[str(row["status"])] += 1
        if row.get("cached"):
            self.counts["cached"] += 1
        else:
            seconds, first = row.get("seconds"), row.get("first")
            assert isinstance(seconds, float)
            self.seconds += seconds
            self.slowest = max(self.slowest, seconds)
            self.first += first if isinstance(first, float) else seconds
        if reply is not None:
            row |= self._used(reply)
        self.row("requests", row)

    def _used(self, reply: Mapping[str, Any]) -> dict[str, object]:
        _tally(self.models, reply.get("model"))
        _tally(self.fingerprints, reply.get("system_fingerprint"))
        usage = reply.get("usage")
        used: dict[str, object] = {}
        for name, path in _USAGE.items():
            amount: Any = usage
            for step in path:
                amount = amount.get(step) if isinstance(amount, dict) else None
            if isinstance(amount, int):
                self.counts[name] += amount
                used[name] = amount
        reasons = []
        for choice in listed(reply.get("choices")):
            reasons.append(str(choice.get("finish_reason")))
            message = choice.get("message")
            calls = listed(message.get("tool_calls")) if isinstance(message, dict) else []
            self.counts["tool_calls"] += len(calls)
            if isinstance(message, dict) and message.get("content", "") is None and not calls:
                self.counts["null_content"] += 1
        self.finish.update(reasons)
        return {**used, "finish": ",".join(reasons)} if reasons else used

    def summary(self, shared: Mapping[str, object]) -> dict[str, object]:
        """The sums, as in `usage.json`; seconds are of requests that the model answered.

        Models and fingerprints are as the replies name them, those from the cache too; `probed` is
        what was found of the endpoint where the evaluation relied on it.

        `shared` is what is so for all evaluations of the model.
        """
        return {
            **{name: amount for name, amount in self.counts.items() if amount},
            "statuses": dict(self.statuses),
            "finish": dict(self.finish),
            "models": {self._hide(name): count for name, count in self.models.items()},
            "fingerprints": {self._hide(name): count for name, count in self.fingerprints.items()},
            "probed": {name: self._hide(fact) for name, fact in self.probed.items()},
            "seconds": round(self.seconds, 3),
            "slowest": round(self.slowest, 3),
            "first": round(self.first, 3),
            **shared,
            "fatal": self._hide(self.fatal),
            "last_error": self._hide(self.last_error),
        }

    def renew(self) -> None:
        """Have the sums written once more: what is so for all may have changed since."""
        self._dirty = True

    def flush(self, shared: Mapping[str, object]) -> None:
        """Write what is new; OSError, and then it is still to be written."""
        if not self._dirty:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in list(self._rows):
            path = self.folder / f"{name}.jsonl"
            with path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(self._hide("\n".join([*self._rows[name], ""])))
            del self._rows[name]
        unfinished = self.folder / f".usage.{os.getpid()}"
        unfinished.write_text(json.dumps(self.summary(shared)))
        unfinished.replace(self.folder / "usage.json")
        self._dirty = False


_USAGE = {
    "tokens_in": ("prompt_tokens",),
    "tokens_out": ("completion_tokens",),
    "tokens_reasoning": ("completion_tokens_details", "reasoning_tokens"),
    "tokens_cached": ("prompt_tokens_details", "cached_tokens"),
}


def _tally(counts: Counter[str], name: object) -> None:
    """Count a name that a reply tells; a server that has a new one each time fills no memory."""
    if isinstance(name, str) and name:
        counts[name if name in counts or len(counts) < _MOST_NAMES else "..."] += 1


def prompt_digest(body: Mapping[str, Any]) -> str:
    """What a request's row is found by: the xxh3-64 of its last message's text, or of its prompt."""
    messages = body.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        prompt = messages[-1].get("content")
    else:
        prompt = body.get("prompt", body.get("input"))
    text = prompt if isinstance(prompt, str) else json.dumps(prompt, ensure_ascii=False)
    return xxh3_64_hexdigest(text.encode("utf-8", "replace"))


def shown(data: bytes) -> str:
    """A body for the log, cut where it is very long."""
    text = data[: _LONGEST_TEXT * 4].decode("utf-8", "replace")
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + " ... (cut)"
