"""`evalmake disclose`: show one sample of evidence with its texts, so that anybody can prove it by the signed root."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalmake.command_line.evalfile import open_workspace
from evalmake.command_line.options import PATH, declare
from evalmake.language.diagnostic import EvalmakeError, make_error

if TYPE_CHECKING:
    from evalmake.store.store import Store


@declare("disclose")
@click.argument("evidence", type=PATH)
@click.argument("sample", metavar="SAMPLE_ID")
@click.option("--of", "evaluation", default="", metavar="TARGET", help="The evaluation, where several have the sample.")
@click.option("-o", "--output", type=PATH, metavar="FILE", help="The file to write (default: print it).")
def command(file: Path | None, evidence: Path, sample: str, evaluation: str, output: Path | None) -> int:
    """Write one sample with its proof. `evalmake verify FILE --key PUB` checks it, without the other samples.

    Where the evidence leaves texts out, they come from the store of the Evalfile: only who has measured can show them.
    """
    from evalmake.evidence_checks.disclosed_samples import disclose_samples
    from evalmake.evidence_checks.folder import BadEvidence
    from evalmake.language.atomic_write import write_atomic

    def open_store() -> AbstractContextManager[Store]:
        try:
            return open_workspace(file).read_store()
        except EvalmakeError as error:
            why = error.diagnostics[0].message
            raise BadEvidence(
                f"it is without texts, and those are in the store that it was written from: {why}"
            ) from None

    try:
        found = disclose_samples(evidence, sample, evaluation, open_store)
    except BadEvidence as error:
        raise make_error("bad-evidence", f"{evidence}: {error}") from None
    except OSError as error:
        raise make_error("bad-evidence", f"cannot read {evidence}: {error.strerror}") from None
    if len(found) > 1:
        help_ = [f"name one: `--of TARGET`; `evalmake audit {evidence}` lists the evaluations"]
        raise make_error("bad-evidence", f"{len(found)} samples have the id `{sample}`", help=help_)
    text = json.dumps(found[0].to_json(), indent=1) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return 0
    try:
        write_atomic(output, text.encode())
    except OSError as error:
        raise make_error("report-failed", f"{output} cannot be written: {error.strerror}") from None
    return 0
