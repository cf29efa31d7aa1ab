"""Takes the words of errors out of attempts whose evidence leaves out texts: an error may quote a prompt or a reply.

In their place stands what is known to hold no text of the data (an exit status, a status of HTTP, counts), and a digest
that is the same for the same error of one evaluation. It is an HMAC-SHA256 by a secret of the store, so that nobody can
guess an error by it. Records are chained anew, and name the outputs without these words. A chain that is broken stays
broken, and a record without a seal has none.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import IO, Any

from evalmake.evidence.material import EvaluationMaterial, StoredRecord
from evalmake.evidence_checks.attempts import AFTER_A_FAILURE, AFTER_AN_ATTEMPT
from evalmake.planner.action import ActionResult, Artifact
from evalmake.planner.staleness import ActionHistory
from evalmake.provenance.attempt import ATTEMPT
from evalmake.provenance.build import to_json
from evalmake.run.gateways.sessions import USAGE_FOLDERS
from evalmake.store.records import is_sealed, record_to_text

_WORDLESS = re.compile(r"\b(?:exit status \d{1,3}|HTTP (?:status )?\d{3}|\d{1,9} of \d{1,9} samples were scored)\b")
_OF_GATEWAYS = ("last_error", "fatal", "cache_trouble", "redirect")
"""What a gateway says in words, in its `usage.json`."""
_USAGES = tuple(f"{folder}/usage.json" for folder in USAGE_FOLDERS.values())
_DIGITS = 16

WriteOutput = Callable[[Artifact, IO[bytes]], bool]


@dataclass(slots=True)
class ErrorRedaction:
    """Redacts errors. `key` is secret; `read_output` returns the content of an output, None where it is lost."""

    key: bytes
    read_output: Callable[[Artifact], bytes | None]
    contents: dict[str, bytes] = field(default_factory=dict)
    """By their sha256: outputs as they are without errors."""

    def hide(self, head: ActionHistory) -> ActionHistory:
        """Return a history without the words of its last error."""
        return replace(head, detail=self.redact_text(head.action, head.detail))

    def redact(self, evaluation: EvaluationMaterial) -> EvaluationMaterial:
        """Return the material of an evaluation without the words of errors."""
        attempts, earlier = self._redact_all(evaluation.attempts), self._redact_all(evaluation.earlier)
        number = evaluation.counting.attempt if evaluation.counting else None
        counting = next((one.result for one in attempts if one.result.attempt == number), None)
        return replace(evaluation, attempts=attempts, earlier=earlier, counting=counting)

    def redact_text(self, action: str, text: str) -> str:
        """Return what may be said of an error of an action."""
        known = _WORDLESS.findall(text)
        if text == "; ".join(known):
            return text
        digits = hmac.digest(self.key, f"error\0{action}\0{text}".encode("utf-8", "surrogatepass"), "sha256").hex()
        return "; ".join([*known, f"its words are left out ({digits[:_DIGITS]})"])

    def _redact_all(self, records: Sequence[StoredRecord]) -> tuple[StoredRecord, ...]:
        """Redact records, each of which names the one before it, if it did, and that is among them."""
        renamed: dict[str, str] = {}  # digest of a record -> that of the record without words
        found: dict[str, StoredRecord] = {}
        for record in sorted(records, key=lambda one: one.result.attempt):
            one = record.result
            details = [other.result.detail for other in records if other.result.action == one.action]
            outputs = tuple(self._redact_output(one, output, details) for output in one.outputs)
            detail = self.redact_text(one.action, one.detail)
            previous = renamed.get(one.previous, one.previous)
            result = replace(one, detail=detail, outputs=outputs, previous=previous)
            text = record_to_text(result) if is_sealed(record.text) else _write_unsealed(record.text, result)
            renamed[_digest_text(record.text)] = _digest_text(text)
            found[record.text] = StoredRecord(result, text)
        return tuple(found[record.text] for record in records)

    def _redact_output(self, record: ActionResult, output: Artifact, details: Sequence[str]) -> Artifact:
        """Redact what evidence shows of outputs; one that is lost, or no JSON, is not shown."""
        if output.name not in (ATTEMPT, *_USAGES):
            return output
        try:
            value = json.loads(self.read_output(output) or b"")
        except ValueError:
            return output
        if not isinstance(value, dict):
            return output
        redacted = (
            self._redact_attempt(record.action, value, details)
            if output.name == ATTEMPT
            else {key: self._redact_field(record.action, key, item) for key, item in value.items()}
        )
        if redacted == value:
            return output
        data = to_json(redacted)
        digest = sha256(data).hexdigest()
        self.contents[digest] = data
        return Artifact(output.name, digest, len(data))

    def _redact_field(self, action: str, key: str, value: Any) -> Any:
        return self.redact_text(action, str(value)) if key in _OF_GATEWAYS and value else value

    def _redact_attempt(self, action: str, value: Mapping[str, Any], details: Sequence[str]) -> dict[str, Any]:
        reasons = value.get("reasons")
        if not isinstance(reasons, list):
            return dict(value)
        return {**value, "reasons": [self._redact_reason(action, reason, details) for reason in reasons]}

    def _redact_reason(self, action: str, reason: Any, details: Sequence[str]) -> Any:
        """Redact the error that a reason quotes, as in the record that it is of: the reason may have its beginning."""
        if not isinstance(reason, dict) or reason.get("kind") not in AFTER_AN_ATTEMPT or not reason.get("subject"):
            return reason
        if reason["kind"] == "too-old":
            return reason
        subject = str(reason["subject"])
        if reason["kind"] in AFTER_A_FAILURE:
            subject = next((detail for detail in details if detail.startswith(subject)), subject)
        return {**reason, "subject": self.redact_text(action, subject)}


def _write_unsealed(text: str, result: ActionResult) -> str:
    """A record as evalmake 0.1 wrote it, with what may be told of it."""
    told = asdict(result)
    found = {key: told.get(key, value) for key, value in json.loads(text).items()}
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def _digest_text(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
