"""The command line: finds the command, prints help, and turns errors into messages and an exit status."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

from evalmake.command_line.completion import DEFAULT_COMMAND
from evalmake.command_registry import COMMAND_NAMES, REGISTRY
from evalmake.file_modes import narrow_umask
from evalmake.interrupts import INTERRUPTED, RaisedInterrupts
from evalmake.standard_streams import READER_GONE, OutputFailed, ReaderGone, drop_output

if TYPE_CHECKING:
    from evalmake.language.diagnostic import Diagnostic

_WITH_VALUE = {
    "-f",
    "--file",
    "-C",
    "--directory",
    "-j",
    "--jobs",
    "-o",
    "--output",
    "--plan",
    "--sign",
    "--key",
    "--allow-path",
    "--env-file",
    "--settle",
    "--annotations",
}
FAILED = 2
_HELP = {"-h", "--help"}
_USAGE = """\
Make for evaluations of language models.

Usage:
  evalmake [OPTION | TARGET | NAME=VALUE]...   run what is out of date
  evalmake COMMAND [OPTION | ARGUMENT]...      do something else; COMMAND -h shows its options

A target is an eval, the path of a cell or a pattern ('grid/*/gsm8k'), a report or an alias.
Without one, everything that the Evalfile declares is built. NAME=VALUE sets a variable of the Evalfile."""
_EXAMPLES = (
    ("evalmake", "run everything that is out of date"),
    ("evalmake -n", "show what would run, and why"),
    ("evalmake nightly LIMIT=20", "build one target, with a variable set"),
    ("evalmake 'grid/*/gsm8k'", "build the cells that match a pattern"),
    ("evalmake why grid/a/gsm8k/1", "say why a cell is stale"),
    ("evalmake init", "write a first Evalfile"),
)
_STATUSES = (
    ("0", "everything is up to date, and every gate is met; with -q, gates do not count"),
    ("1", "a gate is not met, or a comparison shows a loss; with -q or --check, something is out of date"),
    ("2", "an error, a failed evaluation, a gate that cannot be judged, or a result that cannot be printed"),
    ("3", "only supporting gates are not met or not judged; with compare --strict, inconclusive"),
    ("130", "interrupted by a signal"),
    ("141", "nobody reads the output of a command any more; a build goes on, and ends with its own status"),
)
_READ_ON = (
    ("evalmake help", "list the topics of the manual"),
    ("evalmake help tutorial", "read a first tour"),
    ("evalmake explain CODE", "explain the code in brackets that ends an error"),
)


class MakeLike(click.Group):
    """A group whose default command is `build`: a first word that is no command is a target."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move the command to the front; without one, insert `build`, unless help or the version is asked for."""
        position = self._find_first_word(args)
        if position is not None and args[position] in COMMAND_NAMES:
            args = [args[position], *args[:position], *args[position + 1 :]]
        elif _HELP & set(args):
            args = ["--help"]
        elif args[:1] != ["--version"]:
            ctx.meta[DEFAULT_COMMAND] = True
            args = ["build", *args]
        return super().parse_args(ctx, args)

    @staticmethod
    def _find_first_word(args: list[str]) -> int | None:
        """The position of the first word that is neither a flag nor a flag's value."""
        skip = False
        for position, word in enumerate(args):
            if skip:
                skip = False
            elif word in _WITH_VALUE:
                skip = True
            elif not word.startswith("-"):
                return position
        return None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names; imports no command."""
        return list(COMMAND_NAMES)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command from the file of its name, imported when it is called."""
        if name not in COMMAND_NAMES:
            return None
        command: click.Command = import_module(f"evalmake.commands.{name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. A pipe or socket that broke is an error like others: click would end with status 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ConnectionError(str(error)) from error

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The complete help: usage, commands by group, options of a build, examples, exit statuses."""
        formatter.write(_USAGE + "\n")
        build = self.get_command(ctx, "build")
        assert build is not None
        options = [param for param in build.get_params(ctx) if isinstance(param, click.Option)]
        records = [record for option in options if (record := option.get_help_record(ctx))]
        _write_section(formatter, "Options", [*records, ("--version", "Print the version.")])
        for group in dict.fromkeys(entry.group for entry in REGISTRY):
            _write_section(formatter, group, [(e.name, e.summary) for e in REGISTRY if e.group == group])
        for title, rows in (("Examples", _EXAMPLES), ("Exit status", _STATUSES), ("Read on", _READ_ON)):
            _write_section(formatter, title, rows)


def _write_section(formatter: click.HelpFormatter, title: str, rows: Sequence[tuple[str, str]]) -> None:
    with formatter.section(title):
        formatter.write_dl(list(rows), col_max=28)


@click.group(cls=MakeLike, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="evalmake", message="evalmake %(version)s")
def main() -> None:
    """Make for evaluations of language models."""


def _describe_usage_error(error: click.UsageError) -> Diagnostic:
    """A wrong option or argument as a diagnostic like any other."""
    from evalmake.language.diagnostic import make_diagnostic

    words = [word for word in (error.ctx.command_path.split() if error.ctx else ["evalmake"]) if word != "build"]
    helps, notes = [f"`{' '.join(words)} -h` shows its options"], []
    if isinstance(error, click.NoSuchOption):
        message = f"there is no option `{error.option_name}`"
        helps = [*(f"did you mean `{name}`?" for name in list(error.possibilities or ())[:1]), *helps]
    else:
        message = error.format_message().rstrip(".")
        message = message[:1].lower() + message[1:]
        usage = " ".join(error.ctx.get_usage().split()).replace("evalmake build", "evalmake") if error.ctx else ""
        notes = [usage[:1].lower() + usage[1:]] if usage else []
    return make_diagnostic("usage", message, notes=notes, help=helps)


def run(argv: list[str], owns_process: bool = False) -> int:
    """Run a command line; the one place where errors become messages and an exit status.

    `owns_process`: this process is evalmake's alone, so that it may hide its environment.
    """
    interrupts = RaisedInterrupts()
    try:
        with interrupts, narrow_umask():
            status = _run_command(argv, owns_process, interrupts)
            sys.stdout.flush()
        return status
    except (click.Abort, KeyboardInterrupt):
        return _report_interrupt()
    except (ReaderGone, BrokenPipeError):
        drop_output()
        return READER_GONE
    except OutputFailed as error:
        drop_output()
        click.echo(f"error: cannot write to standard output: {error.strerror}", err=True)
        click.echo("help: results are stored: the same command prints them again when there is room", err=True)
        return FAILED
    except Exception as error:  # a defect: Python's own status for it, 1, means that a gate is not met
        if interrupts.count:
            return _report_interrupt()
        if message := _describe_surroundings(error):
            click.echo(message, err=True)
            return FAILED
        import traceback

        traceback.print_exc()
        return FAILED


def _describe_surroundings(error: Exception) -> str:
    """What is wrong where evalmake was started, if that is the cause: it may show anywhere. Empty if it is not."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return "error: too many files are open\nhelp: raise the limit: `ulimit -n 4096`"
    from evalmake.language.write_errors import advise_on_write_error

    if isinstance(error, OSError) and (help := advise_on_write_error(error.errno)):
        place = "" if error.filename is None else f" {os.fsdecode(error.filename)}"
        return f"error: cannot write{place}: {error.strerror}\nhelp: {help[0]}"
    if isinstance(error, PermissionError) and error.filename is not None:
        said = f"error: cannot use {os.fsdecode(error.filename)}: {error.strerror}"
        return f"{said}\nhelp: see who may read and write it, or use another folder"
    if isinstance(error, FileNotFoundError) and not _has_current_folder():
        return "error: the current folder is gone: somebody removed it, or made it anew\nhelp: `cd` to its path again"
    return ""


def _has_current_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _report_interrupt() -> int:
    click.echo("interrupted", err=True)
    return INTERRUPTED


def _run_command(argv: list[str], owns_process: bool, interrupts: RaisedInterrupts) -> int:
    from evalmake.language.diagnostic import EvalmakeError
    from evalmake.terminal.command_hints import forget_options

    forget_options()
    try:
        return int(main.main(args=argv, prog_name="evalmake", standalone_mode=False, obj=(argv, owns_process)) or 0)
    except EvalmakeError as error:
        if interrupts.count:
            raise KeyboardInterrupt from None
        _print_errors(error.diagnostics, argv)
    except click.UsageError as error:
        _print_errors([_describe_usage_error(error)], argv)
    except click.ClickException as error:
        error.show()
    return FAILED


def _print_errors(diagnostics: Sequence[Diagnostic], argv: Sequence[str]) -> None:
    from evalmake.terminal.annotations import print_annotations, wants_annotations
    from evalmake.terminal.colour_and_tty import print_diagnostics

    print_diagnostics(diagnostics, argv)
    if wants_annotations(argv):
        print_annotations(diagnostics)
