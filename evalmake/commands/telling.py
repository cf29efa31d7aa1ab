"""Commands that only tell: list, show, why, graph, explain, logs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evalmake.commands.request import locate
from evalmake.planner.graph import Node
from evalmake.plugin_api.executor import Executor
from evalmake.project.command_words import Words
from evalmake.store.journal import Journal
from evalmake.terminal import declarations, explanation_pages, graph_drawing
from evalmake.workspace import Workspace


def list_command(file: Path | None, directory: Path | None, as_json: bool) -> int:
    """The targets with their comments."""
    workspace = Workspace.open(locate(file))
    click.echo(declarations.targets(workspace, as_json))
    return 0


def show_command(
    file: Path | None, directory: Path | None, target: str, overrides: Sequence[str], as_json: bool
) -> int:
    """A declaration or a cell, each value with its origin."""
    words = Words.of([target, *overrides], "show")
    if len(words.targets) != 1:
        raise click.UsageError("`show` takes one target, and NAME=VALUE words")
    workspace = Workspace.open(locate(file), words.overrides)
    click.echo(declarations.show_target(workspace, words.targets[0].text, as_json))
    return 0


def why_command(file: Path | None, directory: Path | None, words: Sequence[str]) -> int:
    """Every reason, with before and after; or when the result was made."""
    asked = Words.of(words, "why")
    workspace = Workspace.open(locate(file), asked.overrides)
    graph = workspace.graph(asked.targets)
    with workspace.store() as store:
        plan = workspace.make_plan(graph, store)
        texts = [declarations.why(workspace, plan.decision(name), store) for name in graph.nodes]
        texts += [
            declarations.why_report(told, str(graph.reports[name].declared.block.path))
            for name, told in plan.reports.items()
        ]
    click.echo("\n".join(texts))
    return 0


def graph_command(file: Path | None, directory: Path | None, words: Sequence[str], kind: str) -> int:
    """Graphviz dot or Mermaid."""
    asked = Words.of(words, "graph")
    workspace = Workspace.open(locate(file), asked.overrides)
    click.echo(graph_drawing.draw(workspace.graph(asked.targets), kind))
    return 0


def explain_command(file: Path | None, directory: Path | None, code: str) -> int:
    """The page of a diagnostic code."""
    click.echo(explanation_pages.page(code), nl=False)
    return 0


def logs_command(file: Path | None, directory: Path | None, target: str, follow: bool) -> int:
    """The log of a target: of the job that runs, else of its last attempt."""
    workspace = Workspace.open(locate(file))
    executors = workspace.executors()
    try:
        path, _ = _running_log(workspace, executors, target)
        if path is not None:
            _follow(workspace, executors, target, path, follow)
            return 0
    finally:
        for executor in executors.values():
            executor.close()
    servers = _servers_of(workspace, target)
    for name in servers:
        kept = workspace.root / "logs" / f"{name}.log"
        if len(servers) > 1:
            click.echo(f"==> {name}")
        click.echo(
            kept.read_text(errors="replace") if kept.exists() else f"{name} has no log",
            nl=not kept.exists(),
        )
    if servers:
        return 0
    graph = workspace.graph(Words.of([target], "logs").targets)
    with workspace.store() as store:
        for node in graph.nodes.values():
            _stored_log(store, node, len(graph.nodes) > 1)
    return 0


def _servers_of(workspace: Workspace, target: str) -> list[str]:
    """The servers that `target` names: all of a deployment, or one replica."""
    from evalmake.servers.spec import replicas

    for name, deployment in workspace.project.deployments.items():
        executor = workspace.project.executors[deployment.block.executor]
        capabilities = workspace.plugins.get("executors", executor.plugin).capabilities
        servers = list(replicas(deployment, capabilities))
        if target in (name, *servers):
            return servers if target == name else [target]
    return []


def _running_log(workspace: Workspace, executors: Mapping[str, Executor], target: str) -> tuple[Path | None, bool]:
    """Where it is, once its executor was asked, as some bring it then; and whether more may come."""
    for entry in Journal(workspace.root / "journal").entries():
        path = Path(entry.workdir) / "log"
        if entry.name == target and (executor := executors.get(entry.executor)) is not None:
            over = executor.poll(entry.id).is_over
            return (path if path.exists() else None), not over
    return None, False


def _follow(workspace: Workspace, executors: Mapping[str, Executor], target: str, path: Path, follow: bool) -> None:
    """Print what is there, and what comes; the file may be replaced by a longer one."""
    from evalmake.run.secrets import Secrets

    secrets = Secrets()
    secrets.resolve(
        {name: name for name in declarations.secret_names(workspace.project) if not secrets.missing_names([name])}
    )
    stream, running = path.open("rb"), True
    try:
        while running:
            running = follow and _running_log(workspace, executors, target) == (path, True)
            for line in stream:
                click.echo(secrets.redact(line), nl=False)
            with contextlib.suppress(OSError):
                if not os.path.samestat(path.stat(), os.fstat(stream.fileno())):
                    read = stream.tell()
                    stream.close()
                    stream = path.open("rb")
                    stream.seek(read)
            if running:
                time.sleep(0.2)
    finally:
        stream.close()


def _stored_log(store: Any, node: Node, several: bool) -> None:
    last = None
    for attempt in store.attempts(node.action.digest):
        last = attempt
    if last is None:
        previous = declarations.previous(store, node.name)
        last = store.attempt(previous.action, previous.attempts) if previous else None
    if several:
        click.echo(f"==> {node.name}")
    if last is None:
        click.echo(f"{node.name} has not run")
        return
    data = store.blob(last.log) if last.log else b""
    click.echo((data or b"").decode(errors="replace"), nl=False)
    click.echo(
        f"-- attempt {last.attempt}, {last.status} {last.finished[:19].replace('T', ' ')} {last.detail}".rstrip()
    )
