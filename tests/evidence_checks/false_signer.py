"""A signer who edits evidence first, and lets everything else agree: digests, seals, chains, statements."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from evalmake.evidence import layout
from evalmake.evidence.canonical_json import to_canonical_json
from evalmake.evidence.material import StoredRecord
from evalmake.evidence.samples import read_leaves, root_of
from evalmake.evidence.statements import AttemptEntry, SampleSet, state_result, state_samples
from evalmake.planner.action import ActionResult, Artifact
from evalmake.signatures.envelope import open_envelope, seal_envelope
from evalmake.signatures.keys import read_private_key
from evalmake.store.records import record_from_text, record_to_text
from tests.evidence_checks.conftest import Made

Change = Callable[[list[ActionResult]], list[ActionResult]]
Edit = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class FalseSigner:
    """Edits a folder of evidence, and signs it with the right key."""

    folder: Path
    private: str

    @classmethod
    def of(cls, made: Made, folder: Path) -> FalseSigner:
        """The owner of the evidence."""
        return cls(folder, made.keys["audit"].private)

    def place(self, name: str) -> Path:
        """The folder of an evaluation."""
        return next(
            path.parent
            for path in self.folder.glob("evaluations/*/evaluation.json")
            if self.read(path)["predicate"]["buildDefinition"]["externalParameters"]["evaluation"] == name
        )

    # Records ----------------------------------------------------------------------------------------

    def records(self, name: str) -> list[ActionResult]:
        """The attempts of an evaluation."""
        lines = (self.place(name) / layout.RECORDS).read_text().splitlines()
        rows = [(json.loads(line), line) for line in lines]
        return [record_from_text(row["action"], row["attempt"], line) for row, line in rows]

    def change_records(self, name: str, change: Change) -> None:
        """Change attempts, number and chain them anew, and let the statements say so."""
        place, texts, before = self.place(name), [], ""
        for number, record in enumerate(change(self.records(name)), 1):
            texts.append(record_to_text(replace(record, attempt=number, previous=before)))
            before = sha256(texts[-1].encode()).hexdigest()
        (place / layout.RECORDS).write_text("".join(f"{text}\n" for text in texts))
        self.restate(name)

    def change_last(self, name: str, **values: Any) -> None:
        """Change fields of the last attempt."""
        self.change_records(name, lambda records: [*records[:-1], replace(records[-1], **values)])

    def change_score(self, name: str, **values: Any) -> None:
        """Change fields of the first score of the last attempt."""
        first, *more = self.records(name)[-1].scores
        self.change_last(name, scores=(replace(first, **values), *more))

    def note_outputs(self, name: str) -> None:
        """Let the record of the attempt that counts name the outputs that are in the folder."""
        root = self.place(name) / layout.OUTPUTS
        files = sorted(path for path in root.rglob("*") if path.is_file())
        outputs = tuple(
            Artifact(path.relative_to(root).as_posix(), sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
            for path in files
        )
        self.change_last(name, outputs=outputs)

    def change_output(self, name: str, output: str, edit: Edit) -> None:
        """Change an output that is JSON, in the record, too."""
        path = self.place(name) / layout.OUTPUTS / output
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))
        self.note_outputs(name)

    def change_samples(self, name: str, change: Callable[[list[dict[str, Any]]], Sequence[Mapping[str, Any]]]) -> None:
        """Change samples, in the record, too."""
        path = self.place(name) / layout.OUTPUTS / "samples.jsonl"
        rows = change([json.loads(line) for line in path.read_text().splitlines()])
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.note_outputs(name)

    # Statements -------------------------------------------------------------------------------------

    def read(self, path: Path) -> dict[str, Any]:
        """The statement in an envelope."""
        found: dict[str, Any] = json.loads(open_envelope(path.read_bytes(), []).payload)
        return found

    def state(self, path: Path, edit: Edit) -> None:
        """Change what a statement says, and sign it."""
        statement = self.read(path)
        edit(statement["predicate"])
        self._sign(path, statement)

    def restate(self, name: str) -> None:
        """Let the statement of an evaluation say what its records and samples say."""
        place = self.place(name)
        texts = (place / layout.RECORDS).read_text().splitlines()
        records = [StoredRecord(one, text) for one, text in zip(self.records(name), texts, strict=True)]
        samples = place / layout.OUTPUTS / "samples.jsonl"
        leaves = read_leaves(samples.read_bytes()) if samples.exists() else []

        def edit(predicate: dict[str, Any]) -> None:
            last = records[-1].result
            stated = state_samples(SampleSet(len(leaves), root_of(leaves), ()) if samples.exists() else None)
            predicate["result"] = {**state_result(last), "samples": stated}
            predicate["attempts"] = [asdict(AttemptEntry.of(one)) for one in records]
            predicate["runDetails"]["metadata"] = {
                "invocationId": last.job,
                "startedOn": last.started,
                "finishedOn": last.finished,
            }

        self.state(place / layout.EVALUATION, edit)
        attempt, at = records[-1].result.attempt, place.relative_to(self.folder).as_posix()

        def note(predicate: dict[str, Any]) -> None:
            for entry in predicate["evaluations"]:
                if entry["folder"] == at:
                    entry["attempt"] = attempt
            told = [self.read(path)["predicate"] for path in sorted(self.folder.glob("evaluations/*/evaluation.json"))]
            times = [one["runDetails"]["metadata"] for one in told]
            metadata = predicate["runDetails"]["metadata"]
            metadata["startedOn"] = min(one["startedOn"] for one in times)
            metadata["finishedOn"] = max(one["finishedOn"] for one in times)

        self.state(self.folder / layout.BUILD, note)

    def sign(self) -> None:
        """Let all statements name the files that are there, and sign them."""
        for path in sorted(self.folder.glob("evaluations/*/evaluation.json")):
            self._name_files(path)
        self._name_files(self.folder / layout.BUILD)

    def _name_files(self, path: Path) -> None:
        statement = self.read(path)
        files = [one for one in path.parent.rglob("*") if one.is_file() and one != path]
        names = {one.relative_to(self.folder).as_posix(): sha256(one.read_bytes()).hexdigest() for one in files}
        statement["subject"] = [{"name": name, "digest": {"sha256": names[name]}} for name in sorted(names)]
        build = statement["predicate"]["buildDefinition"]
        if path.name == layout.BUILD:
            build["resolvedDependencies"] = [
                {"name": name, "digest": {"sha256": digest}}
                for name, digest in sorted(names.items())
                if name.startswith(f"{layout.SOURCES}/")
            ]
        self._sign(path, statement)

    def _sign(self, path: Path, statement: Mapping[str, Any]) -> None:
        signer = read_private_key(self.private, "audit")
        path.write_bytes(seal_envelope(layout.PAYLOAD_TYPE, to_canonical_json(statement), [signer]))
