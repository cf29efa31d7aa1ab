"""How a command is declared: its help from the registry, the options that every command has, shared arguments."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalmake.command_line.completion import complete_targets
from evalmake.command_line.env_file import read_env_file
from evalmake.command_registry import find_command
from evalmake.project.boundary import ALLOW_VARIABLE
from evalmake.terminal.command_hints import note_option

if TYPE_CHECKING:
    from evalmake.scoring.verdict import Margin

PATH = click.Path(path_type=Path)


def declare(name: str) -> Callable[[Callable[..., int]], click.Command]:
    """A decorator that makes a function the command `name`, with -f, -C, --allow-path and --env-file."""

    def decorate(function: Callable[..., int]) -> click.Command:
        summary = find_command(name).summary
        with_options = file_option(directory_option(allow_option(env_file_option(function))))
        return click.command(name, help=summary, short_help=summary)(with_options)

    return decorate


def _change_directory(ctx: click.Context, param: click.Parameter, folder: Path | None) -> None:
    """Work in another folder, as `make -C` does; before any other option is read."""
    if folder is None:
        return
    try:
        os.chdir(folder)
    except OSError as error:
        raise DirectoryError(f"cannot work in {folder}: {error.strerror}") from None
    note_option("-C", folder)


def _note_file(ctx: click.Context, param: click.Parameter, file: Path | None) -> Path | None:
    """Let the commands that messages suggest name the same Evalfile."""
    if file is not None and str(file) != "Evalfile":
        note_option("-f", file)
    return file


def _allow_paths(ctx: click.Context, param: click.Parameter, folders: tuple[Path, ...]) -> None:
    """Add folders to those that the environment allows, while this command runs."""
    before = os.environ.get(ALLOW_VARIABLE)
    if not folders:
        return
    os.environ[ALLOW_VARIABLE] = os.pathsep.join([*([before] if before else []), *map(os.path.abspath, folders)])
    ctx.call_on_close(lambda: _restore(before))


def _read_env_files(ctx: click.Context, param: click.Parameter, paths: tuple[Path, ...]) -> None:
    """Add the variables of files to the environment while this command runs; what it has already stays."""
    for path in paths:
        for name, value in read_env_file(path).items():
            if name not in os.environ:
                os.environ[name] = value
                ctx.call_on_close(lambda name=name: os.environ.pop(name, None))


def parse_duration(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """The seconds of an option such as `--since 7d`."""
    from evalmake.language.values import Duration

    if text is None:
        return None
    if not re.fullmatch(r"(\d{1,9}(\.\d{1,9})?(ms|s|m|h|d))+", text):
        raise click.UsageError(f"`{param.opts[0]}` takes a duration such as `30s`, `12h` or `7d`", ctx)
    return Duration.parse(text).seconds


def parse_confidence(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """The confidence of an option: `99%` or `0.99`."""
    if text is None:
        return None
    number = _parse_share(text)
    if number is None or not 0.5 <= number < 1:
        raise click.UsageError(f"`{param.opts[0]}` takes a confidence from 50% to below 100%, such as `95%`", ctx)
    return number


def parse_margin(ctx: click.Context, param: click.Parameter, text: str | None) -> Margin:
    """The margin of an option: `1%`, or a number on the scale of the metric."""
    from evalmake.scoring.verdict import NO_MARGIN, Margin

    if text is None:
        return NO_MARGIN
    number = _parse_share(text)
    if number is None:
        raise click.UsageError(f"`{param.opts[0]}` takes a margin that is not below 0, such as `1%` or `0.5`", ctx)
    return Margin(number, is_percentage=text.endswith("%"))


def _parse_share(text: str) -> float | None:
    """The number of `95%` or `0.95`; None for anything else."""
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?%?", text):
        return None
    number = float(text.removesuffix("%"))
    return float(f"{number / 100:.12g}") if text.endswith("%") else number


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop(ALLOW_VARIABLE, None)
    else:
        os.environ[ALLOW_VARIABLE] = before


class DirectoryError(click.ClickException):
    """A folder given to -C that cannot be entered."""

    def show(self, file: Any = None) -> None:
        """Print it as other errors are printed."""
        click.echo(f"error: {self.message}", err=True)


file_option = click.option(
    "-f", "--file", type=PATH, callback=_note_file, help="Read this Evalfile (default: the nearest `Evalfile`)."
)
directory_option = click.option(
    "-C",
    "--directory",
    type=PATH,
    is_eager=True,
    expose_value=False,
    callback=_change_directory,
    help="Work in this folder.",
)
allow_option = click.option(
    "--allow-path",
    type=PATH,
    multiple=True,
    expose_value=False,
    callback=_allow_paths,
    metavar="FOLDER",
    help="Let the Evalfile include and show files of this folder, too.",
)
env_file_option = click.option(
    "--env-file",
    type=PATH,
    multiple=True,
    expose_value=False,
    callback=_read_env_files,
    metavar="FILE",
    help="Read variables that the environment lacks from this file: NAME=VALUE lines.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
target_argument = click.argument("target", shell_complete=complete_targets)
words_argument = click.argument("words", nargs=-1, metavar="[TARGET | NAME=VALUE]...", shell_complete=complete_targets)
jobs_argument = click.argument(
    "words", nargs=-1, metavar="[TARGET | JOB | NAME=VALUE]...", shell_complete=complete_targets
)
