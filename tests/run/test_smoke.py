"""Smoke runs: one question of each stale evaluation comes before all the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mock_servers import count_requests, mock_server
from tests.support.workspaces import Bench

EVALFILE = """\
model good {{
    endpoint = "{url}/v1"
    name     = "mock"
}}
model gone {{
    endpoint = "http://127.0.0.1:9/v1"
    name     = "mock"
    adapter  = {{ retry = 0 }}
}}
benchmark sums {{
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{{question}}{more}"
    target  = "{{answer}}"
    scorer  = number
}}
eval e {{
    model     in [good{models}]
    benchmark = sums
    seed      in 1..2
    require accuracy >= 1%
}}
"""


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[str]:
    """The root URL of a model."""
    with mock_server({"skill": 0.9, "seed": 1}, tmp_path / "port") as url:
        yield url


def make_bench(root: Path, url: str, models: str = "", more: str = "") -> Bench:
    """A project of 20 sums."""
    bench = Bench(root)
    bench.sums(20)
    bench.evalfile(EVALFILE.format(url=url, models=models, more=more))
    return bench


def test_one_question_each_then_the_rest(tmp_path: Path, mock: str) -> None:
    """A smoke run that passes asks one question of each evaluation, and the build asks only the others."""
    bench = make_bench(tmp_path, mock)
    ended = bench.run("--smoke")
    assert ended.status == 0, ended.text
    assert "smoke run: one question of 2 evaluations" in ended.err
    assert ended.out.endswith("1 gate met\n2 ran\n")
    assert count_requests(mock) == 40
    assert "nothing to do" in bench.run("--smoke").out


def test_what_is_scored_again_asks_no_question(tmp_path: Path, mock: str) -> None:
    """A smoke run leaves out evaluations that only score stored replies again, as they ask nothing."""
    bench = make_bench(tmp_path, mock)
    assert bench.run().status == 0
    bench.edit("scorer  = number", "scorer  = contains")
    ended = bench.run("--smoke")
    assert "smoke run" not in ended.err
    assert ended.out.endswith("\n2 ran, 2 of them on stored replies\n")
    assert count_requests(mock) == 40


def test_a_failure_ends_the_build_before_it_begins(tmp_path: Path, mock: str) -> None:
    """Where one question fails, nothing is asked in full, no gate is judged, and the status is 2."""
    bench = make_bench(tmp_path, mock, ", gone")
    ended = bench.run("--smoke")
    assert ended.status == 2
    assert ended.out == "0 ran, 4 did not finish\nthe smoke run failed: the build was not begun\n"
    assert "cannot connect" in ended.err
    assert "log: evalmake logs e/gone/" in ended.err
    assert "gate" not in ended.text
    assert count_requests(mock) <= 2


def test_reasons_are_those_of_the_last_full_result(tmp_path: Path, mock: str) -> None:
    """After a smoke run that failed, reasons still compare with the result that counted before."""
    bench = make_bench(tmp_path, mock)
    assert bench.run().status == 0
    make_bench(tmp_path, mock, ", gone", more=" Answer.")
    assert bench.run("--smoke").status == 2
    changed = [line for line in bench.run("-n").out.splitlines() if "e/good" in line]
    assert len(changed) == 1
    assert "limit" not in changed[0]
    assert "prompt" in changed[0]


@pytest.mark.parametrize("other", ["-n", "-q", "--detach", "--plan=p.json"])
def test_what_a_smoke_run_does_not_go_with(tmp_path: Path, other: str) -> None:
    """Flags that run nothing, or only what was planned, are refused beside --smoke."""
    bench = make_bench(tmp_path, "http://127.0.0.1:9")
    ended = bench.run("--smoke", other)
    assert ended.status == 2
    assert f"does not go with `{other.partition('=')[0]}`" in ended.err
