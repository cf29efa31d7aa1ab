"""The audit of a release from end to end: a signed plan, the run, evidence, and a stranger who checks it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.docker.contained import ASKING
from tests.support.docker_engine import BASE, Dockerd
from tests.support.other_users import GROUP, make_python, run_as
from tests.support.workspaces import Bench, end_processes

STRANGER = 5003
EVALFILE = """\
settings {{ overrides = [] }}
executor box {{
    backend = docker
    host    = "{host}"
}}
deployment candidate {{
    engine = mock
    args   = {{ skill = 0.8 }}
}}
model candidate {{ deployment = candidate }}
benchmark sums {{
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{{question}}"
    target  = "{{answer}}"
    scorer  = number
}}
benchmark boxed {{
    harness = command
    image   = "{base}"
    files   = file("job.py")
    run     = "python3 data/job.py"
}}
eval release {{
    model      = candidate
    benchmark  = sums
    seed       in 1..2
    confidence = 95%
    require accuracy >= 0.2
}}
eval contained {{
    model     = candidate
    benchmark = boxed
    executor  = box
}}
report evidence {{
    of     = [release, contained]
    format = in-toto
    path   = "evidence/candidate-7"
    sign   = secret("AUDIT_SIGNING_KEY")
}}
all: release contained evidence
"""
SCORED = """\
scores = []
with open(os.environ["EVALMAKE_OUT"] + "/samples.jsonl", "w") as samples:
    for number in range(8):
        said = ask(f"What is {number} + 3?")
        scores.append(float(str(number + 3) in said))
        samples.write(json.dumps({"id": str(number), "scores": {"contains": scores[-1]}, "reply": said}) + "\\n")
leave("scores.json", {"contains": sum(scores) / len(scores)})
"""
"""The job in a container: it asks the model itself."""


@pytest.fixture
def release(tmp_path: Path, engine: Dockerd) -> Iterator[Bench]:
    """A release on this machine and in Docker, with a key of the reviewers and one of the auditors."""
    bench = Bench(tmp_path / "release")
    bench.root.mkdir()
    (bench.root / "Evalfile").write_text(EVALFILE.format(host=engine.url, base=BASE))
    bench.sums(10)
    bench.job(ASKING + SCORED, "job.py")
    for name in ("reviewer", "audit"):
        assert bench.run("key", "new", name).status == 0
    bench.env |= {"AUDIT_SIGNING_KEY": (bench.root / "audit.key").read_text()}
    yield bench
    end_processes(bench, tmp_path)


@pytest.fixture
def stranger() -> Iterator[Bench]:
    """An empty folder of another user, who has neither a store nor an Evalfile."""
    if os.geteuid() != 0:
        pytest.skip("acting as another user needs root")
    home = Path("/tmp") / f"evalmake-stranger-{os.getpid()}"
    (home / "folder").mkdir(parents=True)
    yield Bench(home / "folder", {**os.environ, "PYTHON": make_python(home)})
    shutil.rmtree(home)


def hand_over(bench: Bench, *paths: Path) -> None:
    """Give files and folders to the stranger."""
    for path in paths:
        copy = bench.root / path.name
        _ = shutil.copytree(path, copy) if path.is_dir() else shutil.copy(path, copy)
    for path in (bench.root, *bench.root.rglob("*")):
        os.chown(path, STRANGER, GROUP)


def test_a_release_is_audited(release: Bench, stranger: Bench) -> None:
    """A plan is signed and run, its evidence is written, and another user checks it with a public key alone."""
    signed = release.run("-n", "-o", "plan.json", "--sign", "reviewer.key")
    assert signed.status == 0, signed.text
    require = ("--plan", "plan.json", "--require-signature", "--key", "reviewer.pub")
    ran = release.run(*require)
    assert ran.status == 0, ran.text
    assert "3 ran" in ran.out
    assert release.run(*require).out.startswith("nothing to do")

    hand_over(stranger, release.root / "evidence/candidate-7", release.root / "audit.pub")
    checked = run_as(STRANGER, stranger, ["verify", "candidate-7", "--key", "audit.pub", "--json"])
    found = json.loads(checked.out)
    assert checked.status == 0, checked.text
    states = {check["subject"]: check["state"] for check in found["checks"]}
    expected = ("signatures", "files", "records", "samples", "scores", "plan", "outputs", "report")
    assert {states[subject] for subject in expected} == {"holds"}
    assert {score["evaluation"] for score in found["scores"]} == {"release/1", "release/2", "contained"}

    ran_by = json.loads(
        (stranger.root / "candidate-7/evaluations/0001-release-1/outputs/provenance/build.json").read_text()
    )
    key = release.run("key", "show", "reviewer.pub").out
    assert ran_by["plan"] == json.loads((release.root / "plan.json").read_text())["digest"]
    assert ran_by["plan_signed_by"]
    assert all(key_id in key for key_id in ran_by["plan_signed_by"])


def test_what_was_not_signed_does_not_run(release: Bench) -> None:
    """After the Evalfile has moved, or with another key, nothing runs, and what moved is named."""
    assert release.run("-n", "-o", "plan.json", "--sign", "reviewer.key").status == 0
    other = release.run("--plan", "plan.json", "--require-signature", "--key", "audit.pub")
    assert other.status == 2
    release.edit("skill = 0.8", "skill = 0.9")
    moved = release.run("--plan", "plan.json", "--require-signature", "--key", "reviewer.pub")
    assert moved.status == 2
    assert "skill: 0.8 -> 0.9" in moved.err
    assert release.attempts() == []
