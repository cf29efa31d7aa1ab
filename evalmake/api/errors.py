"""Mistakes as exceptions that say in full what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from evalmake.language.diagnostic import Diagnostic, EvalmakeError
from evalmake.terminal.diagnostics import render


def readable(diagnostics: Iterable[Diagnostic]) -> EvalmakeError:
    """An error whose text is what the command line would print."""
    error = EvalmakeError(diagnostics)
    error.args = (render(error.diagnostics),)
    return error


@contextmanager
def readably(told: Callable[[Diagnostic], Diagnostic] = lambda d: d) -> Iterator[None]:
    """Errors leave as `readable` ones, each diagnostic as `told` makes it."""
    try:
        yield
    except EvalmakeError as error:
        raise readable(map(told, error.diagnostics)) from None
