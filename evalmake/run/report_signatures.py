"""Signs reports: `PATH.sig.json` beside a report is a DSSE envelope of an in-toto Statement about the file.

A format that signs by itself (`signs = True` in its exporter) has no such file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from evalmake import __version__
from evalmake.language.atomic_write import write_atomic
from evalmake.project.declarations import Declaration
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.signatures.envelope import seal_envelope
from evalmake.signatures.keys import Signer

SIGNATURE_ENDING = ".sig.json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:evalmake:report:v1"


def find_signature_file(report: Declaration, path: Path, plugins: PluginRegistry) -> Path | None:
    """The file that holds the signatures of a report at `path`; None for a report without."""
    if not report.block.sign or getattr(plugins.get("exporters", report.plugin), "signs", False):
        return None
    return path.with_name(path.name + SIGNATURE_ENDING)


def write_signature_file(signature: Path, path: Path, signers: Sequence[Signer], plan: str) -> None:
    """Sign the report at `path`; the same file, plan and keys give the same bytes."""
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": path.name, "digest": {"sha256": sha256(path.read_bytes()).hexdigest()}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"evalmake": __version__, "plan": plan},
    }
    payload = json.dumps(statement, separators=(",", ":"), sort_keys=True).encode()
    write_atomic(signature, seal_envelope(PAYLOAD_TYPE, payload, signers))
