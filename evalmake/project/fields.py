"""The values of a declaration after inheritance, each with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from evalmake.language.source import Span

KEEP_NONE = ("params",)
"""The maps in which `none` takes away what another declaration says."""


class ValueOrigin(NamedTuple):
    """The spans of a key and its value, and their layer: "own", "from PARENT", "defaults", "when ..."."""

    key: Span
    value: Span
    origin: str


@dataclass(slots=True)
class Fields:
    """Values by key, and origins by path: ("env",) for a key, ("env", "HOME") for an entry of its map."""

    values: dict[str, Any] = field(default_factory=dict)
    spans: dict[tuple[str, ...], ValueOrigin] = field(default_factory=dict)

    def put(self, key: str, value: Any, written: ValueOrigin, inner: Mapping[str, ValueOrigin]) -> None:
        """Set `key`. A map is merged with the map of a farther layer, and `none` in it removes a key (`KEEP_NONE`).

        `inner` are the places of a map's values, or of a list's by their number.
        """
        path = (key,)
        before = self.values.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            merged = {**before, **value}
        else:
            merged = dict(value) if isinstance(value, dict) else value
            self._forget_spans(path)
        for name, place in inner.items():
            if isinstance(merged, dict) and merged.get(name, 0) is None and key not in KEEP_NONE:
                merged.pop(name, None)
                self._forget_spans((key, name))
            else:
                self.spans[key, name] = place
        self.values[key] = merged
        self.spans[path] = written

    def put_entry(self, path: tuple[str, ...], value: Any, written: ValueOrigin) -> None:
        """Set one entry of a map, at any depth: ("params", "temperature"). `none` takes it away (`KEEP_NONE`)."""
        key, *steps, last = path
        inner = self.values[key] = dict(self.values.get(key) or {})
        for step in steps:
            known = inner.get(step)
            inner[step] = dict(known) if isinstance(known, dict) else {}
            inner = inner[step]
        self._forget_spans(path)
        self.spans.setdefault((key,), written)
        if value is None and key not in KEEP_NONE:
            inner.pop(last, None)
            return
        inner[last] = value
        self.spans[path] = written

    def copy(self) -> Fields:
        """A copy, to apply more layers to."""
        return Fields(dict(self.values), dict(self.spans))

    def _forget_spans(self, path: tuple[str, ...]) -> None:
        if path in self.spans:
            for known in [p for p in self.spans if p[: len(path)] == path]:
                del self.spans[known]
