"""`evalmake audit`: the story of a number, for a person who must answer for it, or who trusts nobody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import declare, words_argument
from evalmake.language.diagnostic import make_error

if TYPE_CHECKING:
    from evalmake.audit.story import Audit


@declare("audit")
@words_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    help="`markdown` and `json` have the whole story of each evaluation, `text` that of one.",
)
def command(file: Path | None, words: Sequence[str], form: str) -> int:
    """Print what was asked, who answered, how it was run, what was tried, and how to find it again.

    Of a folder of evidence, print what it tells of all its evaluations, or of those that the other words name: no
    store and no Evalfile is needed. `evalmake verify` says whether it can be believed.
    """
    from evalmake.terminal import audit
    from evalmake.terminal.colour_and_tty import terminal_columns
    from evalmake.terminal.safe_text import clean

    if not words:
        raise click.UsageError("`audit` takes targets, or a folder of evidence")
    found = _audit_evidence(Path(words[0]), words[1:]) if _is_evidence(words[0]) else _audit_targets(file, words)
    if not found.groups:
        click.echo("these targets stand for no evaluation")
    elif form == "json":
        click.echo(audit.to_json(found))
    else:
        text = audit.to_markdown(found) if form == "markdown" else audit.to_text(found, terminal_columns())
        click.echo(clean(text), nl=False)
    return 0


def _is_evidence(word: str) -> bool:
    from evalmake.evidence_checks.evidence_import import is_evidence

    return is_evidence(Path(word))


def _audit_targets(file: Path | None, words: Sequence[str]) -> Audit:
    """The stories of targets, from the store."""
    from evalmake.audit.collection import collect_audit
    from evalmake.project.command_words import Words
    from evalmake.workspace import Workspace

    parsed = Words.of(words, "audit")
    if not parsed.targets:
        raise click.UsageError("`audit` takes targets")
    workspace = Workspace.open(locate_evalfile(file), parsed.overrides)
    graph = workspace.graph(parsed.targets)
    with workspace.read_store() as store:
        return collect_audit(workspace, graph, store, " ".join(word.text for word in parsed.targets))


def _audit_evidence(path: Path, words: Sequence[str]) -> Audit:
    """The stories that evidence tells."""
    from evalmake.audit.collection import collect_audit
    from evalmake.evidence_checks.rebuilt_store import open_evidence
    from evalmake.project.command_words import Words

    targets = Words.of(words, "audit").targets
    title = " ".join([str(path), *(word.text for word in targets)])
    try:
        with (
            TemporaryDirectory(prefix="evalmake-audit-") as scratch,
            open_evidence(path.absolute(), Path(scratch)) as (workspace, graph, store),
        ):
            return collect_audit(workspace, workspace.graph(targets) if targets else graph, store, title)
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # of which BadEvidence is one
        help_ = [f"`evalmake verify {path}` says what is wrong with it"]
        raise make_error("bad-evidence", f"{path} cannot be told: {error}", help=help_) from None
