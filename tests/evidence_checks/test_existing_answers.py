"""Evidence of answers that were in the data: verified, scored again, and run again, with no model to ask."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.evidence_checks.conftest import write_key_pair
from tests.support.shared_folders import make_once
from tests.support.workspaces import Bench

EVALFILE = """\
deployment d { engine = mock }
model grader { deployment = d }
model mine {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "mine"
    api_key  = secret("NOBODY_HAS_IT")
}
benchmark stored {
    harness  = native
    files    = file("rows.jsonl")
    prompt   = "{question}"
    answer   = "{reply}"
    target   = "{answer}"
    scorer   = number
    coverage = 0.5
}
benchmark judged from stored {
    scorer = judge
    judge  = grader
}
eval e {
    model     = none
    benchmark in [stored, judged]
}
eval named {
    model     = mine
    benchmark = stored
    limit     = 2
}
report evidence {
    of     = [e, named]
    format = in-toto
    path   = "evidence"
    sign   = file("audit.key")
}
report hidden {
    of     = [e, named]
    format = in-toto
    path   = "hidden"
    sign   = file("audit.key")
    redact = [reply]
}
"""
ROWS = [
    {"question": "What is 2 + 3?", "answer": "5", "reply": "It is 5."},
    {"question": "What is 2 + 4?", "answer": "6", "reply": "It is 7."},
    {"question": "What is 2 + 5?", "answer": "7", "reply": None},
]


def make(root: Path) -> None:
    """Score the answers and write the evidence."""
    bench = Bench(root)
    write_key_pair(root, "audit")
    (root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    bench.evalfile(EVALFILE)
    ended = bench.run()
    assert ended.status == 0, ended.text


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The project with its evidence; nobody may change it."""
    return Bench(make_once(tmp_path_factory, "answers", make))


@pytest.mark.parametrize("name", ["evidence", "hidden"])
def test_it_verifies(answers: Bench, name: str) -> None:
    """Samples are those of the data, counts have no requests, and left out replies are in no file."""
    ended = answers.run("verify", name, "--key", "audit.pub")
    assert ended.status == 0, ended.text
    files = [path for path in (answers.root / name).rglob("*") if path.is_file()]
    assert any(b"It is 7" in path.read_bytes() for path in files) == (name == "evidence")


def test_it_is_scored_again(answers: Bench, tmp_path: Path) -> None:
    """The answers and the judge's recorded words give the same scores."""
    ended = Bench(tmp_path, env=answers.env).run(
        "reproduce", str(answers.root / "evidence"), "--key", str(answers.root / "audit.pub"), "--replay", "--json"
    )
    assert ended.status == 0, ended.text
    replayed = json.loads(ended.out)["replay"]
    assert [(one["agrees"], one["differences"], one["why_not"]) for one in replayed] == [(True, [], "")] * 3


def test_nobody_is_asked_again(answers: Bench, tmp_path: Path) -> None:
    """A second run needs no secret of a model that is not asked, and says that none was."""
    (tmp_path / "new").mkdir()
    ended = Bench(tmp_path / "new", env=answers.env).run(
        "reproduce", str(answers.root / "evidence"), "--key", str(answers.root / "audit.pub"), "--ask"
    )
    assert ended.status == 0, ended.text
    assert "nothing is missing" in ended.out
    assert ended.out.count("no model is asked, as `answer` takes the replies from the data") == 3
