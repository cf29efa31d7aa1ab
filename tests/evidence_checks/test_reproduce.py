"""Evidence is measured again in an empty folder: what that lacks is named, and the scores are compared."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from evalmake.evidence_checks.loaded_inputs import parse_inputs
from evalmake.evidence_checks.project_copy import write_project
from evalmake.harnesses.native.prompts import Item
from evalmake.harnesses.native.replay import RecordedReplies
from evalmake.language.diagnostic import EvalmakeError
from tests.evidence_checks.conftest import Made, write_key_pair
from tests.evidence_checks.test_verify import digests_of
from tests.support.shared_folders import make_once
from tests.support.workspaces import Bench, Ended

EVALFILE = """\
include "../common/models.evalfile"
settings { overrides = [SKILL] }
benchmark sums {
    harness = native
    files   = file("../common/sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = python
    scorer_file = file("score.py")
}
benchmark letters {
    harness = native
    files   = file("letters.jsonl")
    prompt  = "{question}"
    choices = "{options}"
    target  = "{answer}"
}
benchmark graded {
    harness = native
    files   = file("../common/sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = judge
    judge   = m
}
benchmark job {
    harness = command
    files   = file("job.sh")
    run     = "sh data/job.sh"
}
eval grid {
    model     in [m, base]
    benchmark in [sums, letters]
}
eval others {
    model     = m
    benchmark in [graded, job]
}
report evidence {
    of     = [grid, others]
    format = in-toto
    path   = "evidence"
    sign   = file("audit.key")
}
"""
MODELS = """\
SKILL = 0.8
deployment d {
    engine = mock
    args   = { skill = SKILL }
}
model m { deployment = d }
model base {
    deployment = d
    api        = completions
}
"""
SCORER = """\
def score(record, reply, target):
    return {"points": len(reply), "accuracy": float(str(target) in reply)}
"""
SIMPLE = """\
deployment d { engine = mock }
model m { deployment = d }
benchmark sums {
    harness     = native
    files       = file("sums.jsonl")
    prompt      = "{question}"
    target      = "{answer}"
    scorer      = python
    scorer_file = file("score.py")
    KEY
}
eval simple {
    model     = m
    benchmark = sums
}
report evidence {
    of     = [simple]
    format = in-toto
    path   = "evidence"
    sign   = file("audit.key")
}
"""


@dataclass(frozen=True)
class Measured:
    """A project that was measured, with its evidence."""

    bench: Bench
    evidence: Path

    def reproduce(self, folder: Path, *words: str, evidence: Path | None = None) -> Ended:
        """Run `evalmake reproduce` in a folder."""
        folder.mkdir(exist_ok=True)
        key = str(self.bench.root / "audit.pub")
        return Bench(folder, env=self.bench.env).run("reproduce", str(evidence or self.evidence), "--key", key, *words)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Evidence of native tasks of all kinds, whose Evalfile includes one from outside; nobody may change it."""
    bench = Bench(make_once(tmp_path_factory, "measured", _measure) / "project")
    return Measured(bench, bench.root / "evidence")


def _measure(above: Path) -> None:
    (above / ".git").mkdir()
    (above / "common").mkdir()
    (above / "project").mkdir()
    bench, common = Bench(above / "project"), Bench(above / "common")
    common.sums(40)
    (common.root / "models.evalfile").write_text(MODELS)
    rows = [{"question": f"Which is {at}?", "options": [str(at), str(at + 1)], "answer": "A"} for at in range(12)]
    (bench.root / "letters.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (bench.root / "score.py").write_text(SCORER)
    bench.job("""echo '{"accuracy": 0.5}' > $EVALMAKE_OUT/scores.json\n""")
    write_key_pair(bench.root, "audit")
    bench.evalfile(EVALFILE)
    ended = bench.run()
    assert ended.status == 0, ended.text


def found_in(ended: Ended) -> dict[str, Any]:
    """What `--json` printed."""
    value: dict[str, Any] = json.loads(ended.out)
    return value


def test_a_project_is_written(measured: Measured, tmp_path: Path) -> None:
    """Nothing is missing: the Evalfile plans in a new folder, nested so that it finds what lies outside."""
    ended = measured.reproduce(tmp_path / "new")
    assert ended.status == 0, ended.text
    assert "nothing is missing" in ended.out
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"new/project/Evalfile", "new/common/models.evalfile", "new/common/sums.jsonl"} <= written
    assert all(name.startswith("new/") for name in written)


def test_replay_agrees(measured: Measured, tmp_path: Path) -> None:
    """Replies, log-probabilities, a Python scorer and a judge's words give the same scores, and nothing is written."""
    ended = measured.reproduce(tmp_path / "new", "--replay", "--json")
    assert ended.status == 0, ended.text
    replayed = found_in(ended)["replay"]
    assert len(replayed) == 6
    assert all(one["agrees"] and not one["differences"] for one in replayed)
    assert [one["evaluation"] for one in replayed if one["why_not"]] == ["others/job"]
    assert list((tmp_path / "new").iterdir()) == []


def test_ask_agrees(measured: Measured, tmp_path: Path) -> None:
    """On the same model, all items have the same scores."""
    ended = measured.reproduce(tmp_path / "new", "--ask")
    assert ended.status == 0, ended.text
    assert "6 of 6 evaluations agree within sampling error" in ended.out
    assert "equal item by item (40)" in ended.out


def test_ask_another_model_differs(measured: Measured, tmp_path: Path) -> None:
    """A model of another skill is told as different, with the test, its p, and the items."""
    ended = measured.reproduce(tmp_path / "new", "--ask", "--json", "SKILL=0.1")
    assert ended.status == 1, ended.text
    compared = {one["evaluation"]: one for one in found_in(ended)["ask"]}
    sums = compared["grid/m/sums"]
    assert not sums["agrees"]
    assert sums["p_holm"] < 0.001
    assert sums["differences"]
    assert compared["others/job"]["agrees"]


def test_what_is_missing_is_named(made: Made, hidden: Path, tmp_path: Path) -> None:
    """Data that were left out are named with their digest; where they are put, the project is whole."""
    project = tmp_path / "project"
    project.mkdir()
    bench = Bench(project)
    ended = bench.run("reproduce", str(hidden))
    assert ended.status == 1, ended.text
    assert f"the file {project}/sums.jsonl is not in the evidence: put the one with the sha256" in ended.out
    assert ended.out.endswith("\n1 missing\n"), ended.out
    assert "job.sh is empty: no evaluation of the evidence reads it" in ended.out
    shutil.copy(made.bench.root / "sums.jsonl", project)
    ended = bench.run("reproduce", str(hidden))
    assert ended.status == 0, ended.text
    (project / "sums.jsonl").write_text("{}\n")
    assert "another file than the one that was measured with" in bench.run("reproduce", str(hidden)).out


def test_a_secret_is_missing(tmp_path: Path) -> None:
    """A secret without a value is named with what to do, and nothing is asked."""
    bench = measure_simply(tmp_path, 'env = { K = secret("NO_SUCH_KEY_HERE") }', env={"NO_SUCH_KEY_HERE": "k-123456"})
    ended = bench.run("reproduce", "evidence", "--into", "../again", "--ask")
    assert ended.status == 2, ended.text
    assert "missing    the secret `NO_SUCH_KEY_HERE`" in ended.out
    assert not (tmp_path / "again" / ".evalmake" / "store").exists()


def test_replay_finds_other_scores(tmp_path: Path) -> None:
    """A scorer that does not give the recorded scores is told, sample by sample, in the first ten."""
    bench = measure_simply(tmp_path, "")
    (bench.root / "flag").touch()
    ended = bench.run("reproduce", "evidence", "--replay")
    assert ended.status == 1, ended.text
    assert "DIFFERS" in ended.out
    assert ended.out.count("sample ") == 10
    assert "accuracy is 1.0 on record, and 0.5 again" in ended.out
    assert "and 11 more" in ended.out
    assert "none of 1 evaluations came out the same" in ended.out


def test_no_other_store_is_used(tmp_path: Path) -> None:
    """An Evalfile with its store elsewhere is run with a store in its folder, and nothing is written outside."""
    bench = measure_simply(tmp_path, "", 'settings { store = "../shared" }\n')
    shutil.rmtree(tmp_path / "shared")
    ended = bench.run("reproduce", "evidence", "--into", "../again", "--ask")
    assert ended.status == 0, ended.text
    assert (tmp_path / "again" / ".evalmake" / "store").is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {"measured", "again"}


def test_an_absolute_path_is_told(tmp_path: Path) -> None:
    """A file behind an absolute path is not replaced: it is told if it is gone, with its copy, or another one now."""
    data = tmp_path / "data.jsonl"
    Bench(tmp_path).sums(20, "data.jsonl")
    bench = measure_simply(tmp_path, "", data=str(data))
    data.write_text(data.read_text().replace("What", "Say what"))
    ended = bench.run("reproduce", "evidence", "--into", "../again")
    assert "note       benchmark files.sha256 of simple is sha256:" in ended.out
    data.unlink()
    ended = bench.run("reproduce", "evidence", "--into", "../other")
    assert ended.status == 1, ended.text
    copy = tmp_path / "other" / "data.jsonl"
    assert f"missing    there is no file `{data}`: copy {copy} there" in ended.out
    assert copy.is_file()


def test_a_refusal_is_no_answer() -> None:
    """A refusal is not scored again as a reply, whatever numbers are in its text."""
    recorded = RecordedReplies([{"index": 0, "reply": "I cannot say 5", "refused": True}, {"index": 1, "reply": "5"}])
    answers = []
    for index in (0, 1):
        recorded.turn_to(cast(Item, SimpleNamespace(record=SimpleNamespace(index=index), repetition=None)))
        answers.append((recorded.reply().answer, recorded.reply().refused))
    assert answers == [("", True), ("5", False)]


def measure_simply(
    tmp_path: Path, key: str, settings: str = "", env: dict[str, str] | None = None, data: str = "sums.jsonl"
) -> Bench:
    """Evidence in `measured` of one evaluation whose benchmark has one more key; the file `flag` changes its scores."""
    bench = Bench(tmp_path / "measured")
    bench.root.mkdir()
    bench.sums(20)
    write_key_pair(bench.root, "audit")
    flag = str(bench.root / "flag")
    (bench.root / "score.py").write_text(
        f"import os\ndef score(record, reply, target): return 0.5 if os.path.exists({flag!r}) else 1\n"
    )
    bench.evalfile(settings, SIMPLE.replace("KEY", key).replace("sums.jsonl", data))
    ended = bench.run(env=env)
    assert ended.status == 0, ended.text
    return bench


def test_redacted_evidence_is_not_replayed(made: Made, hidden: Path, tmp_path: Path) -> None:
    """Without the texts nothing is scored, and that is said."""
    ended = Bench(tmp_path).run("reproduce", str(hidden), "--replay")
    assert ended.status == 1
    assert "NOT REPLAYED  grid/1: the evidence leaves out prompt, target" in ended.out


def test_a_folder_that_is_not_empty_stays(measured: Measured, tmp_path: Path) -> None:
    """Nothing is written to a folder that holds something else."""
    (tmp_path / "Evalfile").write_text("# mine\n")
    ended = measured.reproduce(tmp_path)
    assert ended.status == 2
    assert "is not empty" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["Evalfile"]
    assert (tmp_path / "Evalfile").read_text() == "# mine\n"


def test_evidence_that_fails_stops(measured: Measured, tmp_path: Path) -> None:
    """Changed evidence is not reproduced: its checks are printed, and nothing is written."""
    evidence = Path(shutil.copytree(measured.evidence, tmp_path / "evidence"))
    (evidence / "report.md").write_text("0.99\n")
    ended = measured.reproduce(tmp_path / "new", evidence=evidence)
    assert ended.status == 2
    assert "FAILS" in ended.out
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("name", [".evalmake/store/cache.db", ".git/config", "data/.GIT/config"])
def test_no_state_is_written(name: str, measured: Measured, tmp_path: Path) -> None:
    """Neither a store of results nor a repository, whose settings git obeys, comes with evidence."""
    evidence = Path(shutil.copytree(measured.evidence, tmp_path / "evidence"))
    path = evidence / "sources" / name
    path.parent.mkdir(parents=True)
    path.write_text("planted")

    inputs = json.loads((evidence / "inputs.json").read_text())
    inputs["files"][name] = digests_of(evidence)[f"sources/{name}"]
    with pytest.raises(EvalmakeError, match="which no Evalfile needs"):
        write_project(evidence, parse_inputs(json.dumps(inputs).encode()), tmp_path / "new")
    assert not (tmp_path / "new").exists()
