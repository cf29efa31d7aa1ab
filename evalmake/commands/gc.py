"""`evalmake gc`: delete stored data that no result refers to, and shrink the reply cache to its limit."""

from __future__ import annotations

from pathlib import Path

import click

from evalmake.command_line.evalfile import exclusive, open_workspace
from evalmake.command_line.options import declare
from evalmake.workspace import Workspace


@declare("gc")
@click.option("-n", "--dry-run", is_flag=True, help="Only list what would be deleted.")
def command(file: Path | None, dry_run: bool) -> int:
    """Delete, or only list, what no record refers to."""
    from evalmake.store.garbage_collection import collect_garbage, find_garbage

    workspace = open_workspace(file)
    with exclusive(workspace.store_folder), workspace.store() as store:
        if not dry_run:
            store.database.check_writable()
        items = find_garbage(store) if dry_run else collect_garbage(store)
        reply_line = _shrink_reply_cache(workspace, dry_run)
    for item in items if dry_run else ():
        click.echo(f"{item.key}  {item.size} bytes")
    if reply_line:
        click.echo(reply_line)
    verb = "would be freed" if dry_run else "freed"
    click.echo(f"{len(items)} entries, {sum(item.size for item in items)} bytes {verb}")
    return 0


def _shrink_reply_cache(workspace: Workspace, dry_run: bool) -> str:
    """Bring the reply cache down to its limit; the line that says so, empty if there is nothing to say."""
    from evalmake.gateway.reply_cache import maintenance

    folder, limit = workspace.reply_cache_folder, workspace.project.settings.replies
    holding = maintenance.summarize_cache(folder)
    if holding.trouble:
        return f"the reply cache cannot be read: {holding.trouble}; {holding.help}"
    if limit is None or not holding.bytes:
        return ""
    if dry_run:
        size, verb = maintenance.count_excess_bytes(folder, holding, limit.bytes), "would be freed"
    else:
        size, verb = maintenance.shrink_cache(folder, limit.bytes), "freed"
    return f"reply cache, limit {limit}: {size} bytes {verb}" if size else ""
