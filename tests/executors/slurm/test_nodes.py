"""Servers that run on several nodes at once."""

from __future__ import annotations

import sys

from tests.executors.slurm.clustered import Clustered
from tests.support.daemons import until
from tests.support.workspaces import SUMS, end, kill

SERVER = """\
deployment server {
    engine    = command
    executor  = cluster
    resources = { cpus = 2, memory = 1GiB, gpus = 1 }
    run       = \"\"\"
        echo "node $EVALMAKE_NODE of $EVALMAKE_NODES on $SLURMD_NODENAME, first at $EVALMAKE_HEAD"
        if [ "$EVALMAKE_NODE" != 0 ]; then echo $$ > other; exec sleep 600; fi
        exec PYTHON -P -m evalmake.engines.mock --port 0 --port-file port --settings '{"name": "server"}'
    \"\"\"
}
model served { deployment = server }
eval asked {
    model     = served
    benchmark = sums
    seed      in 1..2
    limit     = 4
    resources = { memory = 400MiB }
    executor  = cluster
}
"""


def written(bench: Clustered, more: str) -> None:
    """A server on two nodes, and what asks it."""
    bench.sums(4)
    python = bench.python or sys.executable
    bench.evalfile(bench.executor(f"nodes = 2\n    {more}"), SERVER.replace("PYTHON", str(python)), SUMS)


def test_two_nodes(either: Clustered) -> None:
    """Its command runs once on each, told which it is; evaluations run beside it on the first, or alone on one."""
    for more in ("colocate = true", ""):
        written(either, more)
        ended = either.run("-B", "-v")
        assert ended.status == 0, ended.text
        assert either.scores() == {"asked/1": [1.0], "asked/2": [1.0]}
        log = either.run("logs", "server").out
        for node in (0, 1):
            assert f"{node}: node {node} of 2 on n{node + 1}, first at 127.0.0.1" in log
        either.clean()
    known, prefix = either.cluster.jobs().values(), either.prefix()
    nodes = [job["nodes"] for job in known if job["name"].startswith(prefix)]
    assert (nodes.count("n[1-2]"), len(nodes)) == (2, 4)


def test_ends_as_a_whole(near: Clustered) -> None:
    """Where the server on one node ends, all of it does, and it is begun anew."""
    written(near, "colocate = true")
    process = near.start("-v")
    work = near.root / ".evalmake" / "work"
    until(lambda: any(path.read_text() for path in work.glob("*/other")), near.jobs)
    [other] = work.glob("*/other")
    kill(int(other.read_text()))
    ended = end(process)
    assert ended.status == 0, ended.text
    assert near.scores() == {"asked/1": [1.0], "asked/2": [1.0]}
    assert near.sbatches() == 2
    near.clean()
