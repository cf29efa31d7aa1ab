"""`evalmake build`, the default command: plan, run, and print the result.

Only the flags are here, as `evalmake --help` prints them and may load nothing but click.
"""

from __future__ import annotations

from typing import Any

import click

from evalmake.command_line.options import PATH, declare, parse_duration, words_argument


@declare("build")
@words_argument
@click.option("-n", "--dry-run", is_flag=True, help="Show what would run, and why; run nothing.")
@click.option("-o", "--output", type=PATH, help="With -n: write the plan to this file.")
@click.option("--plan", type=PATH, help="Run exactly this saved plan; fail if anything has changed since.")
@click.option("--sign", multiple=True, metavar="KEY", help="With -n -o: sign the plan; a file, or `secret:NAME`.")
@click.option("--require-signature", is_flag=True, help="With --plan: run nothing unless every --key has signed it.")
@click.option("--key", "keys", type=PATH, multiple=True, help="A public key for --require-signature.")
@click.option("--locked", is_flag=True, help="Fail if anything is used that the lock file does not pin.")
@click.option("-j", "--jobs", type=click.IntRange(1), metavar="N", help="Run at most this many evaluations at a time.")
@click.option("-k", "--keep-going", is_flag=True, help="Keep going when an evaluation fails.")
@click.option("--smoke", is_flag=True, help="First ask one question of each evaluation; stop if one fails.")
@click.option("-B", "--always-make", "always", is_flag=True, help="Run every target again, as one more attempt.")
@click.option("--because", metavar="TEXT", help="With -B: why it runs again; kept on record.")
@click.option(
    "--settle",
    metavar="TIME",
    callback=parse_duration,
    help="Leave out folders of an axis in which something changed less than this long ago: 30s.",
)
@click.option("--detach", is_flag=True, help="Submit jobs and return; a later `evalmake` collects the results.")
@click.option(
    "-q", "--question", is_flag=True, help="Print nothing; exit with status 1 if anything is out of date, else 0."
)
@click.option("-s", "--silent", is_flag=True, help="Print only what is wrong.")
@click.option("-v", "--verbose", is_flag=True, help="Print more; with nothing to do, print the scores again.")
@click.option("--json", "as_json", is_flag=True, help="Print errors and results as JSON.")
@click.option(
    "--annotations",
    type=click.Choice(("github",)),
    help="Also print what is wrong as annotations of a pull request, and append to the summary of the step.",
)
@click.option("--short", is_flag=True, help="Print errors in one line each, for editors.")
@click.pass_context
def command(ctx: click.Context, /, words: tuple[str, ...], **flags: Any) -> int:
    """Run what is out of date; the exit status."""
    from evalmake.command_line.build_run import run_build

    return run_build(words, flags, *ctx.obj)
