"""What the store holds for the evaluations that words name, and what it is worth."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from evalmake.project.command_words import Words
from evalmake.results import read_sample_lines
from evalmake.store.failure import DamagedOutput
from evalmake.stored_results import (
    Standing,
    StoredResult,
    collect_stored_scores,
    find_attempt,
    find_stored_results,
)
from evalmake.workspace import Workspace
from tests.support.projects import Project

EVALFILE = """\
LIMIT = 10

model m {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}
benchmark b {
    harness = command
    run     = "sh ../../../job.sh"
}
eval e {
    model     = m
    benchmark = b
    seed      in 1..3
    limit     = LIMIT
}
report card { of = [e], path = "card.md" }
"""
OTHER = EVALFILE.replace("eval e", "eval f").replace("[e]", "[f]").replace('"m"', '"other"')
ROW = {"id": "a", "item": "1", "scores": {"accuracy": 0.5}}
JOB = """\
test -e ../../../broken-$EVALMAKE_SEED && exit 3
cp ../../../samples.jsonl $EVALMAKE_OUT
echo '{"accuracy": 0.5}' > $EVALMAKE_OUT/scores.json
"""


@pytest.fixture
def ran(project: Project) -> Project:
    """A project whose three cells have results."""
    project.write("Evalfile", EVALFILE)
    project.write("job.sh", JOB)
    project.write("samples.jsonl", json.dumps(ROW) + "\n")
    project.run()
    return project


def find(project: Project, words: Sequence[str] = ()) -> list[StoredResult]:
    """What `find_stored_results` finds for words."""
    parsed = Words.of(words, "results")
    workspace = Workspace.open(project.root / "Evalfile", parsed.overrides)
    with workspace.read_store() as store:
        return find_stored_results(workspace, parsed.targets, store)


def standings(project: Project, *words: str) -> list[tuple[str, str, str, bool]]:
    """Name, standing, word, and whether there are scores."""
    return [(one.name, str(one.standing), one.word, one.has_scores) for one in find(project, words)]


def test_a_result_is_valid_until_its_definition_changes(ran: Project) -> None:
    """Then it is stale, and its scores are those of the earlier definition."""
    assert standings(ran, "e/1") == [("e/1", "valid", "", True)]
    assert standings(ran, "card", "LIMIT=5") == [(f"e/{seed}", "stale", "changed", True) for seed in (1, 2, 3)]


def test_a_failure_shows_the_earlier_result_as_such(ran: Project) -> None:
    """An attempt that failed hides no result of before; without one, the cell has none."""
    ran.write("broken-1", "")
    ran.run("e/1", "LIMIT=5", status=2)
    assert standings(ran, "e/1", "LIMIT=5") == [("e/1", "failed", "failed", True)]
    assert standings(ran, "e/1", "LIMIT=4") == [("e/1", "stale", "changed", True)]
    ran.write("Evalfile", OTHER)
    assert standings(ran, "f/2") == [("f/2", "missing", "never-run", False)]
    ran.run("f/1", status=2)
    assert standings(ran, "f/1") == [("f/1", "missing", "failed", False)]


def test_a_rerun_that_is_wanted_makes_a_result_stale(ran: Project) -> None:
    """The earlier result is there, and counts for nothing."""
    ran.write("broken-2", "")
    ran.run("-B", "e/2", status=2)
    assert standings(ran, "e/2") == [("e/2", "stale", "rerun", True)]


def test_scores_are_those_of_reports(ran: Project) -> None:
    """Seeds are pooled, and cells without a result are named."""
    ran.write("Evalfile", EVALFILE.replace("1..3", "1..4"))
    stored = find(ran)
    workspace = Workspace.open(ran.root / "Evalfile")
    results = collect_stored_scores(workspace, stored)
    (cell,) = results.table().cells.values()
    assert (cell.row, cell.column, cell.average.mean, cell.average.runs) == ("m", "b", 0.5, 3)
    assert results.missing == ("e/4",)


def test_samples_are_read_line_by_line(ran: Project) -> None:
    """Large ones, which have a file of their own, too; changed ones are refused before the first line."""
    ran.write("samples.jsonl", (json.dumps(ROW) + "\n") * 5000)
    ran.run("e/1", "LIMIT=5")
    workspace = Workspace.open(ran.root / "Evalfile")
    for words, count in ((["e/1"], 1), (["e/1", "LIMIT=5"], 5000)):
        (one,) = find(ran, words)
        with workspace.read_store() as store:
            record = find_attempt(store, one)
            assert record is not None
            lines = list(read_sample_lines(store, record))
            assert [json.loads(line) for line in lines] == [ROW] * count
    files = [path for path in (ran.root / ".evalmake/store").rglob("*.val")]
    assert files
    for path in files:
        path.chmod(0o644)
        path.write_bytes(path.read_bytes().replace(b"0.5", b"0.6"))
    with workspace.read_store() as store, pytest.raises(DamagedOutput):
        next(read_sample_lines(store, record))


def test_a_failed_attempt_may_have_samples(ran: Project) -> None:
    """They are what one looks at to see why it failed."""
    ran.write("Evalfile", OTHER)
    ran.write("job.sh", "cp ../../../samples.jsonl $EVALMAKE_OUT; exit 3")
    ran.run("f/1", status=2)
    (one,) = find(ran, ["f/1"])
    assert one.standing is Standing.MISSING
    workspace = Workspace.open(ran.root / "Evalfile")
    with workspace.read_store() as store:
        record = find_attempt(store, one)
        assert record is not None
        assert [json.loads(line) for line in read_sample_lines(store, record)] == [ROW]
