"""When two records are the same question: duplicates in the data, and worked examples that show an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from unicodedata import normalize

from evalmake.harnesses.native.json_io import fingerprint

_NOT_CONTENT = re.compile(r"(id|idx|index|uid|uuid|guid|split|subset|fold)|.*([_-](id|idx|index|uuid)|[a-z]I[dD])")
"""Names of fields that number a record or say in which part of a dataset it is."""


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
