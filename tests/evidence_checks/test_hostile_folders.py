"""Folders and files from nobody knows whom: each gets a verdict, and none writes lines of its own to a terminal."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
from pathlib import Path

import pytest
from xxhash import xxh3_128_hexdigest

from evalmake.evidence.canonical_json import read_json_strictly
from evalmake.evidence.layout import PAYLOAD_TYPE
from evalmake.evidence_checks.disclosed_samples import verify_disclosure
from evalmake.evidence_checks.findings import Findings
from evalmake.signatures.envelope import seal_envelope
from evalmake.signatures.keys import read_private_key, read_public_key
from tests.evidence_checks.conftest import Made, failures
from tests.evidence_checks.false_signer import FalseSigner
from tests.support.workspaces import Bench


@pytest.mark.parametrize(
    "name", ["a\nevidence: it holds", "\x1b[2Jcleared", "\rover\x07", "\u202eback", os.fsdecode(b"\xff")]
)
def test_names_of_files_write_no_lines(bench: Bench, evidence: Path, name: str) -> None:
    """A file that was added is named on one line, without what controls a terminal."""
    (evidence / name).write_text("x")
    ended = bench.run("verify", str(evidence))
    assert ended.status == 2
    (line,) = [line for line in ended.out.splitlines() if "was not signed" in line]
    assert line.lstrip().startswith("FAILS")
    assert all(character.isprintable() for character in line)
    assert "evidence: it holds" not in ended.out.splitlines()


def test_folders_without_end(bench: Bench, evidence: Path) -> None:
    """Folders in folders end in a verdict, however many there are."""
    depth = 1500
    script = f"cd {evidence} && for at in $(seq {depth}); do mkdir d && cd d || exit 1; done"
    subprocess.run(["sh", "-c", script], check=True)
    try:
        ended = bench.run("verify", str(evidence))
    finally:
        subprocess.run(["rm", "-r", evidence / "d"], check=True)
    assert ended.status == 2
    assert "nested more than 50 deep" in ended.out


def test_a_folder_that_is_empty_was_not_signed(bench: Bench, evidence: Path) -> None:
    """A folder that holds nothing was added, too."""
    (evidence / "evaluations/0010-x").mkdir()
    ended = bench.run("verify", str(evidence))
    assert (ended.status, "evaluations/0010-x/ is an empty folder" in ended.out) == (2, True)


def test_an_empty_folder(bench: Bench, tmp_path: Path) -> None:
    """A folder that holds no evidence is told to be none."""
    ended = bench.run("verify", str(tmp_path))
    assert ended.status == 2
    assert "it is no folder of evidence: it has no build.json" in ended.out


@pytest.mark.parametrize("content", [b"hello", b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"9" * 6000 + b"}", b""])
def test_a_file_that_is_no_sample(bench: Bench, tmp_path: Path, content: bytes) -> None:
    """A file that `disclose` did not write is told to be none."""
    (tmp_path / "x").write_bytes(content)
    ended = bench.run("verify", str(tmp_path / "x"))
    assert ended.status == 2
    assert "nor a sample that `evalmake disclose` wrote" in ended.out


def test_a_file_of_any_size(bench: Bench, tmp_path: Path) -> None:
    """A file is not read where it is larger than a sample can be."""
    with (tmp_path / "x").open("wb") as file:
        file.truncate(1 << 40)
    ended = bench.run("verify", str(tmp_path / "x"))
    assert ended.status == 2
    assert "too large to be a sample: 1048576 MiB" in ended.out


def test_nothing_else_is_read_of_what_nobody_signed(made: Made, evidence: Path) -> None:
    """Where no given key has signed, a file that would take all time and memory is not looked at."""
    with (evidence / "report.md").open("wb") as file:
        file.truncate(1 << 40)
    found = made.verify(evidence, "other")
    assert set(failures(found)) == {"signatures"}
    assert found.findings.checks[-1].message == "not looked at, as nobody whom you trust has signed it"


def test_many_keys_and_one_of_them_twice() -> None:
    """A map with a key twice is refused in a time that grows with its size alone."""
    pairs = [f'"{at}": 0' for at in range(200_000)]
    with pytest.raises(ValueError, match="`7` stands twice in one map"):
        read_json_strictly(("{" + ", ".join([*pairs, '"7": 1']) + "}").encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("index", float("inf")),
        ("index", 1.9),
        ("count", "12"),
        ("shown", [[1, 2], ["a", 3]]),
        ("path", None),
        ("salts", {"target": "0"}),
    ],
)
def test_strange_samples(made: Made, tmp_path: Path, key: str, value: object) -> None:
    """A sample whose parts have other forms than `disclose` writes is told to be none."""
    path = tmp_path / "sample.json"
    assert made.bench.run("disclose", "evidence", "3", "--of", "grid/2", "-o", str(path)).status == 0
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    ended = Bench(tmp_path).run("verify", str(path))
    assert (ended.status, "sample.json is no disclosure of a sample" in ended.out) == (2, True), ended.text


def test_half_of_a_character_is_in_no_record(made: Made, evidence: Path) -> None:
    """No store keeps a record with half of a character, so none is in evidence, and no command tells it."""
    signer = FalseSigner.of(made, evidence)
    place = signer.place("grid/1")
    lines = (place / "records.jsonl").read_text().splitlines()
    row = json.loads(lines[-1])
    del row["v"], row["seal"]
    row["detail"] = "\ud800"
    key = f"record/{row['action']}/{row['attempt']}"
    body = json.dumps({"v": 2, **row}, separators=(",", ":"), ensure_ascii=False)[:-1]
    seal = xxh3_128_hexdigest(f"{key}\n{body}".encode("utf-8", "surrogatepass"))
    lines[-1] = f'{body},"seal":"{seal}"}}'
    (place / "records.jsonl").write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))
    signer.sign()
    assert (
        "of evaluations/0001-grid-1/records.jsonl is no record" in failures(made.verify(evidence, "audit"))["records"]
    )
    for words in (("audit", "evidence"), ("audit", "evidence", "--format", "json")):
        ended = Bench(evidence.parent).run(*words)
        assert ended.status in (0, 2), ended.text


def test_a_sample_of_which_any_byte_is_flipped(made: Made, tmp_path: Path) -> None:
    """A flipped byte of a sample is found, or changes nothing that it says; a statement without a name is none."""
    path = tmp_path / "sample.json"
    assert made.bench.run("disclose", "hidden", "3", "--of", "grid/1", "-o", str(path)).status == 0
    data, key = path.read_bytes(), read_public_key(made.bench.root / "audit.pub")
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for at in chance.sample(range(len(data)), 300):
        flipped = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        findings = Findings()
        verify_disclosure(flipped, "sample.json", [key], findings)
        if findings.status < 2:
            assert json.loads(flipped) == json.loads(data), (seed, at)
    spelled = json.dumps(json.loads(data) | {"path": [step.upper() for step in json.loads(data)["path"]]}).encode()
    findings = Findings()
    verify_disclosure(spelled, "sample.json", [key], findings)
    assert any("its path is not as evalmake writes it" in check.message for check in findings.checks)
    envelope = json.loads(json.loads(data)["envelope"])
    payload = base64.b64decode(envelope["payload"]).replace(b'"evaluation":"grid/1"', b'"evaluatio":"grid/1"')
    signed = seal_envelope(PAYLOAD_TYPE, payload, [read_private_key(made.keys["audit"].private, "audit")])
    findings = Findings()
    verify_disclosure(json.dumps(json.loads(data) | {"envelope": signed.decode()}).encode(), "x", [key], findings)
    assert any("names no evaluation" in check.message for check in findings.checks)
