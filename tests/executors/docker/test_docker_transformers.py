"""A real model, served from packages and from an image: the same answers, and the same scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalmake.run.environments.environment import Environment
from tests.executors.docker.contained import Contained
from tests.executors.docker.images import image
from tests.support.docker_engine import Dockerd
from tests.support.sums import put_lm_eval
from tests.support.workspaces import end, wait_for

pytestmark = pytest.mark.timeout(1800)  # an environment may have to be installed, and an image made

EVALFILE = """\
executor local {{
    backend = process
    slots   = 4
    env     = {{ HF_HUB_OFFLINE = 1, HF_DATASETS_OFFLINE = 1 }}
}}
executor box {{
    backend = docker
    host    = "{host}"
    env     = {{ HF_HUB_OFFLINE = 1 }}
}}

defaults deployment {{
    engine  = transformers
    weights = glob("acme/tiny/*")
    args    = {{ device = "cpu", dtype = "float32", default-seed = 0 }}
}}
deployment bare {{
    packages = ["torch==2.13.0", "transformers[serving]==5.23.0"]
    executor = local
}}
deployment boxed {{
    image    = "{image}"
    executor = box
}}
model bare  {{ deployment = bare }}
model boxed {{ deployment = boxed }}

defaults benchmark {{ params = {{ temperature = 0, max_tokens = 12 }}, truncated = 100% }}
benchmark digits {{
    harness  = lm-eval
    packages = ["lm-eval[api]==0.4.13"]
    task     = "digits"
    files    = glob("tasks/*")
    offline  = true
}}
benchmark shares {{
    harness     = native
    files       = file("tasks/questions.jsonl")
    prompt      = "What is {{a}} + {{b}}?"
    target      = "{{gold}}"
    scorer      = python
    scorer_file = file("scorer.py")
}}

eval asked {{
    model     in [bare, boxed]
    benchmark in [digits, shares]
    seed      = 5
    executor  = local
}}
"""
SCORER = """\
def score(record, reply, target):
    return sum(c in "0123456789" for c in reply) / max(len(reply), 1)
"""


@pytest.fixture
def workspace(
    contained: Contained,
    environments: Path,
    lm_eval: Environment,
    transformers: Environment,
    engine: Dockerd,
    write_tiny_model: Callable[[Path], None],
) -> Contained:
    """A workspace with a tiny model, its server installed here and in an image."""
    write_tiny_model(contained.root / "acme" / "tiny")
    put_lm_eval(contained.root / "tasks", "digits.yaml", count=8)
    (contained.root / "scorer.py").write_text(SCORER)
    made = image(engine, "transformers", transformers)
    contained.evalfile(EVALFILE.format(host=contained.engine.url, image=made))
    contained.env["EVALMAKE_ENVIRONMENTS"] = str(environments)
    contained.env["HF_HOME"] = str(contained.root / "hf")
    return contained


def test_bare_and_boxed(workspace: Contained) -> None:
    """Two harnesses ask both servers, each started once; weights are read-only; nothing is run twice."""
    process = workspace.start()
    wait_for(lambda: bool(workspace.containers()), 120)
    [container] = workspace.containers()
    shown = workspace.engine.api().inspect_container(container["Id"])["Mounts"]
    ended = end(process)

    assert ended.status == 0, ended.text
    assert {(one["Destination"], one["RW"]) for one in shown} == {
        ("/models/boxed", False),
        ("/hub", True),
    }
    for name in ("bare", "boxed"):
        told = [line for line in ended.err.splitlines() if f"deployment {name}: " in line]
        assert [line.split(": ")[1] for line in told if "still" not in line] == [
            "starting",
            "ready",
            "stopped",
        ]
    scores = workspace.scores()
    assert sorted(scores) == [
        "asked/bare/digits",
        "asked/bare/shares",
        "asked/boxed/digits",
        "asked/boxed/shares",
    ]
    one = scores["asked/bare/digits"]
    assert all(score == pytest.approx(one) for score in scores.values()), "all count the same digits"
    for benchmark in ("digits", "shares"):
        replies = answered(workspace, benchmark)
        assert replies["bare"] == replies["boxed"]
        assert len(set(replies["bare"])) > 4, "the model does read the question"
    assert "nothing to do" in workspace.run().out
    workspace.clean()


def answered(workspace: Contained, benchmark: str) -> dict[str, list[str]]:
    """The replies of each model to a benchmark, all of which its own server gave."""
    found = {}
    for attempt in workspace.attempts():
        _, model, asked = attempt.name.split("/")
        if asked == benchmark:
            assert attempt.usage["sent"] == 8
            found[model] = [row["reply"] for row in workspace.samples(attempt)]
    return found
