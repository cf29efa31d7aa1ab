"""Judges that are servers on the cluster: in an allocation of their own, or in that of the model's server."""

from __future__ import annotations

import json

from tests.executors.chat_server import ADDS_NUMBERS, chat_server
from tests.executors.slurm.clustered import Clustered
from tests.support.daemons import free_port

GRADES = 'def reply(text):\n    return "GRADE: 1"\n'
SERVED = """\
deployment server {
    engine    = command
    run       = '''
        RUN
    '''
    executor  = cluster
    resources = { cpus = 2, memory = 1GiB }
}
model subject { deployment = server }
"""
GRADER = """\
deployment grader {
    engine    = command
    run       = "exec python3 FOLDER/grader.py"
    executor  = cluster
    resources = { cpus = 1, memory = 500MiB }
}
model grader { deployment = grader }
"""
BESIDE = """\
model grader {
    endpoint = "http://127.0.0.1:FREE/v1"
    name     = "grader"
}
"""
GRADED = """\
benchmark graded {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = judge
    judge   = grader
}
eval graded {
    model     = subject
    benchmark = graded
    seed      in 1..2
    executor  = cluster
}
"""
RUN_BOTH = """\
EVALMAKE_PORT=FREE python3 FOLDER/grader.py &
until python3 -c 'import socket; socket.create_connection(("127.0.0.1", FREE))'; do sleep 0.1; done
exec python3 FOLDER/server.py
"""


def write(work: Clustered, run: str, grader: str) -> None:
    """Write an Evalfile whose model and judge are small programs on the nodes."""
    work.root.chmod(0o755)
    (work.root / "server.py").write_text(chat_server(ADDS_NUMBERS))
    (work.root / "grader.py").write_text(chat_server(GRADES))
    work.sums(4)
    text = work.executor("colocate = true") + SERVED.replace("RUN", run.strip()) + grader + GRADED
    work.evalfile(text.replace("FOLDER", str(work.root)))


def assert_both_were_asked(work: Clustered) -> None:
    """Each evaluation asked its model and its judge, inside the allocation of the model's server."""
    assert work.scores() == {"graded/1": [1.0], "graded/2": [1.0]}
    attempts = work.attempts()
    for attempt in attempts:
        for folder in ("gateway", "gateway-judge"):
            assert json.loads(work.output(attempt, f"{folder}/usage.json"))["requests"] == 4
    assert len({attempt.facts["slurm-job"] for attempt in attempts}) == 1
    assert {attempt.facts["deployment server slurm-job"] for attempt in attempts} == {attempts[0].facts["slurm-job"]}


def test_judge_with_an_allocation(near: Clustered) -> None:
    """A judge that is a deployment has a job of its own, and evaluations in the model's allocation reach it."""
    write(near, "exec python3 FOLDER/server.py", GRADER)
    ended = near.run()
    assert ended.status == 0, ended.text
    assert near.sbatches() == 2
    assert_both_were_asked(near)
    near.clean()


def test_judge_in_the_allocation_of_the_model(near: Clustered) -> None:
    """A judge that the model's server brings along is asked on the node, with one job for all."""
    port = str(free_port())
    write(near, RUN_BOTH.replace("FREE", port), BESIDE.replace("FREE", port))
    ended = near.run()
    assert ended.status == 0, ended.text
    assert near.sbatches() == 1
    assert_both_were_asked(near)
    near.clean()
