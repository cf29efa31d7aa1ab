"""A note beside a score is in every view: the terminal, Markdown, JSON and Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count

import pytest

import evalmake
from tests.harnesses.native.harness_bench import Body, Reply, Server, completion, question, serving
from tests.support.workspaces import Bench

EVALFILE = """\
model m {
    endpoint = "URL"
    name     = "m"
}
benchmark b {
    harness   = native
    files     = file("data.jsonl")
    prompt    = "{q}"
    target    = "{a}"
    scorer    = number
    coverage  = 0
    truncated = 100%
}
eval e {
    model     = m
    benchmark = b
}
report page {
    of   = [e]
    path = "page.md"
}
report data {
    of     = [e]
    path   = "data.json"
    format = json
}
"""
SEEDS = ("    benchmark = b\n}", "    benchmark = b\n    seed in 1..2\n}")
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
NUMBERS = count()


def choose(odd: Reply) -> Callable[[Body], Reply]:
    """The right answer, but for the question 1."""
    return lambda body: odd if question(body) == "1" else completion(question(body))


def name(field: str, *names: str) -> Callable[[Body], Reply]:
    """The right answer, with a different value of a field in turn."""
    return lambda body: {**completion(question(body)), field: names[next(NUMBERS) % len(names)]}


CASES: dict[str, tuple[Callable[[Body], Reply], tuple[str, str] | None, str]] = {
    "truncated": (choose(completion("1", "length")), None, "1 of 3 replies cut off by the token limit"),
    "empty": (choose(completion("")), None, "1 of 3 replies empty"),
    "no-answer": (choose(completion("I do not know.")), None, "no answer was found in 1 of 3 replies"),
    "extract": (
        choose(completion("1")),
        ("scorer    = number", "scorer    = exact\n    extract   = '^[23]$'"),
        "no answer was found in 1 of 3 replies",
    ),
    "refused": (choose(completion("", "content_filter")), None, "1 of 3 replies refused"),
    "tool-calls": (
        choose(completion(None, "tool_calls", tool_calls=[CALL])),
        None,
        "1 of 3 replies call a tool where text was expected",
    ),
    "unscored": (choose(completion(None)), None, "1 of 3 samples not scored"),
    "models": (name("model", "m", "tiny"), None, "2 models answered (m, tiny)"),
    "model": (name("model", "tiny"), None, "tiny answered, m was asked"),
    "fingerprints": (name("system_fingerprint", "one", "two"), None, "2 system fingerprints (one, two)"),
    "seeds": (choose(completion("1")), SEEDS, "all 2 seeds gave the same replies: counted as one run"),
}


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that a case tells what to answer."""
    with serving() as state:
        yield state


def _check_views(bench: Bench, row: str, text: str) -> None:
    """Build on three questions, and find the note in all views."""
    (bench.root / "data.jsonl").write_text("".join(json.dumps({"q": str(at), "a": at}) + "\n" for at in (1, 2, 3)))
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert text in next(line for line in ended.out.splitlines() if line.startswith(f"note: {row}: "))
    assert text in (bench.root / "page.md").read_text()
    report = json.loads((bench.root / "data.json").read_text())
    printed = json.loads(bench.run("--json").out)
    result = next(iter(evalmake.build(evalmake.load(bench.root / "Evalfile"))))
    assert text in str(result) or "1 not scored" in str(result)
    found = [note.text for note in result.notes if text in note.text]
    for shown in (report["table"][0], report["results"][0], printed["results"][0]):
        assert [note["text"] for note in shown["notes"] if text in note["text"]] == found
    assert len(found) == 1


@pytest.mark.parametrize("code", CASES)
def test_a_note_is_in_every_view(bench: Bench, server: Server, code: str) -> None:
    """What became of the replies is said beside the score by each view, in the same words."""
    server.answer, edit, text = CASES[code]
    bench.evalfile(EVALFILE.replace("URL", server.url))
    bench.edit('name     = "m"', 'name     = "m"\n    adapter  = { retry = 0 }')
    if edit:
        bench.edit(*edit)
    _check_views(bench, "m, b", text)


def test_rows_that_are_unlike_say_so_in_every_view(bench: Bench, server: Server) -> None:
    """Rows with another limit, other parameters or another prompt are named as such."""
    server.answer = choose(completion("1"))
    bench.evalfile(EVALFILE.replace("URL", server.url))
    bench.edit("benchmark b {", 'model other from m { name = "other" }\nbenchmark b {')
    bench.edit("report page", "eval short { model = other, benchmark = b, limit = 2 }\nreport page")
    bench.edit("    of   = [e]", "    of   = [e, short]")
    bench.edit("    of     = [e]", "    of     = [e, short]")
    _check_views(bench, "m, b", "unlike other rows: ")
