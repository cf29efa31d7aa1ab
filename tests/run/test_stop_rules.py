"""Builds that stop to ask when enough is known: what they ask, say, keep and ask again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mock_servers import count_requests, mock_server
from tests.support.workspaces import Bench

EVALFILE = """\
BAR = 80%
LIMIT = 400
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
    limit     = LIMIT
    until     = decided
    require accuracy >= BAR
}}
"""


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[str]:
    """The root URL of a model that is right in 90 % of sums."""
    with mock_server({"skill": 0.9, "seed": 1}, tmp_path / "port") as url:
        yield url


def test_a_gate_is_decided_with_few_items(tmp_path: Path, mock: str) -> None:
    """A bar far below the score takes few requests, one near it all; a raised limit sends only the rest."""
    bench = Bench(tmp_path)
    bench.sums(400)
    bench.evalfile(EVALFILE.format(url=mock))
    assert bench.build("BAR=50%")["gates"][0]["met"] is True
    few = count_requests(mock)
    assert few < 60
    [gate] = bench.build("LIMIT=100", "BAR=88%")["gates"]
    assert gate["met"] is None
    assert gate["message"].startswith("not decided: accuracy is 0.")
    assert count_requests(mock) == 100
    bench.build("LIMIT=150", "BAR=88%")
    assert count_requests(mock) == 150
    [gate] = bench.build("BAR=99%")["gates"]
    assert gate["met"] is False
    assert count_requests(mock) == 150
    text = bench.run("results").out
    assert "of 400 items" in text
    assert "1 run" in text


def test_another_bar_asks_no_more_than_it_needs(tmp_path: Path, mock: str) -> None:
    """What decides is part of the identity: it is named in the reasons, and an unchanged one runs nothing."""
    bench = Bench(tmp_path)
    bench.sums(400)
    bench.evalfile(EVALFILE.format(url=mock))
    bench.run("BAR=60%")
    before = count_requests(mock)
    assert "nothing to do" in bench.run("BAR=60%").text
    assert "until.bounds" in bench.run("-n", "-v", "BAR=50%").text
    bench.run("BAR=50%")
    assert count_requests(mock) <= before + 32  # those that were on their way


def test_each_seed_stops_by_itself(tmp_path: Path, mock: str) -> None:
    """A gate over seeds is decided by what each of them decided, though each asked another number of items."""
    bench = Bench(tmp_path)
    bench.sums(400)
    bench.evalfile(EVALFILE.format(url=mock).replace("    limit ", "    seed      in 1..3\n    limit "))
    [gate] = bench.build("BAR=75%")["gates"]
    assert gate["met"] is True
    assert len(set(gate["samples"])) > 1


def test_precision(tmp_path: Path, mock: str) -> None:
    """`precision = 8%` stops when the interval is that narrow, and a report says how many were asked."""
    bench = Bench(tmp_path)
    bench.sums(400)
    text = EVALFILE.format(url=mock).replace("until     = decided", "precision = 8%").replace(">= BAR", ">= 10%")
    bench.evalfile(text + 'report r { of = [e], path = "r.md" }\n')
    bench.run()
    asked = count_requests(mock)
    assert 60 < asked < 300
    report = (bench.root / "r.md").read_text()
    assert "items" in report
    assert "confidence sequence by betting" in report


def test_evidence_knows_where_it_had_to_stop(tmp_path: Path, mock: str) -> None:
    """Evidence of such a build is verified: the samples are those at which the rule stops, and no others."""
    bench = Bench(tmp_path)
    bench.sums(400)
    text = EVALFILE.format(url=mock)
    bench.evalfile(text + 'report proof { of = [e], path = "proof", format = in-toto, sign = file("audit.key") }\n')
    bench.run("key", "new", "audit")
    bench.run("BAR=50%")
    assert bench.run("verify", "proof", "--key", "audit.pub").out.endswith("proof: it holds\n")
