"""What an evaluation used of its model: a row for each request, and the sums.

`requests.jsonl` and `usage.json` in the evaluation's folder, written about once a second and at the
end. A request's `prompt` is the xxh3-64 of its last message or prompt: a harness's samples are
matched with their tokens, latency and finish reason by it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xxhash import xxh3_64_hexdigest

_LONGEST_TEXT = 100_000  # characters of a request or reply that is kept whole


class Account:
    """One evaluation's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.finish: Counter[str] = Counter()
        self.seconds = 0.0
        self.slowest = 0.0
        self.first = 0.0
        self.fatal = ""
        self.last_error = ""
        self._rows: dict[str, list[str]] = {}
        self._dirty = False

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a count."""
        self.counts[name] += amount
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
        for choice in reply.get("choices") or ():
            if isinstance(choice, dict):
                reasons.append(str(choice.get("finish_reason")))
                message = choice.get("message")
                calls = message.get("tool_calls") if isinstance(message, dict) else None
                self.counts["tool_calls"] += len(calls) if isinstance(calls, list) else 0
                if isinstance(message, dict) and message.get("content", "") is None and not calls:
                    self.counts["null_content"] += 1
        self.finish.update(reasons)
        return {**used, "finish": ",".join(reasons)} if reasons else used

    def summary(self, limits: Mapping[str, object]) -> dict[str, object]:
        """The sums, as in `usage.json`; seconds are of requests that the model answered."""
        return {
            **{name: amount for name, amount in self.counts.items() if amount},
            "statuses": dict(self.statuses),
            "finish": dict(self.finish),
            "seconds": round(self.seconds, 3),
            "slowest": round(self.slowest, 3),
            "first": round(self.first, 3),
            "limits": limits,
            "fatal": self.fatal,
            "last_error": self.last_error,
        }

    def flush(self, limits: Mapping[str, object]) -> None:
        """Write what is new."""
        if not self._dirty:
            return
        self._dirty = False
        self.folder.mkdir(parents=True, exist_ok=True)
        rows, self._rows = self._rows, {}
        for name, lines in rows.items():
            with open(
                self.folder / f"{name}.jsonl", "a", encoding="utf-8", errors="replace"
            ) as file:
                file.write("\n".join([*lines, ""]))
        unfinished = self.folder / f".usage.{os.getpid()}"
        unfinished.write_text(json.dumps(self.summary(limits)))
        unfinished.replace(self.folder / "usage.json")


_USAGE = {
    "tokens_in": ("prompt_tokens",),
    "tokens_out": ("completion_tokens",),
    "tokens_reasoning": ("completion_tokens_details", "reasoning_tokens"),
    "tokens_cached": ("prompt_tokens_details", "cached_tokens"),
}


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
