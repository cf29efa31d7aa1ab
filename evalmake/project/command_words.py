"""The words of a command line, targets and NAME=VALUE, as a source that errors can point into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from evalmake.language.source import COMMAND_LINE, Source, Span


class Word(NamedTuple):
    """One word and its place among the others."""

    text: str
    span: Span


class Words(NamedTuple):
    """Targets and overrides, in the order of typing."""

    targets: tuple[Word, ...] = ()
    overrides: tuple[Word, ...] = ()

    @classmethod
    def of(cls, words: Sequence[str], command: str = "") -> Words:
        """The words that followed `evalmake COMMAND` (or `evalmake` alone)."""
        head = f"evalmake {command} " if command else "evalmake "
        line = Source(COMMAND_LINE, head + " ".join(words))
        placed = []
        at = len(head)
        for word in words:
            placed.append(Word(word, line.span(at, at + max(len(word), 1))))
            at += len(word) + 1
        return cls(
            tuple(word for word in placed if not _is_override(word.text)),
            tuple(word for word in placed if _is_override(word.text)),
        )


def _is_override(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()
