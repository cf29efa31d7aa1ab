"""Secrets by name to values, at the last moment; and out of everything that is kept or shown."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping

_SHORTEST = 4


class Secrets:
    """Resolves names from the environment; knows every value it gave, so as to hide it."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._given: dict[str, str] = {}

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that have no value."""
        return [name for name in names if not self._environment.get(name)]

    def resolve(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Variable -> secret's name, to variable -> value; KeyError for one without."""
        resolved = {variable: self._environment[name] for variable, name in variables.items()}
        self._given.update((variables[v], value) for v, value in resolved.items())
        return resolved

    def hide(self, data: bytes) -> bytes:
        """`data` with every value that was given out replaced by its name, as JSON writes it too."""
        for name, value in sorted(self._given.items(), key=lambda item: -len(item[1])):
            if len(value) >= _SHORTEST:
                shown = f"[secret {name}]".encode()
                for form in (
                    value,
                    json.dumps(value)[1:-1],
                    json.dumps(value, ensure_ascii=False)[1:-1],
                ):
                    data = data.replace(form.encode("utf-8", "surrogateescape"), shown)
        return data

    def hide_text(self, text: str) -> str:
        """The same for a text."""
        return self.hide(text.encode()).decode()
