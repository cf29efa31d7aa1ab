"""Secrets: their values by name from the environment or the keyring, and their redaction in all output."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Protocol

from evalmake.process_secrecy import erase_environment, forbid_inspection
from evalmake.redaction import is_guessable, longest_form, mask_secret, redact_secret, unmask_secret

KEYRING_SERVICE = "evalmake"
"""The service under which the keyring holds secrets; the user is the secret's name."""
_CHUNK = 2**20  # bytes
_CONTEXT = 512  # bytes around an everyday word that say whether it is a secret


_hidden: dict[str, str] = {}
"""Values that `hide_environment` took out of this process's environment; they are as global as that."""


def hide_environment(names: Iterable[str]) -> None:
    """Take secrets out of this process's environment, and keep jobs from reading its memory.

    Programs that it starts from then on do not inherit them. Variables with the same values go, too.
    """
    found = {name: os.environ[name] for name in names if os.environ.get(name)}
    strong = [value for value in found.values() if not is_guessable(value)]
    found |= {name: value for name, value in os.environ.items() if any(secret in value for secret in strong)}
    for name in found:
        del os.environ[name]
    _hidden.update(found)
    erase_environment(found)
    forbid_inspection()


class Readable(Protocol):
    """Something to read bytes from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""


class Secrets:
    """Looks values up, and remembers those that it gave out, to redact them.

    The keyring is asked once for each name that the environment lacks. `keyring_error` says why it
    could not be asked, if so.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._from_keyring: dict[str, str] = {}
        self._given_out: dict[str, str] = {}
        self.keyring_error = ""

    def missing_names(self, names: Iterable[str]) -> list[str]:
        """Return the names that have no value."""
        return [name for name in names if not self._find_value(name)]

    def value_of(self, name: str) -> str:
        """The value of a secret; OSError where it has none."""
        try:
            return self.resolve({name: name})[name]
        except KeyError:
            raise OSError(f"the secret {name} has no value") from None

    def _find_value(self, name: str) -> str:
        """The value of a secret, empty if it has none."""
        value = self._environment.get(name) or (_hidden.get(name) if self._environment is os.environ else None)
        if value:
            return value
        if name not in self._from_keyring:
            self._from_keyring[name] = self._ask_keyring(name)
        return self._from_keyring[name]

    def _ask_keyring(self, name: str) -> str:
        if find_spec("keyring") is None:
            self.keyring_error = "this Python has no `keyring`: pip install 'evalmake[keyring]'"
            return ""
        import keyring

        try:
            value: str | None = keyring.get_password(KEYRING_SERVICE, name)
        except Exception as error:  # backends raise errors of their own libraries
            message = str(error).strip() or type(error).__name__
            self.keyring_error = f"the keyring cannot be read: {message.splitlines()[0]}"
            return ""
        return value or ""

    def resolve(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The values for variables that name secrets; KeyError for a secret without a value."""
        resolved = {variable: self._find_value(name) for variable, name in variables.items()}
        for variable, value in resolved.items():
            if not value:
                raise KeyError(variables[variable])
        self._given_out.update((variables[v], value) for v, value in resolved.items())
        return resolved

    def redact(self, data: bytes, tokens: Iterable[str] = ()) -> bytes:
        """`data` with the name in place of each value that was given out, also where JSON escapes it.

        `tokens` are those that admit a job to its gateways.
        """
        for token in tokens:
            data = data.replace(token.encode(), b"[token]")
        for name, value in self._longest_first():
            mark = f"[secret {name}]".encode()
            data = unmask_secret(redact_secret(data, value, mark), value, name, mark)
        return data

    def mask(self, data: bytes) -> bytes:
        """`data` without the values that were given out, and of the same length; `redact` puts the names there."""
        for name, value in self._longest_first():
            data = mask_secret(data, value, name)
        return data

    @property
    def longest(self) -> int:
        """The most bytes that a value that was given out takes in a text; 0 where there is none."""
        return max(map(longest_form, self._given_out.values()), default=0)

    def _longest_first(self) -> list[tuple[str, str]]:
        return sorted(self._given_out.items(), key=lambda item: -len(item[1]))

    def redact_stream(self, source: Readable, tokens: Iterable[str] = ()) -> Iterator[tuple[bytes, bytes]]:
        """Yield a file piece by piece, as it is and redacted; no secret is cut in two."""
        tokens, rest = tuple(tokens), b""
        margin = 2 * max(self.longest, *map(len, tokens), 0) + _CONTEXT
        while chunk := source.read(_CHUNK):
            rest += chunk
            cut = self._find_cut(rest, margin, tokens)
            yield rest[:cut], self.redact(rest[:cut], tokens)
            rest = rest[cut:]
        yield rest, self.redact(rest, tokens)

    def _find_cut(self, data: bytes, margin: int, tokens: tuple[str, ...]) -> int:
        """The last place, but for a margin, where a cut changes nothing of what is redacted; 0 where there is none."""
        for cut in range(len(data) - margin, max(margin, len(data) - 3 * margin), -1):
            before, after = data[cut - margin : cut], data[cut : cut + margin]
            if self.redact(before + after, tokens) == self.redact(before, tokens) + self.redact(after, tokens):
                return cut
        return 0

    def redact_text(self, text: str) -> str:
        """`text` with the name in place of each value that was given out."""
        return self.redact(text.encode()).decode()
