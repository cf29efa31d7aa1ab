"""Exceptions whose text says in full what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from evalmake.language.diagnostic import Diagnostic, EvalmakeError
from evalmake.terminal.diagnostics import render


def make_rendered_error(diagnostics: Iterable[Diagnostic]) -> EvalmakeError:
    """An error whose text is what the command line would print, and whose traceback ends where evalmake was called."""
    error = EvalmakeError(diagnostics)
    error.args = (render(error.diagnostics),)
    error.left_evalmake = True
    return error


@contextmanager
def rendered_errors(change: Callable[[Diagnostic], Diagnostic] = lambda d: d) -> Iterator[None]:
    """Give each EvalmakeError the command line's text; `change` may add to a diagnostic first."""
    try:
        yield
    except EvalmakeError as error:
        raise make_rendered_error(map(change, error.diagnostics)) from None
