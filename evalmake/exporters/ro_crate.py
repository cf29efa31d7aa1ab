"""The `ro-crate` report: evidence as an RO-Crate, a research object that archives take.

The folder is that of the `in-toto` report, with `ro-crate-metadata.json` of RO-Crate 1.1: every file, and of each
evaluation a `CreateAction` that says when evalmake made which files. The metadata is one of the signed files.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from evalmake.evidence import layout
from evalmake.evidence.material import EvidenceMaterial
from evalmake.evidence.writer import write_evidence
from evalmake.exporters.in_toto_settings import InTotoSettings
from evalmake.scoring.result_set import ResultSet

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

METADATA = layout.CRATE
_VERSION = "1.1"
_ENCODINGS = {".jsonl": "application/jsonl", ".evalfile": "text/plain", "": "text/plain", ".lock": "text/plain"}
_STATUS = {"succeeded": "CompletedActionStatus", "failed": "FailedActionStatus", "cancelled": "FailedActionStatus"}


class RoCrateExporter:
    """Writes a crate."""

    Settings: ClassVar[type[BaseModel]] = InTotoSettings
    signs: ClassVar[bool] = True
    needs: ClassVar[str] = "" if find_spec("rocrate") else "it needs rocrate: pip install 'evalmake[crate]'"

    def export(self, results: ResultSet, path: Path) -> None:
        """Fail: results alone are no evidence."""
        raise TypeError("the `ro-crate` report is written from a store")

    def export_evidence(self, material: EvidenceMaterial, settings: InTotoSettings, path: Path) -> None:
        """Write the folder."""

        def describe(digests: Mapping[str, str], folder: Path) -> dict[str, bytes]:
            return {METADATA: describe_crate(material, digests, folder)}

        write_evidence(
            material, path, settings.redact, settings.valid.seconds if settings.valid else None, describe=describe
        )


def describe_crate(material: EvidenceMaterial, digests: Mapping[str, str], folder: Path) -> bytes:
    """Return the metadata of a crate with these files; the same results give the same bytes."""
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version=_VERSION)
    finished = max((one.told.finished for one in material.evaluations), default="1970-01-01T00:00:00+00:00")
    crate.name = f"{material.report}: results of evaluations"
    crate.description = (
        f"Results of {len(material.evaluations)} evaluations of language models, with everything that they rest on:"
        " Evalfile, data, attempts, samples, and signed statements about all of them."
    )
    crate.datePublished = datetime.fromisoformat(finished)
    crate.root_dataset["license"] = "not stated"
    program = _add(crate, "#evalmake", "SoftwareApplication", name="evalmake", softwareVersion=material.version)
    files = {name: _add_file(crate, name, digest, folder) for name, digest in sorted(digests.items())}
    files[layout.BUILD] = _add(
        crate, layout.BUILD, "File", name="the signed statement of the build", encodingFormat="application/json"
    )
    for action in _add_actions(crate, material, files):
        action["instrument"] = program
        crate.root_dataset.append_to("mentions", action)
    text = json.dumps(crate.metadata.generate(), indent=1, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()


def _add_actions(crate: ROCrate, material: EvidenceMaterial, files: Mapping[str, Any]) -> Iterator[Any]:
    """Each evaluation, by the attempt that counts."""
    sources = [files[name] for name in files if name.startswith(f"{layout.SOURCES}/")]
    for number, evaluation in enumerate(material.evaluations, 1):
        one, place = evaluation.told, layout.folder_of(number, evaluation.name)
        action = _add(
            crate,
            f"#evaluation-{number}",
            "CreateAction",
            name=evaluation.name,
            startTime=one.started,
            endTime=one.finished,
            actionStatus={"@id": f"http://schema.org/{_STATUS.get(one.status, 'FailedActionStatus')}"},
        )
        action["object"] = sources
        action["result"] = [file for name, file in files.items() if name.startswith(f"{place}/")]
        yield action


def _add_file(crate: ROCrate, name: str, digest: str, folder: Path) -> Any:
    suffix = Path(name).suffix
    encoding = _ENCODINGS.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
    size = str((folder / name).stat().st_size)
    return _add(crate, name, "File", name=name, encodingFormat=encoding, contentSize=size, sha256=digest)


def _add(crate: ROCrate, identifier: str, kind: str, **properties: object) -> Any:
    from rocrate.model import ContextEntity, DataEntity

    entity = DataEntity if kind == "File" else ContextEntity
    return crate.add(entity(crate, identifier, properties={"@type": kind, **properties}))
