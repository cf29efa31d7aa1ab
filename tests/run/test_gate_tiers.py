"""Gates of three tiers: what each means for the exit status, and how it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evalmake.scoring.gates import GateResult, choose_status, make_open_result
from tests.support.mock_servers import count_requests, mock_server
from tests.support.workspaces import Bench

EVALFILE = """\
model m {{ endpoint = "{url}/v1", name = "mock" }}
benchmark sums {{
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{{question}}"
    target  = "{{answer}}"
    scorer  = python
    scorer_file = file("score.py")
}}
eval e {{
    model     = m
    benchmark = sums
    require accuracy >= 50%
    require accuracy >= {supporting} as supporting
    require {advisory} as advisory
}}
report r {{ of = [e], path = "r.md" }}
report cases {{ of = [e], path = "r.xml", format = junit }}
"""


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[str]:
    """The root URL of a model that is right in 80 % of sums."""
    with mock_server({"skill": 0.8, "seed": 1}, tmp_path / "port") as url:
        yield url


def result(tier: str, met: bool | None) -> GateResult:
    """A gate of a tier with a verdict."""
    found = make_open_result("e", "accuracy", ">=", 0.5, None, {}, "")
    return GateResult(**{**{name: getattr(found, name) for name in GateResult.__slots__}, "tier": tier, "met": met})


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([], 0),
        ([("critical", True), ("supporting", True)], 0),
        ([("critical", False), ("supporting", False)], 1),
        ([("critical", False), ("critical", None)], 2),
        ([("critical", True), ("supporting", False)], 3),
        ([("critical", True), ("supporting", None), ("advisory", False)], 3),
        ([("critical", True), ("advisory", False), ("advisory", None)], 0),
    ],
)
def test_the_exit_status(verdicts: list[tuple[str, bool | None]], status: int) -> None:
    """A critical gate decides, then a supporting one; an advisory one never does."""
    assert choose_status(result(tier, met) for tier, met in verdicts) == status


def test_what_a_build_says(tmp_path: Path, mock: str) -> None:
    """Supporting and advisory gates are told of, a changed tier runs nothing, and a missing metric meets none."""
    bench = Bench(tmp_path)
    bench.sums(20)
    (tmp_path / "score.py").write_text("def score(record, reply, target):\n    return float(str(target) in reply)\n")

    def build(supporting: str, advisory: str) -> int:
        bench.evalfile(EVALFILE.format(url=mock, supporting=supporting, advisory=advisory))
        return bench.run().status

    assert build("95%", "accuracy >= 99%") == 3
    asked = count_requests(mock)
    ran = bench.run()
    assert "1 supporting gate not met, 1 advisory not met" in ran.text
    assert "where only such gates are not met, the exit status is 3" in ran.text
    assert "warning: e: accuracy is" in ran.text
    report = (tmp_path / "r.md").read_text()
    assert "NOT met (supporting): `e`" in report
    assert "NOT met (advisory): `e`" in report
    kinds = [child.tag for case in ElementTree.parse(tmp_path / "r.xml").iter("testcase") for child in case]
    assert (kinds.count("failure"), kinds.count("skipped")) == (1, 1)
    assert build("60%", "speed >= 99%") == 0  # not reported, and so not judged: never met
    gates = bench.build()["gates"]
    assert [(gate.get("tier"), gate["met"]) for gate in gates] == [
        (None, True),
        ("supporting", True),
        ("advisory", None),
    ]
    assert count_requests(mock) == asked
