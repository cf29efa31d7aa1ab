"""Which Evalfile a command means, its workspace, and the locks that commands share with builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from evalmake.language.diagnostic import make_error
from evalmake.plugin_api.executor import Executor
from evalmake.workspace import Workspace, find_evalfile


def locate_evalfile(file: Path | None) -> Path:
    """Return the given Evalfile, or else the nearest one; print its path if it is in a folder above."""
    if file is not None:
        return file
    found = find_evalfile(Path.cwd())
    if found is None:
        raise make_error(
            "missing-file",
            "there is no `Evalfile` here or in a folder above",
            help=["name one with -f, or begin with `evalmake init`"],
        )
    if found.parent != Path.cwd():
        click.echo(f"using {found}", err=True)
        return found
    return Path("Evalfile")


def open_workspace(file: Path | None) -> Workspace:
    """The workspace of the Evalfile that a command line means."""
    return Workspace.open(locate_evalfile(file))


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a workspace or store, as a build does. Print which process it waits for."""
    from evalmake.store.lock import build_lock

    with build_lock(folder, lambda holder: click.echo(f"waiting for {holder}", err=True)):
        yield


@contextmanager
def open_executors(workspace: Workspace) -> Iterator[Mapping[str, Executor]]:
    """The executors of a workspace, closed at the end."""
    executors = workspace.executors()
    try:
        yield executors
    finally:
        for executor in executors.values():
            executor.close()
