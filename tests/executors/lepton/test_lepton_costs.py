"""What machines were had for, and for how long, is on record."""

from __future__ import annotations

import json
import time
from pathlib import Path
from textwrap import dedent

from tests.executors.lepton.rented import IMAGED, bench_on
from tests.support.lepton_service import Lepton
from tests.support.workspaces import Bench, end, kill, wait_for

SLOW = """\
    benchmark sums {
        harness = command
        image   = "acme/evals@sha256:4567"
        files   = file("job.sh")
        run     = "sh data/job.sh"
    }
    report card {
        of   = [many]
        path = "card.md"
    }
    report data {
        of     = [many]
        format = json
        path   = "data.json"
    }
"""
ON = "seconds_on_cpu.small"


def slow_bench(root: Path, service: Lepton, cells: int, deployment: str = "") -> Bench:
    """A workspace whose jobs take two seconds on one shape, and whose server is on another."""
    bench = bench_on(root, service, cells, deployment=deployment)
    bench.edit(dedent(IMAGED), dedent(SLOW))
    bench.job("""sleep 2; echo '{"accuracy": 1}' > $EVALMAKE_OUT/scores.json\n""")
    text = (root / "Evalfile").read_text()
    big = text[: text.index("deployment ")].replace("executor far", "executor big")
    (root / "Evalfile").write_text(
        big.replace("cpu.small", "gpu.1xh200") + text.replace("executor = far", "executor = big", 1)
    )
    return bench


def test_what_it_took(root: Path, service: Lepton) -> None:
    """Each job has its own time, and an endpoint's is divided among those that used it, by shapes."""
    bench = slow_bench(root, service, 3, "replicas = 2")
    done = bench.run()
    assert done.status == 0, done.text
    attempts = bench.attempts()
    assert all(2 <= one.usage[ON] < one.seconds + 1 for one in attempts)
    served = [one.usage["seconds_on_gpu.1xh200"] / 2 for one in attempts]
    assert max(one.seconds for one in attempts) - 1 < sum(served)
    assert {one.facts["deployment stand-in replicas"] for one in attempts} == {"2"}
    assert "s on cpu.small, " in done.out
    assert " h on cpu.small · " in (root / "card.md").read_text()
    told = json.loads((root / "data.json").read_text())["results"]
    assert sum(one["usage"][ON] for one in told) == sum(one.usage[ON] for one in attempts)


def test_after_a_kill(root: Path, service: Lepton) -> None:
    """A job's and an endpoint's time is whole although the build that began them was killed."""
    bench = slow_bench(root, service, 1)
    go = root.parent / "go"
    bench.job(f"""while ! test -e {go}; do sleep 0.1; done; echo '{{"accuracy": 1}}' > $EVALMAKE_OUT/scores.json\n""")
    build = bench.start()
    wait_for(lambda: any(service.volume.glob("*/*/started")) or build.poll() is not None)
    kill(build.pid)
    build.communicate()
    [started] = service.volume.glob("*/*/started")
    began = started.stat().st_mtime
    wait_for(lambda: time.time() - began > 3)
    go.touch()
    done = bench.run()
    assert done.status == 0, done.text
    [attempt] = bench.attempts()
    assert attempt.usage[ON] >= 2
    assert attempt.usage["seconds_on_gpu.1xh200"] >= 3
    assert service.state()["made"] == {"jobs": 1, "endpoints": 1}


def test_lost(root: Path, service: Lepton) -> None:
    """A job that was preempted took its time, too: that is in the record of the attempt that was lost."""
    bench = slow_bench(root, service, 1)
    bench.job("""sleep 3; echo '{"accuracy": 1}' > $EVALMAKE_OUT/scores.json\n""")
    build = bench.start()
    wait_for(lambda: any(service.volume.glob("*/*/started")) or build.poll() is not None)
    [started] = service.volume.glob("*/*/started")
    wait_for(lambda: time.time() - started.stat().st_mtime > 1.5)
    service.tell(preempt=service.state()["alive"][0])
    done = end(build)
    assert done.status == 0, done.text
    lost, made = bench.attempts()
    assert (lost.status, made.status) == ("cancelled", "succeeded")
    assert lost.usage[ON] >= 1
    assert made.usage[ON] >= 2
