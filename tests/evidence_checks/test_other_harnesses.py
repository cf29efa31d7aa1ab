"""Evidence of harnesses that run other people's programs, made honestly, holds in every check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evalmake.evidence_checks.findings import State
from evalmake.run.environments.environment import Environment
from tests.evidence_checks.conftest import Made, failures
from tests.evidence_checks.false_signer import FalseSigner
from tests.support.sums import put_inspect, put_lm_eval
from tests.support.workspaces import Bench, end_processes

pytestmark = pytest.mark.timeout(600)  # an environment may have to be installed

EVIDENCE = """
report evidence {
    of     = [e]
    format = in-toto
    path   = "evidence"
    sign   = file("audit.key")
}
report hidden from evidence {
    path   = "hidden"
    redact = [prompt, target, reply]
}
all: e evidence hidden
"""
LM_EVAL = """
model talks { endpoint = "URL/v1", name = "m" }
model completes { endpoint = "URL/v1", name = "m", api = completions }
benchmark arithmetic {
    harness  = lm-eval
    packages = ["lm-eval[api]==0.4.13"]
    files    = glob("tasks/*")
    offline  = true
    task     = "ev_arithmetic"
    metric   = "exact_match.strict-match"
    fewshot  = 2
}
benchmark choice from arithmetic {
    task    = "ev_choice"
    metric  = none
    fewshot = none
}
eval e {
    model     in [talks, completes]
    benchmark in [arithmetic, choice]
    limit     = 12
    skip model = talks and benchmark = choice
}
"""
INSPECT = """
model m { endpoint = "URL/v1", name = "m" }
benchmark sums {
    harness   = inspect
    packages  = ["inspect-ai==0.3.285", "openai==3.54.0"]
    task      = "arith.py@arith"
    files     = glob("arith.*")
    task_args = { hint = "Just the number." }
}
eval e {
    model     = m
    benchmark = sums
    seed      in 1..2
    limit     = 12
}
"""
Serve = Callable[..., str]


@pytest.fixture
def owner(made: Made, tmp_path: Path, environments: Path) -> Iterator[Made]:
    """An empty workspace with the keys, that shares the environments."""
    bench = Bench(tmp_path / "work")
    bench.root.mkdir()
    bench.env["EVALMAKE_ENVIRONMENTS"] = str(environments)
    for name in ("audit.key", "audit.pub"):
        (bench.root / name).write_text((made.bench.root / name).read_text())
    (bench.root / "audit.key").chmod(0o600)
    yield Made(bench, made.keys)
    end_processes(bench, tmp_path)


def check(owner: Made, evalfile: str) -> None:
    """Build, and assert that the evidence with and without texts holds; an edited number of either is found."""
    bench = owner.bench
    (bench.root / "Evalfile").write_text(evalfile + EVIDENCE)
    ended = bench.run()
    assert ended.status == 0, ended.text
    for name in ("evidence", "hidden"):
        found = owner.verify(bench.root / name, "audit")
        assert failures(found) == {}
        assert found.findings.status == 0
        holds = {one.subject for one in found.findings.checks if one.state is State.HOLDS}
        assert holds >= {"records", "provenance", "samples", "statements", "scores", "plan", "counts", "report"}
    signer = FalseSigner.of(owner, bench.root / "evidence")
    name = owner.verify(signer.folder, "audit").predicate["evaluations"][0]["name"]
    signer.change_score(name, stderr=0.0001)
    signer.sign()
    assert "stderr" in failures(owner.verify(signer.folder, "audit"))["counts"]


def test_lm_eval(owner: Made, lm_eval: Environment, serve: Serve) -> None:
    """lm-eval, by chat and by completions, generated and by log-likelihood."""
    put_lm_eval(owner.bench.root / "tasks", "arithmetic.yaml", "choice.yaml")
    check(owner, LM_EVAL.replace("URL", serve(skill=0.6, name="m")))


def test_inspect(owner: Made, inspect: Environment, serve: Serve) -> None:
    """Inspect."""
    put_inspect(owner.bench.root, "arith.py")
    check(owner, INSPECT.replace("URL", serve(skill=0.6, name="m")))
