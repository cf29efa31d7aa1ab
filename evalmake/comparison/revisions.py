"""The Evalfile of a git revision, planned, with the results that the store has of its evaluations."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from evalmake.comparison.cells import Side
from evalmake.language.diagnostic import Diagnostic, EvalmakeError, closest_name, make_error
from evalmake.language.source import COMMAND_LINE, Source, Span
from evalmake.project.command_words import Word
from evalmake.provenance.revision import Revision, RevisionError, extract_revision, list_revisions
from evalmake.workspace import Workspace

_SHORT = 12


def side_of_revision(
    workspace: Workspace,
    name: str,
    span: Span,
    overrides: Sequence[Word],
    find: Callable[[Workspace], Side],
) -> Side:
    """What `find` finds in the Evalfile as it was at a revision; its results are those of the store of today."""
    with _extract(workspace.project.path, name, span) as (revision, evalfile), _as_of(name, revision.folder):
        then = Workspace.open(evalfile, overrides)
        then.store_folder = workspace.store_folder
        side = find(then)
    return replace(
        side,
        name=span.text,
        notes=(f"commit {revision.commit[:_SHORT]}", *side.notes),
        advice=f"check out {name}, and run it there; or compare with a baseline",
    )


@contextmanager
def _extract(path: Path, name: str, span: Span) -> Iterator[tuple[Revision, Path]]:
    """The files of a revision in a folder that is there meanwhile, and the path of the Evalfile in it."""
    evalfile = Path(os.path.realpath(path.absolute().parent)) / path.name
    with tempfile.TemporaryDirectory(prefix="evalmake-revision-") as scratch:
        folder = Path(os.path.realpath(scratch))
        try:
            revision = extract_revision(evalfile.parent, name, folder)
        except RevisionError as error:
            raise _explain(error, name, evalfile.parent, span) from None
        there = evalfile.relative_to(revision.root)
        is_tracked = Path(os.path.realpath(folder / there)).is_relative_to(folder)
        if not (folder / there).is_file() or not is_tracked:
            message = f"`{name}` has no file `{there}`"
            raise make_error("bad-revision", message, span, help=["name a revision that has this Evalfile"])
        yield revision, folder / there


def _explain(error: RevisionError, name: str, inside: Path, span: Span) -> EvalmakeError:
    known = list_revisions(inside)
    meant = closest_name(name, known)
    help = [f"did you mean `{meant}:`?"] if meant else []
    help += [f"there are {', '.join(known[:10])}"] if known and not meant else []
    return make_error("bad-revision", str(error), span, help=help)


@contextmanager
def _as_of(name: str, folder: Path) -> Iterator[None]:
    """Let errors name files as `main:Evalfile`, not by the folder that they were written to."""
    try:
        yield
    except EvalmakeError as error:
        sources: dict[Source, Source] = {}
        raise EvalmakeError([_rename(one, name, folder, sources) for one in error.diagnostics]) from None


def _rename(found: Diagnostic, name: str, folder: Path, sources: dict[Source, Source]) -> Diagnostic:
    def rename(text: str) -> str:
        here = os.path.relpath(folder)
        return text.replace(f"{folder}/", f"{name}:").replace(f"{here}/", f"{name}:")

    labels = []
    for label in found.labels:
        source = label.span.source
        if source.name != COMMAND_LINE:
            source = sources.setdefault(source, Source(rename(source.name), source.text))
        labels.append(replace(label, span=replace(label.span, source=source)))
    notes, help = (tuple(map(rename, texts)) for texts in (found.notes, found.help))
    if not any(label.span.source.name.startswith(f"{name}:") for label in labels):
        notes = (*notes, f"this is about the Evalfile at {name}")
    return replace(found, message=rename(found.message), labels=tuple(labels), notes=notes, help=help)
