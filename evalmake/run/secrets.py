"""Secrets by name to values, at the last moment; and out of everything that is kept or shown."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec

_SHORTEST = 4
KEYRING_SERVICE = "evalmake"  # what the keyring files a secret under; the user is the secret's name


class Secrets:
    """Resolves names from environment or keyring; knows every value it gave, so as to hide it.

    The keyring is asked only for what the environment lacks, and once; `trouble` is why it could
    not be asked, or empty.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._kept: dict[str, str] = {}
        self._given: dict[str, str] = {}
        self.keyring_error = ""

    def missing_names(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that have no value."""
        return [name for name in names if not self._value(name)]

    def value_of(self, name: str) -> str:
        """The value of one; OSError where it has none."""
        try:
            return self.resolve({name: name})[name]
        except KeyError:
            raise OSError(f"the secret {name} has no value here") from None

    def _value(self, name: str) -> str:
        """The value of a secret, empty if it has none."""
        found = self._environment.get(name)
        if found:
            return found
        if name not in self._kept:
            self._kept[name] = self._ask_keyring(name)
        return self._kept[name]

    def _ask_keyring(self, name: str) -> str:
        if find_spec("keyring") is None:
            self.keyring_error = "this Python has no `keyring`: pip install 'evalmake[keyring]'"
            return ""
        import keyring

        try:
            value: str | None = keyring.get_password(KEYRING_SERVICE, name)
        except Exception as error:  # backends let those of their own libraries through
            said = str(error).strip() or type(error).__name__
            self.keyring_error = f"the keyring cannot be read: {said.splitlines()[0]}"
            return ""
        return value or ""

    def resolve(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Variable -> secret's name, to variable -> value; KeyError for one without."""
        resolved = {variable: self._value(name) for variable, name in variables.items()}
        for variable, value in resolved.items():
            if not value:
                raise KeyError(variables[variable])
        self._given.update((variables[v], value) for v, value in resolved.items())
        return resolved

    def redact(self, data: bytes, tokens: Iterable[str] = ()) -> bytes:
        """`data` with every value that was given out replaced by its name, as JSON writes it too.

        `tokens` are those of a job, which admit it to its gateway.
        """
        for token in tokens:
            data = data.replace(token.encode(), b"[token]")
        for name, value in sorted(self._given.items(), key=lambda item: -len(item[1])):
            if len(value) >= _SHORTEST:
                shown = f"[secret {name}]".encode()
                for form in (
                    value,
                    value.strip(),
                    json.dumps(value)[1:-1],
                    json.dumps(value, ensure_ascii=False)[1:-1],
                ):
                    if len(form) >= _SHORTEST:
                        data = data.replace(form.encode("utf-8", "surrogateescape"), shown)
        return data

    def redact_text(self, text: str) -> str:
        """The same for a text."""
        return self.redact(text.encode()).decode()
