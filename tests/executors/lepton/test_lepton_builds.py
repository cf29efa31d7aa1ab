"""Builds whose evaluations are jobs of Lepton, and whose model is an endpoint there."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.executors.lepton.rented import EVAL, IMAGED, KEY, MODEL, bench_on, lean, nothing_left
from tests.support.lepton_service import TOKEN, Lepton
from tests.support.projects import Project
from tests.support.repository import ROOT
from tests.support.workspaces import end, wait_for

CELLS = 20


def test_many_cells(root: Path, service: Lepton) -> None:
    """Twenty cells are scored by one endpoint, which is gone afterwards; a second build does nothing."""
    bench = bench_on(root, service, CELLS)
    done = bench.run()
    assert done.status == 0, done.text
    assert len(bench.scores()) == CELLS
    assert service.state()["made"] == {"jobs": CELLS, "endpoints": 1}
    nothing_left(service)
    facts = dict(bench.attempts()[0].facts)
    assert facts["shape"] == "cpu.small"
    assert facts["deployment stand-in lepton-endpoint"].startswith("em-")
    calls = len(service.calls())
    assert bench.run().status == 0
    assert len(service.calls()) == calls
    bench.clean()
    for path in root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert KEY.encode() not in data, path
            assert TOKEN.encode() not in data, path


def test_same_as_here(root: Path, service: Lepton, tmp_path: Path) -> None:
    """The scores are those of evaluations on this host, which ask the same endpoint."""
    far = bench_on(root, service, 3, far="keep = true")
    assert far.run().status == 0
    (tmp_path / "near").mkdir()
    near = bench_on(tmp_path / "near", service, 3, where="local")
    done = near.run()
    assert done.status == 0, done.text
    assert list(near.scores().values()) == list(far.scores().values())
    assert len(service.state()["endpoints_now"]) == 1
    assert far.run("clean").status == 0
    assert service.state()["endpoints_now"] == []


def test_kept(root: Path, service: Lepton) -> None:
    """With `keep` the endpoint serves the next build, too."""
    bench = bench_on(root, service, 2, far="keep = true", deployment="replicas = 2")
    assert bench.run().status == 0
    bench.edit("seed      in 1..2", "seed      in 1..4")
    assert bench.run().status == 0
    assert service.state()["made"] == {"jobs": 4, "endpoints": 1}
    [seen] = service.client("client.deployment.list_all()")
    assert seen["spec"]["resource_requirement"]["min_replicas"] == 2


def test_autoscaled(root: Path, service: Lepton) -> None:
    """Replicas are added under load, up to the most that there may be; the public client reads the limits."""
    scale = "autoscale = { most = 3, requests = 2, idle = 1h }\n        keep = true"
    bench = bench_on(root, service, 4, far=scale)
    done = bench.run()
    assert done.status == 0, done.text
    wait_for(lambda: service.state()["peak"] == 3)
    [seen] = service.client("client.deployment.list_all()")
    wanted, scaler = seen["spec"]["resource_requirement"], seen["spec"]["auto_scaler"]
    assert (wanted["min_replicas"], wanted["max_replicas"]) == (1, 3)
    assert scaler["target_throughput"]["qpm"] == 2
    assert scaler["scale_down"]["no_traffic_timeout"] == 3600
    assert bench.run("clean").status == 0
    nothing_left(service)


def test_lost_replica(root: Path, service: Lepton) -> None:
    """A replica that is lost in the middle is waited for; no score is of a request that failed."""
    bench = bench_on(root, service, 6)
    build = bench.start()
    while service.state()["made"]["jobs"] < 3:
        assert build.poll() is None
    service.tell(lose=service.state()["endpoints_now"][0])
    done = end(build)
    assert done.status == 0, done.text
    assert len(bench.scores()) == 6
    nothing_left(service)


def test_preempted(root: Path, service: Lepton) -> None:
    """A job that is preempted runs again, at no cost to its retries."""
    service.tell(wait=1)
    bench = bench_on(root, service, 3)
    build = bench.start()
    while not service.state()["alive"]:
        assert build.poll() is None
    name = service.state()["alive"][0]
    while service.state()["made"]["jobs"] < 4 and build.poll() is None:
        service.tell(preempt=name)
    done = end(build)
    assert done.status == 0, done.text
    assert len(bench.scores()) == 3
    nothing_left(service)


def test_wrong_places(root: Path, service: Lepton) -> None:
    """Missing settings are reported before anything starts; unknown resources with the first job."""
    bench = bench_on(root, service, 1)
    bench.edit("shape      = ", "priority   = ")
    said = bench.run("-n").err
    assert "executor `far` (lepton) needs `shape` to run evaluations [missing-key]" in said
    bench.edit("priority   = ", "shape      = ")
    bench.edit('"cpu.small"', '"huge"')
    said = bench.run().err
    assert "no shape is named huge; there are: cpu.large, cpu.small, gpu.1xh200, gpu.8xh200" in said


def test_server_of_this_host(root: Path, service: Lepton) -> None:
    """`-n` reports a server that only this host reaches, because jobs on Lepton cannot use it."""
    bench = bench_on(root, service, 1)
    bench.edit("    executor = far\n    args", "    args")
    bench.edit('    image    = "acme/mock@sha256:0123"\n', "")
    assert "but deployment `stand-in` is on `local` (process)" in bench.run("-n").err


def test_preview(root: Path, service: Lepton) -> None:
    """`-n -v` asks nothing and shows no secret; what it shows is what the public client then reads."""
    bench = bench_on(root, service, 1)
    said = bench.run("-n", "-v")
    assert said.status == 0, said.text
    assert service.calls() == []
    assert KEY not in said.text
    assert TOKEN not in said.text
    endpoint, job = (json.loads(part.partition("\n")[2]) for part in said.out.split("\n\n")[2:])
    assert endpoint["spec"]["api_tokens"] == [{"value": "***"}]
    assert bench.run().status == 0
    [made] = service.client("client.job.list_all(job_query_mode='alive_and_archive')")
    job["spec"]["affinity"]["allowed_dedicated_node_groups"] = ["ng1-abcd"]
    assert lean(made["spec"]).items() >= lean(job["spec"]).items()
    assert lean(made["metadata"]).items() >= lean(job["metadata"]).items()


def test_manual(project: Project) -> None:
    """The manual's executor loads, and `-n -v` previews what Lepton would be asked to create."""
    text = (ROOT / "evalmake" / "manual" / "lepton.md").read_text()
    [shown] = re.findall(r"^(executor lepton .*?^}\n)", text, re.S | re.M)
    project.write("sums.jsonl", '{"question": "?", "answer": 1}\n')
    model = MODEL.format(more="").replace("= far", "= lepton")
    project.write("Evalfile", shown + model + IMAGED + EVAL.format(cells=1, where="lepton"))
    said = project.run("-n", "-v").stdout
    assert '"mount_path": "/mnt/shared/evalmake/' in said
    assert '"resource_shape": "gpu.8xh200"' in said
