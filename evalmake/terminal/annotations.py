"""What GitHub shows of a build in a pull request: annotations at lines of the Evalfile, and the summary of a step."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from evalmake.language.diagnostic import Diagnostic, Severity
from evalmake.language.markdown_text import escape
from evalmake.scoring.result_set import ResultSet
from evalmake.standard_streams import print_result
from evalmake.terminal.diagnostics import to_json
from evalmake.terminal.safe_text import clean

OPTION, GITHUB = "--annotations", "github"
SUMMARY_VARIABLE, ROOT_VARIABLE = "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"
_LARGEST_SUMMARY = 500_000  # bytes; GitHub refuses more than 1 MiB for a step
_IN_MESSAGE = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTY = {**_IN_MESSAGE, ":": "%3A", ",": "%2C"}


def wants_annotations(argv: Sequence[str]) -> bool:
    """Whether a command line asks for them; for errors that end it before its options are read."""
    return f"{OPTION}={GITHUB}" in argv or (OPTION, GITHUB) in pairwise(argv)


def print_annotations(diagnostics: Sequence[Diagnostic], results: ResultSet | None = None) -> None:
    """Print an annotation for each diagnostic to stdout, errors first, and append to the summary of the step.

    GitHub shows the first ten of a step. A summary that cannot be written is no reason for another exit status.
    """
    ordered = sorted(diagnostics, key=lambda one: one.severity is Severity.WARNING)
    print_result("".join(f"{render_annotation(one)}\n" for one in ordered))
    path = os.environ.get(SUMMARY_VARIABLE)
    if not path:
        return
    try:
        with open(path, "ab") as file:
            file.write(_cut(render_summary(ordered, results)))
    except OSError as error:
        print(clean(f"warning: cannot write the summary to {path}: {error.strerror}"), file=sys.stderr)


def render_annotation(diagnostic: Diagnostic) -> str:
    """`::error file=Evalfile,line=3,col=5,title=bad-value::MESSAGE`, one line whatever others wrote into it."""
    data = to_json(diagnostic)
    command = "warning" if diagnostic.severity is Severity.WARNING else "error"
    label = next((one for one in data["labels"] if one["primary"]), None)
    properties = {**_find_place(label), "title": f"{data['severity']}: {data['code']}"}
    text = "\n".join([data["message"], *(f"{word}: {one}" for word, one in _list_advice(data))])
    given = ",".join(f"{name}={_encode(str(value), _IN_PROPERTY)}" for name, value in properties.items())
    return f"::{command} {given}::{_encode(text, _IN_MESSAGE)}"


def _find_place(label: dict[str, Any] | None) -> dict[str, object]:
    """File, line and column, if the label is in a file."""
    if label is None or not os.path.isfile(label["file"]):
        return {}
    return {"file": _path_from_root(label["file"]), "line": label["line"], "col": label["column"]}


def _path_from_root(name: str) -> str:
    """The path from the root of the repository, as GitHub wants it; as it is where that is not known."""
    root = os.environ.get(ROOT_VARIABLE)
    if not root:
        return name
    relative = os.path.relpath(os.path.realpath(name), os.path.realpath(root))
    return name if relative.startswith("..") else relative


def _list_advice(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from (("note", text) for text in data["notes"])
    yield from (("help", text) for text in data["help"])


def _encode(text: str, codes: dict[str, str]) -> str:
    return "".join(codes.get(char, char) for char in clean(text))


# The summary of a step ---------------------------------------------------------------------------------


def render_summary(diagnostics: Sequence[Diagnostic], results: ResultSet | None) -> str:
    """What to know of a build, as Markdown: a verdict, what is wrong, scores, gates."""
    from evalmake.exporters.markdown import render_gate, render_score_notes, render_score_table

    parts = [f"## evalmake: {_render_verdict(diagnostics, results)}"]
    parts += ["\n".join(map(_render_problem, diagnostics))] if diagnostics else []
    table = results.table() if results else None
    if results and table and table.cells:
        parts += [render_score_table(results, table)]
        parts += [notes] if (notes := render_score_notes(results, table)) else []
    if results and results.gates:
        parts += ["### Gates", "\n".join(map(render_gate, results.gates))]
    return clean("\n\n".join(parts) + "\n\n")


def _render_verdict(diagnostics: Sequence[Diagnostic], results: ResultSet | None) -> str:
    """`2 errors, 1 gate not met`; `3 gates met`."""
    severities = Counter(one.severity for one in diagnostics)
    verdicts = Counter(gate.met for gate in results.gates if gate.matters) if results else Counter[bool | None]()
    failing = [
        (severities[Severity.ERROR], "error", ""),
        (verdicts[False], "gate", " not met"),
        (verdicts[None], "gate", " not judged"),
        (severities[Severity.WARNING], "warning", ""),
    ]
    counts = failing if any(count for count, _, _ in failing) else [(verdicts[True], "gate", " met")]
    return ", ".join(f"{n} {noun}{'s' * (n != 1)}{rest}" for n, noun, rest in counts if n) or "no errors"


def _render_problem(diagnostic: Diagnostic) -> str:
    data = to_json(diagnostic)
    label = next((one for one in data["labels"] if one["primary"]), None)
    place = _find_place(label)
    where = f" ({escape(str(place['file']))}:{place['line']})" if place else ""
    lines = [f"- **{data['severity']}**: {escape(data['message'])} `{data['code']}`{where}"]
    return "\n".join([*lines, *(f"  - {word}: {escape(text)}" for word, text in _list_advice(data))])


def _cut(text: str) -> bytes:
    """The text, or as many of its lines as GitHub takes."""
    data = text.encode(errors="replace")
    if len(data) <= _LARGEST_SUMMARY:
        return data
    whole = data[:_LARGEST_SUMMARY].rpartition(b"\n")[0]
    return whole + b"\n\n(cut: GitHub takes no more)\n\n"
