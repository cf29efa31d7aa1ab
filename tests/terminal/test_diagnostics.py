"""Diagnostics as text and as JSON: whole texts, as the user sees them."""

from __future__ import annotations

import json

from evalmake.language.diagnostic import Diagnostic, EvalmakeError, Severity, make_diagnostic
from evalmake.language.parser import parse
from evalmake.language.source import Source, Span
from evalmake.terminal.diagnostics import render, render_short, to_json

MATRIX = "Evalfiles/matrix.evalfile"


def lines(name: str, numbered: dict[int, str]) -> Source:
    """A source with the given lines, all others blank."""
    return Source(name, "\n".join(numbered.get(n, "") for n in range(1, max(numbered) + 1)) + "\n")


def at(source: Source, text: str) -> Span:
    """Where `text` first stands."""
    start = source.text.index(text)
    return Span(source, start, start + len(text))


def name_error() -> Diagnostic:
    """An unknown name, with its address and a suggestion."""
    source = lines(MATRIX, {79: "    model     in [llama-8b, qwen2.5-7b, qwen2.5-72b]"})
    return make_diagnostic(
        "unknown-name",
        "no model is named `llama-8b`",
        at(source, "llama-8b"),
        help=[f"did you mean `llama-3.1-8b`, declared at {MATRIX}:57?"],
        about="eval grid",
    )


def test_syntax() -> None:
    """An unclosed block is labelled where it broke and where it began, lines between left out."""
    text = '\n\nmodel gpt-4o-mini {\n    name = "a"\n\n\nbenchmark gsm8k {\n}\n'
    try:
        parse(Source("Evalfile", text))
    except EvalmakeError as error:
        said = render(error.diagnostics)
    assert said == (
        "error: the block of `model gpt-4o-mini` is never closed [unclosed-block]\n"
        " --> Evalfile:7:1\n"
        "  |\n"
        "3 | model gpt-4o-mini {\n"
        "  |                   - opened here\n"
        "...\n"
        "7 | benchmark gsm8k {\n"
        "  | ^^^^^^^^^^^^^^^ a new declaration cannot begin inside a block\n"
        "  |\n"
        "help: add `}` on a line of its own before line 7"
    )


def test_name() -> None:
    """The address stands on the arrow line, the suggestion below."""
    assert render([name_error()]) == (
        "error: no model is named `llama-8b` [unknown-name]\n"
        "  --> Evalfiles/matrix.evalfile:79:19, in eval grid\n"
        "   |\n"
        "79 |     model     in [llama-8b, qwen2.5-7b, qwen2.5-72b]\n"
        "   |                   ^^^^^^^^\n"
        "   |\n"
        "help: did you mean `llama-3.1-8b`, declared at Evalfiles/matrix.evalfile:57?"
    )


def test_command_line() -> None:
    """The command line is a source with `$` for a line number; the file's label follows."""
    argv = Source("command line", "evalmake nightly LIMIT=ten")
    source = lines(MATRIX, {11: "LIMIT  = 500"})
    diagnostic = make_diagnostic(
        "bad-override",
        "`LIMIT` is a number, and `ten` is not one",
        at(argv, "ten"),
        "expected a number or `none`",
        also=[(at(source, "LIMIT  = 500"), "its type comes from this declaration")],
    )
    assert render([diagnostic]) == (
        "error: `LIMIT` is a number, and `ten` is not one [bad-override]\n"
        "  --> command line\n"
        "   |\n"
        " $ | evalmake nightly LIMIT=ten\n"
        "   |                        ^^^ expected a number or `none`\n"
        "  ::: Evalfiles/matrix.evalfile:11:1\n"
        "   |\n"
        "11 | LIMIT  = 500\n"
        "   | ------------ its type comes from this declaration\n"
        "   |"
    )


def test_two_files() -> None:
    """Labels of two files share one gutter; notes and help come last."""
    matrix = lines(MATRIX, {61: "benchmark _lm-eval {"})
    common = lines("Evalfiles/common/lm-eval.evalfile", {2: "benchmark _lm-eval {"})
    diagnostic = make_diagnostic(
        "duplicate-name",
        "benchmark `_lm-eval` is declared twice",
        at(matrix, "_lm-eval"),
        "declared again here",
        also=[(at(common, "_lm-eval"), "first declared here")],
        notes=[f"Evalfiles/common/lm-eval.evalfile is included at {MATRIX}:8"],
        help=["rename one of them, or inherit: `benchmark NAME from _lm-eval { ... }`"],
    )
    assert render([diagnostic]) == (
        "error: benchmark `_lm-eval` is declared twice [duplicate-name]\n"
        "  --> Evalfiles/matrix.evalfile:61:11\n"
        "   |\n"
        "61 | benchmark _lm-eval {\n"
        "   |           ^^^^^^^^ declared again here\n"
        "  ::: Evalfiles/common/lm-eval.evalfile:2:11\n"
        "   |\n"
        " 2 | benchmark _lm-eval {\n"
        "   |           -------- first declared here\n"
        "   |\n"
        "note: Evalfiles/common/lm-eval.evalfile is included at Evalfiles/matrix.evalfile:8\n"
        "help: rename one of them, or inherit: `benchmark NAME from _lm-eval { ... }`"
    )


def test_log_lines_of_a_note() -> None:
    """The further lines of a note stand behind a bar; without labels there is no source."""
    diagnostic = make_diagnostic("service-failed", "it stopped", notes=["its log ends\nINFO\nKilled"])
    assert render([diagnostic]) == (
        "error: it stopped [service-failed]\nnote: its log ends\n      | INFO\n      | Killed"
    )


def test_labels_of_one_line() -> None:
    """Labels that overlap get a row each, the primary one first; a span ends with its line."""
    source = Source("f", "a = [b, b]\nc\n")
    diagnostic = make_diagnostic("x", "m", Span(source, 8, 12), "again", also=[(Span(source, 5, 9), "first")])
    assert render([diagnostic]).splitlines()[3:6] == [
        "1 | a = [b, b]",
        "  |         ^^ again",
        "  |      ---- first",
    ]


def test_wide_characters_and_tabs() -> None:
    """Carets stand below what is seen: wide characters take two columns, accents none."""
    source = Source("f", '\tx\t= "日本e\u0301" 5\n')
    row, caret = render([make_diagnostic("x", "m", at(source, "5"))]).splitlines()[3:5]
    assert row == '1 |     x   = "日本e\u0301" 5'
    assert caret == "  |" + " " * 19 + "^"
    assert render([make_diagnostic("x", "m", at(source, "日本"))]).splitlines()[4].endswith(" ^^^^")


def test_nothing_steers_the_terminal() -> None:
    """Control characters of a source, a message or a label are replaced before they are printed."""
    source = Source("f\x1b", "a\x1b[2J\u202eb\n")
    said = render([make_diagnostic("x", "m\x07", source.span(1), "l\x1b", notes=["n\x1b"], help=["\0"])])
    assert not set(said) & set("\x1b\x07\0\u202e")


def test_long_lines_are_cropped() -> None:
    """Of a very long line only the part around each label is shown, with the caret below it."""
    source = Source("f", "x" * 5000 + "Y" + "x" * 5000 + "Z\n")
    said = render([make_diagnostic("x", "m", at(source, "Y"), "here", also=[(at(source, "Z"), "there")])])
    rows = said.splitlines()
    assert max(map(len, rows)) <= 170
    for row, caret in ((rows[3], rows[4]), (rows[5], rows[6])):
        mark = "^" if "^" in caret else "-"
        assert row[caret.index(mark)] == ("Y" if mark == "^" else "Z")
    assert len(to_json(make_diagnostic("x", "m", at(source, "Y")))["labels"][0]["source"]) < 6000


def test_several_are_counted() -> None:
    """After several, a last line counts them and names the command that explains one."""
    gate = make_diagnostic("gate-not-met", "g", severity=Severity.GATE)
    said = render([name_error(), name_error(), gate])
    last = "2 errors, 1 gate; for more about one: evalmake explain unknown-name"
    assert said.endswith("\n\ngate: g [gate-not-met]\n\n" + last)


def test_colour_adds_only_colour() -> None:
    """Without its escapes the coloured text is the plain one."""
    import re

    coloured = render([name_error()], colour=True)
    assert coloured.startswith("\033[1;31merror:\033[0m no model")
    assert re.sub(r"\033\[[\d;]*m", "", coloured) == render([name_error()])


def test_json_shape() -> None:
    """The object has the documented fields, and survives JSON."""
    shown = json.loads(json.dumps(to_json(name_error())))
    start = 78 + len("    model     in [")
    assert shown == {
        "code": "unknown-name",
        "severity": "error",
        "message": "no model is named `llama-8b`",
        "about": "eval grid",
        "labels": [
            {
                "file": MATRIX,
                "start": start,
                "end": start + 8,
                "line": 79,
                "column": 19,
                "text": "",
                "primary": True,
                "source": "    model     in [llama-8b, qwen2.5-7b, qwen2.5-72b]",
            }
        ],
        "notes": [],
        "help": ["did you mean `llama-3.1-8b`, declared at Evalfiles/matrix.evalfile:57?"],
    }


def test_short() -> None:
    """One line for an editor; without a place, only what is said."""
    text = "no model is named `llama-8b` [unknown-name]"
    assert render_short(name_error()) == f"Evalfiles/matrix.evalfile:79:19: error: {text}"
    assert render_short(make_diagnostic("x", "m")) == "error: m [x]"


def test_long_help() -> None:
    """Help that repeats a very long line of the user is cut, as the line itself is."""
    said = render([make_diagnostic("x", "m", None, help=["write `" + "a " * 100_000])])
    assert len(said) < 2200
    assert said.endswith("...")
