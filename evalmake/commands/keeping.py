"""Commands that look after what builds leave: accept, clean, verify_store, gc, replies."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from evalmake import fastpath
from evalmake.commands.request import locate
from evalmake.language.diagnostic import Diagnostics, make_error
from evalmake.project.command_words import Words
from evalmake.terminal import declarations
from evalmake.workspace import Workspace


def accept_command(file: Path | None, directory: Path | None, target: str, because: str) -> int:
    """Record the old result under the new identity, with the differences and the reason."""
    workspace = Workspace.open(locate(file))
    graph = workspace.graph(Words.of([target], "accept").targets)
    with workspace.store() as store:
        plan = workspace.make_plan(graph, store)
        stale = [d for d in plan.decisions.values() if d.stale]
        if not stale:
            raise make_error("nothing-to-accept", f"{target} is up to date")
        olds = {d.name: declarations.previous(store, d.name) for d in stale}
        lost = [name for name, head in olds.items() if head is None]
        if lost:
            raise make_error("nothing-to-accept", f"{lost[0]} has no earlier result that could count")
        for decision in stale:
            old = olds[decision.name]
            assert old is not None
            store.accept_result(decision.name, decision.action, old, because)
            click.echo(
                f"{decision.name}: the result of {old.finished[:16].replace('T', ' ')} counts, because {because}"
            )
    fastpath.forget(str(workspace.root))
    return 0


def verify_command(file: Path | None, directory: Path | None) -> int:
    """Re-hash everything; status 2 when something does not match."""
    from evalmake.gateway.reply_cache import maintenance
    from evalmake.store.garbage_collection import verify_store
    from evalmake.store.lock import build_lock

    workspace = Workspace.open(locate(file))
    with (
        build_lock(workspace.store_folder, lambda who: click.echo(f"waiting for {who}", err=True)),
        workspace.store() as store,
    ):
        count, wrong = verify_store(store)
        store.mark_changed()
    if damage := maintenance.check_integrity(workspace.replies_folder):
        wrong.append(f"the reply cache, which evaluations go on without: {damage}")
    for line in wrong:
        click.echo(line)
    click.echo(f"{count} entries verified" + (f", {len(wrong)} do not match" if wrong else ", all match"))
    return 2 if wrong else 0


def clean_command(file: Path | None, directory: Path | None) -> int:
    """End and remove all that is left of jobs and servers; EvalmakeError with what is out of reach."""
    from evalmake.store.journal import Journal
    from evalmake.store.lock import build_lock

    workspace, found, removed = Workspace.open(locate(file)), Diagnostics(), 0
    journal = Journal(workspace.root / "journal")
    with build_lock(workspace.root, lambda who: click.echo(f"waiting for {who}", err=True)):
        names = {entry.id: entry.name for entry in journal.entries()}
        for name, executor in workspace.executors().items():
            try:
                swept = executor.sweep()
                executor.close()
            except OSError as error:
                found.error("executor-failed", str(error), workspace.project.executors[name].span)
                continue
            for id, what in swept:
                click.echo(f"removed {what}" + (f" of {names[id]}" if id in names else ""))
            removed += len(swept)
            for entry in [e for e in journal.entries() if e.executor == name]:
                shutil.rmtree(workspace.root / "work" / entry.id, ignore_errors=True)
                journal.remove(entry.id)
    found.check()
    click.echo("nothing was left" if not removed else f"{removed} removed")
    return 0


def gc_command(file: Path | None, directory: Path | None, dry_run: bool) -> int:
    """Free, or only name, what no record reaches."""
    from evalmake.store.garbage_collection import collect_garbage, find_garbage
    from evalmake.store.lock import build_lock

    workspace = Workspace.open(locate(file))
    with (
        build_lock(workspace.store_folder, lambda who: click.echo(f"waiting for {who}", err=True)),
        workspace.store() as store,
    ):
        found = find_garbage(store) if dry_run else collect_garbage(store)
        culled = _cull(workspace, dry_run)
    for item in found if dry_run else ():
        click.echo(f"{item.key}  {item.size} bytes")
    if culled:
        click.echo(culled)
    verb = "would be freed" if dry_run else "freed"
    click.echo(f"{len(found)} entries, {sum(item.size for item in found)} bytes {verb}")
    return 0


def _cull(workspace: Workspace, dry_run: bool) -> str:
    """Bring the reply cache down to its limit; what is to be said of that."""
    from evalmake.gateway.reply_cache import maintenance

    folder, limit = workspace.replies_folder, workspace.project.settings.replies
    held = maintenance.summarize_cache(folder)
    if held.trouble:
        return f"the reply cache cannot be read: {held.trouble}; `evalmake replies clear` removes it"
    if limit is None or not held.bytes:
        return ""
    if dry_run:
        size, verb = maintenance.count_excess_bytes(folder, held, limit.bytes), "would be freed"
    else:
        size, verb = maintenance.shrink_cache(folder, limit.bytes), "freed"
    return f"reply cache, limit {limit}: {size} bytes {verb}" if size else ""


def replies_command(
    file: Path | None,
    directory: Path | None,
    action: str | None,
    folder: Path | None,
    as_json: bool,
) -> int:
    """Tell of the reply cache (status 2 when it cannot be read), export it, or clear it."""
    from evalmake.gateway.reply_cache import maintenance
    from evalmake.terminal import reply_cache

    if (action == "export") != (folder is not None) or (action and as_json):
        raise click.UsageError("write `evalmake replies [--json]`, `replies export FOLDER` or `replies clear`")
    workspace = Workspace.open(locate(file))
    ours = workspace.replies_folder
    if folder is not None:
        added, count = maintenance.export_replies(ours, folder)
        click.echo(f"{folder}: {added} replies added, {count} in all")
        return 0
    if action == "clear":
        held = maintenance.clear_cache(ours)
        click.echo("removed what could not be read" if held.trouble else f"{held.replies} replies removed")
        return 0
    held = maintenance.summarize_cache(ours)
    read_only = {
        name: maintenance.summarize_cache(workspace.project.folder / name, in_use=False)
        for name in workspace.project.settings.seeds
    }
    told = reply_cache.as_json if as_json else reply_cache.as_text
    click.echo(told(ours, workspace.project.settings.replies, held, read_only))
    return 2 if held.trouble else 0
