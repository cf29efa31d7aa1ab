"""`evalmake import`: an Evalfile from another program's configuration or command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.command_line.evalfile import exclusive
from evalmake.command_line.options import PATH, declare
from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import make_error
from evalmake.migration.programs import PROGRAMS


@declare("import")
@click.argument("words", nargs=-1, required=True, metavar="CONFIG [KEY=VALUE]... | -- PROGRAM ARGUMENT...")
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="FILE|KEY=VALUE", help="Write this file; or an override."
)
@click.option("--wheels", is_flag=True, help="Of NeMo Evaluator: NVIDIA's wheels in place of its containers.")
@click.option("--replace", is_flag=True, help="Let -o replace a file that exists.")
@click.option("--key", "keys", multiple=True, type=PATH, metavar="PUB", help="A key that must have signed evidence.")
@click.option("--from", "program", type=click.Choice(PROGRAMS), help="Whose it is, if its content does not say.")
def command(
    file: Path | None,
    words: Sequence[str],
    outputs: Sequence[str],
    wheels: bool,
    replace: bool,
    keys: Sequence[Path],
    program: str | None,
) -> int:
    """Translate a configuration; what has no place goes to stderr, line by line, and to the end of the Evalfile.

    Of a folder of evidence or a crate, bring the results into the store; where there is no Evalfile, write its own.
    """
    from evalmake.evidence_checks.evidence_import import is_evidence
    from evalmake.migration.launcher_command import is_override
    from evalmake.migration.programs import translate

    words = [*words, *(word for word in outputs if is_override(word))]
    files = [word for word in outputs if not is_override(word)]
    if len(files) > 1:
        raise click.UsageError(f"`-o` names two files: {files[0]} and {files[1]}")
    output = Path(files[0]) if files else None
    if len(words) == 1 and program is None and is_evidence(Path(words[0])):
        return _import_evidence(file, Path(words[0]), keys)

    _check_free(output, replace)
    draft = translate(words, program, wheels)
    text = draft.write()
    data = {output.parent / name: content for name, content in draft.files.items()} if output else {}
    for path in data:
        _check_free(path, replace)
    for note in draft.sorted_notes():
        place = note.node.span.location if note.node and note.node.span else draft.origin
        click.echo(f"{place}: {note.path}: {note.why}", err=True)
    if output is None:
        click.echo(text, nl=False)
        for name in draft.files:
            click.echo(f"{draft.origin}: {name} belongs beside the Evalfile: `-o FILE` writes both", err=True)
        return 0
    for path, content in data.items():
        write_atomic(path, content.encode())
        click.echo(f"wrote {path}")
    write_atomic(output, text.encode())
    click.echo(f"wrote {output}; `evalmake -f {output} -n` shows what it would run")
    if any("backend = docker" in block.lines for block in draft.blocks) and not _has_docker():
        hint = "" if wheels else "; `--wheels` takes NVIDIA's wheels in place of its containers"
        click.echo(f"it needs Docker, and none runs here{hint}", err=True)
    return 0


def _has_docker() -> bool:
    """Whether an engine of Docker seems to be there."""
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    return not host.startswith("unix://") or Path(host.removeprefix("unix://")).exists()


def _check_free(path: Path | None, replace: bool) -> None:
    """Refuse to write over a file."""
    if path is not None and path.exists() and not replace:
        raise make_error("exists", f"`{path}` exists already", help=["`--replace` replaces it; nothing was written"])


def _import_evidence(file: Path | None, evidence: Path, keys: Sequence[Path]) -> int:
    from evalmake import fastpath
    from evalmake.evidence_checks.evidence_import import check_before_import, import_records, write_sources
    from evalmake.evidence_checks.folder import BadEvidence
    from evalmake.signatures.keys import read_public_key
    from evalmake.workspace import Workspace, find_evalfile

    evidence = evidence.absolute()
    try:
        check_before_import(evidence, [read_public_key(key) for key in keys])
        found = file or find_evalfile(Path.cwd())
        if found is None:
            found, ready = write_sources(evidence, Path.cwd())
            click.echo(f"wrote {found}")
            for note in ready.notes:
                click.echo(note, err=True)
            if ready.missing:
                first, *others = ready.missing
                raise make_error(
                    "missing-file",
                    first.what,
                    notes=[one.what for one in others],
                    help=[first.todo] if first.todo else [],
                )
        workspace = Workspace.open(found)
        with exclusive(workspace.store_folder), workspace.store() as store:
            done = import_records(evidence, store)
    except BadEvidence as error:
        raise make_error("bad-evidence", f"{evidence}: {error}") from None
    fastpath.forget(str(workspace.root))
    known = f", {done.known} were there" if done.known else ""
    click.echo(f"{done.added} evaluations imported{known}" + ("" if keys else "; nobody's signature was asked for"))
    for name in done.conflicts:
        click.echo(f"{name}: the store has other attempts of it, which stay", err=True)
    return 2 if done.conflicts else 0
