"""The check `similar` with an embedder of one's own: built, repeated from the cache, and replayed from evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.evidence_checks.conftest import write_key_pair
from tests.support.shared_folders import make_once
from tests.support.workspaces import Bench

EVALFILE = """\
deployment d { engine = mock }
model m { deployment = d }
model vectors {
    api        = embeddings
    deployment = d
    params     = { dimensions = 256 }
}
benchmark near {
    harness  = native
    files    = file("rows.jsonl")
    prompt   = "What is {n} + 2?"
    embedder = vectors
    checks   = [
        { type = similar, value = "The answer is {answer}.", threshold = 0.3 }
        { type = not-similar, value = "Rome lies on the Tiber, and always has" }
    ]
}
eval e { model = m, benchmark = near }
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
all: evidence hidden
"""


def make(root: Path) -> None:
    """Measure the project and write its evidence."""
    bench = Bench(root)
    write_key_pair(root, "audit")
    (root / "rows.jsonl").write_text("".join(json.dumps({"n": n, "answer": n + 2}) + "\n" for n in range(4)))
    bench.evalfile(EVALFILE)
    ended = bench.run()
    assert ended.status == 0, ended.text


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The project with its evidence; nobody may change it."""
    return Bench(make_once(tmp_path_factory, "near", make))


def test_the_embedder_is_asked_through_its_gateway(near: Bench) -> None:
    """The sample keeps the similarities, and the embedder's gateway counts requests, with its own parameters."""
    [folder] = (near.root / "evidence").glob("**/outputs")
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert all(len(row["similarities"]) == 2 for row in rows)
    assert {row["scores"]["not-similar"] for row in rows} == {1.0}
    usage = json.loads((folder / "gateway-embedder" / "usage.json").read_text())
    assert usage["requests"] == 8
    assert "The embedder answered 8 requests" in near.run("audit", "e").text


@pytest.mark.parametrize("name", ["evidence", "hidden"])
def test_it_verifies(near: Bench, name: str) -> None:
    """Evidence holds with the similarities, also without texts."""
    ended = near.run("verify", name, "--key", "audit.pub")
    assert ended.status == 0, ended.text


def test_it_is_replayed(near: Bench) -> None:
    """Recorded replies and similarities are scored again, and the scores agree."""
    ended = near.run("reproduce", "evidence", "--key", "audit.pub", "--replay")
    assert ended.status == 0, ended.text


def test_it_repeats_from_the_cache(tmp_path: Path) -> None:
    """Asked again with another threshold, the vectors come from the cache; another embedder is another evaluation."""
    make(tmp_path)
    bench = Bench(tmp_path)
    bench.evalfile(EVALFILE.replace("threshold = 0.3", "threshold = 0.2"))
    assert bench.run("e").status == 0
    bench.run("outputs", "e", "--copy", "copies")
    [path] = (tmp_path / "copies").glob("**/gateway-embedder/usage.json")
    usage = json.loads(path.read_text())
    assert (usage["requests"], usage["cached"]) == (8, 8)
    bench.evalfile(EVALFILE.replace("threshold = 0.3", "threshold = 0.2").replace("256", "128"))
    assert "benchmark.embedder" in bench.run("why", "e").text
