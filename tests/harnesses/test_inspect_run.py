"""Inspect from the package index, run by evalmake against the mock server and by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from mock_servers import mock_server, requests
from workspaces import Bench

from evalmake.run.environments import Environment

TASKS = Path(__file__).parent / "inspect_tasks"
EVALFILE = """
model m { endpoint = "URL/v1", name = "m" }

benchmark sums {
    harness   = inspect
    packages  = ["inspect-ai==0.3.285", "openai==3.54.0"]
    task      = "arith.py@arith"
    files     = glob("arith.*")
    task_args = { hint = "Just the number." }
}

eval e {
    model     = m
    benchmark = sums
    seed      = 3
    limit     = 12
    params    = { temperature = 0.5, max_tokens = 64, top_k = 5 }
}
"""
Serve = Callable[[Mapping[str, object]], str]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a mock server with these settings; its root URL."""
    with ExitStack() as started:
        yield lambda settings: started.enter_context(
            mock_server(settings, tmp_path / f"port {settings}")
        )


def questions(root: Path) -> None:
    """The tasks, and 40 questions in passages of four."""
    shutil.copy(TASKS / "arith.py", root)
    rows = [
        {"question": f"What is {n} + {n + 3}?", "answer": str(2 * n + 3), "passage": f"p{n // 4}"}
        for n in range(40)
    ]
    (root / "arith.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def by_hand(bench: Bench, url: str) -> dict[str, Any]:
    """The log of the same task, run as its users run it."""
    packages = ("inspect-ai==0.3.285", "openai==3.54.0")
    inspect = Environment(packages, Path(bench.env["EVALMAKE_ENVIRONMENTS"])).folder / "bin/inspect"
    done = subprocess.run(
        [str(inspect), "eval", "arith.py@arith", "--model", "openai-api/byhand/m", "-T", "hint=Just the number.",
         "--limit", "12", "--seed", "3", "--temperature", "0.5", "--max-tokens", "64",
         "--extra-body", '{"top_k": 5}', "--log-format", "json", "--log-dir", "logs", "--display", "none"],
        cwd=bench.root, env=os.environ | {"BYHAND_API_KEY": "k", "BYHAND_BASE_URL": f"{url}/v1"},
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (log,) = (bench.root / "logs").glob("*.json")
    found: dict[str, Any] = json.loads(log.read_text())
    return found


@contextmanager
def samples(bench: Bench) -> Iterator[list[dict[str, Any]]]:
    """The samples of the only attempt."""
    (attempt,) = bench.attempts()
    (output,) = [o for o in attempt.outputs if o.name == "samples.jsonl"]
    with bench.store() as store:
        yield [json.loads(line) for line in store.blob(output.sha256).splitlines()]


def test_scores_are_those_of_the_task_run_by_hand(bench: Bench, serve: Serve) -> None:
    """Mean, standard error and every sample's score are equal; a second build asks nothing."""
    url = serve({"skill": 0.6, "name": "m"})
    questions(bench.root)
    bench.evalfile(EVALFILE.replace("URL", url))
    first = bench.run()
    assert first.status == 0, first.text
    (attempt,) = bench.attempts()
    (score,) = attempt.scores
    assert requests(url) == 12
    log = by_hand(bench, url)
    metrics = log["results"]["scores"][0]["metrics"]
    assert requests(url) == 24
    assert score.value == metrics["accuracy"]["value"]
    assert score.value not in (0.0, 1.0)
    assert score.stderr == pytest.approx(metrics["stderr"]["value"])
    with samples(bench) as rows:
        told = {row["id"]: row["scores"]["accuracy"] for row in rows}
    letters = {str(s["id"]): s["scores"]["match"]["value"] for s in log["samples"]}
    assert told == {id: {"C": 1.0, "I": 0.0}[letter] for id, letter in letters.items()}
    assert "nothing to do" in bench.run().out
    assert requests(url) == 24
    bench.clean()


def test_an_endpoint_that_fails_is_no_zero(bench: Bench, serve: Serve) -> None:
    """Inspect ends with status 0; the evaluation failed, with the server's words, each asked once."""
    url = serve({"status": 503, "name": "m"})
    questions(bench.root)
    bench.evalfile(EVALFILE.replace("URL", url))
    ended = bench.run()
    assert ended.status == 2
    assert "503" in ended.err
    assert "0 of 12 samples were answered" in ended.err
    assert [(a.status, a.scores) for a in bench.attempts()] == [("failed", ())]
    assert requests(url) <= 12


def test_another_model_grades(bench: Bench, serve: Serve) -> None:
    """`judge` is Inspect's grader: it is asked at its own address."""
    url, judge = serve({"name": "m"}), serve({"name": "grader"})
    questions(bench.root)
    text = EVALFILE.replace("URL", url).replace("arith.py@arith", "arith.py@graded")
    text = text.replace('task_args = { hint = "Just the number." }', "judge = grader")
    bench.evalfile(text + f'model grader {{ endpoint = "{judge}/v1", name = "g" }}\n')
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert (requests(url), requests(judge)) == (12, 12)
