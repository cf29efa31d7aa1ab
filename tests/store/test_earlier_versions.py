"""Stores that earlier versions wrote: each opens, and a result runs again only if its scorer has changed."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from evalmake import build, load
from tests.support.workspaces import Bench

STORES = sorted((Path(__file__).parent / "stores").glob("*.tar.gz"))


@pytest.fixture(params=STORES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A workspace that the version in the file's name left behind."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return Bench(tmp_path)


CHANGED = ("scorer number", "scorer judge")
"""The parts of the harness that have changed since 0.1.0, of those that the workspace uses."""


def test_only_what_is_scored_anew_is_stale(bench: Bench) -> None:
    """A result of an earlier version still counts, unless its scorer has changed, and that is the only reason."""
    plan = json.loads(bench.run("-n", "--json").out)
    reasons = {one["name"]: [reason["subject"] for reason in one["reasons"]] for one in plan["evaluations"]}
    assert {name for name, found in reasons.items() if not found} == {"lines"}
    assert {tuple(found) for found in reasons.values() if found} == {
        (f"benchmark.behaviours.{part}",) for part in CHANGED
    }
    planned = bench.run("-n").out
    assert "scorer number: behaviour 1 -> 2" in planned
    assert "ask and score, as the record of the last result does not count its replies" in planned


def test_scoring_anew_asks_the_model_nothing(bench: Bench) -> None:
    """The replies that the earlier version cached are scored again, and then nothing is to do."""
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert "5 ran, 1 reused" in ended.out
    project = load(bench.root / "Evalfile", {})
    for name in ("arithmetic", "verdicts"):
        for result in build(project, name):
            assert result.usage["cached"] == result.usage["requests"]
            assert result.usage.get("judge_sent", 0) == 0
    ended = bench.run()
    assert (ended.status, ended.out) == (0, "nothing to do: 6 evaluations up to date\n"), ended.text
    bench.clean()


def test_an_audit_guesses_nothing(bench: Bench) -> None:
    """What the earlier version did not record is said to be unknown, and by whose fault."""
    ended = bench.run("audit", "lines")
    assert ended.status == 0, ended.text
    assert "It counts: it is of what the Evalfile says now." in ended.out
    assert "not recorded: evalmake 0.1 wrote this result" in ended.out


def test_a_change_runs_its_own_cells_only(bench: Bench) -> None:
    """With one more seed, the results of the earlier version are reused and only the new cells run."""
    assert bench.run().status == 0
    bench.edit("seed      in 1..2", "seed      in 1..3")
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert "2 ran, 6 reused" in ended.out
