"""Evidence is checked from the signatures to the printed number, and whatever is wrong with it is found and named."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from evalmake.evidence import layout
from evalmake.evidence.canonical_json import to_canonical_json
from evalmake.evidence_checks.findings import State
from evalmake.evidence_checks.verify import verify_evidence
from evalmake.signatures.envelope import open_envelope, seal_envelope
from evalmake.signatures.keys import read_private_key, read_public_key
from tests.evidence_checks.conftest import Made, failures
from tests.support.workspaces import Bench

TRIALS = int(os.environ.get("EVALMAKE_TRIALS", "16"))


def sign_again(made: Made, folder: Path) -> None:
    """Sign a changed folder again with the right key, as a dishonest owner of it would: all digests are right."""
    signer = read_private_key(made.keys["audit"].private, "audit")

    def rewrite(name: str, digests: dict[str, str]) -> None:
        path = folder / name
        statement = json.loads(open_envelope(path.read_bytes(), []).payload)
        inside = name.removesuffix(Path(name).name)
        names = [one for one in digests if one.startswith(inside) and one != name]
        statement["subject"] = [{"name": one, "digest": {"sha256": digests[one]}} for one in sorted(names)]
        path.write_bytes(seal_envelope(layout.PAYLOAD_TYPE, to_canonical_json(statement), [signer]))

    for path in sorted(folder.glob("evaluations/*/evaluation.json")):
        rewrite(path.relative_to(folder).as_posix(), digests_of(folder))
    rewrite("build.json", digests_of(folder))


def digests_of(folder: Path) -> dict[str, str]:
    """The sha256 of every file, by its name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


def edit_lines(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the lines of a file."""
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


def test_good_evidence_holds(made: Made, evidence: Path) -> None:
    """Everything holds, and nothing is left unchecked, in a folder of its own without the store."""
    found = made.verify(evidence, "audit")
    assert failures(found) == {}
    assert found.findings.status == 0
    subjects = {one.subject for one in found.findings.checks if one.state is State.HOLDS}
    assert subjects >= {"signatures", "files", "records", "samples", "scores", "plan", "outputs", "report"}


def test_the_failed_attempt_is_told(made: Made, evidence: Path) -> None:
    """An attempt that failed and one by an earlier definition are in the evidence."""
    found = made.verify(evidence, "audit")
    records = next(one for one in found.findings.checks if one.subject == "records")
    assert records.message == "5 attempts of 3 evaluations, 1 of them failed or cancelled"


def test_every_file_counts(made: Made, evidence: Path) -> None:
    """One changed byte of any file is found, and the file is named."""
    for path in sorted(one for one in evidence.rglob("*") if one.is_file()):
        before = path.read_bytes()
        if not before:
            continue
        at = random.Random(path.name).randrange(len(before))
        path.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
        wrong = failures(made.verify(evidence, "audit"))
        assert path.relative_to(evidence).as_posix() in " ".join(wrong.values()), (path, at, wrong)
        path.write_bytes(before)


@pytest.mark.parametrize("folder", ["evidence", "hidden"])
def test_random_bytes_count(made: Made, tmp_path: Path, folder: str) -> None:
    """A byte that is changed to any other, at random places of all files, is found each time."""
    copy = Path(shutil.copytree(made.bench.root / folder, tmp_path / folder))
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    files = sorted(one for one in copy.rglob("*") if one.is_file() and one.stat().st_size)
    for trial in range(TRIALS):
        path = chance.choice(files)
        before = path.read_bytes()
        at = chance.randrange(len(before))
        after = (before[at] + chance.randrange(1, 256)) % 256
        path.write_bytes(before[:at] + bytes([after]) + before[at + 1 :])
        wrong = failures(made.verify(copy, "audit"))
        name = path.relative_to(copy).as_posix()
        assert name in " ".join(wrong.values()), (seed, trial, name, at, after, wrong)
        path.write_bytes(before)


DROPS = {
    "a file": lambda folder: (folder / "evaluations/0001-grid-1/outputs/log").unlink(),
    "an evaluation": lambda folder: shutil.rmtree(folder / "evaluations/0002-grid-2"),
    "the build": lambda folder: (folder / "build.json").unlink(),
    "an added file": lambda folder: (folder / "extra.txt").write_text("more"),
    "a link": lambda folder: (folder / "link").symlink_to("/etc/hostname"),
    "a swapped report": lambda folder: shutil.copy(folder / "report.json", folder / "report.md"),
    "a swapped evaluation": lambda folder: shutil.copy(
        folder / "evaluations/0001-grid-1/evaluation.json", folder / "evaluations/0002-grid-2/evaluation.json"
    ),
}


@pytest.mark.parametrize("name", DROPS)
def test_what_is_dropped_or_added_is_named(made: Made, evidence: Path, name: str) -> None:
    """A file or an evaluation that is taken away, added, linked or swapped is an error that names it."""
    DROPS[name](evidence)
    found = made.verify(evidence, "audit")
    assert found.findings.status == 2
    assert failures(found)


def drop_sample(lines: list[str]) -> list[str]:
    return lines[:-1]


def swap_samples(lines: list[str]) -> list[str]:
    return [lines[1], lines[0], *lines[2:]]


def edit_score(lines: list[str]) -> list[str]:
    row = json.loads(lines[0])
    row["scores"]["accuracy"] = 1.0 - row["scores"]["accuracy"]
    return [json.dumps(row, separators=(",", ":")) + "\n", *lines[1:]]


@pytest.mark.parametrize("change", [drop_sample, swap_samples, edit_score])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed again"])
def test_samples_are_what_they_were(
    made: Made, evidence: Path, change: Callable[[list[str]], list[str]], signed: bool
) -> None:
    """A sample that is dropped, moved or given another score is found, even where all digests are signed again."""
    edit_lines(evidence / "evaluations/0001-grid-1/outputs/samples.jsonl", change)
    if signed:
        sign_again(made, evidence)
    wrong = failures(made.verify(evidence, "audit"))
    assert "grid/1" in wrong["samples"]


def drop_attempt(lines: list[str]) -> list[str]:
    return lines[1:]


def renumber_attempt(lines: list[str]) -> list[str]:
    """Take out the failed attempt, and let the second one be the first: the seal is made again."""
    from evalmake.store import records

    data = json.loads(lines[1])
    result = records.record_from_text(data["action"], data["attempt"], lines[1].rstrip("\n"))
    from dataclasses import replace

    return [records.record_to_text(replace(result, attempt=1, previous="")) + "\n"]


@pytest.mark.parametrize("change", [drop_attempt, renumber_attempt])
def test_a_failed_attempt_cannot_be_hidden(
    made: Made, evidence: Path, change: Callable[[list[str]], list[str]]
) -> None:
    """A failed attempt that is taken out is missed, even where the records are numbered and sealed again."""
    edit_lines(evidence / "evaluations/0003-once/records.jsonl", change)
    sign_again(made, evidence)
    assert "once" in failures(made.verify(evidence, "audit"))["records"]


def test_a_score_cannot_be_edited(made: Made, evidence: Path) -> None:
    """A score that is changed in record and statement, with every digest computed and signed again, is contradicted."""
    from dataclasses import replace

    from evalmake.store import records

    def edit(lines: list[str]) -> list[str]:
        data = json.loads(lines[-1])
        result = records.record_from_text(data["action"], data["attempt"], lines[-1].rstrip("\n"))
        better = tuple(replace(score, value=0.99, stderr=0.01) for score in result.scores)
        return [*lines[:-1], records.record_to_text(replace(result, scores=better)) + "\n"]

    edit_lines(evidence / "evaluations/0001-grid-1/records.jsonl", edit)
    path = evidence / "evaluations/0001-grid-1/evaluation.json"
    statement = json.loads(open_envelope(path.read_bytes(), []).payload)
    statement["predicate"]["result"]["scores"][0] |= {"value": 0.99, "stderr": 0.01}
    signer = read_private_key(made.keys["audit"].private, "audit")
    path.write_bytes(seal_envelope(layout.PAYLOAD_TYPE, to_canonical_json(statement), [signer]))
    sign_again(made, evidence)
    wrong = failures(made.verify(evidence, "audit"))
    assert "is not the mean of its samples" in wrong["scores"]
    assert "report" in wrong


def test_outputs_are_those_on_record(made: Made, evidence: Path) -> None:
    """A log that says something else, with its digest signed again, is not the output on record."""
    (evidence / "evaluations/0001-grid-1/outputs/log").write_text("all is well\n")
    sign_again(made, evidence)
    assert "its output log is not the one on record" in failures(made.verify(evidence, "audit"))["records"]


def test_the_report_is_written_again(made: Made, evidence: Path) -> None:
    """A report that says another number, with its digest signed again, is not what the records give."""
    path = evidence / "report.md"
    path.write_text(path.read_text().replace("0.", "0.9", 1))
    sign_again(made, evidence)
    assert "report.md" in failures(made.verify(evidence, "audit"))["report"]


def test_the_evalfile_is_what_ran(made: Made, evidence: Path) -> None:
    """An Evalfile that is exchanged, with its digest signed again, does not plan what ran."""
    path = evidence / "sources/Evalfile"
    path.write_text(path.read_text().replace("temperature = 0.7", "temperature = 0.8"))
    sign_again(made, evidence)
    found = made.verify(evidence, "audit")
    assert found.findings.status > 0
    assert any(one.subject == "plan" and one.state is not State.HOLDS for one in found.findings.checks)


def test_another_key_is_named(made: Made, evidence: Path) -> None:
    """Evidence that another key has signed, or nobody, does not hold."""
    wrong = failures(made.verify(evidence, "other"))["signatures"]
    assert made.keys["other"].key_id[:12] in wrong
    assert made.keys["audit"].key_id[:12] in wrong


def test_all_given_keys_must_have_signed(made: Made) -> None:
    """With two keys given, both must have signed; a signer without a given key is told."""
    folder = made.bench.root / "expiring"
    assert failures(made.verify(folder, "audit", "second")) == {}
    assert "signatures" in failures(made.verify(folder, "audit", "other"))
    found = made.verify(folder, "audit")
    assert failures(found) == {}
    assert any(made.keys["second"].key_id[:12] in one.message for one in found.findings.checks)


def test_without_a_key_nothing_is_said_of_signatures(made: Made, evidence: Path) -> None:
    """Without a key, digests are checked and signatures are not: the status is 1."""
    found = verify_evidence(evidence, [])
    assert failures(found) == {}
    assert found.findings.status == 1


def test_evidence_expires(made: Made) -> None:
    """Evidence counts until the time that its signer wrote into it."""
    folder, key = made.bench.root / "expiring", read_public_key(made.bench.root / "audit.pub")
    assert failures(verify_evidence(folder, [key])) == {}
    late = datetime.now(UTC) + timedelta(hours=2)
    assert "it expired at" in failures(verify_evidence(folder, [key], late))["validity"]


def test_a_signature_taken_away_is_missed(made: Made, evidence: Path) -> None:
    """An envelope whose signature was taken away does not hold."""
    path = evidence / "build.json"
    content: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "signatures": []}, separators=(",", ":"), sort_keys=True) + "\n")
    assert "build.json" in " ".join(failures(made.verify(evidence, "audit")).values())


def test_hidden_evidence_holds(made: Made, hidden: Path) -> None:
    """Evidence without texts holds, says what is left out, and has neither prompts nor targets in any file."""
    found = made.verify(hidden, "audit")
    assert failures(found) == {}
    assert found.findings.status == 0
    assert any("prompt, target" in one.message for one in found.findings.checks if one.state is State.LEFT_OUT)
    for path in hidden.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        if b'"payload":' in data:
            data = base64.b64decode(json.loads(data)["payload"])
        assert b"What is " not in data, path
        assert b'"target"' not in data or b'"target":"B"' not in data, path


def test_the_same_results_give_the_same_bytes(made: Made, tmp_path: Path) -> None:
    """Evidence that is written again is the same, byte for byte."""
    bench = Bench(Path(shutil.copytree(made.bench.root, tmp_path / "copy")))
    for name in ("evidence", "hidden"):
        written = []
        for _ in range(2):
            shutil.rmtree(bench.root / name)
            assert bench.run(name).status == 0
            written.append(digests_of(bench.root / name))
        assert written[0] == written[1] != {}


def test_no_digest_of_a_private_key_is_told(made: Made) -> None:
    """Neither a private key nor its digest stands in the evidence or the store."""
    key = (made.bench.root / "audit.key").read_bytes()
    digest = sha256(key).hexdigest().encode()
    files = [*(made.bench.root / "evidence").rglob("*"), *(made.bench.root / ".evalmake" / "store").rglob("*")]
    for path in files:
        data = path.read_bytes() if path.is_file() else b""
        assert digest not in data, path
        assert key.splitlines()[1] not in data, path
