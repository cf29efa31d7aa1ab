"""What a signer edited contradicts something that the evidence still has: a reply, or a reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evalmake.evidence import layout
from evalmake.evidence.canonical_json import to_canonical_json
from tests.evidence_checks.conftest import Made
from tests.evidence_checks.false_signer import FalseSigner
from tests.evidence_checks.test_false_signer import ONE, found, unchecked


@pytest.mark.parametrize("what", ["accuracy", "answer"])
def test_each_sample_is_scored_as_its_reply_says(made: Made, evidence: Path, what: str) -> None:
    """A sample whose score or answer its own reply does not give is named, though means and report agree with it."""

    signer = FalseSigner.of(made, evidence)

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        right = next(row for row in rows if row["scores"]["accuracy"] == 1.0)
        wrong = next(row for row in rows if row["scores"]["accuracy"] == 0.0)
        if what == "answer":
            right["answer"] = "7777"
        else:
            right["scores"], wrong["scores"] = wrong["scores"], right["scores"]
        return rows

    signer.change_samples(ONE, change)
    wrong = found(made, signer)
    assert wrong.keys() == {"replies"}
    assert f": {what} is " in wrong["replies"]
    assert "by its reply" in wrong["replies"]


def test_earlier_definitions_are_not_left_out_without_a_word(made: Made, evidence: Path) -> None:
    """Where attempts by an earlier definition are taken out, the reason of the one after them tells that they were."""
    signer = FalseSigner.of(made, evidence)
    place = signer.place(ONE)
    (place / layout.EARLIER).unlink()
    shutil.rmtree(place / layout.ATTEMPTS)
    signer.state(place / layout.EVALUATION, lambda predicate: predicate.update(earlierAttempts=[]))
    keep = {part for record in signer.records(ONE) for part in record.identity.values()}
    parts = json.loads((place / layout.IDENTITY).read_text())
    assert parts.keys() - keep
    assert "with which no attempt ran" in found(made, signer)["records"]
    own = {part: walk for part, walk in parts.items() if part in keep}
    (place / layout.IDENTITY).write_bytes(to_canonical_json(own))
    told = unchecked(made, signer)["provenance"]
    assert "grid/1: attempt 1 of " in told
    assert "ran because params.temperature had changed, and no attempt before that change is there" in told
