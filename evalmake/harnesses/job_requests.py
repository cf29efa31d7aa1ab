"""What jobs need that ask a model themselves and leave samples; standard library only.

A harness puts this file into its job's folder, beside the job. There is no evalmake in the job's interpreter.
"""

from __future__ import annotations

import hashlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

_MOST_WORDS = 300


class RequestError(Exception):
    """A request without a reply that can be used; `str` says why."""


class Endpoint:
    """The model, or the judge, behind its gateway, which retries: each request is sent once."""

    def __init__(self, role: str) -> None:
        """`role` is MODEL or JUDGE."""
        key = "EVALMAKE_API_KEY" if role == "MODEL" else f"EVALMAKE_{role}_API_KEY"
        self.url = os.environ[f"EVALMAKE_{role}_URL"]
        self.name = os.environ[f"EVALMAKE_{role}_NAME"]
        self.key = os.environ.get(key) or "none"

    def post(self, route: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to a request; RequestError where there is none."""
        data = json.dumps({"model": self.name, **body}, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + route, data, headers)) as reply:
                found = json.load(reply)
        except urllib.error.HTTPError as error:
            words = error.read().decode("utf-8", "replace").strip()
            raise RequestError(f"HTTP status {error.code}: {words[:_MOST_WORDS]}") from None
        except OSError as error:
            raise RequestError(f"no connection: {error}") from None
        except ValueError as error:
            raise RequestError(f"the reply is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise RequestError("the reply is not an object")
        return found


def digest(value: object) -> str:
    """A digest of a value's content: the same in every run."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def base_body(params: Mapping[str, Any]) -> dict[str, Any]:
    """The request parameters and the seed, as the native harness sends them: one that is null is left out."""
    given = {"seed": int(os.environ["EVALMAKE_SEED"]), **params}
    return {name: value for name, value in given.items() if value is not None}


def concurrency(default: int = 8) -> int:
    """How many requests to send at a time."""
    return int(os.environ.get("EVALMAKE_CONCURRENCY") or default)


def limit() -> int | None:
    """How many samples to ask; None for all."""
    return int(os.environ["EVALMAKE_LIMIT"]) if os.environ.get("EVALMAKE_LIMIT") else None


def write_samples(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the samples; evalmake computes the scores from them."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path = Path(os.environ["EVALMAKE_OUT"], "samples.jsonl")
    path.write_text("".join(lines), encoding="utf-8", errors="replace")


class Progress:
    """The file that tells evalmake how many samples, or texts, are done; several threads may count."""

    def __init__(self, total: int) -> None:
        self.counts = {"done": 0, "total": total, "errors": 0}
        self._lock = Lock()

    def add(self, done: int, failed: bool = False) -> None:
        """Count more of them."""
        with self._lock:
            self.counts["done"] += done
            self.counts["errors"] += done if failed else 0
            if path := os.environ.get("EVALMAKE_PROGRESS"):
                part = Path(f"{path}.part")
                part.write_text(json.dumps(self.counts), encoding="utf-8")
                part.replace(path)
