"""`evalmake watch`: build, and build again when an input has changed or a folder has become complete.

What is evaluated is in the store, so a watch has no state of its own: it can be killed and started again at any time.
Each build is a process of its own, as one that a user starts. Inputs are looked at once a second: file systems of
clusters, where trainings write, tell nobody of changes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import declare, parse_duration, words_argument
from evalmake.interrupts import exit_at_once
from evalmake.language.diagnostic import EvalmakeError
from evalmake.process_secrecy import forbid_inspection
from evalmake.project.command_words import Words
from evalmake.run.signals import Signals
from evalmake.terminal.colour_and_tty import print_diagnostics
from evalmake.terminal.diagnostics import render
from evalmake.workspace import Workspace

_PAUSE = 1.0  # seconds between two looks
_SHARE = 20  # a look takes at most this part of the time
_LONGEST_RESTLESSNESS = 10.0  # seconds for which inputs may go on changing before a build begins

Stamp = tuple[int, int, int, int] | None


@declare("watch")
@words_argument
@click.option("-j", "--jobs", type=click.IntRange(1), metavar="N", help="Run at most this many evaluations at a time.")
@click.option("--locked", is_flag=True, help="Fail if anything is used that the lock file does not pin.")
@click.option(
    "--settle",
    metavar="TIME",
    callback=parse_duration,
    help="Leave out folders of an axis until nothing has changed in them for this long: 30s.",
)
@click.pass_context
def command(ctx: click.Context, /, file: Path | None, words: Sequence[str], settle: float | None, **flags: Any) -> int:
    """Build until a signal comes; the status is 0, as there is no other end."""
    argv, owns_process = ctx.obj
    if owns_process:
        forbid_inspection()  # jobs of a build run beside this process
    evalfile = locate_evalfile(file)
    options = ["-k", "-f", str(evalfile), *(["--locked"] if flags["locked"] else [])]
    options += ["-j", str(flags["jobs"])] if flags["jobs"] else []
    options += ["--settle", f"{settle * 1000:.0f}ms"] if settle else []
    watch = Watch(evalfile, words, settle or 0.0, argv)
    builds = watch.run([sys.executable, "-P", "-m", "evalmake", "build", *options, *words])
    click.echo(f"watch ended after {builds} build{'s' * (builds != 1)}", err=True)
    return 0


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an Evalfile read, as it was: `key` differs if a build could have another outcome."""

    key: object
    stamps: dict[str, Stamp]
    settled_at: float | None  # when a folder that was left out will have been quiet for long enough


class Watch:
    """Runs a build each time that inputs have changed."""

    def __init__(self, evalfile: Path, words: Sequence[str], settle: float, argv: Sequence[str]) -> None:
        self._evalfile = evalfile
        self._words = Words.of(words, "watch")
        self._settle = settle
        self._argv = argv
        self._child: subprocess.Popen[bytes] | None = None
        self._signals = Signals(self._interrupt_build)
        self._told = ""

    def run(self, build: Sequence[str]) -> int:
        """Build until a signal comes; how often."""
        built: object = None
        count = 0
        with self._signals:
            while not self._signals.count:
                inputs = self._read_inputs()
                if inputs is not None and inputs.key != built:
                    self._build(build)
                    built, count = inputs.key, count + 1
                    if not self._signals.count:
                        click.echo(f"watching {len(inputs.stamps)} files and folders; Ctrl-C ends it", err=True)
                self._wait_for_change(inputs)
        return count

    def _read_inputs(self) -> Inputs | None:
        """Load the Evalfile; None if it has errors, which are printed once."""
        try:
            workspace = Workspace.open(self._evalfile, self._words.overrides, settle=self._settle)
            graph = workspace.graph(self._words.targets)
        except EvalmakeError as error:
            if (text := render(error.diagnostics)) != self._told:
                print_diagnostics(error.diagnostics, self._argv)
                click.echo("waiting for a change", err=True)
            self._told = text
            return None
        self._told = ""
        cells = tuple((node.name, node.action.digest) for node in graph.nodes.values())
        texts = tuple(file.source.text for file in workspace.project.files.files)
        left = workspace.project.external.next_settled
        stamps = {path: _read_stamp(path) for path in workspace.input_paths()}
        return Inputs((cells, texts), stamps, time.time() + left if left is not None else None)

    def _build(self, argv: Sequence[str]) -> None:
        """Run a build to its end. It is in a group of its own, so that a signal of the terminal reaches it once."""
        self._child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, process_group=0)
        ended = os.pidfd_open(self._child.pid)
        interrupted = False
        try:
            while self._child.poll() is None:
                self._signals.wait([ended], 3600)
                if self._signals.count and not interrupted:
                    interrupted = True
                    self._interrupt_build()
        finally:
            os.close(ended)
            self._child = None

    def _interrupt_build(self) -> None:
        """Pass a signal on to the build; without one, end at once, as a first look may take long to hash weights."""
        if self._child is not None:
            self._child.send_signal(signal.SIGINT)
        else:
            exit_at_once(signal.SIGINT)

    def _wait_for_change(self, inputs: Inputs | None) -> None:
        """Return when an input has changed and all are quiet again, when a folder has settled, or after a signal."""
        if inputs is None:
            self._signals.wait([], _PAUSE)
            return
        seen, changed_at, pause = inputs.stamps, 0.0, _PAUSE
        while not self._signals.count:
            self._signals.wait([], pause)
            if inputs.settled_at is not None and time.time() >= inputs.settled_at:
                return
            began = time.monotonic()
            now = {path: _read_stamp(path) for path in seen}
            pause = max(_PAUSE, _SHARE * (time.monotonic() - began))
            if now != seen:
                changed_at = changed_at or began
            if changed_at and (now == seen or began - changed_at > _LONGEST_RESTLESSNESS):
                return
            seen = now


def _read_stamp(path: str) -> Stamp:
    """What changes with a file or folder; None where there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
