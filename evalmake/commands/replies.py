"""`evalmake replies`: show, export or clear the reply cache."""

from __future__ import annotations

from pathlib import Path

import click

from evalmake.command_line.evalfile import open_workspace
from evalmake.command_line.options import PATH, declare, json_option
from evalmake.workspace import Workspace


@declare("replies")
@click.argument("action", type=click.Choice(["export", "clear"]), required=False)
@click.argument("folder", type=PATH, required=False)
@json_option
def command(file: Path | None, action: str | None, folder: Path | None, as_json: bool) -> int:
    """Show what the reply cache holds (status 2 when it cannot be read), export it, or clear it."""
    from evalmake.gateway.reply_cache import maintenance

    if (action == "export") != (folder is not None) or (action and as_json):
        raise click.UsageError("write `evalmake replies [--json]`, `replies export FOLDER` or `replies clear`")
    workspace = open_workspace(file)
    if folder is not None:
        added, count = maintenance.export_replies(workspace.reply_cache_folder, folder)
        click.echo(f"{folder}: {added} replies added, {count} in all")
        return 0
    if action == "clear":
        holding = maintenance.clear_cache(workspace.reply_cache_folder)
        click.echo("removed an unreadable reply cache" if holding.trouble else f"{holding.replies} replies removed")
        return 0
    return _show(workspace, as_json)


def _show(workspace: Workspace, as_json: bool) -> int:
    from evalmake.gateway.reply_cache import maintenance
    from evalmake.terminal import reply_cache

    settings = workspace.project.settings
    holding = maintenance.summarize_cache(workspace.reply_cache_folder)
    read_only = {
        name: maintenance.summarize_cache(workspace.project.folder / name, in_use=False) for name in settings.seeds
    }
    render = reply_cache.to_json if as_json else reply_cache.to_text
    click.echo(render(workspace.reply_cache_folder, settings.replies, holding, read_only))
    return 2 if holding.trouble else 0
