"""Conversations, tools and pictures in evidence: verified, replayed, and left out with the prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.evidence_checks.conftest import write_key_pair
from tests.support.media import png
from tests.support.shared_folders import make_once
from tests.support.workspaces import Bench

EVALFILE = """\
deployment d { engine = mock }
model m {
    deployment = d
    api        = vlm
}
benchmark talks {
    harness     = native
    files       = file("rows.jsonl")
    messages    = "{messages}"
    target      = "{answer}"
    scorer      = python
    scorer_file = file("score.py")
}
benchmark calls {
    harness     = native
    files       = file("rows.jsonl")
    prompt      = "{question}"
    image       = "{picture}"
    tools       = "{tools}"
    params      = { tool_choice = "required" }
    target      = "{answer}"
    scorer      = python
    scorer_file = file("score.py")
}
eval e {
    model     = m
    benchmark in [talks, calls]
}
report evidence {
    of     = [e]
    format = in-toto
    path   = "evidence"
    sign   = file("audit.key")
}
report hidden {
    of     = [e]
    format = in-toto
    path   = "hidden"
    sign   = file("audit.key")
    redact = [prompt, reply]
}
report asked {
    of     = [e]
    format = in-toto
    path   = "asked"
    sign   = file("audit.key")
    redact = [prompt]
}
all: evidence hidden asked
"""
SCORER = """\
def score(record, text, target, reply):
    calls = [call.arguments.get("value") for call in reply.tool_calls]
    return {"points": reply.tokens_out + len(reply.message), "accuracy": float(str(target) == text or target in calls)}
"""
SCHEMA = {"type": "object", "properties": {"value": {"type": "integer"}}}
TOOLS = [{"type": "function", "function": {"name": "give_zebra", "parameters": SCHEMA}}]


def make(root: Path) -> None:
    """Measure the project and write its evidence."""
    bench = Bench(root)
    write_key_pair(root, "audit")
    (root / "pics").mkdir()
    (root / "score.py").write_text(SCORER)
    rows = []
    for number in range(4):
        (root / "pics" / f"{number}.png").write_bytes(png(number))
        part = {"type": "image_url", "image_url": {"url": f"./pics/{number}.png"}}
        first = {"role": "user", "content": [part, {"type": "text", "text": f"A zebra. What is {number} + 1?"}]}
        second = {"role": "user", "content": f"What is {number} + 2?"}
        rows.append(
            {
                "messages": [first, second],
                "question": f"What is {number} + 2?",
                "picture": f"pics/../pics/{number}.png",
                "tools": TOOLS,
                "answer": number + 2,
            }
        )
    (root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    bench.evalfile(EVALFILE)
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert bench.scores() == {"e/talks": [1.0], "e/calls": [1.0]} or set(bench.scores()) == {"e/talks", "e/calls"}


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The project with its evidence; nobody may change it."""
    return Bench(make_once(tmp_path_factory, "talks", make))


@pytest.mark.parametrize("name", ["evidence", "hidden", "asked"])
def test_it_verifies(talks: Bench, name: str) -> None:
    """Evidence with pictures holds, also without its texts."""
    ended = talks.run("verify", name, "--key", "audit.pub")
    assert ended.status == 0, ended.text


def test_it_is_replayed(talks: Bench, tmp_path: Path) -> None:
    """A project is written with its pictures, and recorded turns and calls give the same scores."""
    (tmp_path / "new").mkdir()
    ended = Bench(tmp_path / "new", env=talks.env).run(
        "reproduce", str(talks.root / "evidence"), "--key", str(talks.root / "audit.pub"), "--replay", "--json"
    )
    assert ended.status == 0, ended.text
    replayed = json.loads(ended.out)["replay"]
    assert [(one["agrees"], one["differences"], one["why_not"]) for one in replayed] == [(True, [], "")] * 2


def test_a_project_has_its_pictures(talks: Bench, tmp_path: Path) -> None:
    """Nothing is missing in the project that evidence writes."""
    (tmp_path / "new").mkdir()
    ended = Bench(tmp_path / "new", env=talks.env).run(
        "reproduce", str(talks.root / "evidence"), "--key", str(talks.root / "audit.pub")
    )
    assert "nothing is missing" in ended.out, ended.text
    assert (tmp_path / "new" / "pics" / "3.png").read_bytes() == png(3)


@pytest.mark.parametrize("name", ["hidden", "asked"])
def test_texts_are_left_out(talks: Bench, name: str) -> None:
    """Without prompts there are no messages, pictures or tools; without replies no turns and calls."""
    samples = b"".join(path.read_bytes() for path in (talks.root / name).rglob("samples.redacted.jsonl"))
    assert samples
    rows = [json.loads(line) for line in samples.splitlines()]
    assert all({"request", "input", "item", "question_key"}.isdisjoint(row["shown"]) for row in rows)
    answers = {"reply", "turns", "message", "tool_calls", "answer"}
    shown = {key for row in rows for key in row["shown"]} & answers
    assert shown == (set() if name == "hidden" else answers)
    files = [path for path in (talks.root / name).rglob("*") if path.is_file()]
    whole = b"".join(path.read_bytes() for path in files)
    assert b"A zebra." not in whole
    assert not any(png(number) in path.read_bytes() for path in files for number in range(4))
    if name == "hidden":
        assert b"give_zebra" not in whole
