"""Gates on what replies took, in builds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mock_servers import count_requests, mock_server
from tests.support.workspaces import Bench

EVALFILE = """\
model m {{
    endpoint = "{url}/v1"
    name     = "mock"
    price    = {{ in = $10/Mtok, out = $40/Mtok }}
}}
benchmark sums {{
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{{question}}"
    target  = "{{answer}}"
    scorer  = {scorer}
}}
eval e {{
    model     = m
    benchmark = sums
    require latency.p95 <= {seconds}
    require latency.p50 >= 100ms
    require tokens_out.mean <= 200
    require truncated <= 1%
    require cost <= $1
}}
report proof {{ of = [e], path = "proof", format = in-toto, sign = file("audit.key") }}
report r {{ of = [e], path = "r.md" }}
"""


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[str]:
    """The root URL of a model that takes 0.2 seconds for a reply."""
    with mock_server({"skill": 0.8, "seed": 1, "latency": 0.2}, tmp_path / "port") as url:
        yield url


def gates(bench: Bench, url: str, seconds: str, scorer: str = "number") -> dict[str, dict[str, Any]]:
    """The gates of a build by what they are on."""
    bench.evalfile(EVALFILE.format(url=url, seconds=seconds, scorer=scorer))
    return {gate["metric"]: gate for gate in bench.build()["gates"]}


def test_gates_are_judged_again_and_run_nothing(tmp_path: Path, mock: str) -> None:
    """All are judged; another bound turns a verdict without a request; evidence proves them by what it holds."""
    bench = Bench(tmp_path)
    bench.sums(20)
    bench.run("key", "new", "audit")
    found = gates(bench, mock, "20s")
    assert {name: gate["met"] for name, gate in found.items()} == dict.fromkeys(found, True)
    assert len(found) == 5
    assert found["latency.p95"]["unit"] == "s"
    assert bench.run("verify", "proof", "--key", "audit.pub").out.endswith("proof: it holds\n")
    asked = count_requests(mock)
    assert gates(bench, mock, "10ms")["latency.p95"]["met"] is False
    assert "above 0.01s" in (tmp_path / "r.md").read_text()
    assert count_requests(mock) == asked


def test_cached_replies_have_the_time_of_the_model(tmp_path: Path, mock: str) -> None:
    """Where all replies come from the reply cache, latencies are those of the model, and the cost is not 0."""
    bench = Bench(tmp_path)
    bench.sums(20)
    bench.run("key", "new", "audit")
    first = gates(bench, mock, "20s")
    asked = count_requests(mock)
    again = gates(bench, mock, "20s", "contains")
    assert count_requests(mock) == asked
    assert again["latency.p50"]["met"] is True
    assert again["cost"]["value"] == pytest.approx(first["cost"]["value"])
    assert again["cost"]["value"] > 0
