"""`evalmake init`: a first Evalfile that runs at once, its data, and a `.gitignore`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from evalmake.command_line.options import declare
from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import make_error

_EVALFILE = """\
# Evaluations of our models.
#
#   evalmake        run everything that is out of date
#   evalmake -n     show what would run, and why
#   evalmake help   read the manual

# A simulated model server, so that everything here runs at once. It answers 80 % correctly.
deployment stand-in {
    engine = mock
    args   = { skill = 0.8 }
}

model stand-in { deployment = stand-in }

# Your own server, with an OpenAI-compatible API: set its address and the model's name there,
# then write `model = my-server` in the eval below.
model my-server {
    endpoint = "http://localhost:8000/v1"
    name     = "my-model"
    # api_key = secret("MY_API_KEY")
}

# Your own questions: one JSON object a line.
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
_STATE = ".evalmake/"


@declare("init")
def command(file: Path | None) -> int:
    """Write the files; EvalmakeError, and nothing written, if one of them exists."""
    evalfile = file or Path("Evalfile")
    data = evalfile.parent / "sums.jsonl"
    for path in (evalfile, data):
        if path.exists():
            raise make_error("exists", f"`{path}` exists already", help=["nothing was written"])
    rows = [{"question": f"What is {a} + {b}?", "answer": a + b} for a in range(3, 13) for b in (4, 17)]
    write_atomic(evalfile, _EVALFILE.encode())
    write_atomic(data, "".join(json.dumps(row) + "\n" for row in rows).encode())
    click.echo(f"wrote {evalfile} and {data}")
    if line := _ignore_state(evalfile.parent):
        click.echo(line)
    flag = f" -f {file}" if file else ""
    click.echo(f"`evalmake{flag}` runs it; to evaluate your own server, edit `my-server` in it, and write")
    click.echo("`model = my-server` in `eval first`")
    return 0


def _ignore_state(folder: Path) -> str:
    """Make git ignore `.evalmake/`, unless it does; the line that says so.

    Outside a repository, too: `git init` often comes later, and the state may be large.
    """
    if _is_ignored(folder):
        return ""
    path = folder / ".gitignore"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    separator = "\n" if text and not text.endswith("\n") else ""
    write_atomic(path.resolve(), f"{text}{separator}{_STATE}\n".encode())
    return f"{'added' if text else 'wrote'} {_STATE} {'to' if text else 'in'} {path}"


def _is_ignored(folder: Path) -> bool:
    """Whether a `.gitignore` from `folder` up to the root of its repository names the state folder."""
    for parent in (folder.absolute(), *folder.absolute().parents):
        path = parent / ".gitignore"
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ()
        if any(line.strip().removeprefix("**").strip("/") == _STATE.strip("/") for line in lines):
            return True
        if (parent / ".git").exists():
            return False
    return False
