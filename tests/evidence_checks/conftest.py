"""Evidence of a build with a failed attempt, an earlier definition and a gate: made once, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evalmake.evidence_checks.findings import State
from evalmake.evidence_checks.verify import VerifiedEvidence, verify_evidence
from evalmake.signatures.keys import KeyPair, make_key_pair, read_public_key
from tests.support.shared_folders import make_once
from tests.support.workspaces import Bench, end_processes

EVALFILE = """\
deployment d {
    engine = mock
    args   = { skill = 0.8 }
}
model m { deployment = d }
benchmark sums {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = number
}
benchmark flaky {
    harness = command
    files   = file("job.sh")
    run     = "sh data/job.sh"
}
eval grid {
    model     = m
    benchmark = sums
    seed      in 1..2
    params    = { temperature = 0.7 }
    require accuracy >= 0.2
}
eval once {
    model     = m
    benchmark = flaky
}
report evidence {
    of     = [grid, once]
    format = in-toto
    path   = "evidence"
    sign   = file("audit.key")
}
report hidden {
    of     = [grid]
    format = in-toto
    path   = "hidden"
    sign   = file("audit.key")
    redact = [prompt, target]
}
report expiring {
    of     = [grid]
    format = in-toto
    path   = "expiring"
    sign   = [file("audit.key"), file("second.key")]
    valid  = 1h
}
all: evidence hidden expiring
"""


NAMES = ("audit", "second", "other")
"""Of the keys: the first two sign."""


@dataclass(frozen=True)
class Made:
    """What was made: the workspace, and the keys that sign."""

    bench: Bench
    keys: dict[str, KeyPair]

    def verify(self, path: Path, *names: str) -> VerifiedEvidence:
        """Check a folder with the public keys of these names."""
        return verify_evidence(path, [read_public_key(self.bench.root / f"{name}.pub") for name in names])


def failures(found: VerifiedEvidence) -> dict[str, str]:
    """What does not hold, by subject."""
    checks = found.findings.checks
    return {one.subject: "; ".join((one.message, *one.details)) for one in checks if one.state is State.FAILS}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A build that failed once, ran by an earlier definition, and wrote evidence; nobody may change it."""
    root = make_once(tmp_path_factory, "evidence", _build)
    return Made(Bench(root), {name: read_key_pair(root, name) for name in NAMES})


def _build(root: Path) -> None:
    bench = Bench(root)
    for name in NAMES:
        write_key_pair(root, name)
    bench.sums(12)
    bench.evalfile(EVALFILE.replace("temperature = 0.7", "temperature = 0.1"))
    bench.job("exit 3\n")
    assert bench.run("grid/1").status == 0
    bench.evalfile(EVALFILE)
    score = """echo '{"id": "a", "scores": {"accuracy": 1}}' > $EVALMAKE_OUT/samples.jsonl\n"""
    score += """echo '{"accuracy": 1}' > $EVALMAKE_OUT/scores.json\n"""
    bench.job(f"test -e {bench.root}/ready || exit 3\n{score}")
    assert bench.run("once").status == 2
    (bench.root / "ready").touch()
    ended = bench.run()
    assert ended.status == 0, ended.text


def write_key_pair(folder: Path, name: str) -> None:
    """Make a key pair, and write it as NAME.key and NAME.pub."""
    pair = make_key_pair()
    (folder / f"{name}.key").write_text(pair.private)
    (folder / f"{name}.key").chmod(0o600)
    (folder / f"{name}.pub").write_text(pair.public)


def read_key_pair(folder: Path, name: str) -> KeyPair:
    """Read a key pair that `write_key_pair` wrote."""
    public = read_public_key(folder / f"{name}.pub")
    return KeyPair(public.key_id, (folder / f"{name}.key").read_text(), (folder / f"{name}.pub").read_text())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty workspace."""
    made = Bench(tmp_path / "work")
    made.root.mkdir()
    yield made
    end_processes(made, tmp_path)


@pytest.fixture
def evidence(made: Made, tmp_path: Path) -> Path:
    """A copy of the evidence, to be harmed."""
    return Path(shutil.copytree(made.bench.root / "evidence", tmp_path / "evidence"))


@pytest.fixture
def hidden(made: Made, tmp_path: Path) -> Path:
    """A copy of the evidence without texts."""
    return Path(shutil.copytree(made.bench.root / "hidden", tmp_path / "hidden"))
