"""The list of commands: reserved names, completion and help all come from it.

It imports nothing, so that `evalmake --help` and the loader can read it at no cost. The command `gc`
is the object `command` in `evalmake/commands/gc.py`.
"""

from __future__ import annotations

from typing import NamedTuple


class CommandEntry(NamedTuple):
    """A command: its name as typed, its group in `evalmake --help`, and one line about it."""

    name: str
    group: str
    summary: str


RUN, LOOK, STORE, WRITE = "Run", "Look", "Maintain", "Write"

REGISTRY = (
    CommandEntry("build", RUN, "Run what is out of date (the default command)."),
    CommandEntry("watch", RUN, "Build again whenever an input changes, and each new checkpoint once it is complete."),
    CommandEntry("status", RUN, "Show running and queued jobs."),
    CommandEntry("cancel", RUN, "Cancel jobs of a build that runs, was killed, or is detached."),
    CommandEntry("accept", RUN, "Keep an old result for a target that has changed."),
    CommandEntry("list", LOOK, "List targets with their comments."),
    CommandEntry("show", LOOK, "Show a declaration or an evaluation: each value, and where it is written."),
    CommandEntry("results", LOOK, "Show scores with their intervals, and the samples behind them."),
    CommandEntry("why", LOOK, "Say why a target is stale, or when it last ran."),
    CommandEntry("logs", LOOK, "Show the log of an evaluation or of a model server."),
    CommandEntry("history", LOOK, "List past attempts: when, by whom, with what result, and what they took."),
    CommandEntry("compare", LOOK, "Compare two sides, benchmark by benchmark: better, worse, or not decided."),
    CommandEntry("baseline", LOOK, "Keep results in a small file to compare with: `baseline set NAME [TARGET]...`."),
    CommandEntry(
        "audit", LOOK, "Tell the story of a result: what was asked, who answered, what was tried, who accepted it."
    ),
    CommandEntry("outputs", LOOK, "List what the jobs of targets left, and copy it to a folder."),
    CommandEntry("graph", LOOK, "Draw the graph of servers, evaluations and reports."),
    CommandEntry("catalog", LOOK, "List public benchmarks; `catalog show NAME` prints one. Needs no Evalfile."),
    CommandEntry("explain", LOOK, "Explain a diagnostic code; without one, list the codes."),
    CommandEntry("help", LOOK, "Read the manual; without a topic, list the topics."),
    CommandEntry("pin", STORE, "Write exact versions of images, models, data and packages to the lock file."),
    CommandEntry("replies", STORE, "Show, export or clear the reply cache."),
    CommandEntry("verify", STORE, "Check that stored data is undamaged, or evidence of somebody else."),
    CommandEntry("disclose", STORE, "Show one sample of evidence, with the proof that it was signed."),
    CommandEntry("reproduce", STORE, "Measure the numbers of evidence again, or score its recorded replies again."),
    CommandEntry("clean", STORE, "Stop jobs that a killed build left running, and delete their files."),
    CommandEntry("gc", STORE, "Delete stored data that no result refers to."),
    CommandEntry("key", WRITE, "Make a key pair for signatures, show a key, or sign a saved plan."),
    CommandEntry("init", WRITE, "Write a first Evalfile."),
    CommandEntry("import", WRITE, "Write an Evalfile from a configuration of another program."),
    CommandEntry("fmt", WRITE, "Format Evalfiles; `fmt -` formats standard input."),
)

COMMAND_NAMES = tuple(sorted(entry.name for entry in REGISTRY))
"""Names that no target may have: on the command line they mean the command."""


def find_command(name: str) -> CommandEntry:
    """The entry of a command; KeyError if there is none."""
    return {entry.name: entry for entry in REGISTRY}[name]
