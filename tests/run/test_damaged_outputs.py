"""Damage to the stored samples of a result: the build says so, and makes the result anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evalmake.store.verification import verify_store
from tests.support.shared_folders import make_once
from tests.support.workspaces import TRIED, Bench

EVALFILE = TRIED.replace("1..8\n", "1..2\n        require accuracy >= 10%\n")
REPORT = """\
    report r {
        of     = [tried]
        format = json
        path   = "r.json"
    }
"""
JOB = """\
[ ! -e $EVALMAKE_WORKDIR/../../../fail ] || exit 3
i=0
while [ $i -lt 700 ]; do
    i=$((i + 1))
    echo '{"id": "'$i'", "item": "'$i'", "scores": {"accuracy": '$((i % 2))'.0}, "reply": "'$EVALMAKE_WORKDIR'"}'
done > $EVALMAKE_OUT/samples.jsonl
echo '{"accuracy": 0.5}' > $EVALMAKE_OUT/scores.json
"""
DAMAGES: dict[str, Callable[[Path], object]] = {
    "equal": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "cut": lambda path: os.truncate(path, 100),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"{}\n"),
    "missing": Path.unlink,
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
}
"""What may befall the file of an output."""
SAID = "is missing from the store or damaged"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two results, whose samples have a file each, and a gate."""

    def make(folder: Path) -> None:
        bench = Bench(folder)
        bench.evalfile(EVALFILE)
        bench.job(JOB)
        assert bench.run().status == 0

    return make_once(tmp_path_factory, "damaged-outputs", make)


@pytest.fixture
def built(bench: Bench, original: Path) -> Bench:
    """A copy of it, in which no verdict holds."""
    shutil.copytree(original, bench.root, dirs_exist_ok=True)
    return bench


def damage_samples(bench: Bench, damage: str) -> None:
    """Damage the samples of one of the results."""
    DAMAGES[damage](min((bench.root / ".evalmake" / "store").glob("??/??/*.val")))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_result_with_damaged_samples_runs_again(built: Bench, damage: str) -> None:
    """A build says that samples are damaged or lost, and runs their evaluation again, and no other."""
    damage_samples(built, damage)
    ended = built.run("-v")
    assert ended.status == 0, ended.text
    assert SAID in ended.text
    assert "1 ran, 1 reused" in ended.text
    with built.store() as store:
        verify_store(store)  # removes what the first attempt left
        assert verify_store(store).wrong == []


def test_samples_that_no_build_reads(built: Bench) -> None:
    """What a build does not show or judge is not read; as soon as it is shown again, the damage is found."""
    built.edit("    require accuracy >= 10%\n", "")
    damage_samples(built, "equal")
    assert built.run().out == "nothing to do: 2 evaluations up to date\n"
    built.edit("1..2", "1..3")
    ended = built.run("-v")
    assert "2 ran, 1 reused" in ended.text, ended.text


def test_samples_that_a_report_reads(built: Bench) -> None:
    """A report that is to be written again shows a result with damaged samples anew, and `-n` says so."""
    built.evalfile(EVALFILE, REPORT)
    assert built.run().status == 0
    right = (built.root / "r.json").read_text()
    damage_samples(built, "equal")
    planned = built.run("-n")
    assert SAID in planned.out
    assert planned.status == 0
    assert built.run("-q").status == 1
    ended = built.run("-v")
    assert ended.status == 0, ended.text
    assert "1 ran, 1 reused" in ended.text
    assert '"accuracy"' in right
    assert built.run("-q").status == 0


def test_a_damaged_result_whose_rerun_fails(built: Bench) -> None:
    """Its old score counts for nothing: the build ends with why the rerun failed, and the next one runs it again."""
    damage_samples(built, "equal")
    (built.root / "fail").touch()
    failed = built.run("-v")
    assert failed.status == 2
    assert "[evaluation-failed]" in failed.err, failed.err
    assert "[store-damaged]" not in failed.err
    assert "not judged: tried/" in failed.err
    (built.root / "fail").unlink()
    assert "1 ran, 1 reused" in built.run("-v").text
