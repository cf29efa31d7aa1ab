"""Lists of `file()` and `glob()`: every key that takes files takes them, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalmake.language.values import Files, join_files


class BadList(Exception):
    """A list of files that cannot be joined."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def join_lists(block: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a declaration, with lists of files joined; BadList for a file that is named twice."""
    return {key: _join_list(block, key, value) for key, value in values.items()}


def _join_list(block: type[Any], key: str, value: object) -> object:
    if not isinstance(value, tuple) or not value or key not in block.model_fields:
        return value
    annotation = block.model_fields[key].annotation
    if Files not in (annotation, *getattr(annotation, "__args__", ())):
        return value
    try:
        return join_files(value)
    except ValueError as error:
        raise BadList(key, str(error)) from None
