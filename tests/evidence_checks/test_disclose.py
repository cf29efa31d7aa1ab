"""`evalmake disclose` shows one sample of evidence, which anybody verifies by the key alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evalmake.evidence import layout
from evalmake.evidence.samples import Redaction, root_of
from evalmake.evidence_checks.disclosed_samples import verify_disclosure
from evalmake.evidence_checks.findings import Findings
from evalmake.store.secret import read_secret
from evalmake.store.store import Store
from tests.evidence_checks.conftest import Made
from tests.evidence_checks.false_signer import FalseSigner
from tests.support.workspaces import Bench


def test_a_hidden_sample_is_shown_and_proved(made: Made, tmp_path: Path) -> None:
    """A sample of evidence without texts is disclosed from the store and verified; a changed one is not."""
    path, key = tmp_path / "sample.json", str(made.bench.root / "audit.pub")
    done = made.bench.run("disclose", "hidden", "3", "--of", "grid/1", "-o", str(path))
    assert done.status == 0, done.text
    assert "What is 3 + 6?" in path.read_text()
    assert "What is 4 + 7?" not in path.read_text()
    assert made.bench.run("verify", str(path), "--key", key).status == 0
    content = json.loads(path.read_text())
    content["sample"]["target"] = "11"
    path.write_text(json.dumps(content))
    changed = made.bench.run("verify", str(path), "--key", key)
    assert (changed.status, "`target` is not what was signed" in changed.out) == (2, True)


def test_evidence_with_the_salts_of_before_is_disclosed(made: Made, tmp_path: Path) -> None:
    """Evidence of an earlier version, whose salts are the same for all attempts, still shows a sample."""
    bench = Bench(Path(shutil.copytree(made.bench.root, tmp_path / "copy")))
    signer = FalseSigner.of(made, bench.root / "hidden")
    place = signer.place("grid/1")
    with Store.open(bench.root / ".evalmake/store", "") as store:
        secret = read_secret(store)
    action = signer.records("grid/1")[-1].action
    data = (bench.root / "evidence/evaluations/0001-grid-1/outputs/samples.jsonl").read_bytes()
    leaves = Redaction(("prompt", "target"), secret, action).redact(data)
    before = (place / layout.REDACTED_SAMPLES).read_bytes()
    (place / layout.REDACTED_SAMPLES).write_bytes(b"".join(leaf.to_line() for leaf in leaves))
    assert (place / layout.REDACTED_SAMPLES).read_bytes() != before
    root = root_of(leaves)
    signer.state(place / layout.EVALUATION, lambda said: said["result"]["samples"].update(merkle_root=root))
    signer.sign()
    done = bench.run("disclose", "hidden", "3", "--of", "grid/1")
    assert done.status == 0, done.text
    assert "What is 3 + 6?" in done.out


@pytest.mark.parametrize(
    "edit",
    [
        lambda said: said["buildDefinition"].pop("internalParameters"),
        lambda said: said.update(result=[1]),
        lambda said: said.update(result={"samples": {"merkle_root": 1}}),
    ],
)
def test_statements_of_another_form_end_in_a_message(
    made: Made, hidden: Path, edit: Callable[[dict[str, Any]], object]
) -> None:
    """Whatever somebody signed, `disclose` says what is wrong, and shows no traceback."""
    signer = FalseSigner.of(made, hidden)
    signer.state(signer.place("grid/1") / layout.EVALUATION, edit)
    ended = made.bench.run("disclose", str(hidden), "3", "--of", "grid/1")
    assert ended.status == 2, ended.text
    assert "do not have the form of evidence" in ended.err


def test_evidence_with_texts_needs_no_store(made: Made, evidence: Path) -> None:
    """Where the texts are in the evidence, whoever has it discloses a sample, without an Evalfile."""
    elsewhere = Bench(evidence.parent)
    done = elsewhere.run("disclose", "evidence", "3", "--of", "grid/2")
    assert done.status == 0, done.text
    assert json.loads(done.out)["sample"]["id"] == "3"


def test_what_cannot_be_shown_is_said(made: Made) -> None:
    """An id or an evaluation that is not there, and one id of several evaluations, are errors that say so."""
    for words, said in (
        (("17", "--of", "grid/1"), "no sample has the id `17`"),
        (("3", "--of", "grid/9"), "there is no evaluation `grid/9`: it has grid/1, grid/2"),
        (("3",), "2 samples have the id `3`"),
    ):
        ended = made.bench.run("disclose", "hidden", *words)
        assert (ended.status, said in ended.err) == (2, True), ended.text


def test_a_sample_says_what_it_is_of(made: Made, tmp_path: Path) -> None:
    """Verified, a sample names its evaluation and shows its fields; one that says more is none."""
    path, key = tmp_path / "sample.json", str(made.bench.root / "audit.pub")
    assert made.bench.run("disclose", "evidence", "3", "--of", "grid/2", "-o", str(path)).status == 0
    ended = made.bench.run("verify", str(path), "--key", key)
    assert ended.status == 0
    assert "of 12 of grid/2" in ended.out
    content = json.loads(path.read_text())
    assert f"target        {content['sample']['target']}" in ended.out
    path.write_text(json.dumps(content | {"extra": "a lie"}))
    more = made.bench.run("verify", str(path), "--key", key)
    assert (more.status, "it says more than a disclosure: `extra`" in more.out) == (2, True)


def test_a_sample_expires_with_its_evidence(made: Made, tmp_path: Path) -> None:
    """A sample of evidence that has expired is not valid any more."""
    path = tmp_path / "sample.json"
    assert made.bench.run("disclose", "expiring", "3", "--of", "grid/1", "-o", str(path)).status == 0
    for hours, is_wrong in ((0, False), (2, True)):
        findings = Findings()
        verify_disclosure(path.read_bytes(), "x", [], findings, datetime.now(UTC) + timedelta(hours=hours))
        assert any("it expired at" in check.message for check in findings.checks) is is_wrong


def test_texts_are_with_whoever_measured(made: Made, tmp_path: Path) -> None:
    """Without the store, evidence without texts shows none, and says where they are."""
    ended = Bench(tmp_path).run("disclose", str(made.bench.root / "hidden"), "3", "--of", "grid/1")
    assert ended.status == 2
    assert "it is without texts, and those are in the store that it was written from" in ended.err
