"""Writes a folder of evidence: beside its place, and into it when it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import file_digest
from io import BytesIO
from pathlib import Path

from evalmake.evidence import layout
from evalmake.evidence.canonical_json import to_canonical_json
from evalmake.evidence.material import EvaluationMaterial, EvidenceMaterial, StoredRecord
from evalmake.evidence.samples import Redaction, name_attempt, read_leaves, root_of
from evalmake.evidence.statements import SampleSet, state_build, state_evaluation, to_payload
from evalmake.language.file_tree import list_plain_files
from evalmake.planner.action import Artifact
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.signatures.envelope import seal_envelope

Describe = Callable[[Mapping[str, str], Path], Mapping[str, bytes]]
"""From the digests of all files and their folder to more files, which are signed, too."""


def write_evidence(
    material: EvidenceMaterial,
    path: Path,
    redacted: Sequence[str] = (),
    valid_seconds: float | None = None,
    describe: Describe = lambda digests, folder: {},
) -> None:
    """Write a folder of evidence, in place of an earlier one; OSError where that fails, or `path` is something else.

    `redacted` are of REDACTABLE. From `valid_seconds` after the last result on, nobody shall rely on it.
    """
    _refuse_other_content(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    try:
        new.mkdir()
        _EvidenceWriter(material, new, tuple(redacted)).write(valid_seconds, describe)
        _replace_folder(path, new)
    finally:
        shutil.rmtree(new, ignore_errors=True)


class _EvidenceWriter:
    """Writes into an empty folder. `digests` has the sha256 of each file that is written, by its path."""

    def __init__(self, material: EvidenceMaterial, folder: Path, redacted: tuple[str, ...]) -> None:
        self._material = material
        self._folder = folder
        self._redacted = redacted
        self.digests: dict[str, str] = {}

    def write(self, valid_seconds: float | None, describe: Describe) -> None:
        self._material.write_sources(self._folder)
        for name, _ in list_plain_files(self._folder):
            self._note(name, self._folder / name)
        for name, content in self._material.reports.items():
            self._write_file(name, content)
        folders, expires = [], find_expiry(self._material.evaluations, valid_seconds)
        for number, evaluation in enumerate(self._material.evaluations, 1):
            folders.append(layout.folder_of(number, evaluation.name))
            self._write_evaluation(folders[-1], evaluation, expires)
        for name, content in describe(self.digests, self._folder).items():
            self._write_file(name, content)
        statement = state_build(self._material, self.digests, folders, self._redacted, expires)
        self._write_file(layout.BUILD, self._sign(to_payload(statement)))

    def _write_evaluation(self, folder: str, evaluation: EvaluationMaterial, expires: str | None) -> None:
        self._write_file(f"{folder}/{layout.RECORDS}", _join_texts(evaluation.attempts))
        if evaluation.earlier:
            self._write_file(f"{folder}/{layout.EARLIER}", _join_texts(evaluation.earlier))
        identity = {digest: dict(walk) for digest, walk in evaluation.parts.items()}
        self._write_file(f"{folder}/{layout.IDENTITY}", to_canonical_json(identity) + b"\n")
        left_out = []
        for output in evaluation.counting.outputs if evaluation.counting else ():
            if layout.is_shown(output.name, bool(self._redacted)):
                self._write_output(layout.output_path(folder, output.name), output)
            else:
                left_out.append(output)
        self._write_provenance(folder, evaluation)
        samples = self._write_samples(folder, evaluation)
        files = {name: digest for name, digest in self.digests.items() if name.startswith(f"{folder}/")}
        statement = state_evaluation(evaluation, files, samples, left_out, self._material.version, expires)
        self._write_file(f"{folder}/{layout.EVALUATION}", self._sign(to_payload(statement)))

    def _write_provenance(self, folder: str, evaluation: EvaluationMaterial) -> None:
        """Write how the attempts that do not count were made, as far as the store still has it."""
        for record in (*evaluation.attempts, *evaluation.earlier):
            one = record.result
            for output in one.outputs if one != evaluation.counting else ():
                content = BytesIO()
                if output.name in layout.PROVENANCE and self._material.write_output(output, content):
                    path = layout.attempt_path(folder, one.action, one.attempt, output.name)
                    self._write_file(path, content.getvalue())

    def _write_samples(self, folder: str, evaluation: EvaluationMaterial) -> SampleSet | None:
        """Say what the samples are; write those without texts if some are left out."""
        outputs = evaluation.counting.outputs if evaluation.counting else ()
        output = next((one for one in outputs if one.name == SAMPLES), None)
        if output is None:
            return None
        if not self._redacted:
            data = (self._folder / layout.output_path(folder, SAMPLES)).read_bytes()
            leaves = read_leaves(data)
            return SampleSet(len(leaves), root_of(leaves), ())
        path = self._folder / f".{output.sha256}"
        self._write_content(path, output)
        try:
            attempt = name_attempt(evaluation.told.action, evaluation.told.attempt)
            redaction = Redaction(self._redacted, self._material.secret, attempt)
            leaves = redaction.redact(path.read_bytes())
        finally:
            path.unlink()
        self._write_file(f"{folder}/{layout.REDACTED_SAMPLES}", b"".join(leaf.to_line() for leaf in leaves))
        return SampleSet(len(leaves), root_of(leaves), self._redacted)

    def _sign(self, payload: bytes) -> bytes:
        return seal_envelope(layout.PAYLOAD_TYPE, payload, self._material.signers)

    # Files ------------------------------------------------------------------------------------------

    def _write_file(self, name: str, data: bytes) -> None:
        path = self._make_room(name)
        path.write_bytes(data)
        self._note(name, path)

    def _write_output(self, name: str, output: Artifact) -> None:
        path = self._make_room(name)
        self._write_content(path, output)
        self._note(name, path)

    def _write_content(self, path: Path, output: Artifact) -> None:
        with path.open("wb") as file:
            if not self._material.write_output(output, file):
                raise OSError(errno.EIO, f"{output.name} is missing from the store, or damaged: run `evalmake verify`")

    def _make_room(self, name: str) -> Path:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _note(self, name: str, path: Path) -> None:
        with path.open("rb") as file:
            self.digests[name] = file_digest(file, "sha256").hexdigest()


def _join_texts(records: Sequence[StoredRecord]) -> bytes:
    return "".join(f"{record.text}\n" for record in records).encode("utf-8", "surrogatepass")


def find_expiry(evaluations: Sequence[EvaluationMaterial], valid_seconds: float | None) -> str | None:
    """Return until when evidence of these evaluations counts; None for ever."""
    finished = max((evaluation.told.finished for evaluation in evaluations), default=None)
    if valid_seconds is None or finished is None:
        return None
    return (datetime.fromisoformat(finished) + timedelta(seconds=valid_seconds)).isoformat(timespec="seconds")


def _refuse_other_content(path: Path) -> None:
    """OSError where a folder is no evidence: nothing that evalmake did not write is replaced."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise OSError(errno.EEXIST, "it is there, and is no folder", str(path))
    if path.is_dir() and not (path / layout.BUILD).is_file() and any(path.iterdir()):
        raise OSError(errno.EEXIST, "it is a folder with something else in it", str(path))


def _replace_folder(path: Path, new: Path) -> None:
    """Put `new` in the place of `path`. A kill in between leaves the old one beside it, under a hidden name."""
    old = path.with_name(f".{path.name}.{os.urandom(6).hex()}.old")
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, old)
    os.rename(new, path)
    shutil.rmtree(old, ignore_errors=True)
