"""One allocation for a server and the evaluations that ask it: what is said of them is as with jobs of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.slurm.clustered import Clustered
from tests.executors.slurm.counted_cells import NOBODY, CountedCells, counted_cells
from tests.support.daemons import until
from tests.support.kill_trials import kill_builds
from tests.support.slurm_cluster import Cluster
from tests.support.workspaces import SCORE, SUMS, Bench, end

COLOCATED = "colocate = true"
SERVED = """\
deployment server {
    engine    = mock
    args      = { skill = 0.6 }
    executor  = cluster
    resources = { cpus = 3, memory = 2GiB }
}
model served { deployment = server }
"""
ASKED = """\
eval asked {
    model     = served
    benchmark = sums
    seed      in 1..6
    limit     = 8
    executor  = cluster
}
"""
PROCESS = "executor cluster { backend = process }\n"


def by_process(bench: Clustered) -> dict[str, list[float | None]]:
    """The scores when processes of this host serve and ask."""
    other = Bench(bench.root / "other", bench.env)
    other.root.mkdir()
    other.sums(8)
    other.evalfile(PROCESS, SERVED, ASKED, SUMS)
    ended = other.run()
    assert ended.status == 0, ended.text
    return other.scores()


def test_colocated(either: Clustered) -> None:
    """Evaluations run in the server's allocation: one sbatch, the scores of processes, nothing left."""
    either.sums(8)
    either.evalfile(either.executor(COLOCATED), SERVED, ASKED, SUMS)
    ended = either.run("-v")
    assert ended.status == 0, ended.text
    assert either.sbatches() == 1
    assert len(either.scores()) == 6
    assert either.scores() == by_process(either)
    attempts = either.attempts()
    assert len({attempt.facts["slurm-job"] for attempt in attempts}) == 1
    assert {attempt.usage["requests"] for attempt in attempts} == {8}
    assert "listening on http://" in either.run("logs", "server").out

    either.clean()
    assert "nothing to do" in either.run().out


CELLS = 6
DEPLOYMENT = """\
deployment server {
    engine    = mock
    executor  = cluster
    env       = { OF_THE_SERVER = "yes" }
    replicas  = REPLICAS
    resources = { cpus = 3, memory = 2GiB }
}
"""
SLOW = "sleep 0.$EVALMAKE_SEED\n"


def halves(cells: int) -> dict[str, list[float]]:
    """The scores of so many cells that leave `SCORE`."""
    return {f"tried/{at}": [0.5] for at in range(1, cells + 1)}


def colocated(
    work: CountedCells, script: str = SLOW + SCORE, replicas: int = 1, slots: int = 0, cells: int = CELLS
) -> None:
    """Let its cells run a script in the allocation of the server that they might ask.

    They are no part of that: its variables are not theirs.
    """
    work.write_cells(cells, f'test -z "$OF_THE_SERVER" || exit\n{script}', more="colocate = true")
    work.edit(f'endpoint = "{NOBODY}"\n    name     = "nobody"', "deployment = server")
    work.edit("    slots   = SLOTS\n", f"    slots = {slots}\n" if slots else "")
    with (work.root / "Evalfile").open("a") as file:
        file.write(DEPLOYMENT.replace("REPLICAS", str(replicas)))


@pytest.fixture
def here(cluster: Cluster) -> Iterator[CountedCells]:
    """A workspace that the nodes see."""
    with counted_cells(cluster) as made:
        yield made


def held(work: CountedCells) -> str:
    """What holds a script until the file `go` is there."""
    return f"until test -e {work.open}/go; do sleep 0.05; done\n"


def test_killed_at_any_moment(work: CountedCells) -> None:
    """However often builds are killed, each evaluation runs once, and the allocation is not left."""
    colocated(work, cells=4)
    kill_builds(work.forget, lambda work: work.assert_each_runs_once(halves(4)))


def test_allocation_cancelled(work: CountedCells) -> None:
    """Evaluations in an allocation that ends run again in the next one, without using up retries."""
    colocated(work, held(work) + SCORE)
    process = work.start()
    until(lambda: work.begun().total() == 3, work.jobs)
    [first] = work.jobs()
    work.cluster.scancel(first)
    until(lambda: work.jobs("RUNNING") not in ([], [first]), work.jobs)
    (work.open / "go").touch()
    ended = end(process)
    assert ended.status == 0, ended.text
    assert work.scores() == halves(CELLS)
    lost = [one.detail for one in work.attempts() if one.status != "succeeded"]
    assert len(lost) == CELLS
    assert all(one.startswith("ended with the job of its server: CANCELLED") for one in lost), lost
    work.clean()


def test_cancel(here: CountedCells) -> None:
    """Cancelling a target ends it, running or waiting; the others and their server go on."""
    here.cluster.wrappers.forget()
    colocated(here, held(here) + SCORE)
    process = here.start()
    until(lambda: here.begun().total() == 3, here.jobs)
    process.kill()
    process.communicate()
    first = min(here.begun())
    assert here.run("cancel", f"tried/{first}").out == f"cancelled tried/{first} on cluster\n"
    until(lambda: here.begun().total() == 4, here.jobs)
    last = (set(range(1, CELLS + 1)) - set(here.begun())).pop()
    assert here.run("cancel", f"tried/{last}").out == f"cancelled tried/{last} on cluster\n"
    listed = here.run("status").out
    assert listed.count("cluster  running") == 4  # three evaluations, their server
    assert listed.count("waits for its turn next to its server") == 1
    (here.open / "go").touch()
    ended = here.run()
    assert ended.status == 0, ended.text
    assert here.scores() == halves(CELLS)
    assert here.begun() == Counter(range(1, CELLS + 1)) + Counter([first])
    assert len(here.cluster.wrappers.calls("sbatch")) == 1
    here.clean()


def test_ended_while_away(work: CountedCells) -> None:
    """After an allocation ended while no evalmake ran, finished results are collected and the rest runs again."""
    colocated(work, f"test $EVALMAKE_SEED -le 2 || {held(work)}{SCORE}")
    process = work.start()
    until(lambda: work.begun().total() == 5, lambda: (work.begun(), work.jobs()))
    process.kill()
    process.communicate()
    work.cluster.scancel(*work.jobs())
    until(lambda: not work.jobs(), work.jobs)
    (work.open / "go").touch()
    ended = work.run()
    assert ended.status == 0, ended.text
    assert work.scores() == halves(CELLS)
    assert [work.begun()[seed] for seed in (1, 2)] == [1, 1]
    work.clean()


ASKING = """\
import json, os, time, urllib.request
for at in range(5):
    body = {"model": "m", "messages": [{"role": "user", "content": f"What is 1 + {at}?"}]}
    head = {"Authorization": "Bearer " + os.environ["EVALMAKE_API_KEY"], "Content-Type": "application/json"}
    url = os.environ["EVALMAKE_MODEL_URL"] + "/chat/completions"
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), head)).read()
    if at == 2 and not os.path.exists("OPEN/stayed"):
        open("OPEN/stayed", "w").close()
        time.sleep(600)
"""


def test_time_limit(here: CountedCells) -> None:
    """An evaluation whose allocation reached its time limit continues in the next one with cached replies."""
    (here.root / "ask.py").write_text(ASKING.replace("OPEN", str(here.open)))
    colocated(here, f"python3 data/ask.py || exit\n{SCORE}")
    here.edit('file("job.sh")', 'glob("*.[sp]*")')
    here.edit("1..6", "1..1")
    process = here.start()
    until((here.open / "stayed").exists, here.jobs)
    here.cluster.expire(*here.jobs())
    ended = end(process)
    assert ended.status == 0, ended.text
    first, last = sorted(here.attempts(), key=lambda one: one.attempt)
    assert first.detail.startswith("ended with the job of its server: TIMEOUT: it reached its time limit")
    assert (last.usage["requests"], last.usage["cached"]) == (5, 3)
    here.clean()


def test_replicas(here: CountedCells) -> None:
    """Evaluations are distributed over the ready servers of a deployment."""
    colocated(here, held(here) + SCORE, replicas=2)
    process = here.start()
    until(lambda: here.begun().total() > 0, here.jobs)  # maybe before the second is ready
    until(lambda: len(ports(here)) == 2, here.jobs)
    process.kill()
    process.communicate()
    here.edit("1..6", "1..12")
    (here.open / "go").touch()
    ended = here.run()
    assert ended.status == 0, ended.text
    assert here.begun() == Counter(range(1, 13))
    assert len({one.facts["slurm-job"] for one in here.attempts()}) == 2
    here.clean()


def ports(work: CountedCells) -> list[Path]:
    """Those of its servers that listen."""
    return list((work.root / ".evalmake" / "work").glob("*.s*/port"))


def test_begun_without(here: CountedCells) -> None:
    """If an earlier build started the server without `colocate`, evaluations run in jobs of their own."""
    here.cluster.wrappers.forget()
    colocated(here, held(here) + SCORE)
    here.edit("colocate = true", "colocate = false")
    process = here.start()
    until(lambda: here.begun().total() == CELLS, here.jobs)
    process.kill()
    process.communicate()
    here.edit("colocate = false", "colocate = true")
    here.edit("1..6", "1..7")
    (here.open / "go").touch()
    ended = here.run()
    assert ended.status == 0, ended.text
    assert here.begun() == Counter(range(1, CELLS + 2))
    assert len(here.cluster.wrappers.calls("sbatch")) == 3
    here.clean()
