"""Progress of a build: a line for each event, or a live table on a terminal."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TextIO

from evalmake.run.events import (
    AttemptEnded,
    AttemptProgressed,
    AttemptStarted,
    BuildInterrupted,
    BuildStarted,
    DatasetEnded,
    DatasetProgressed,
    DatasetStarted,
    EnvironmentEnded,
    EnvironmentProgressed,
    EnvironmentStarted,
    Event,
    ExecutorReachable,
    ExecutorUnreachable,
    JobRecovered,
    JobsQueued,
    ServerPending,
    ServerStateChanged,
    SmokeSkipped,
    SmokeStarted,
    StoreBusy,
    StoredRepliesRefused,
)
from evalmake.scoring.numbers import format_number
from evalmake.scoring.result_set import Score
from evalmake.servers.state import State
from evalmake.terminal.plan import render_duration
from evalmake.terminal.safe_text import clean

_SERVER_LINE_EVERY = 15.0  # seconds between two lines about a server that starts
_ENVIRONMENT_LINE_EVERY = 10.0  # seconds between two lines about an installation
_DOWNLOAD_LINE_EVERY = 10.0  # seconds between two lines about a download
_MOST_ROWS = 20  # evaluations in the live table
_LOG_LINE = 100  # characters of a log line


def open_view(quiet: bool, verbose: bool, stream: TextIO | None = None) -> Any:
    """The view that fits the stream (default: stderr): live on a terminal, lines elsewhere, or none."""
    out = stream or sys.stderr
    if quiet or out is None:
        return SilentView()
    return GuardedView(LiveView(out, verbose) if out.isatty() else LineView(out, verbose))


class GuardedView:
    """A view whose errors do not end the build. After the first, no progress is shown; that of a defect is printed."""

    def __init__(self, view: LiveView | LineView) -> None:
        self._view: LiveView | LineView | SilentView = view

    def __call__(self, event: Event) -> None:
        """Show an event."""
        self._guard(lambda: self._view(event))

    def close(self) -> None:
        """Close the view."""
        self._guard(self._view.close)

    def _guard(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            broken, self._view = self._view, SilentView()
            with suppress(Exception):
                broken.close()
            if not isinstance(error, OSError):  # else nobody could read it
                traceback.print_exception(error)
                print("the progress cannot be shown any more; the build goes on", file=sys.stderr)


class SilentView:
    """Prints nothing."""

    def __call__(self, event: Event) -> None:
        """Ignore an event."""

    def close(self) -> None:
        """Do nothing."""


class LineView:
    """A line for each event, with the time since the start."""

    def __init__(self, out: TextIO, verbose: bool) -> None:
        self.out = out
        self.verbose = verbose
        self.start = time.monotonic()
        self.total = self.done = 0
        self.shares: Mapping[str, int] = {}  # by evaluation that runs: how many its result is for
        self.last_lines: dict[str, float] = {}  # the time of the last line about each slow server or installation

    def __call__(self, event: Event) -> None:
        """Print the event, unless it is not worth a line."""
        now = time.monotonic()
        if isinstance(event, BuildStarted):
            self.total, self.done, self.shares = event.to_run, 0, event.shares
        if isinstance(event, AttemptEnded) and not event.retrying:
            self.done += self.shares.get(event.name, 1)
        if isinstance(event, ServerPending | EnvironmentProgressed | DatasetProgressed):
            began, pause = now, _SERVER_LINE_EVERY
            if isinstance(event, EnvironmentProgressed):
                began, pause = now - event.seconds, _ENVIRONMENT_LINE_EVERY
            if isinstance(event, DatasetProgressed):
                pause = _DOWNLOAD_LINE_EVERY
            if now - self.last_lines.setdefault(event.name, began) < pause:
                return
            self.last_lines[event.name] = now
        if isinstance(event, ServerStateChanged | EnvironmentEnded | DatasetEnded):
            self.last_lines.pop(event.name, None)
        text = describe_event(event, self.verbose)
        if text:
            count = f"[{self.done}/{self.total}] " if isinstance(event, AttemptEnded) else ""
            print(f"{render_duration(now - self.start):>6}  {count}{clean(text)}", file=self.out, flush=True)

    def close(self) -> None:
        """Do nothing: there is nothing to clear."""


class LiveView:
    """A table of what runs, redrawn in place. Lines about what has ended scroll by above it."""

    def __init__(self, out: TextIO, verbose: bool) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self.verbose = verbose
        self.console = Console(file=out, highlight=False)
        self.rows: dict[str, tuple[float, int, int, int]] = {}
        self.pending: dict[str, tuple[float, str, str]] = {}  # by title: since when, its state, what it does
        self.total = self.done = 0
        self.shares: Mapping[str, int] = {}  # by evaluation that runs: how many its result is for
        self.start = time.monotonic()
        self.live = RichLive(
            console=self.console, refresh_per_second=8, transient=True, get_renderable=self._render_table
        )

    def __call__(self, event: Event) -> None:
        """Update the table, and print lines that stay above it."""
        if not self.live.is_started:
            # The table starts with the first event: a plan has none, and prints without a table in its way.
            self.live.start()
        match event:
            case BuildStarted():
                self.total, self.done, self.shares = event.to_run, 0, event.shares
            case AttemptStarted():
                self.rows[event.name] = (time.monotonic(), 0, 0, 0)
            case ServerPending():
                title = f"deployment {event.name}"
                since = self.pending.get(title, (time.monotonic(),))[0]
                self.pending[title] = (since, "in the queue" if event.in_queue else "starting", event.doing)
            case EnvironmentProgressed():
                since = time.monotonic() - event.seconds
                self.pending[f"environment of {event.name}"] = (since, "installing", event.doing)
            case DatasetProgressed():
                title = f"data set {event.name}"
                since = self.pending.get(title, (time.monotonic(),))[0]
                self.pending[title] = (since, "downloading", _render_share(event))
            case DatasetEnded():
                self.pending.pop(f"data set {event.name}", None)
            case EnvironmentEnded():
                self.pending.pop(f"environment of {event.name}", None)
            case ServerStateChanged():
                self.pending.pop(f"deployment {event.name}", None)
            case AttemptProgressed():
                start = self.rows.get(event.name, (time.monotonic(), 0, 0, 0))[0]
                self.rows[event.name] = (start, event.done, event.total, event.errors)
            case AttemptEnded():
                self.rows.pop(event.name, None)
                self.done += 0 if event.retrying else self.shares.get(event.name, 1)
        in_table = isinstance(event, AttemptStarted | ServerPending | EnvironmentProgressed | DatasetProgressed)
        if not in_table and (text := describe_event(event, self.verbose)):
            self.console.print(clean(text), markup=False)

    def _render_table(self) -> Any:
        """A row for each server that starts and each installation, for the first evaluations that run, and a total."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2), show_header=False)
        now = time.monotonic()
        for title, (since, state, doing) in list(self.pending.items()):
            took = render_duration(now - since)
            detail = Text(_crop(doing), no_wrap=True, overflow="ellipsis")
            table.add_row(Text(clean(title)), state, took, detail, "")
        for name, (start, done, total, errors) in list(self.rows.items())[:_MOST_ROWS]:
            rate = done / (now - start) if done else 0.0
            left = render_duration((total - done) / rate) + " left" if rate and total > done else ""
            failed = f"{errors} errors" if errors else ""
            share = f"{done}/{total}" if total else f"{done} replies" if done else "starting"
            table.add_row(Text(clean(name)), share, f"{rate:.1f}/s" if rate else "", left, failed)
        table.add_row(f"{self.done} of {self.total} done", render_duration(now - self.start), "", "", "")
        return table

    def close(self) -> None:
        """Remove the table."""
        self.live.stop()


def _render_share(event: DatasetProgressed) -> str:
    """How much of a data set has come: `12 of 340 MB`."""
    return f"{event.done / 1e6:.0f} of {event.total / 1e6:.0f} MB"


def describe_event(event: Event, verbose: bool) -> str:
    """An event as a sentence; empty for events that only a live view shows."""
    match event:
        case StoreBusy(holder):
            return f"waiting for another evalmake to finish ({holder})"
        case EnvironmentStarted(packages):
            return f"installing {', '.join(packages)} in a separate environment"
        case EnvironmentProgressed(name, doing, seconds):
            return f"environment of {name}: {_crop(doing) or 'installing'} ({render_duration(seconds)})"
        case DatasetStarted(name, address):
            return f"downloading the data set {name} from {address}"
        case DatasetProgressed(name):
            return f"data set {name}: {_render_share(event)}"
        case SmokeStarted():
            return _describe_smoke(event)
        case SmokeSkipped():
            return "no smoke run: this build goes on with the jobs of an earlier one"
        case JobRecovered(name, state):
            return f"{name}: job of an earlier build taken over, {state}"
        case StoredRepliesRefused(name, reason):
            return f"{name}: asks after all, as its stored replies are not all that it takes: {reason}"
        case ServerStateChanged():
            return _describe_server_change(event, verbose)
        case ServerPending(name, doing, in_queue):
            state, detail = ("in the queue", clean(doing)) if in_queue else ("starting", _crop(doing))
            return f"deployment {name}: still {state}" + (f": {detail}" if detail else "")
        case JobsQueued(executor, count, why):
            return f"{executor}: {count} in the queue: {why}"
        case ExecutorUnreachable(_, reason):
            return f"{reason}; waiting for it"
        case ExecutorReachable(executor):
            return f"executor {executor}: answers again"
        case AttemptStarted(name, executor, attempt):
            return f"{name}: started on {executor}, attempt {attempt}" if verbose else ""
        case AttemptEnded():
            return _describe_end(event)
        case BuildInterrupted(running):
            return f"interrupted: stopping {running} running (press Ctrl-C again to stop at once)"
    return ""


def _describe_smoke(event: SmokeStarted) -> str:
    """How many evaluations ask one question first."""
    count = f"{event.to_run} evaluation{'s' * (event.to_run != 1)}"
    left_out = f" ({event.left_out} take no limit, and are left out)" if event.left_out else ""
    return f"smoke run: one question of {count}{left_out}"


def _describe_server_change(event: ServerStateChanged, verbose: bool) -> str:
    """The new state of a server, why it changed, and the end of the log if it is restarted."""
    state, suffix = str(event.state), ""
    match event.state:
        case State.READY if verbose:
            suffix = f" at {event.detail}"
        case State.STARTING if event.detail:
            state, suffix = "restarting", f": it {event.detail}"
            suffix += "".join(f"\n        | {_crop(line)}" for line in event.log_tail)
        case State.STOPPED if event.detail:
            state = event.detail
        case State.FAILED:
            suffix = f": {event.detail}"
    return f"deployment {event.name}: {state}{suffix}"


def _crop(text: str) -> str:
    """A line of a log, cut to fit a terminal."""
    return clean(text)[:_LOG_LINE]


def _describe_end(event: AttemptEnded) -> str:
    if event.status == "succeeded":
        headline = next((s for s in event.scores if s.metric == event.metric), None)
        earlier = f"; the headline of its last result was {event.earlier_metric}" if event.earlier_metric else ""
        return f"{event.name}: {render_score(headline)} in {render_duration(event.seconds)}{earlier}"
    retry = "; trying again" if event.retrying else ""
    return f"{event.name}: {event.status}: {event.detail}{retry}"


def render_score(score: Score | None) -> str:
    """`accuracy 0.830`, and how many samples have no score. The table at the end has the interval."""
    if score is None or score.value is None:
        return "no score"
    text = f"{score.metric} {format_number(score.value)}"
    text += f", {score.unscored} not scored" if score.unscored else ""
    return text + (f"; {score.disagreement}" if score.disagreement else "")
