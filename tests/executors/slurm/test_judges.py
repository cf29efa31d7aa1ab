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
RUN_APART = """\
if [ "$EVALMAKE_NODE" = 1 ]; then
    echo 127.0.0.1 > judge
    EVALMAKE_PORT=JUDGE exec python3 FOLDER/grader.py
fi
until [ -s judge ]; do sleep 0.1; done
python3 FOLDER/forward.py FREE "$(cat judge)" JUDGE &
until python3 -c 'import socket; socket.create_connection(("127.0.0.1", FREE))'; do sleep 0.1; done
exec python3 FOLDER/server.py
"""
"""On the second node the judge, on the first the model, and a port that leads to the judge."""
FORWARD = """\
import asyncio, sys

async def copy(source, target):
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    target.close()

async def accept(reader, writer):
    there = await asyncio.open_connection(sys.argv[2], int(sys.argv[3]))
    await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

async def main():
    async with await asyncio.start_server(accept, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()

asyncio.run(main())
"""


def write(work: Clustered, run: str, grader: str, more: str = "") -> None:
    """Write an Evalfile whose model and judge are small programs on the nodes."""
    work.root.chmod(0o755)
    (work.root / "server.py").write_text(chat_server(ADDS_NUMBERS))
    (work.root / "grader.py").write_text(chat_server(GRADES))
    (work.root / "forward.py").write_text(FORWARD)
    work.sums(4)
    text = work.executor(f"colocate = true\n    {more}") + SERVED.replace("RUN", run.strip()) + grader + GRADED
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


def test_judge_on_a_node_of_its_own_in_the_allocation(near: Clustered) -> None:
    """Of two nodes one has the judge; evaluations beside the model ask it through a port, with one job for all."""
    free, judge = str(free_port()), str(free_port())
    run = RUN_APART.replace("FREE", free).replace("JUDGE", judge)
    write(near, run, BESIDE.replace("FREE", free), "nodes = 2")
    ended = near.run()
    assert ended.status == 0, ended.text
    assert near.sbatches() == 1
    assert_both_were_asked(near)
    near.clean()
