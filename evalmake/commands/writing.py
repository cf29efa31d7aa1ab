"""Commands that write Evalfiles: fmt, init."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.commands.request import locate
from evalmake.language.diagnostic import make_error
from evalmake.language.source import Source


def fmt_command(file: Path | None, directory: Path | None, files: Sequence[str], check: bool) -> int:
    """Rewrite files in the one way to print them, or say how they differ from it."""
    from difflib import unified_diff

    from evalmake.language.atomic_write import write_atomic
    from evalmake.language.formatter import format_source

    if list(files) == ["-"]:
        click.echo(format_source(Source("standard input", sys.stdin.read())), nl=False)
        return 0
    status = 0
    for path in [Path(name) for name in files] or [locate(file)]:
        text = _read(path)
        new = format_source(Source(str(path), text))
        if new == text:
            continue
        if check:
            status = 1
            lines = unified_diff(text.splitlines(True), new.splitlines(True), str(path), f"{path} formatted")
            click.echo("".join(lines), nl=False)
        else:
            write_atomic(path, new.encode())
            click.echo(f"formatted {path}")
    return status


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise make_error("not-utf8", f"`{path}` is not UTF-8 text") from None
    except OSError as error:
        raise make_error("missing-file", f"cannot read `{path}`: {error.strerror}") from None


_FIRST = """# Evaluations of our models.
#
#   evalmake        run everything that is out of date
#   evalmake -n     show what would run, and why

deployment stand-in {
    engine = mock
    args   = { skill = 0.8 }
}

model stand-in { deployment = stand-in }

# Our own questions: one JSON object a line.
benchmark sums {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}\\nAnswer with a number."
    target  = "{answer}"
    scorer  = number
}

eval first {
    model     = stand-in
    benchmark = sums
    seed      in 1..3
}

report scorecard {
    of   = [first]
    path = "reports/scorecard.md"
}
"""


def init_command(file: Path | None, directory: Path | None) -> int:
    """Write an Evalfile that runs, with a few questions beside it."""
    path = file or Path("Evalfile")
    data = path.parent / "sums.jsonl"
    for wanted in (path, data):
        if wanted.exists():
            raise make_error("exists", f"`{wanted}` exists already", help=["nothing was written"])
    rows = [{"question": f"What is {a} + {b}?", "answer": a + b} for a in range(3, 13) for b in (4, 17)]
    path.write_text(_FIRST)
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    click.echo(f"wrote {path} and {data}; now: evalmake")
    return 0
