"""`evalmake reproduce`: measure the numbers of evidence again, or score its recorded replies again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.command_line.options import PATH, declare
from evalmake.language.diagnostic import make_error


@declare("reproduce")
@click.argument("evidence", type=PATH)
@click.argument("overrides", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--key", "keys", multiple=True, type=PATH, metavar="PUB", help="A public key that must have signed.")
@click.option("--replay", is_flag=True, help="Score the recorded replies again, offline.")
@click.option("--ask", is_flag=True, help="Run everything again, and compare the scores.")
@click.option("--into", type=PATH, metavar="FOLDER", help="The empty folder to write the project to (default: here).")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def command(
    file: Path | None,
    evidence: Path,
    overrides: Sequence[str],
    keys: Sequence[Path],
    replay: bool,
    ask: bool,
    into: Path | None,
    as_json: bool,
) -> int:
    """Verify EVIDENCE, write its sources as a project into an empty folder, and say what that lacks to run here.

    With `--replay`, score the recorded replies again, for which no project is written unless `--into` says so. With
    `--ask`, run the project, and compare the scores with those on record.
    """
    from evalmake.evidence_checks.folder import BadEvidence
    from evalmake.evidence_checks.reproduction import reproduce
    from evalmake.run.descriptors import raise_descriptor_limit
    from evalmake.signatures.keys import read_public_key
    from evalmake.standard_streams import print_result
    from evalmake.terminal.colour_and_tty import print_diagnostics
    from evalmake.terminal.outcome import collect_problems
    from evalmake.terminal.progress import open_view
    from evalmake.terminal.reproduction import render_reproduction, reproduction_to_json
    from evalmake.terminal.safe_text import clean

    if file is not None:
        raise click.UsageError("`reproduce` takes the Evalfile of the evidence, so `-f` has no use")
    if replay and ask:
        raise click.UsageError("`--replay` sends nothing and `--ask` asks the models: choose one")
    if wrong := [word for word in overrides if "=" not in word]:
        raise click.UsageError(f"`{wrong[0]}` is no NAME=VALUE")
    public = [read_public_key(key) for key in keys]
    raise_descriptor_limit()
    view = open_view(as_json or not ask, False)
    place = into or (None if replay else Path())
    try:
        found = reproduce(evidence, public, place, overrides, ask, replay, view)
    except BadEvidence as error:
        raise make_error("bad-evidence", f"{evidence}: {error}") from None
    except OSError as error:
        raise make_error("bad-evidence", f"cannot read {evidence}: {error.strerror or error}") from None
    finally:
        view.close()
    if found.second is not None and (problems := collect_problems(found.second.outcome)):
        print_diagnostics(problems, ())
    text = json.dumps(reproduction_to_json(found), indent=2) if as_json else clean(render_reproduction(found))
    print_result(text + "\n")
    return found.status
