"""Whoever looks while a build runs, and whoever else has the volume, does a build no harm; what cannot be is told."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evalmake.plugin_api.executor import Phase
from tests.executors.contract import ended, job, running
from tests.executors.lepton.renting import IMAGE, Made, making
from tests.support.daemons import until
from tests.support.lepton_service import Lepton


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The executor's folder."""
    return tmp_path / "work"


@pytest.fixture
def make(root: Path, service: Lepton) -> Iterator[Made]:
    """An executor in a workspace."""
    with making(root, service) as make:
        yield make


def test_who_looks_leaves_twins(make: Made, root: Path, service: Lepton) -> None:
    """A job that was made twice is still there for the build that has it, however long others look."""
    first = make()
    first.submit(job(root, "sleep 600; true"), {})
    running(first)
    first.close()
    service.tell(wait=3600)
    [made] = service.client("client.job.list_all()")
    kept = {name: made["metadata"][name] for name in ("name", "visibility", "labels")}
    spec = first.body(replace(job(root, "sleep 600; true"), image=IMAGE), {}).content["spec"]
    first.client.request("POST", "/jobs", {"metadata": kept, "spec": spec})
    looker = make()
    looker.poll("job.1")
    calls = len(service.calls())
    until(lambda: len(service.calls()) > calls + 3)
    assert looker.poll("job.1").phase is Phase.RUNNING
    assert len(service.state()["alive"]) == 2
    assert not [path for method, path in service.calls() if method == "DELETE"]


def test_who_looks_brings_nothing(make: Made, root: Path, service: Lepton) -> None:
    """The folder of a job that has ended stays as it is here until it is fetched."""
    first = make()
    first.submit(job(root, "sleep 1; echo x > out/file"), {})
    running(first)
    first.close()
    looker = make()
    assert ended(looker).status == 0
    assert not (root / "job.1" / "out" / "file").exists()
    looker.fetch("job.1", root / "job.1")
    assert (root / "job.1" / "out" / "file").read_text() == "x\n"


def test_what_others_may_change(make: Made, root: Path, service: Lepton) -> None:
    """What a job runs and the tokens of its gateways are changed by nobody else who has the volume."""
    service.tell(wait=3600)
    executor = make()
    files = {"sidecar.json": "[]", "sidecar-model/key.json": "{}", "data/task.txt": "text"}
    executor.submit(job(root, "true", files=files), {})
    executor.poll("job.1")
    until(lambda: service.state()["made"]["jobs"] == 1)
    folder = service.volume / executor.key / "job.1"
    names = " ".join(("job.sh", *files))
    as_other = (
        f"cd {folder}; for f in {names}; do cat $f > /dev/null || echo cannot read $f; "
        "(echo >> $f) && echo wrote $f; mv $f other && echo moved $f; done; "
        "touch sidecar-model/new && echo added; touch out/result log new || echo cannot work"
    )
    for above in folder.parents:  # those of the tests are for their user only
        above.chmod(above.stat().st_mode | 0o011)
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", as_other]
    assert subprocess.run(argv, capture_output=True, text=True).stdout == ""
    assert (folder / "out" / "result").exists()


@pytest.mark.parametrize("path", ["workspaces/other", "nothing"])
def test_wrong_address(make: Made, root: Path, service: Lepton, path: str) -> None:
    """A workspace or an address that there is not is told as that, by whatever asks first."""
    wrong = f"{service.origin}/api/v2/{path}"
    said = "no such workspace, or http.* is not the address of its API"
    executor = make(url=wrong)
    with pytest.raises(OSError, match=said):
        executor.submit(job(root, "true"), {})
    seen = executor.poll("job.1")
    assert seen.phase is Phase.UNREACHABLE
    assert re.search(said, seen.detail)
