"""A real model, served by a job of a cluster and asked by others: the scores are those of processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalmake.run.environments.environment import Environment
from tests.executors.slurm.clustered import Clustered
from tests.support.sums import put_lm_eval
from tests.support.workspaces import Bench, Ended

pytestmark = pytest.mark.timeout(900)  # environments may have to be installed

PROCESS = "executor cluster { backend = process, slots = 2, env = { HF_HUB_OFFLINE = 1 } }\n"
EVALFILE = """\
deployment tiny {
    engine    = transformers
    packages  = ["torch==2.13.0", "transformers[serving]==5.23.0"]
    weights   = glob("acme/tiny/*")
    args      = { device = "cpu", dtype = "float32", default-seed = 0 }
    executor  = cluster
    resources = { cpus = 2, memory = 2500MiB }
}
model tiny { deployment = tiny }

defaults benchmark { params = { temperature = 0, max_tokens = 12 }, truncated = 100% }
benchmark digits {
    harness  = lm-eval
    packages = ["lm-eval[api]==0.4.13"]
    task     = "digits"
    files    = glob("tasks/*")
    offline  = true
}
benchmark shares {
    harness     = native
    files       = file("tasks/questions.jsonl")
    prompt      = "What is {a} + {b}?"
    target      = "{gold}"
    scorer      = python
    scorer_file = file("scorer.py")
}
eval asked {
    model     = tiny
    benchmark in [digits, shares]
    seed      = 5
    executor  = cluster
    resources = { memory = 1500MiB }
}
"""
SCORER = """\
def score(record, reply, target):
    return sum(c in "0123456789" for c in reply) / max(len(reply), 1)
"""


def built(bench: Bench, write_tiny_model: Callable[[Path], None], executor: str) -> Ended:
    """Write a workspace and build it."""
    write_tiny_model(bench.root / "acme" / "tiny")
    put_lm_eval(bench.root / "tasks", "digits.yaml", count=8)
    (bench.root / "scorer.py").write_text(SCORER)
    bench.env["HF_HOME"] = str(bench.root / "hf")
    bench.evalfile(executor, EVALFILE)
    return bench.run()


def replies(bench: Bench) -> dict[str, list[str]]:
    """What the model replied, by evaluation."""
    return {one.name: [row["reply"] for row in bench.samples(one)] for one in bench.attempts()}


def test_transformers(
    near: Clustered,
    environments: Path,
    lm_eval: Environment,
    transformers: Environment,
    write_tiny_model: Callable[[Path], None],
) -> None:
    """A native and a public harness ask it, each in a job of its own; replies and scores are the same."""
    near.env["EVALMAKE_ENVIRONMENTS"] = str(environments)
    ended = built(near, write_tiny_model, near.executor("env = { HF_HUB_OFFLINE = 1 }"))
    assert ended.status == 0, ended.text
    assert near.sbatches() <= 3, "one for the server, and at most one for each evaluation"
    other = Bench(near.root / "other", near.env)
    other.root.mkdir()
    ended = built(other, write_tiny_model, PROCESS)
    assert ended.status == 0, ended.text
    assert sorted(near.scores()) == ["asked/digits", "asked/shares"]
    assert near.scores() == other.scores()
    assert near.attempts()[0].facts.keys() >= {"slurm-job", "deployment tiny slurm-job"}
    said = replies(near)
    assert said == replies(other)
    assert all(len(set(texts)) > 4 for texts in said.values()), "the model does read the question"
    near.clean()
