"""One executor of each backend, for evaluations that name no image: they are the same on all."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tests.support.docker_engine import BASE, Dockerd
from tests.support.inside import PACKAGE, packages
from tests.support.lepton_service import TOKEN, Lepton
from tests.support.slurm_cluster import Cluster
from tests.support.workspaces import Bench

BACKENDS = {"here": "process", "box": "docker", "cluster": "slurm", "far": "lepton"}
"""The executors, and the backend of each."""
EXECUTORS = """\
executor here {{ backend = process }}

executor box {{
    backend = docker
    host    = "{engine}"
    image   = "{base}"
    mounts  = ["{package}:/src/evalmake", "{packages}:/packages"]
    env     = {{ PYTHONPATH = "/src:/packages" }}
}}
executor cluster {{
    backend = slurm
    poll    = 1s
}}
executor far {{
    backend = lepton
    url     = "{lepton}"
    token   = secret("LEPTON_TOKEN")
    key     = secret("ENDPOINT_KEY")
    shape   = "cpu.small"
    image   = "acme/evals@sha256:4567"
    work    = "node-nfs:shared:/"
    here    = "{volume}"
    python  = "{python}"
    poll    = 1s
}}
"""


@dataclass(frozen=True)
class Places:
    """What the executors are on."""

    engine: Dockerd
    cluster: Cluster
    lepton: Lepton

    def bench(self, root: Path, *texts: str) -> Bench:
        """A workspace at `root` whose Evalfile has all executors, and some sums."""
        root.mkdir()
        bench = Bench(root)
        executors = EXECUTORS.format(
            engine=self.engine.url,
            base=BASE,
            package=PACKAGE,
            packages=packages(),
            lepton=self.lepton.url,
            volume=self.lepton.volume,
            python=sys.executable,
        )
        bench.evalfile(*(dedent(text) for text in texts), executors)
        bench.env |= self.cluster.env | {"LEPTON_TOKEN": TOKEN, "ENDPOINT_KEY": "asked"}
        bench.sums(10)
        return bench
