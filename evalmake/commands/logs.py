"""`evalmake logs`: the log of an evaluation (running, or its last attempt) or of a model server."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from evalmake.commands.completion import complete_logs
from evalmake.commands.declaration import declare
from evalmake.commands.evalfile import open_executors, open_workspace
from evalmake.planner.graph import Node
from evalmake.plugin_api.executor import Executor
from evalmake.project.command_words import Words
from evalmake.store.journal import Journal
from evalmake.store.store import Store
from evalmake.terminal.safe_text import clean, clean_log
from evalmake.workspace import Workspace

_CHUNK, _LONGEST_LINE = 2**20, 2**16  # bytes
_POLL = 0.2  # seconds between two looks at a log that grows


@declare("logs")
@click.argument("target", shell_complete=complete_logs)
@click.option("-F", "--follow", is_flag=True, help="Follow the log while the job runs.")
@click.option("--raw", is_flag=True, help="Print the bytes of the log, also those that control a terminal or a CI.")
def command(file: Path | None, target: str, follow: bool, raw: bool) -> int:
    """Print the log of the job that runs now, else of the server, else of the last attempt."""
    workspace = open_workspace(file)
    printer = LogPrinter(raw)
    with open_executors(workspace) as executors:
        path, _ = _find_running_log(workspace, executors, target)
        if path is not None:
            _print_running_log(workspace, executors, target, path, follow, printer)
            return 0
    servers = _find_servers(workspace, target)
    if servers:
        _print_server_logs(workspace, servers, printer)
        return 0
    graph = workspace.graph(Words.of([target], "logs").targets)
    with workspace.read_store() as store:
        for node in graph.nodes.values():
            _print_stored_log(store, node, printer, with_title=len(graph.nodes) > 1)
    return 0


class LogPrinter:
    """Prints a log in whole lines: half a line could hide half a secret, or half a command of a CI."""

    def __init__(self, raw: bool) -> None:
        self._raw = raw
        self._rest = b""

    def feed(self, data: bytes, redact: Callable[[bytes], bytes] = bytes) -> None:
        """Print the whole lines so far."""
        whole, end, self._rest = (self._rest + data).rpartition(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            whole, end, self._rest = whole + end + self._rest, b"", b""
        self._print(redact(whole + end))

    def finish(self, redact: Callable[[bytes], bytes] = bytes) -> None:
        """Print the rest."""
        rest, self._rest = self._rest, b""
        self._print(redact(rest))

    def _print(self, data: bytes) -> None:
        if data:
            click.echo(data if self._raw else clean_log(data), nl=False)


def _find_servers(workspace: Workspace, target: str) -> list[str]:
    """The servers that `target` names: all of a deployment, or one replica."""
    from evalmake.servers.spec import replicas

    for name, deployment in workspace.project.deployments.items():
        executor = workspace.project.executors[deployment.block.executor]
        capabilities = workspace.plugins.get("executors", executor.plugin).capabilities
        servers = list(replicas(deployment, capabilities))
        if target in (name, *servers):
            return servers if target == name else [target]
    return []


def _print_server_logs(workspace: Workspace, servers: list[str], printer: LogPrinter) -> None:
    for name in servers:
        path = workspace.root / "logs" / f"{name}.log"
        if len(servers) > 1:
            click.echo(f"==> {name}")
        if path.exists():
            with path.open("rb") as log:
                while data := log.read(_CHUNK):
                    printer.feed(data)
            printer.finish()
        else:
            click.echo(f"{name} has no log")


def _find_running_log(workspace: Workspace, executors: Mapping[str, Executor], target: str) -> tuple[Path | None, bool]:
    """The log file of the target's job, and whether more may come. Some executors fetch the log when polled."""
    for entry in Journal(workspace.root / "journal").entries():
        path = Path(entry.workdir) / "log"
        if entry.name == target and (executor := executors.get(entry.executor)) is not None:
            ended = executor.poll(entry.id).is_over
            return (path if path.exists() else None), not ended
    return None, False


def _print_running_log(
    workspace: Workspace,
    executors: Mapping[str, Executor],
    target: str,
    path: Path,
    follow: bool,
    printer: LogPrinter,
) -> None:
    """Print what the file holds and, with `follow`, what comes until the job has ended."""
    from evalmake.run.server_log import read_written

    redact = _redactor(workspace)
    stream, running = path.open("rb"), True
    try:
        while running:
            running = follow and _find_running_log(workspace, executors, target) == (path, True)
            for data in read_written(stream, _CHUNK):
                printer.feed(data, redact)
            with contextlib.suppress(OSError):
                # A remote executor replaces the file by a longer one: go on at the same place of the new one.
                if not os.path.samestat(path.stat(), os.fstat(stream.fileno())):
                    position = stream.tell()
                    stream.close()
                    stream = path.open("rb")
                    stream.seek(position)
            if running:
                time.sleep(_POLL)
        printer.finish(redact)
    finally:
        stream.close()


def _redactor(workspace: Workspace) -> Callable[[bytes], bytes]:
    """Return a function that redacts the project's secrets in a line."""
    from evalmake.run.secrets import Secrets
    from evalmake.terminal.declarations import secret_names

    secrets = Secrets()
    secrets.resolve({name: name for name in secret_names(workspace.project) if not secrets.missing_names([name])})
    return secrets.redact


def _print_stored_log(store: Store, node: Node, printer: LogPrinter, with_title: bool) -> None:
    """Print the log of the last attempt, of this identity or else of an earlier one."""
    from evalmake.terminal.staleness import find_attempt_to_show

    attempt = find_attempt_to_show(store, node)
    if with_title:
        click.echo(f"==> {node.name}")
    if attempt is None:
        click.echo(f"{node.name} has not run")
        return
    data = store.output(attempt, "log") or b""
    ended = not data or data.endswith(b"\n")
    printer.feed(data if ended else data + b"\n")
    printer.finish()
    moment = attempt.finished[:19].replace("T", " ")
    click.echo(clean(f"-- attempt {attempt.attempt}, {attempt.status} {moment} {attempt.detail}".rstrip()))
