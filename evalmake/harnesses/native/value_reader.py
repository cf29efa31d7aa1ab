"""Reads typed values from a task's JSON object, and collects what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.template import Template, find_field_in_pattern, parse


class ValueReader:
    """Reads the keys of an object by the types that they must have."""

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name = name
        self.data = data
        self.mistakes: list[str] = []

    def wrong(self, message: str) -> None:
        """Add an error."""
        self.mistakes.append(f"{self.name}: {message}")

    def text(self, key: str) -> str | None:
        """Read an optional text."""
        value = self.data.get(key)
        if value is None or isinstance(value, str):
            return value
        self.wrong(f"{key}: expected text")
        return None

    def template(self, key: str, *, required: bool = False) -> Template | None:
        """Read a template."""
        value = self.text(key)
        if value is None:
            if required and self.data.get(key) is None:
                self.wrong(f"{key} is missing")
            return None
        return self.parsed(value, key)

    def parsed(self, text: str, what: str) -> Template:
        """Parse a template; on an error, add it and return an empty template."""
        try:
            return parse(text, what)
        except TaskError as error:
            self.wrong(error.messages[0])
            return Template(())

    def field(self, key: str) -> str | None:
        """Read an optional template of one field; its path."""
        template = self.template(key)
        if template is None or (path := template.path) is not None:
            return None if template is None else path
        self.wrong(f"{key}: expected one field, as '{{{key}}}'")
        return None

    def regex(self, key: str) -> re.Pattern[str] | None:
        """Read an optional regular expression."""
        value = self.text(key)
        if field := find_field_in_pattern(value or ""):
            self.wrong(f"{key}: no field is filled into a regular expression, and it has '{field}'")
        try:
            return None if value is None else re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            self.wrong(f"{key}: not a regular expression: {error}")
            return None

    def texts(self, key: str) -> Mapping[str, str]:
        """Read an object of texts."""
        value = self.data.get(key)
        if value is None:
            return {}
        if isinstance(value, dict) and all(isinstance(path, str) for path in value.values()):
            return value
        self.wrong(f"{key}: expected an object of texts")
        return {}

    def templates(self, key: str) -> tuple[Template, ...]:
        """Read a template, or a list of them."""
        value = self.data.get(key)
        listed = [value] if isinstance(value, str) else value or []
        if isinstance(listed, list) and all(isinstance(one, str) for one in listed):
            return tuple(self.parsed(one, key) for one in listed)
        self.wrong(f"{key}: expected a template or a list of templates")
        return ()

    def names(self, key: str, known: Sequence[str], default: tuple[str, ...]) -> tuple[str, ...]:
        """Read a list of names."""
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, list) and all(one in known for one in value):
            return tuple(value)
        self.wrong(f"{key}: expected a list of {', '.join(known)}")
        return default

    def one_of(self, key: str, known: Sequence[str]) -> str:
        """Read a name; the default is the first."""
        value = self.text(key) or known[0]
        if value not in known:
            self.wrong(f"{key}: expected {' or '.join(known)}")
        return value

    def whole(self, key: str, default: int | None = None) -> int | None:
        """Read an integer, 0 or more."""
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.wrong(f"{key}: expected a whole number from 0 up")
        return default
