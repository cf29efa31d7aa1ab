"""Builds that take several samples of each item: what they ask, say, keep and ask again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mock_servers import count_requests, mock_server
from tests.support.workspaces import Bench

EVALFILE = """\
REPEATS = 3
model m {{
    endpoint = "{url}/v1"
    name     = "mock"
}}
benchmark sums {{
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{{question}}"
    target  = "{{answer}}"
    scorer  = number
}}
eval e {{
    model     = m
    benchmark = sums
    repeats   = REPEATS
    params    = {{ temperature = 0.7 }}
    require "pass@2" >= 60%
    require "pass^2" >= 90%
    require majority >= 10%
}}
report r {{ of = [e], path = "r.md" }}
report cases {{ of = [e], path = "r.xml", format = junit }}
report data {{ of = [e], path = "r.json", format = json }}
"""


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[str]:
    """The root URL of a model that is right in 60 % of sums, which it draws anew for each seed."""
    with mock_server({"skill": 0.6, "seed": 1}, tmp_path / "port") as url:
        yield url


def test_more_repeats_ask_only_the_new_ones(tmp_path: Path, mock: str) -> None:
    """From 1 to 3 to 5 samples of 40 items, only the new ones are asked; fewer again, or the same, ask nothing."""
    bench = Bench(tmp_path)
    bench.sums(40)
    bench.evalfile(EVALFILE.format(url=mock))
    for repeats, asked in ((3, 120), (5, 200), (2, 200)):
        bench.build(f"REPEATS={repeats}")
        assert count_requests(mock) == asked
    assert "nothing to do" in bench.run("REPEATS=2").text
    assert "repeats" in bench.run("-n", "-v", "REPEATS=4").text


@pytest.mark.parametrize("adapter", ['{ drop = ["seed"] }', "{ reseed = false }"])
def test_an_endpoint_without_seeds(tmp_path: Path, mock: str, adapter: str) -> None:
    """Where no seed tells samples apart, their number does: three are three, and two more are two more."""
    bench = Bench(tmp_path)
    bench.sums(10)
    bench.evalfile(
        EVALFILE.format(url=mock).replace('    name     = "mock"', f'    name = "mock"\n    adapter = {adapter}')
    )
    bench.build()
    assert count_requests(mock) == 30
    bench.build("REPEATS=5")
    assert count_requests(mock) == 50


def test_gates_and_reports(tmp_path: Path, mock: str) -> None:
    """Gates judge what several samples say together; each report, `show` and `results` have it."""
    bench = Bench(tmp_path)
    bench.sums(40)
    bench.evalfile(EVALFILE.format(url=mock))
    gates = {gate["metric"]: gate["met"] for gate in bench.build()["gates"]}
    assert gates == {"pass@2": True, "pass^2": False, "majority": True}
    report = (bench.root / "r.md").read_text()
    assert "3 samples of each item" in report
    assert all(name in report for name in ("pass@2", "pass@3", "pass^3", "majority"))
    [result] = json.loads((bench.root / "r.json").read_text())["results"]
    assert {score["metric"] for score in result["scores"]} >= {"accuracy", "pass@3", "pass^3", "majority"}
    assert "pass^2" in (bench.root / "r.xml").read_text()
    assert "pass@3" in bench.run("results", "--by", "metric").text
    assert "repeats" in bench.run("show", "e").text
    samples = bench.run("results", "--samples", "--where", "repetition = 2", "--format", "json").out
    assert len(json.loads(samples)) == 40


def test_evidence_counts_them_again(tmp_path: Path, mock: str) -> None:
    """Signed evidence of several samples of each item is verified: their seeds, their number and their scores."""
    bench = Bench(tmp_path)
    bench.sums(12)
    text = EVALFILE.format(url=mock)
    bench.evalfile(text + 'report proof { of = [e], path = "proof", format = in-toto, sign = file("audit.key") }\n')
    bench.run("key", "new", "audit")
    bench.run()
    assert bench.run("verify", "proof", "--key", "audit.pub").out.endswith("proof: it holds\n")
