"""Events to words: a line each, or a live table on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from evalmake.run.events import (
    AttemptEnded,
    AttemptProgressed,
    AttemptStarted,
    BuildInterrupted,
    BuildStarted,
    EnvironmentStarted,
    Event,
    ExecutorUnreachable,
    JobRecovered,
    JobsQueued,
    ServerPending,
    ServerStateChanged,
    StoreBusy,
)
from evalmake.scoring.result_set import Score
from evalmake.terminal.diagnostics import clean
from evalmake.terminal.plan import duration

_SILENCE = 15.0  # seconds after which something is said of a server that is still starting
_WIDTH = 100


def progress(quiet: bool, verbose: bool, stream: TextIO | None = None) -> Any:
    """The view that fits the terminal: live, plain, or none."""
    out = stream or sys.stderr
    if quiet:
        return Silent()
    return Live(out, verbose) if out.isatty() else Plain(out, verbose)


class Silent:
    """Says nothing."""

    def __call__(self, event: Event) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Plain:
    """One line an event, the time elapsed in front."""

    def __init__(self, out: TextIO, verbose: bool) -> None:
        self.out = out
        self.verbose = verbose
        self.began = time.monotonic()
        self.total = self.done = 0
        self.servers: dict[str, float] = {}  # when each that starts was last spoken of

    def __call__(self, event: Event) -> None:
        """Print what is worth a line."""
        now = time.monotonic()
        if isinstance(event, BuildStarted):
            self.total = event.to_run
        if isinstance(event, AttemptEnded) and not event.retrying:
            self.done += 1
        if isinstance(event, ServerPending):
            if now - self.servers.setdefault(event.name, now) < _SILENCE:
                return
            self.servers[event.name] = now
        if isinstance(event, ServerStateChanged):
            self.servers.pop(event.name, None)
        text = sentence(event, self.verbose)
        if text:
            count = f"[{self.done}/{self.total}] " if isinstance(event, AttemptEnded) else ""
            print(f"{duration(now - self.began):>6}  {count}{text}", file=self.out, flush=True)

    def close(self) -> None:
        """Nothing to clear."""


class Live:
    """A table of what runs, redrawn in place; what ended scrolls by above it."""

    def __init__(self, out: TextIO, verbose: bool) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self.verbose = verbose
        self.console = Console(file=out, highlight=False)
        self.rows: dict[str, tuple[float, int, int, int]] = {}
        self.servers: dict[str, tuple[float, str, str]] = {}
        self.total = self.done = 0
        self.began = time.monotonic()
        self.live = RichLive(console=self.console, refresh_per_second=8, transient=True, get_renderable=self._table)
        self.live.start()

    def __call__(self, event: Event) -> None:
        """Note what happened; lines that stay are printed above the table."""
        match event:
            case BuildStarted():
                self.total = event.to_run
            case AttemptStarted():
                self.rows[event.name] = (time.monotonic(), 0, 0, 0)
            case ServerPending():
                since = self.servers.get(event.name, (time.monotonic(),))[0]
                how = "in the queue" if event.queued else "starting"
                self.servers[event.name] = (since, how, event.doing)
            case ServerStateChanged():
                self.servers.pop(event.name, None)
            case AttemptProgressed():
                start = self.rows.get(event.name, (time.monotonic(), 0, 0, 0))[0]
                self.rows[event.name] = (start, event.done, event.total, event.errors)
            case AttemptEnded():
                self.rows.pop(event.name, None)
                self.done += not event.retrying
        if not isinstance(event, AttemptStarted | ServerPending) and (text := sentence(event, self.verbose)):
            self.console.print(text, markup=False)

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2), show_header=False)
        now = time.monotonic()
        for name, (since, how, doing) in list(self.servers.items()):
            took = duration(now - since)
            says = Text(_line(doing), no_wrap=True, overflow="ellipsis")
            table.add_row(f"deployment {name}", how, took, says, "")
        for name, (start, done, total, errors) in list(self.rows.items())[:20]:
            rate = done / (now - start) if done else 0.0
            left = duration((total - done) / rate) + " left" if rate and total > done else ""
            failed = f"{errors} errors" if errors else ""
            share = f"{done}/{total}" if total else f"{done} replies" if done else "starting"
            table.add_row(name, share, f"{rate:.1f}/s" if rate else "", left, failed)
        table.add_row(f"{self.done} of {self.total} done", duration(now - self.began), "", "", "")
        return table

    def close(self) -> None:
        """Take the table away."""
        self.live.stop()


def sentence(event: Event, verbose: bool) -> str:
    """An event in words; empty for what only a live view shows."""
    match event:
        case StoreBusy(holder):
            return f"waiting for another evalmake to finish ({holder})"
        case EnvironmentStarted(packages):
            return f"installing {', '.join(packages)} in an environment of its own"
        case JobRecovered(name, state):
            return f"{name}: found again from an earlier build, {state}"
        case ServerStateChanged():
            return _changed(event, verbose)
        case ServerPending(name, doing, queued):
            still, said = ("in the queue", clean(doing)) if queued else ("starting", _line(doing))
            return f"deployment {name}: still {still}" + (f": {said}" if said else "")
        case JobsQueued(executor, count, why):
            return f"{executor}: {count} in its queue: {why}"
        case ExecutorUnreachable(executor, why):
            return f"{why}; waiting for it" if why else f"executor {executor}: reached again"
        case AttemptStarted(name, executor, attempt):
            return f"{name}: started on {executor}, attempt {attempt}" if verbose else ""
        case AttemptEnded():
            return _ended(event)
        case BuildInterrupted(running, _):
            return f"interrupted: ending {running} running, nothing more starts (again: at once)"
    return ""


def _changed(event: ServerStateChanged, verbose: bool) -> str:
    match event.state:
        case "ready" if verbose:
            more = f" at {event.detail}"
        case "restarting":
            more = f", as it {event.detail}"
            more += "".join(f"\n        | {_line(line)}" for line in event.tail)
        case "failed":
            more = f": {event.detail}"
        case _:
            more = ""
    return f"deployment {event.name}: {event.state}{more}"


def _line(text: str) -> str:
    """A line of a log, as long as a terminal is wide."""
    return clean(text)[:_WIDTH]


def _ended(event: AttemptEnded) -> str:
    if event.status == "succeeded":
        headline = next((s for s in event.scores if s.metric == event.metric), None)
        return f"{event.name}: {score_text(headline)} in {duration(event.seconds)}"
    again = "; trying again" if event.retrying else ""
    return f"{event.name}: {event.status}: {event.detail}{again}"


def score_text(score: Score | None) -> str:
    """`accuracy 0.830 [0.745, 0.891]`, with what could not be scored."""
    if score is None or score.value is None:
        return "no score"
    text = f"{score.metric} {score.value:.3f}"
    if score.low is not None and score.high is not None:
        text += f" [{score.low:.3f}, {score.high:.3f}]"
    text += f", {score.unscored} not scored" if score.unscored else ""
    return text + (f"; {score.disagreement}" if score.disagreement else "")
