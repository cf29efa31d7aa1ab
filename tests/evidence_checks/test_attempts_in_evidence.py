"""What evidence tells of attempts: how each was made, of whose plan, and as a story."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

from evalmake.evidence import layout
from evalmake.evidence.canonical_json import to_canonical_json
from evalmake.signatures.envelope import open_envelope, seal_envelope
from evalmake.signatures.keys import read_private_key
from tests.evidence_checks.conftest import Made, failures
from tests.evidence_checks.test_verify import sign_again
from tests.support.workspaces import Bench


def test_provenance_of_attempts_that_do_not_count(made: Made, evidence: Path) -> None:
    """It is in the evidence, each file as its record names it; a changed file, or one of no attempt, is found."""
    kept = sorted(evidence.glob("evaluations/*/attempts/*/provenance/attempt.json"))
    assert len(kept) == 2  # one of an earlier definition, one that failed
    name = str(kept[0].relative_to(evidence))
    kept[0].write_text("{}")
    sign_again(made, evidence)
    assert f"{name} is not the one on record" in failures(made.verify(evidence, "audit"))["records"]


def test_a_plan_that_was_agreed_on(made: Made, tmp_path: Path) -> None:
    """Evidence of what a saved plan says holds; of another definition, or with less, it does not."""
    bench = Bench(Path(shutil.copytree(made.bench.root, tmp_path / "copy")))
    assert bench.run("-n", "-o", "plan.json", "grid").status == 0
    same = bench.run("verify", "evidence", "--key", "audit.pub", "--plan", "plan.json")
    assert same.status == 0, same.text
    assert "holds      agreement   2 evaluations as agreed on, 0 of them run by that plan" in same.out
    assert "left out   agreement   1 evaluation that the plan does not have: once" in same.out
    assert "executors" not in same.out
    bench.edit("seed      in 1..2", "seed      in 1..3")
    bench.edit("temperature = 0.7", "temperature = 0.8")
    assert bench.run("-n", "-o", "plan.json", "grid").status == 0
    other = bench.run("verify", "evidence", "--key", "audit.pub", "--plan", "plan.json")
    assert other.status == 2
    assert "grid/3 was agreed on, and is not in the evidence" in other.out
    assert "grid/1 and 1 more: params.temperature: 0.8 -> 0.7" in other.out


def test_gates_and_the_report_are_as_agreed(made: Made, tmp_path: Path) -> None:
    """A gate that was lowered after the run, or a report that leaves out texts, is not what was agreed on."""
    bench = Bench(Path(shutil.copytree(made.bench.root, tmp_path / "copy")))
    bench.edit("require accuracy >= 0.2", "require accuracy >= 0.3")
    bench.edit('path   = "evidence"', 'path   = "elsewhere"')
    assert bench.run("-n", "-o", "plan.json").status == 0
    found = bench.run("verify", "evidence", "--key", "audit.pub", "--plan", "plan.json")
    assert found.status == 2
    assert "grid/1 and 1 more: require[0]: accuracy >= 0.3 -> accuracy >= 0.2" in found.out, found.text
    assert "report evidence: path: elsewhere -> evidence" in found.out
    assert "results" not in found.out.partition("FAILS      agreement")[2].partition("\n  holds")[0]


def test_gates_that_cannot_be_compared_are_told(made: Made, evidence: Path, tmp_path: Path) -> None:
    """Where the Evalfile of the evidence does not plan, nobody says that its gates are those that were agreed on."""
    bench = Bench(Path(shutil.copytree(made.bench.root, tmp_path / "copy")))
    assert bench.run("-n", "-o", "plan.json").status == 0
    (evidence / "sources" / "Evalfile").write_text("model {")
    sign_again(made, evidence)
    found = bench.run("verify", str(evidence), "--key", "audit.pub", "--plan", "plan.json")
    assert "unchecked  agreement   gates and the report are not compared" in found.out, found.text


def test_executors_that_were_not_agreed_on_are_named(made: Made, tmp_path: Path) -> None:
    """Executors may differ from those of the plan; which setting does is said, and nothing where none does."""
    bench = Bench(Path(shutil.copytree(made.bench.root, tmp_path / "copy")))
    bench.evalfile(
        (bench.root / "Evalfile").read_text() + "executor local {\n    backend = process\n    slots = 3\n}\n"
    )
    assert bench.run("-n", "-o", "plan.json", "grid").status == 0
    found = bench.run("verify", "evidence", "--key", "audit.pub", "--plan", "plan.json")
    assert found.status == 0, found.text
    assert "2 evaluations as agreed on" in found.out
    told = "left out   agreement   the plan has other executors for 2 evaluations, which it allows: grid/1: "
    assert f"{told}deployment d.executor.slots: 3 -> (none)" in found.out


def test_a_plan_is_followed(bench: Bench, made: Made) -> None:
    """Evidence tells how many evaluations ran by the plan that was agreed on."""
    for name in ("audit.key", "second.key", "sums.jsonl"):
        shutil.copy(made.bench.root / name, bench.root)
    bench.job("exit 0\n")
    bench.evalfile((made.bench.root / "Evalfile").read_text())
    assert bench.run("-n", "-o", "plan.json", "grid").status == 0
    assert bench.run("--plan", "plan.json").status == 0
    assert bench.run("evidence", "grid", "-k").status in (0, 2)
    ended = bench.run("verify", "evidence", "--plan", "plan.json")
    assert "2 evaluations as agreed on, 2 of them run by that plan" in ended.out, ended.text


def test_a_key_that_signed_nothing_is_told_once(made: Made, evidence: Path) -> None:
    """Of a key that signed none of the statements there is one line, which names who did."""
    wrong = failures(made.verify(evidence, "other", "audit"))["signatures"]
    assert wrong.count("signed by") == 2
    assert "none of the 4 statements is signed by" in wrong
    assert f"signed by {made.keys['audit'].key_id[:12]}" in wrong


def test_evidence_tells_its_story(made: Made, tmp_path: Path) -> None:
    """`audit` of a folder needs no store: it tells of failed attempts, and of those by an earlier definition."""
    shutil.copytree(made.bench.root / "evidence", tmp_path / "evidence")
    whole = Bench(tmp_path).run("audit", "evidence")
    assert whole.status == 0, whole.text
    assert "3 evaluations, of which 3 have a result that counts" in whole.out
    one = Bench(tmp_path).run("audit", "evidence", "grid/1")
    assert "temperature: 0.1 -> 0.7" in one.out, one.text
    assert "missing or damaged" not in one.out
    failed = Bench(tmp_path).run("audit", "evidence", "once").out
    assert "exit status 3" in failed
    assert "failed last time" in failed
    (tmp_path / "evidence/build.json").write_text("{}")
    assert "`evalmake verify evidence` says what is wrong" in Bench(tmp_path).run("audit", "evidence").err


def test_outputs_are_not_withheld_without_a_word(made: Made, evidence: Path) -> None:
    """Evidence that says to hold all texts holds all outputs: samples that are missing prove no score."""
    path = next(evidence.glob("evaluations/*-grid-1/evaluation.json"))
    statement = json.loads(open_envelope(path.read_bytes(), []).payload)
    statement["predicate"]["result"]["samples"] = None
    byproducts = statement["predicate"]["runDetails"]["byproducts"]
    samples = path.parent / "outputs/samples.jsonl"
    byproducts.append({"name": "samples.jsonl", "digest": {"sha256": sha256(samples.read_bytes()).hexdigest()}})
    samples.unlink()
    signer = read_private_key(made.keys["audit"].private, "audit")
    path.write_bytes(seal_envelope(layout.PAYLOAD_TYPE, to_canonical_json(statement), [signer]))
    sign_again(made, evidence)
    wrong = failures(made.verify(evidence, "audit"))
    assert "grid/1: its output samples.jsonl is left out, and nothing is said to be" in wrong["records"]
