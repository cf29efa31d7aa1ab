"""Workspaces whose evaluations are jobs of Lepton, and whose model is an endpoint there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.support.lepton_service import TOKEN, Lepton
from tests.support.workspaces import SUMS, Bench

MODEL = """\
    deployment stand-in {{
        engine   = mock
        image    = "acme/mock@sha256:0123"
        executor = far
        args     = {{ skill = 0.6 }}
        {more}
    }}
    model stand-in {{ deployment = stand-in }}
"""
FAR = """\
    executor far {{
        backend    = lepton
        url        = "{url}"
        token      = secret("LEPTON_TOKEN")
        key        = secret("ENDPOINT_KEY")
        shape      = "cpu.small"
        node_group = "reserved"
        work       = "node-nfs:shared:/"
        here       = "{here}"
        python     = "{python}"
        poll       = 1s
        {more}
    }}
"""
EVAL = """\
    eval many {{
        model     = stand-in
        benchmark = sums
        seed      in 1..{cells}
        executor  = {where}
    }}
"""
IMAGED = SUMS.replace("    benchmark sums {\n", '    benchmark sums {\n        image = "acme/evals@sha256:4567"\n')
KEY = "what the endpoint asks"


def bench_on(
    root: Path,
    service: Lepton,
    cells: int,
    far: str = "",
    deployment: str = "",
    where: str = "far",
) -> Bench:
    """A workspace whose cells are evaluated on Lepton."""
    bench = Bench(root)
    here = {"url": service.url, "here": service.volume, "python": sys.executable, "more": far}
    bench.evalfile(
        FAR.format(**here),
        MODEL.format(more=deployment),
        IMAGED if where == "far" else SUMS,
        EVAL.format(cells=cells, where=where),
    )
    bench.env |= {"LEPTON_TOKEN": TOKEN, "ENDPOINT_KEY": KEY}
    bench.sums(10)
    return bench


def nothing_left(service: Lepton) -> None:
    """Assert that there is no job, secret or endpoint, nor a folder of a job."""
    state = service.state()
    folders = [path for path in service.volume.glob("*/*.*") if path.is_dir()]
    left = [*state["listed"], *state["secrets"], *state["endpoints_now"], *folders]
    assert left == []


def lean(value: Any) -> Any:
    """Without what the public client adds of its own: keys without a value."""
    if isinstance(value, dict):
        return {key: lean(one) for key, one in value.items() if one is not None}
    return [lean(one) for one in value] if isinstance(value, list) else value
