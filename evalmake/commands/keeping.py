"""Commands that look after the store: accept, verify, gc."""

from __future__ import annotations

from pathlib import Path

import click

from evalmake import fastpath
from evalmake.commands.asked import locate
from evalmake.lang.diagnostic import fail
from evalmake.project.words import Words
from evalmake.ui import showing
from evalmake.workspace import Workspace


def accept_command(file: Path | None, directory: Path | None, target: str, because: str) -> int:
    """Record the old result under the new identity, with the differences and the reason."""
    workspace = Workspace.open(locate(file))
    graph = workspace.graph(Words.of([target], "accept").targets)
    with workspace.store() as store:
        plan = workspace.decide(graph, store)
        stale = [d for d in plan.decisions.values() if d.stale]
        if not stale:
            raise fail("nothing-to-accept", f"{target} is up to date")
        olds = {d.name: showing.previous(store, d.name) for d in stale}
        lost = [name for name, head in olds.items() if head is None]
        if lost:
            raise fail("nothing-to-accept", f"{lost[0]} has no earlier result that could count")
        for decision in stale:
            old = olds[decision.name]
            assert old is not None
            store.accept(decision.name, decision.action, old, because)
            click.echo(
                f"{decision.name}: the result of {old.finished[:16].replace('T', ' ')} counts, because {because}"
            )
    fastpath.forget(str(workspace.root))
    return 0


def verify_command(file: Path | None, directory: Path | None) -> int:
    """Re-hash everything; status 2 when something does not match."""
    from evalmake.store.collect import verify
    from evalmake.store.lock import building

    workspace = Workspace.open(locate(file))
    with (
        building(workspace.store_folder, lambda who: click.echo(f"waiting for {who}", err=True)),
        workspace.store() as store,
    ):
        count, wrong = verify(store)
        store.touch()
    for line in wrong:
        click.echo(line)
    click.echo(
        f"{count} entries verified" + (f", {len(wrong)} do not match" if wrong else ", all match")
    )
    return 2 if wrong else 0


def gc_command(file: Path | None, directory: Path | None, dry_run: bool) -> int:
    """Free, or only name, what no record reaches."""
    from evalmake.store.collect import collect, garbage
    from evalmake.store.lock import building

    workspace = Workspace.open(locate(file))
    with (
        building(workspace.store_folder, lambda who: click.echo(f"waiting for {who}", err=True)),
        workspace.store() as store,
    ):
        found = garbage(store) if dry_run else collect(store)
    for item in found if dry_run else ():
        click.echo(f"{item.key}  {item.size} bytes")
    verb = "would be freed" if dry_run else "freed"
    click.echo(f"{len(found)} entries, {sum(item.size for item in found)} bytes {verb}")
    return 0
