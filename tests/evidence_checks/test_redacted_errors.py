"""Evidence without texts has no words of errors either: they may quote a prompt or a reply."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest

from evalmake.evidence import layout
from evalmake.evidence.material import EvaluationMaterial, StoredRecord
from evalmake.evidence.samples import Redaction, name_attempt
from evalmake.evidence_checks.attempts import check_chain, list_doubts
from evalmake.evidence_checks.folder import BadEvidence
from evalmake.evidence_checks.redacted_errors import ErrorRedaction
from evalmake.planner.action import ActionResult, Artifact
from evalmake.store.records import record_from_text, record_to_text
from tests.evidence_checks.conftest import Made, failures
from tests.support.workspaces import Bench

EVALFILE = """\
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
benchmark flaky {
    harness = command
    files   = file("job.sh")
    run     = "sh data/job.sh"
}
benchmark broken {
    harness = command
    files   = file("broken.sh")
    run     = "sh data/broken.sh"
}
eval once {
    model     = m
    benchmark = flaky
}
eval never {
    model     = m
    benchmark = broken
    require accuracy >= 0.2
}
report hidden {
    of     = [once, never]
    format = in-toto
    path   = "hidden"
    sign   = file("audit.key")
    redact = [prompt, target, reply]
}
report shown {
    of     = [once, never]
    format = in-toto
    path   = "shown"
    sign   = file("audit.key")
}
"""
QUOTING = """echo "error: cannot parse the reply 'A zebra has stripes'" >&2\nexit 3\n"""
SAMPLES = """echo '{"id": "a", "scores": {"accuracy": 1}, "reply": "A zebra"}' > $EVALMAKE_OUT/samples.jsonl\n"""
SCORES = """echo '{"accuracy": 1}' > $EVALMAKE_OUT/scores.json\n"""
QUOTE = b"zebra"


@pytest.fixture
def failed(made: Made, bench: Bench) -> Made:
    """Evidence of an evaluation that failed once with an error that quotes a reply, and of one that never succeeded."""
    for name in ("audit.key", "audit.pub"):
        (bench.root / name).write_text((made.bench.root / name).read_text())
    (bench.root / "audit.key").chmod(0o600)
    bench.evalfile(EVALFILE)
    bench.job(QUOTING, "broken.sh")
    bench.job(f"test -e {bench.root}/ready || {{\n{QUOTING}}}\n{SAMPLES}{SCORES}")
    assert bench.run("once").status == 2
    (bench.root / "ready").touch()
    assert bench.run("-k", "once", "never", "hidden", "shown").status == 2
    return Made(bench, made.keys)


def read_all(folder: Path) -> bytes:
    """All that stands in a folder but in its data, with the payloads of its statements."""
    found = b""
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() and layout.SOURCES not in path.parts else b""
        found += base64.b64decode(json.loads(data)["payload"]) if b'"payload":' in data else data
    return found


def test_errors_are_left_out_with_the_texts(failed: Made) -> None:
    """No file quotes what an error quoted; evidence with texts does. The rest of what attempts say is still there."""
    root = failed.bench.root
    assert QUOTE in read_all(root / "shown")
    hidden = read_all(root / "hidden")
    assert QUOTE not in hidden
    assert b"exit status 3; its words are left out (" in hidden
    assert b"not judged: never has no result (failed: exit status 3; its words are left out (" in hidden
    assert b'"kind":"failed","subject":"exit status 3; its words are left out (' in hidden


@pytest.mark.parametrize("name", ["hidden", "shown"])
def test_it_still_holds(failed: Made, name: str) -> None:
    """Records are chained without the words of errors, and reasons are those of the attempts before."""
    found = failed.verify(failed.bench.root / name, "audit")
    assert failures(found) == {}
    assert found.findings.status == 0


def test_the_story_is_told_without_words(failed: Made) -> None:
    """`audit` says that attempts failed, and not in which words."""
    told = failed.bench.run("audit", "hidden", "once")
    assert told.status == 0, told.text
    assert "exit status 3; its words are left out" in told.out
    assert "zebra" not in told.out


def make_record(number: int, detail: str, outputs: tuple[Artifact, ...] = (), previous: str = "") -> ActionResult:
    """The record of an attempt."""
    when = "2026-01-01T00:00:00+00:00"
    last = ("local", f"{'0' * 12}.{number}", detail)
    return ActionResult(
        f"xxh128:{'0' * 32}", "e", number, "failed", {}, outputs, (), "", {}, when, when, 0.0, *last, previous=previous
    )


def redact(records: list[ActionResult], contents: dict[str, bytes]) -> tuple[EvaluationMaterial, ErrorRedaction]:
    """Records without the words of errors."""
    redaction = ErrorRedaction(b"key", lambda output: contents.get(output.sha256))
    stored = tuple(StoredRecord(one, record_to_text(one)) for one in records)
    return redaction.redact(EvaluationMaterial("e", stored, None, (), {})), redaction


def test_words_of_gateways_are_left_out() -> None:
    """What a server answered, which `usage.json` keeps, is left out; the counts in it stay."""
    usage = {"requests": 2, "last_error": "HTTP 400: no zebra", "fatal": "HTTP 400: no zebra", "redirect": ""}
    output = Artifact("gateway/usage.json", "1" * 64, 9)
    material, redaction = redact([make_record(1, "", (output,))], {"1" * 64: json.dumps(usage).encode()})
    (new,) = material.attempts[0].result.outputs
    found = json.loads(redaction.contents[new.sha256])
    assert found["requests"] == 2
    assert found["redirect"] == ""
    assert found["last_error"] == found["fatal"]
    assert found["fatal"].startswith("HTTP 400; its words are left out (")


def test_a_reason_is_the_error_that_it_quotes_the_beginning_of() -> None:
    """A reason that has the beginning of a long error is redacted as that error, and so still fits its attempt."""
    detail = "zebra " * 100
    reason = {"kind": "failed", "subject": detail[:500], "before": None, "now": None}
    output = Artifact("provenance/attempt.json", "2" * 64, 9)
    records = [make_record(1, detail), make_record(2, "", (output,))]
    material, redaction = redact(records, {"2" * 64: json.dumps({"reasons": [reason]}).encode()})
    (new,) = material.attempts[1].result.outputs
    told = json.loads(redaction.contents[new.sha256])["reasons"][0]["subject"]
    assert told == material.attempts[0].result.detail
    assert QUOTE.decode() not in told


def test_errors_without_words_stay() -> None:
    """An exit status says nothing of the data; the same words have the same digest, and other words another."""
    redaction = ErrorRedaction(b"key", lambda output: None)
    assert redaction.redact_text("a", "exit status 3") == "exit status 3"
    assert redaction.redact_text("a", "") == ""
    assert redaction.redact_text("a", "x") == redaction.redact_text("a", "x") != redaction.redact_text("a", "y")
    assert redaction.redact_text("a", "x") != redaction.redact_text("b", "x")
    assert "4155550100" not in redaction.redact_text("a", "exit status 4155550100")


def digest_text(text: str) -> str:
    """The name of a record in the one after it."""
    return sha256(text.encode()).hexdigest()


def test_records_without_words_are_a_chain() -> None:
    """Records are read again as they were written, each with the digest of the one before it."""
    first = make_record(1, "zebra")
    material, _ = redact([first, make_record(2, "zebra", previous=digest_text(record_to_text(first)))], {})
    for number, record in enumerate(material.attempts, 1):
        assert record_from_text(record.result.action, number, record.text) == record.result
    check_chain(material.attempts)


def test_a_broken_chain_stays_broken() -> None:
    """Where a record was replaced or taken out before, leaving out words mends nothing."""
    for before in (make_record(1, "zebra"), make_record(1, "")):
        material, _ = redact([before, make_record(2, "zebra", previous="0" * 64)], {})
        with pytest.raises(BadEvidence, match="the record before attempt 2 was replaced or taken out"):
            check_chain(material.attempts)


def test_a_record_without_a_seal_gets_none() -> None:
    """A record as evalmake 0.1 wrote it is told to prove nothing of the one before it, without words, too."""
    row = json.loads(record_to_text(make_record(1, "zebra")))
    for key in ("seal", "previous"):
        del row[key]
    text = json.dumps({**row, "v": 1})
    old = StoredRecord(record_from_text(row["action"], 1, text), text)
    sealed = make_record(2, "", previous=digest_text(text))
    records = (old, StoredRecord(sealed, record_to_text(sealed)))
    redaction = ErrorRedaction(b"key", lambda output: None)
    found = redaction.redact(EvaluationMaterial("e", records, None, (), {})).attempts
    assert QUOTE.decode() not in found[0].text
    assert record_from_text(row["action"], 1, found[0].text) == found[0].result
    assert list(json.loads(found[0].text)) == list(json.loads(text))
    check_chain(found)
    assert list(list_doubts(found, ())) == list(list_doubts(records, ())) != []


def test_each_attempt_has_its_own_salts() -> None:
    """A salt that was disclosed of one attempt is not that of the same sample in another."""
    row = {"id": "1", "reply": "A zebra"}
    salts = [Redaction(("reply",), b"key", name_attempt("action", number)).salts_of(0, row) for number in (1, 2)]
    assert salts[0]["reply"] != salts[1]["reply"]
