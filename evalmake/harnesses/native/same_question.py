"""When two records are the same question: duplicates in the data, and worked examples that show an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from unicodedata import normalize

from evalmake.harnesses.native.json_io import fingerprint

_NOT_CONTENT = re.compile(r"(id|idx|index|uid|uuid|guid|split|subset|fold)|.*([_-](id|idx|index|uuid)|[a-z]I[dD])")
"""Names of fields that number a record or say in which part of a dataset it is."""


@dataclass(frozen=True)
class QuestionDigests:
    """What tells a question from others, by digests that are taken when they are first looked at: few runs do."""

    data: Mapping[str, object]
    """The record."""
    id_field: str | None
    asked: str | None
    """What is asked, apart from the options; None where only the record tells it."""
    options: tuple[str, ...]
    own: Sequence[object]
    """What the record has of its own besides its prompt and target, such as checks."""

    @cached_property
    def question(self) -> str:
        """The same for items that ask the same."""
        return self.content if self.asked is None else digest_question(self.asked, self.options)

    @cached_property
    def content(self) -> str:
        """The same for items that differ in numbering only."""
        return digest_content(self.data, self.id_field)

    @cached_property
    def demands(self) -> str:
        """The same for items that have the same of their own; empty if there is nothing."""
        return fingerprint(self.own) if self.own else ""


def digest_question(prompt: str, options: Iterable[str]) -> str:
    """A digest of what is asked: spaces, case and the order of the options do not count."""
    return fingerprint([_fold(prompt), sorted(map(_fold, options))])


def digest_content(record: Mapping[str, object], id_field: str | None) -> str:
    """A digest of a record without the fields that number it; spaces and case do not count."""
    content = {key: value for key, value in record.items() if key != id_field and not _NOT_CONTENT.fullmatch(key)}
    return fingerprint(_fold_all(content or record))


def _fold_all(value: object) -> object:
    match value:
        case str():
            return _fold(value)
        case list():
            return [_fold_all(one) for one in value]
        case dict():
            return {key: _fold_all(one) for key, one in value.items()}
    return value


def _fold(text: str) -> str:
    if text.isascii():
        return "".join(text.lower().split())
    return "".join(normalize("NFKC", text).casefold().split())
