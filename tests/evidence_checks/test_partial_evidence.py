"""Evidence of a build that has not succeeded with all of it, and of a part of what gates are judged by."""

from __future__ import annotations

import pytest

from tests.evidence_checks.conftest import Made, failures
from tests.support.workspaces import Bench

EVALFILE = """\
deployment d { engine = mock }
model m { deployment = d }
benchmark sums {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = number
}
benchmark broken {
    harness = command
    files   = file("job.sh")
    run     = "sh data/job.sh"
}
eval grid {
    model     = m
    benchmark = sums
    seed      in 1..3
    require accuracy >= 0.2
}
eval failing {
    model     = m
    benchmark = broken
    require accuracy >= 0.2
}
report evidence {
    of     = [OF]
    format = in-toto
    path   = "evidence"
    sign   = file("audit.key")
}
"""


@pytest.fixture
def partial(made: Made, bench: Bench) -> Made:
    """A workspace with the same keys."""
    for name in ("audit.key", "audit.pub"):
        (bench.root / name).write_text((made.bench.root / name).read_text())
    (bench.root / "audit.key").chmod(0o600)
    bench.sums(6)
    bench.job("exit 3\n")
    return Made(bench, made.keys)


def test_what_failed_is_in_the_evidence(partial: Made) -> None:
    """An evaluation that only failed is told with its attempts, and its gate is judged in the same way again."""
    bench = partial.bench
    bench.evalfile(EVALFILE.replace("OF", "grid, failing"))
    assert bench.run("-k", "grid", "failing", "evidence").status == 2
    found = partial.verify(bench.root / "evidence", "audit")
    assert failures(found) == {}
    assert found.findings.status == 0
    messages = {one.subject: one.message for one in found.findings.checks}
    assert messages["records"] == "4 attempts of 4 evaluations, 1 of them failed or cancelled"
    assert messages["results"] == "1 evaluation without one: failing"


def test_gates_are_judged_by_all_seeds(partial: Made) -> None:
    """Evidence of one seed brings the others along, as its gate is judged by all of them."""
    bench = partial.bench
    bench.evalfile(EVALFILE.replace("OF", '"grid/1"'))
    assert bench.run("grid").status == 0
    assert bench.run("evidence").status == 0
    found = partial.verify(bench.root / "evidence", "audit")
    assert failures(found) == {}
    assert found.predicate["gates"][0]["met"] is True
    assert {one["name"] for one in found.predicate["evaluations"]} == {"grid/1", "grid/2", "grid/3"}


def test_a_result_that_was_accepted_is_told(partial: Made) -> None:
    """A result that counts because somebody accepted it keeps the reason in its signed statement."""
    bench = partial.bench
    bench.evalfile(EVALFILE.replace("OF", "grid"))
    assert bench.run("grid").status == 0
    bench.edit('"{question}"', '"{question} "')
    assert bench.run("accept", "grid", "--because", "a space does not matter").status == 0
    assert bench.run("evidence").status == 0
    found = partial.verify(bench.root / "evidence", "audit")
    assert failures(found) == {}
    assert found.findings.status == 1
    (told,) = [check for check in found.findings.checks if check.subject == "accepted"]
    assert told.message == "3 results that a person let count"
    assert told.details[0].startswith("grid/1 was measured by another definition; ")
    assert told.details[0].endswith("accepted it because: a space does not matter")
    ended = bench.run("reproduce", "evidence", "--key", "audit.pub", "--ask", "--into", "again")
    assert "the result on record was measured by another definition; " in ended.out, ended.text
    assert "accepted it because: a space does not matter" in ended.out
    statement = next((bench.root / "evidence/evaluations").glob("0001-*/records.jsonl")).read_text()
    assert "a space does not matter" in statement
