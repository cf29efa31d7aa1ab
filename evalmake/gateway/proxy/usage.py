"""What an evaluation used of its model: a row for each request, and the sums.

The gateway writes `requests.jsonl` and `usage.json` to the evaluation's folder about once a second, and at the
end. A row's `prompt` is the xxh3-64 of the request's last message or prompt: harnesses find the tokens, latency and
finish reason of a sample by it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from xxhash import xxh3_64_hexdigest

from evalmake.gateway.proxy.sent_parameters import SentParameters
from evalmake.gateway.proxy.server_sent_events import objects_in
from evalmake.model_reply.content import read_answer, read_refusal
from evalmake.model_reply.finish_reason import read_finish_reason
from evalmake.model_reply.reasoning_tags import ends_in_reasoning, split_reasoning

_LONGEST_LOGGED = 100_000  # characters of a body that the log of exchanges holds
_MOST_NAMES = 100
_LONGEST_NAME = 200  # characters
_TOO_MANY_TOKENS = 10**12  # such a count is nonsense, and its digits may be without end
_FEW_LOGPROBS = 6
"""So many log-probabilities of prompts may be equal by chance."""
_TOKEN_COUNTS = {
    "tokens_in": ("prompt_tokens",),
    "tokens_out": ("completion_tokens",),
    "tokens_reasoning": ("completion_tokens_details", "reasoning_tokens"),
    "tokens_cached": ("prompt_tokens_details", "cached_tokens"),
}
"""Our name -> the path in a reply's `usage`."""


class UsageRecord:
    """One evaluation's rows and sums."""

    def __init__(self, folder: Path, redact: Callable[[str], str]) -> None:
        """`redact` removes secrets from a text."""
        self.folder = folder
        self._redact = redact
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.finish_reasons: Counter[str] = Counter()
        self.models: Counter[str] = Counter()
        self.fingerprints: Counter[str] = Counter()
        self.undeclared: dict[str, Counter[str]] = {}
        """Parameter -> the values, other than the declared one, that requests carried."""
        self.added: dict[str, Counter[str]] = {}
        """Sampling parameter that nothing declares -> the values that requests carried."""
        self._parameters = SentParameters()
        self.probed: dict[str, str] = {}
        """Kind of probe -> what it found."""
        self.seconds = 0.0
        self.slowest = 0.0
        self.first_piece = 0.0
        """Seconds until the first pieces came, in sum."""
        self.stop_reason = ""
        self.stop_status = 0
        self.last_error = ""
        self.redirect = ""
        """Where the reply that is the last error sends requests on to."""
        self._prompt_logprobs = 0
        self._distinct_logprobs: set[float] = set()
        """Log-probabilities of prompts that differ; two are enough."""
        self._rows: dict[str, list[str]] = {}
        self._changed = True

    def add_count(self, name: str, amount: int = 1) -> None:
        """Add to a count."""
        self.counts[name] += amount
        self._changed = True

    def record_probe(self, kind: str, fact: str) -> None:
        """Record what a probe of the endpoint found."""
        self.probed[kind] = fact
        self._changed = True

    def record_undeclared(self, parameter: str, value: str) -> None:
        """Record that a request carried another value than the declared one."""
        _count_name(self.undeclared.setdefault(parameter, Counter()), value)

    def record_added(self, parameter: str, value: str) -> None:
        """Record that a request carried a sampling parameter that nothing declares."""
        _count_name(self.added.setdefault(parameter, Counter()), value)

    def record_parameters(self, body: Mapping[str, Any] | None) -> None:
        """Record the parameters of a request that is sent, or would be if its reply were not in the cache."""
        if body is not None:
            self._parameters.record(body)

    def record_prompt_logprobs(self, reply: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """Record the log-probabilities of a request's prompt, without those of the tokens that it generated."""
        generated = body.get("max_tokens")
        for choice in objects_in(reply.get("choices")):
            logprobs = choice.get("logprobs")
            values = logprobs.get("token_logprobs") if isinstance(logprobs, dict) else None
            if isinstance(values, list):
                prompt = values[: len(values) - generated] if type(generated) is int and generated > 0 else values
                known = [value for value in prompt if type(value) in (int, float)]
                self._prompt_logprobs += len(known)
                if len(self._distinct_logprobs) < 2:
                    self._distinct_logprobs.update(known)

    def record_stop(self, reason: str, status: int) -> None:
        """Record why the evaluation stops, and the status of the reply that stops it; empty if it does not."""
        if reason != self.stop_reason:
            self.stop_reason, self.stop_status = reason, status
            self._changed = True

    def record_error(self, message: str, redirect: str = "") -> None:
        """Record why a request failed, and where its reply sends it on to."""
        self.last_error, self.redirect = message, redirect
        self._changed = True

    def append_row(self, name: str, values: Mapping[str, object]) -> None:
        """Append a row to NAME.jsonl."""
        text = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
        self._rows.setdefault(name, []).append(text)
        self._changed = True

    def record_request(self, row: dict[str, object], reply: Mapping[str, Any] | None) -> None:
        """Record a request that is over: its row, with what the reply says was used."""
        self.counts["requests"] += 1
        is_paid = not row.get("cached")
        self.statuses[str(row["status"])] += 1
        if row.get("cached"):
            self.counts["cached"] += 1
        else:
            seconds, first = row.get("seconds"), row.get("first")
            assert isinstance(seconds, float)
            self.seconds += seconds
            self.slowest = max(self.slowest, seconds)
            self.first_piece += first if isinstance(first, float) else seconds
        if reply is not None:
            used = self._add_reply(reply, row.get("one_token") is True)
            if is_paid:
                self._add_paid(used, row["status"] == 200 and "prompt" in row)
            row |= used
        self.append_row("requests", row)

    def _add_paid(self, used: Mapping[str, object], has_tokens: bool) -> None:
        """Add the tokens of a reply that came from the model; note one that does not say how many it took."""
        for name in _TOKEN_COUNTS:
            if isinstance(amount := used.get(name), int):
                self.counts[f"paid_{name}"] += amount
        self.counts["uncounted"] += has_tokens and "tokens_in" not in used

    def _add_reply(self, reply: Mapping[str, Any], one_token: bool) -> dict[str, object]:
        """Add a reply to the sums; returns its part of the row."""
        _count_name(self.models, reply.get("model"))
        _count_name(self.fingerprints, reply.get("system_fingerprint"))
        usage = reply.get("usage")
        used: dict[str, object] = {}
        for name, path in _TOKEN_COUNTS.items():
            amount: Any = usage
            for step in path:
                amount = amount.get(step) if isinstance(amount, dict) else None
            if type(amount) is int and 0 <= amount < _TOO_MANY_TOKENS:
                self.counts[name] += amount
                used[name] = amount
        choices = objects_in(reply.get("choices"))
        reasons = [_name_reason(read_finish_reason(choice)) for choice in choices]
        for choice in choices:
            self._add_choice(choice)
        for reason in reasons:
            _count_name(self.finish_reasons, reason)
        self.counts["truncated"] += 0 if one_token else reasons.count("length")
        return {**used, "finish": ",".join(reasons)} if reasons else used

    def _add_choice(self, choice: Mapping[str, Any]) -> None:
        """Count what a score does not show: calls, refusals, and text that is missing, empty or cut."""
        message = choice.get("message")
        calls = objects_in(message.get("tool_calls")) if isinstance(message, dict) else []
        text = read_answer(choice)
        if text and not text.isspace() and not calls and read_finish_reason(choice) != "length":
            self.counts["stopped_in_reasoning"] += ends_in_reasoning(text)
            return  # most are so, and each request pays for what follows
        self.counts["tool_calls"] += len(calls)
        if read_refusal(choice):
            self.counts["refusals"] += 1
        elif calls:
            self.counts["calls_without_text"] += not text
        elif isinstance(message, dict) and message.get("content", "") is None:
            self.counts["null_content"] += 1
        elif text is not None and not text.strip():
            self.counts["empty_content"] += 1
        elif text and not split_reasoning(text, cut=True).is_finished:
            self.counts["cut_in_reasoning"] += 1

    def summarize(self, gateway_state: Mapping[str, object]) -> dict[str, object]:
        """The sums, as in `usage.json`; `gateway_state` is the same for all evaluations of the model.

        Seconds count requests that the model answered. Models and fingerprints are those that replies name, cached
        ones included.
        """
        return {
            **{name: amount for name, amount in self.counts.items() if amount},
            **self._find_equal_logprobs(),
            "statuses": dict(self.statuses),
            "finish": dict(self.finish_reasons),
            "models": {self._redact(name): count for name, count in self.models.items()},
            "fingerprints": {self._redact(name): count for name, count in self.fingerprints.items()},
            "undeclared": {name: dict(values) for name, values in self.undeclared.items()},
            **({"added": {name: dict(values) for name, values in self.added.items()}} if self.added else {}),
            "parameters": self._parameters.summarize(self._redact),
            "probed": {kind: self._redact(fact) for kind, fact in self.probed.items()},
            "seconds": round(self.seconds, 3),
            "slowest": round(self.slowest, 3),
            "first": round(self.first_piece, 3),
            **gateway_state,
            "fatal": self._redact(self.stop_reason),
            "fatal_status": str(self.stop_status or ""),
            "last_error": self._redact(self.last_error),
            "redirect": self._redact(self.redirect),
        }

    def _find_equal_logprobs(self) -> dict[str, int]:
        """How many log-probabilities of prompts there were, if all are equal."""
        equal = len(self._distinct_logprobs) == 1 and self._prompt_logprobs >= _FEW_LOGPROBS
        return {"equal_logprobs": self._prompt_logprobs} if equal else {}

    def mark_changed(self) -> None:
        """Have the sums written once more: the gateway's state may have changed since."""
        self._changed = True

    def flush(self, gateway_state: Mapping[str, object]) -> None:
        """Write what is new. After OSError, the next flush writes it."""
        if not self._changed:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in list(self._rows):
            path = self.folder / f"{name}.jsonl"
            with path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(self._redact("\n".join([*self._rows[name], ""])))
            del self._rows[name]
        unfinished = self.folder / f".usage.{os.getpid()}"
        unfinished.write_text(json.dumps(self.summarize(gateway_state)))
        unfinished.replace(self.folder / "usage.json")
        self._changed = False


def _count_name(counts: Counter[str], name: object) -> None:
    """Count a name of a reply. A server with a new or a long name in each reply must not fill the memory."""
    if isinstance(name, str) and name:
        name = name[:_LONGEST_NAME]
        counts[name if name in counts or len(counts) < _MOST_NAMES else "..."] += 1


def _name_reason(reason: object) -> str:
    """A finish reason as a name, also where a server sends something else."""
    return str(reason)[:_LONGEST_NAME] if reason is None or isinstance(reason, str) else f"a {type(reason).__name__}"


def prompt_digest(body: Mapping[str, Any]) -> str:
    """The xxh3-64 of a request's last message, or of its prompt."""
    messages = body.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        prompt = messages[-1].get("content")
    else:
        prompt = body.get("prompt", body.get("input"))
    text = prompt if isinstance(prompt, str) else json.dumps(prompt, ensure_ascii=False)
    return xxh3_64_hexdigest(text.encode("utf-8", "replace"))


def log_excerpt(data: bytes) -> str:
    """A body for the log of exchanges, cut if it is very long."""
    text = data[: _LONGEST_LOGGED * 4].decode("utf-8", "replace")
    return text if len(text) <= _LONGEST_LOGGED else text[:_LONGEST_LOGGED] + " ... (cut)"
