"""`evalmake logs`: logs of evaluations (running, or of their last attempt) and of model servers."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from evalmake.command_line.completion import complete_logs
from evalmake.command_line.evalfile import open_executors
from evalmake.command_line.job_selection import JobSelection, select_jobs
from evalmake.command_line.options import declare
from evalmake.planner.action import ActionResult
from evalmake.planner.graph import Node
from evalmake.plugin_api.executor import Executor
from evalmake.store.journal import Journal, JournalEntry
from evalmake.terminal.safe_text import clean, clean_log
from evalmake.workspace import Workspace

_CHUNK, _LONGEST_LINE = 2**20, 2**16  # bytes
_POLL = 0.2  # seconds between two looks at logs that grow


@declare("logs")
@click.argument("words", nargs=-1, required=True, metavar="(TARGET | SERVER | JOB)...", shell_complete=complete_logs)
@click.option("-F", "--follow", is_flag=True, help="Follow the logs while the jobs run.")
@click.option("--raw", is_flag=True, help="Print the bytes of the logs, also those that control a terminal or a CI.")
def command(file: Path | None, words: Sequence[str], follow: bool, raw: bool) -> int:
    """Print the log of the job that runs now, else of the server, else of the last attempt.

    Of several logs, each line begins with the name that it is of.
    """
    with contextlib.ExitStack() as stack:
        logs = [
            log
            for chosen in select_jobs(file, words, "logs")
            for log in _find_logs(chosen, stack.enter_context(open_executors(chosen.workspace)))
        ]
        width = max((len(log.name) for log in logs), default=0)
        for log in logs:
            log.printer = LogPrinter(raw, f"{log.name:<{width}} | " if len(logs) > 1 else "")
        growing = [log for log in logs if log.read(follow)]
        while growing:
            time.sleep(_POLL)
            growing = [log for log in growing if log.read(follow)]
    return 0


class LogPrinter:
    """Prints a log in whole lines: half a line could hide half a secret, or half a command of a CI."""

    def __init__(self, raw: bool, prefix: str = "") -> None:
        self._raw = raw
        self._prefix = prefix
        self._rest = b""

    def feed(self, data: bytes, redact: Callable[[bytes], bytes] = bytes) -> None:
        """Print the whole lines so far."""
        whole, end, self._rest = (self._rest + data).rpartition(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            whole, end, self._rest = whole + end + self._rest, b"", b""
        self._print(redact(whole + end))

    def finish(self, redact: Callable[[bytes], bytes] = bytes) -> None:
        """Print the rest; behind a prefix, as a line of its own."""
        rest, self._rest = self._rest, b""
        self._print(redact(rest + b"\n" * bool(rest and self._prefix)))

    def say(self, line: str) -> None:
        """Print a line about the log."""
        click.echo(clean(self._prefix + line))

    def _print(self, data: bytes) -> None:
        if not data:
            return
        text: bytes | str = data if self._raw else clean_log(data)
        if self._prefix and isinstance(text, bytes):
            text = b"".join(self._prefix.encode() + line for line in text.splitlines(keepends=True))
        elif self._prefix and isinstance(text, str):
            text = "".join(self._prefix + line + "\n" for line in text.removesuffix("\n").split("\n"))
        click.echo(text, nl=False)


@dataclass(slots=True)
class RunningLog:
    """The log of a job in the journal, which may grow."""

    name: str
    entry: JournalEntry
    executor: Executor
    journal: Journal
    redact: Callable[[bytes], bytes]
    printer: LogPrinter
    stream: BinaryIO | None = None

    def read(self, follow: bool) -> bool:
        """Print what is new; whether more may come. Some executors fetch the log when they are polled."""
        from evalmake.run.server_log import read_written

        ended = self.executor.poll(self.entry.id).is_over
        running = follow and not ended and (self.journal.folder / f"{self.entry.id}.json").exists()
        self._open()
        if self.stream is not None:
            for data in read_written(self.stream, _CHUNK):
                self.printer.feed(data, self.redact)
        if not running:
            self.printer.finish(self.redact)
            if self.stream is not None:
                self.stream.close()
        return running

    def _open(self) -> None:
        """Open the log. A remote executor replaces it by a longer one: go on at the same place of the new one."""
        path, position = self.log_path, 0
        with contextlib.suppress(OSError):
            if self.stream is not None:
                if os.path.samestat(path.stat(), os.fstat(self.stream.fileno())):
                    return
                position = self.stream.tell()
            stream = path.open("rb")
            stream.seek(position)
            if self.stream is not None:
                self.stream.close()
            self.stream = stream

    @property
    def log_path(self) -> Path:
        """The file of the log."""
        return Path(self.entry.workdir) / "log"


@dataclass(slots=True)
class ServerLog:
    """The log of a server that runs or has ended."""

    name: str
    path: Path
    printer: LogPrinter

    def read(self, follow: bool) -> bool:
        """Print it; nothing more comes."""
        if not self.path.exists():
            self.printer.say(f"{self.name} has no log")
            return False
        with self.path.open("rb") as log:
            while data := log.read(_CHUNK):
                self.printer.feed(data)
        self.printer.finish()
        return False


@dataclass(slots=True)
class StoredLog:
    """The log of an attempt: the last of an evaluation, of this identity or else of an earlier one; or that named."""

    name: str
    node: Node | None
    workspace: Workspace
    printer: LogPrinter
    attempt: ActionResult | None = None

    def read(self, follow: bool) -> bool:
        """Print it, and how the attempt ended; nothing more comes."""
        from evalmake.terminal.staleness import find_attempt_to_show

        with self.workspace.read_store() as store:
            attempt = self.attempt or (find_attempt_to_show(store, self.node) if self.node else None)
            if attempt is None:
                self.printer.say(f"{self.name} has not run")
                return False
            data = store.output(attempt, "log") or b""
        ended = not data or data.endswith(b"\n")
        self.printer.feed(data if ended else data + b"\n")
        self.printer.finish()
        moment = attempt.finished[:19].replace("T", " ")
        self.printer.say(f"-- attempt {attempt.attempt}, {attempt.status} {moment} {attempt.detail}".rstrip())
        return False


Log = RunningLog | ServerLog | StoredLog


def _find_logs(chosen: JobSelection, executors: Mapping[str, Executor]) -> Iterator[Log]:
    """The logs that are chosen of a workspace."""
    workspace, printer = chosen.workspace, LogPrinter(raw=False)
    journal = Journal(workspace.root / "journal")
    running = {entry.name: entry for entry in journal.entries() if entry.executor in executors}
    redact = _redactor(workspace) if running else bytes

    def find_running(entry: JournalEntry) -> RunningLog:
        return RunningLog(entry.name, entry, executors[entry.executor], journal, redact, printer)

    yield from map(find_running, chosen.jobs)
    yield from (StoredLog(one.name, None, workspace, printer, one) for one in chosen.attempts)
    for target in chosen.targets:
        if (entry := running.get(target.text)) is not None and _has_log(entry, executors):
            yield find_running(entry)
        elif servers := _find_servers(workspace, target.text):
            yield from (ServerLog(name, workspace.root / "logs" / f"{name}.log", printer) for name in servers)
        else:
            for node in workspace.graph([target]).nodes.values():
                if (entry := running.get(node.name)) is not None and _has_log(entry, executors):
                    yield find_running(entry)
                else:
                    yield StoredLog(node.name, node, workspace, printer)


def _has_log(entry: JournalEntry, executors: Mapping[str, Executor]) -> bool:
    """Whether a job has a log by now. Some executors fetch it when they are polled."""
    executors[entry.executor].poll(entry.id)
    return (Path(entry.workdir) / "log").exists()


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


def _redactor(workspace: Workspace) -> Callable[[bytes], bytes]:
    """Return a function that redacts the project's secrets in a line."""
    from evalmake.run.secrets import Secrets
    from evalmake.terminal.declarations import secret_names

    secrets = Secrets()
    secrets.resolve({name: name for name in secret_names(workspace.project) if not secrets.missing_names([name])})
    return secrets.redact
