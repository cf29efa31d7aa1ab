"""Evidence of an attempt that left scores, and yet no result: too few samples had one."""

from __future__ import annotations

import json

import pytest

from evalmake.evidence_checks.findings import State
from tests.evidence_checks.conftest import NAMES, Made, failures
from tests.support.workspaces import NOBODY, SCRIPTED, Bench

EVALFILE = f"""\
{NOBODY}{SCRIPTED}
    eval once {{
        model     = nobody
        benchmark = scripted
        require accuracy >= 0.2
    }}
    benchmark fine {{
        harness = command
        files   = file("fine.sh")
        run     = "sh data/fine.sh"
    }}
    eval whole {{
        model     = nobody
        benchmark = fine
    }}
    report shown {{
        of     = [once, whole]
        format = in-toto
        path   = "shown"
        sign   = file("audit.key")
    }}
    report hidden {{
        of     = [once, whole]
        format = in-toto
        path   = "hidden"
        sign   = file("audit.key")
        redact = [prompt, target, reply]
    }}
"""
JOB = """\
echo '{"id": "a", "scores": {"accuracy": 1}}' > $EVALMAKE_OUT/samples.jsonl
echo '{"id": "b", "scores": {}, "error": "cannot parse: A zebra"}' >> $EVALMAKE_OUT/samples.jsonl
echo '{"accuracy": 1}' > $EVALMAKE_OUT/scores.json
"""


@pytest.fixture
def short(made: Made, bench: Bench) -> Made:
    """Two attempts, each of which scored half of its samples."""
    for name in NAMES:
        (bench.root / f"{name}.pub").write_text((made.bench.root / f"{name}.pub").read_text())
    (bench.root / "audit.key").write_text(made.keys["audit"].private)
    (bench.root / "audit.key").chmod(0o600)
    bench.evalfile(EVALFILE)
    bench.job(JOB)
    bench.job("".join(line for line in JOB.splitlines(keepends=True) if "zebra" not in line), "fine.sh")
    for _ in range(2):
        ended = bench.run("-k", "shown", "hidden")
        assert ended.status == 2, ended.text
    return Made(bench, made.keys)


@pytest.mark.parametrize("name", ["shown", "hidden"])
def test_honest_evidence_holds(short: Made, name: str) -> None:
    """Without a result no outputs are read again, and nothing fails: the result is said to be missing."""
    folder = short.bench.root / name
    found = short.verify(folder, "audit")
    assert failures(found) == {}
    assert found.findings.status == 0
    left_out = {one.subject: one.message for one in found.findings.checks if one.state is State.LEFT_OUT}
    assert left_out["results"] == "1 evaluation without one: once"
    assert b"zebra" not in b"".join(path.read_bytes() for path in (short.bench.root / "hidden").rglob("*.js*"))


def test_an_attempt_is_no_retry_of_itself(short: Made) -> None:
    """The provenance of an attempt that could not be retried does not count a retry that never was."""
    attempts = sorted((short.bench.root / "shown").glob("evaluations/*/attempts/*/provenance/attempt.json"))
    assert [json.loads(path.read_text())["retry"] for path in attempts] == [0, 0]
