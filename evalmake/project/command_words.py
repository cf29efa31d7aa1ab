"""The words of a command line, targets and NAME=VALUE, as a source that errors can point into."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import NamedTuple

from evalmake.language.diagnostic import make_error
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
        _refuse_spaces(placed)
        return cls(
            tuple(word for word in placed if not _is_override(word.text)),
            tuple(word for word in placed if _is_override(word.text)),
        )


def _refuse_spaces(words: Sequence[Word]) -> None:
    """Refuse `NAME = VALUE`, which the shell makes three words of: `=` would be a target."""
    for position, (text, span) in enumerate(words):
        if not text.startswith("="):
            continue
        first, last = max(position - 1, 0), min(position + (text == "="), len(words) - 1)
        name = words[first].text if position else "NAME"
        value = text[1:] or (words[last].text if last > position else "VALUE")
        whole = Span(span.source, words[first].span.start, words[last].span.end)
        help_ = [f"write it without spaces: `{name}={quote(value)}`"]
        raise make_error("bad-override", "an override is one word", whole, help=help_)


def _is_override(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()
