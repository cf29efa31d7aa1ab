"""What is shown of servers and installations that take long, and of servers that restart."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from evalmake.run.events import (
    EnvironmentEnded,
    EnvironmentProgressed,
    EnvironmentStarted,
    Event,
    ServerPending,
    ServerStateChanged,
)
from evalmake.servers.state import State
from evalmake.terminal import progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in a list of one."""
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_slow_start_in_lines(clock: list[float]) -> None:
    """A line every quarter of a minute has the last of the server's log, for as long as it starts."""
    out = io.StringIO()
    view = progress.open_view(False, False, out)
    view(ServerStateChanged("llama", State.STARTING))
    for second in range(40):
        clock[0] = float(second)
        view(ServerPending("llama", f"loaded {second} of 40 \x1b]0;title\x07"))
    view(ServerStateChanged("llama", State.READY, "http://127.0.0.1:8000/v1"))
    view(ServerPending("llama", ""))
    assert out.getvalue() == (
        "  0.0s  deployment llama: starting\n"
        "   15s  deployment llama: still starting: loaded 15 of 40 \ufffd]0;title\ufffd\n"
        "   30s  deployment llama: still starting: loaded 30 of 40 \ufffd]0;title\ufffd\n"
        "   39s  deployment llama: ready\n"
    )


def draw(view: progress.LiveView, out: Terminal) -> str:
    """What a view draws anew."""
    out.seek(0)
    out.truncate()
    view.live.refresh()
    return out.getvalue()


def test_slow_start_on_a_terminal(clock: list[float]) -> None:
    """The table has a row for the server, with how long it has been starting and what it says."""
    out = Terminal()
    view = progress.LiveView(out, False)
    view(ServerPending("llama", "loading [bold]"))
    clock[0] = 75.0
    view(ServerPending("llama", "loading [bold] 3 of 4"))
    shown = draw(view, out)
    view(ServerStateChanged("llama", State.READY))
    left = draw(view, out)
    view.close()
    assert "deployment llama" in shown
    assert "1m15s" in shown
    assert "loading [bold] 3 of 4" in shown
    assert "loading" not in left


def test_slow_installation_in_lines(clock: list[float]) -> None:
    """The plain log has a line every ten seconds that says what the installer does and how long it has taken."""
    out = io.StringIO()
    view = progress.open_view(False, False, out)
    view(EnvironmentStarted(("lm-eval==0.4", "openai")))
    for second in range(2, 130, 2):
        clock[0] = float(second)
        view(EnvironmentProgressed("lm-eval", f"downloading part-{second}", float(second)))
    view(EnvironmentEnded("lm-eval"))
    lines = out.getvalue().splitlines()
    assert lines[:3] == [
        "  0.0s  installing lm-eval==0.4, openai in a separate environment",
        "   10s  environment of lm-eval: downloading part-10 (10s)",
        "   20s  environment of lm-eval: downloading part-20 (20s)",
    ]
    assert lines[-1] == " 2m00s  environment of lm-eval: downloading part-120 (2m00s)"
    assert len(lines) == 1 + 12


def test_slow_installation_on_a_terminal(clock: list[float]) -> None:
    """The table has a row for an installation, until it is over."""
    out = Terminal()
    view = progress.LiveView(out, False)
    clock[0] = 75.0
    view(EnvironmentProgressed("lm-eval", "downloading torch", 75.0))
    shown = draw(view, out)
    view(EnvironmentEnded("lm-eval"))
    left = draw(view, out)
    view.close()
    assert "environment of lm-eval" in shown
    assert "1m15s" in shown
    assert "downloading torch" in shown
    assert "torch" not in left


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            ServerStateChanged("llama", State.STARTING, "died while it was used: exit status 1", ("a", "b")),
            "deployment llama: restarting: it died while it was used: exit status 1\n        | a\n        | b",
        ),
        (ServerStateChanged("llama", State.FAILED, "was not ready"), "deployment llama: failed: was not ready"),
        (ServerStateChanged("llama", State.STOPPED), "deployment llama: stopped"),
        (ServerStateChanged("llama", State.STOPPED, "left running"), "deployment llama: left running"),
        (ServerPending("llama", ""), "deployment llama: still starting"),
    ],
)
def test_in_words(event: Event, said: str) -> None:
    """Why a server is started again is told with the last lines of the log that it left."""
    assert progress.describe_event(event, False) == said
