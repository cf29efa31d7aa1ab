"""The command line: words and flags to a request, and what comes back to text and exit status."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

_WITH_VALUE = {"-f", "--file", "-C", "--directory", "-j", "--jobs", "-o", "--output", "--plan"}


class MakeLike(click.Group):
    """`evalmake nightly -n` and `evalmake fmt`: a first word that is no command is a target."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `build` in front unless the first word that is no flag is a command."""
        if args[:1] not in (["--help"], ["--version"]):
            at = self._first_word(args)
            if at is not None and args[at] in self.commands:
                args = [args[at], *args[:at], *args[at + 1 :]]
            else:
                args = ["build", *args]
        return super().parse_args(ctx, args)

    @staticmethod
    def _first_word(args: list[str]) -> int | None:
        skip = False
        for index, word in enumerate(args):
            if skip:
                skip = False
            elif word in _WITH_VALUE:
                skip = True
            elif not word.startswith("-"):
                return index
        return None


@click.group(cls=MakeLike, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="evalmake", message="evalmake %(version)s")
def main() -> None:
    """Make for evaluations of language models.

    \b
    evalmake                 run everything that is out of date
    evalmake TARGET...       only these: evals, cells, globs, reports, aliases
    evalmake NAME=VALUE      override a variable
    evalmake -n              show what would run, and why
    """


def place_options(command: Any) -> Any:
    """-f and -C, which every command takes."""
    command = click.option("-C", "--directory", type=click.Path(path_type=Path), help="Work in this folder.")(command)
    return click.option(
        "-f",
        "--file",
        type=click.Path(path_type=Path),
        help="The Evalfile (default: the nearest `Evalfile`).",
    )(command)


def _targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Shell completion for targets."""
    from evalmake.commands.request import complete

    return complete(ctx.params, incomplete)


@main.command()
@click.argument("words", nargs=-1, shell_complete=_targets)
@place_options
@click.option("-n", "--dry-run", is_flag=True, help="Show what would run, and why.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="With -n: write the plan to this file.")
@click.option(
    "--plan",
    type=click.Path(path_type=Path),
    help="Run exactly this saved plan, or say what moved.",
)
@click.option("--locked", is_flag=True, help="Fail if anything is used that the lock does not pin.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="At most so many evaluations at a time.")
@click.option("-k", "--keep-going", is_flag=True, help="Keep going when an evaluation fails.")
@click.option("-B", "--always-make", "always", is_flag=True, help="Add an attempt for every target.")
@click.option("--detach", is_flag=True, help="Submit and return; a later evalmake collects the results.")
@click.option("-q", "--question", is_flag=True, help="Print nothing; status 1 if anything is stale.")
@click.option("-s", "--silent", is_flag=True, help="Print only what is wrong.")
@click.option("-v", "--verbose", is_flag=True, help="Print more.")
@click.option("--json", "as_json", is_flag=True, help="Errors and results as JSON.")
@click.option("--short", is_flag=True, help="Errors in one line each, for editors.")
@click.pass_context
def build(ctx: click.Context, /, words: tuple[str, ...], **flags: Any) -> int:
    """Run what is out of date (the default command)."""
    from evalmake.commands.building import build as run_build

    return run_build(words, flags, ctx.obj)


def _simple(module: str, name: str, help: str, *params: Any) -> None:
    """Register a command of `evalmake.commands.MODULE`, imported when it is called."""

    def callback(**values: Any) -> int:
        from importlib import import_module

        commands = import_module(f"evalmake.commands.{module}")
        result: int = getattr(commands, f"{name}_command")(**values)
        return result

    callback.__doc__ = help
    command: Any = callback
    for param in reversed(params):
        command = param(command)
    main.command(name)(place_options(command))


_words = click.argument("words", nargs=-1, shell_complete=_targets)
_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")
_simple("telling", "list", "Show the targets with their comments.", _json)
_simple(
    "telling",
    "show",
    "Show a declaration or a cell: each value, and where it was written.",
    click.argument("target"),
    click.argument("overrides", nargs=-1),
    _json,
)
_simple("telling", "why", "Say why a target is stale, or when it was made.", _words)
_simple(
    "keeping",
    "accept",
    "Let an old result count for a changed target.",
    click.argument("target"),
    click.option("--because", required=True, help="Why; kept on record."),
)
_simple("telling", "explain", "Explain a diagnostic code.", click.argument("code"))
_simple(
    "writing",
    "fmt",
    "Format Evalfiles; `-` filters.",
    click.argument("files", nargs=-1),
    click.option("--check", is_flag=True, help="Print a diff and fail instead."),
)
_simple(
    "telling",
    "graph",
    "Draw the graph of actions.",
    _words,
    click.option("--format", "kind", type=click.Choice(["dot", "mermaid"]), default="dot"),
)
_simple("keeping", "verify", "Re-hash the store and name what does not match.")
_simple("keeping", "clean", "End what a killed build left running, and remove what it left.")
_simple(
    "keeping",
    "gc",
    "Free what no record reaches.",
    click.option("-n", "--dry-run", is_flag=True, help="Only say what."),
)
_simple(
    "keeping",
    "replies",
    "Tell of the replies kept of models, export or clear them.",
    click.argument("action", type=click.Choice(["export", "clear"]), required=False),
    click.argument("folder", type=click.Path(path_type=Path), required=False),
    _json,
)
_simple(
    "pinning",
    "pin",
    "Write what tags, branches and packages mean now to the lock beside the Evalfile.",
    click.argument("words", nargs=-1, metavar="[NAME...]"),
    click.option("-u", "--update", is_flag=True, help="Resolve these anew (all, without a name), pinned or not."),
    click.option("--check", is_flag=True, help="Only say what has moved or is not pinned; status 1 if anything."),
    _json,
)
_simple(
    "telling",
    "logs",
    "Show a target's log.",
    click.argument("target"),
    click.option("-F", "--follow", is_flag=True, help="Follow it while it runs."),
)
_simple(
    "watching",
    "status",
    "Show the jobs that are out: of this build, of one that was killed or detached.",
    click.option("-F", "--follow", is_flag=True, help="Again and again, until none is left."),
    _json,
)
_simple(
    "watching",
    "cancel",
    "End jobs of a killed or detached build; their targets are stale again.",
    _words,
)
_simple("writing", "init", "Write a first Evalfile.")
_simple(
    "public",
    "catalog",
    "List public benchmarks by a name or pattern, or `show NAME`; needs no Evalfile.",
    click.argument("words", nargs=-1, metavar="[PATTERN | show NAME]"),
    click.option("--harness", help="Only those of this harness."),
    click.option("--endpoint", help="Only those that ask chat, completions, embedding or vlm."),
    click.option(
        "--requires",
        multiple=True,
        help="Only those that need this: judge, user, key, token, code, logprobs, tokenizer, tools.",
    ),
    _json,
)


def run(argv: list[str]) -> int:
    """Run a command line; the one place where mistakes become messages and a status."""
    from evalmake.language.diagnostic import EvalmakeError

    for at, word in enumerate(argv[:-1]):
        if word in ("-C", "--directory"):
            try:
                os.chdir(argv[at + 1])
            except OSError as error:
                click.echo(f"error: cannot work in {argv[at + 1]}: {error.strerror}", err=True)
                return 2
    try:
        status = main.main(args=argv, prog_name="evalmake", standalone_mode=False, obj=argv)
        return int(status or 0)
    except EvalmakeError as error:
        from evalmake.terminal.output import print_diagnostics

        print_diagnostics(error.diagnostics, argv)
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 141
