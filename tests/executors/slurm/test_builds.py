"""Whole builds on a cluster: scores, replies and records are those of any other executor."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evalmake.run.environments.environment import Environment
from tests.executors.slurm.clustered import ROOM, Clustered, model
from tests.executors.slurm.node_python import node_packages
from tests.support.http_replies import chat_completion, http_reply
from tests.support.mock_servers import count_requests
from tests.support.scripted_upstream import ReceivedRequest, Upstream
from tests.support.sums import put_lm_eval
from tests.support.workspaces import SUMS, Bench

PROCESS = "executor cluster { backend = process }\n"
CELLS = f"""\
eval asked {{
    model     in [good, poor]
    benchmark = sums
    seed      in 1..SEEDS
    limit     = 6
    executor  = cluster
    {ROOM}
}}
"""
SOME = ("asked/*/1", "asked/*/2")


def by_process(bench: Clustered) -> dict[str, list[float | None]]:
    """The scores of some evaluations when processes of this host run them, in a workspace of their own."""
    other = Bench(bench.root / "other", bench.env)
    other.root.mkdir()
    other.sums(12)
    text = (bench.root / "Evalfile").read_text()
    other.evalfile(PROCESS, text[text.index("model good") :])
    ended = other.run(*SOME)
    assert ended.status == 0, ended.text
    return other.scores()


@pytest.mark.parametrize(("place", "seeds"), [("near", 20), ("far", 4), ("accounted", 4)])
def test_cells(place: str, seeds: int, request: pytest.FixtureRequest, serve: Callable[..., str]) -> None:
    """Cells are submitted in one call, score as with processes, and leave nothing but cached replies."""
    bench: Clustered = request.getfixturevalue(place)
    good, poor = serve(skill=0.9), serve(skill=0.3)
    bench.sums(12)
    cells = CELLS.replace("SEEDS", str(seeds))
    bench.evalfile(bench.executor(), model(good, "good"), model(poor, "poor"), SUMS, cells)
    ended = bench.run()

    assert ended.status == 0, ended.text
    assert bench.sbatches() == 1
    scores = bench.scores()
    assert len(scores) == 2 * seeds
    bench.clean()
    assert "nothing to do" in bench.run().out
    attempt = bench.attempts()[0]
    assert attempt.facts.keys() >= {"slurm-job", "node"}
    assert attempt.name in bench.output(attempt, "slurm/job.sh").decode()
    assert f"--array=0-{2 * seeds - 1}\n" in bench.output(attempt, "slurm/batch.sh").decode()
    expected = by_process(bench)
    assert {name: scores[name] for name in expected} == expected

    before = count_requests(good), count_requests(poor)
    bench.edit("limit     = 6", "limit     = 9")
    ended = bench.run(*SOME)
    assert ended.status == 0, ended.text
    assert (count_requests(good) - before[0], count_requests(poor) - before[1]) == (2 * 3, 2 * 3)
    bench.clean()


JUDGED = """\
benchmark graded {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = judge
    judge   = grader
}
"""
GRADED = f"""\
eval graded {{
    model     = subject
    benchmark = graded
    executor  = cluster
    {ROOM}
}}
"""


def graded(seen: ReceivedRequest) -> list[bytes]:
    """A model that says who it was asked as, and a judge that grades all as right."""
    return [http_reply(chat_completion("GRADE: 1" if json.loads(seen.body)["model"] == "grader" else "7"))]


def test_judge(either: Clustered) -> None:
    """A job brings a gateway to its judge, too: both are asked, and what each used is on record."""
    upstream = Upstream(graded)
    grader = model(upstream.url.removesuffix("/v1"), "grader").replace('"mock"', '"grader"')
    either.sums(4)
    either.evalfile(either.executor(), model(upstream.url.removesuffix("/v1")), grader, JUDGED, GRADED)
    ended = either.run()
    assert ended.status == 0, ended.text
    assert either.scores() == {"graded": [1.0]}
    asked = [body["model"] for body in upstream.bodies]
    assert sorted(asked) == ["grader"] * 4 + ["mock"] * 4
    [attempt] = either.attempts()
    for folder in ("gateway", "gateway-judge"):
        assert json.loads(either.output(attempt, f"{folder}/usage.json"))["requests"] == 4
    either.clean()


NEAR = """\
benchmark graded {
    harness  = native
    files    = file("sums.jsonl")
    prompt   = "{question}"
    checks   = [{ type = similar, value = "7" }]
    embedder = grader
}
"""


def embedded(seen: ReceivedRequest) -> list[bytes]:
    """A model that says a number, and an embedder for which all texts are near."""
    texts = json.loads(seen.body).get("input", [])
    rows = [{"index": at, "embedding": [1.0, float(at)]} for at, _ in enumerate(texts)]
    return [http_reply({"data": rows, "model": "grader"} if texts else chat_completion("7"))]


def test_embedder(either: Clustered) -> None:
    """A job brings a gateway to its embedder, too."""
    upstream = Upstream(embedded)
    grader = model(upstream.url.removesuffix("/v1"), "grader").replace("{", "{\n    api = embeddings", 1)
    either.sums(4)
    either.evalfile(either.executor(), model(upstream.url.removesuffix("/v1")), grader, NEAR, GRADED)
    ended = either.run()
    assert ended.status == 0, ended.text
    [attempt] = either.attempts()
    assert json.loads(either.output(attempt, "gateway-embedder/usage.json"))["requests"] == 4
    either.clean()


ANSWERS = """\
benchmark graded {
    harness = native
    files   = file("sums.jsonl")
    answer  = "{answer}"
    target  = "{answer}"
    scorer  = number
}
"""


def test_answers_in_the_data(either: Clustered) -> None:
    """A job that asks nobody has no gateway beside it."""
    either.sums(4)
    either.evalfile(either.executor(), ANSWERS, GRADED.replace("= subject", "= none"))
    ended = either.run()
    assert ended.status == 0, ended.text
    assert either.scores() == {"graded": [1.0]}
    [attempt] = either.attempts()
    assert not [output.name for output in attempt.outputs if "gateway" in output.name or "sidecar" in output.name]
    either.clean()


PIPELINE = """\
import json, os, urllib.request

def ask(role, key):
    body = {"model": os.environ[f"EVALMAKE_{role}_NAME"], "messages": [{"role": "user", "content": "hello"}]}
    head = {"Authorization": "Bearer " + os.environ[key], "Content-Type": "application/json"}
    url = os.environ[f"EVALMAKE_{role}_URL"] + "/chat/completions"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), head)) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]

said = [ask("MODEL", "EVALMAKE_API_KEY"), ask("JUDGE", "EVALMAKE_JUDGE_API_KEY")]
with open(os.environ["EVALMAKE_OUT"] + "/scores.json", "w") as file:
    json.dump({"correct": float(said == ["7", "GRADE: 1"])}, file)
"""
PIPED = """\
benchmark graded {
    harness = command
    files   = file("job.py")
    run     = "python3 data/job.py"
    judge   = grader
}
"""


def test_judge_of_a_program(either: Clustered) -> None:
    """A program of one's own reaches its judge by a sidecar of its own."""
    upstream = Upstream(graded)
    grader = model(upstream.url.removesuffix("/v1"), "grader").replace('"mock"', '"grader"')
    either.job(PIPELINE, "job.py")
    either.evalfile(either.executor(), model(upstream.url.removesuffix("/v1")), grader, PIPED, GRADED)
    ended = either.run()
    assert ended.status == 0, ended.text
    assert either.scores() == {"graded": [1.0]}
    [attempt] = either.attempts()
    for folder in ("gateway", "gateway-judge"):
        assert json.loads(either.output(attempt, f"{folder}/usage.json"))["requests"] == 1
    either.clean()


HARNESS = f"""\
benchmark arithmetic {{
    harness  = lm-eval
    packages = ["lm-eval[api]==0.4.13"]
    files    = glob("tasks/*")
    offline  = true
    task     = "ev_arithmetic"
    metric   = "exact_match.strict-match"
}}
eval generated {{
    model     = subject
    benchmark = arithmetic
    limit     = 4
    executor  = cluster
    {ROOM.replace("400", "1500")}
}}
"""


@pytest.mark.timeout(600)  # the environment may have to be installed
def test_packages(near: Clustered, lm_eval: Environment, environments: Path, serve: Callable[..., str]) -> None:
    """A harness on a node runs in the environment that this host installed."""
    put_lm_eval(near.root / "tasks", "arithmetic.yaml")
    near.env["EVALMAKE_ENVIRONMENTS"] = str(environments)
    near.evalfile(near.executor(), model(serve(skill=1.0)), HARNESS)
    ended = near.run()
    assert ended.status == 0, ended.text
    assert list(near.scores()) == ["generated"]
    near.clean()


@pytest.mark.timeout(600)
def test_harness_behind_ssh(far: Clustered, lm_eval: Environment, serve: Callable[..., str]) -> None:
    """A harness that the cluster's own Python has runs there, and needs no `packages`."""
    put_lm_eval(far.root / "tasks", "arithmetic.yaml")
    far.python = with_packages(far, node_packages(lm_eval))
    asked = HARNESS.replace('packages = ["lm-eval[api]==0.4.13"]\n', "")
    far.evalfile(far.executor(), model(serve(skill=1.0)), asked)
    ended = far.run()
    assert ended.status == 0, ended.text
    assert far.scores()["generated"][0] == 1.0
    far.clean()


def with_packages(far: Clustered, packages: Path) -> Path:
    """The Python of the nodes, with more packages, which every user may read."""
    assert far.python is not None
    folder = far.cluster.folder / "run" / far.root.parent.name
    shutil.copytree(packages, folder / "packages", copy_function=os.link)
    made = folder / "python"
    text = far.python.read_text()
    made.write_text(text.replace("PYTHONPATH=", f"PYTHONPATH={folder}/packages:"))
    made.chmod(0o755)
    return made


def test_defaults_of_a_users_environment(near: Clustered, serve: Callable[..., str]) -> None:
    """Defaults for Slurm's commands in a user's environment neither overrule scripts nor hide jobs."""
    near.env |= {
        "SBATCH_JOB_NAME": "mine",
        "SQUEUE_PARTITION": "elsewhere",
        "SLURM_ARRAY_JOB_ID": "777",
    }
    near.env |= {"SBATCH_ARRAY_INX": "0-9"}
    near.sums(3)
    cells = CELLS.replace("in [good, poor]", "= good").replace("SEEDS", "2")
    near.evalfile(near.executor(), model(serve(), "good"), SUMS, cells)
    ended = near.run()
    assert ended.status == 0, ended.text
    assert "777" not in near.attempts()[0].facts["slurm-job"]
    assert near.sbatches() == 1
    near.clean()


def test_python_that_is_not_there(near: Clustered) -> None:
    """A job on a node without the executor's Python fails with the name of that Python."""
    near.sums(3)
    cells = CELLS.replace("in [good, poor]", "= good").replace("SEEDS", "1")
    executor = near.executor('python = "/no/python"')
    near.evalfile(executor, model("http://127.0.0.1:9", "good"), SUMS, cells)
    ended = near.run()
    assert ended.status == 2, ended.text
    assert "this node has no /no/python, which runs the gateways: set python of the executor" in ended.text
    near.clean()
