"""Servers with one fixed port: refused where they may meet on a node, and not where each has nodes of its own."""

from __future__ import annotations

import socket

import pytest

from evalmake.run.job_builder import JobBuilder
from evalmake.run.secrets import Secrets
from evalmake.servers.pool import ServerPool
from evalmake.servers.state import State
from evalmake.store.journal import Journal
from evalmake.testing import FakeExecutor
from evalmake.workspace import Workspace
from tests.support.projects import Project

SERVERS = """\
executor cluster {
    backend = slurm
    MORE
}
deployment small {
    engine   = command
    run      = "serve $EVALMAKE_PORT"
    port     = PORT
    replicas = 2
    executor = cluster
}
deployment large {
    engine   = command
    run      = "serve-large $EVALMAKE_PORT"
    port     = PORT
    executor = cluster
}
model small { deployment = small }
model large { deployment = large }
benchmark scripted {
    harness = command
    run     = "true"
}
eval asked {
    model     in [small, large]
    benchmark = scripted
    executor  = cluster
}
"""
ALONE = 'directives = ["--exclusive"]'
FAR = 'host = "nowhere.invalid"'


def write(project: Project, more: str, port: int = 8000) -> None:
    """Write the Evalfile of three servers with one port on a cluster."""
    project.write("Evalfile", SERVERS.replace("MORE", more).replace("PORT", str(port)))


def test_nodes_of_their_own(project: Project) -> None:
    """With `--exclusive`, replicas and other deployments may have one port."""
    write(project, ALONE)
    assert "to run" in project.run("-n").stdout


@pytest.mark.parametrize("more", ["", 'directives = ["--exclusive=user"]'])
def test_shared_nodes(project: Project, more: str) -> None:
    """Where two servers may be on one node they are refused, and the help names what gives each its own."""
    write(project, more)
    told = project.run("-n", status=2).stderr
    assert "the 2 servers of `small` have the same port 8000" in told
    assert "deployments `small` and `large` have the same port 8000" in told
    help = 'or give each server a node of its own: `directives = ["--exclusive"]` of executor cluster'
    assert told.count(help) == 2


@pytest.mark.parametrize(("more", "starts"), [(ALONE, 2), (FAR, 1), ("", 0)])
def test_what_listens_where_evalmake_runs(project: Project, more: str, starts: int) -> None:
    """A port that is taken on this host says nothing about nodes that are elsewhere, or of the server alone."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        write(project, more, stranger.getsockname()[1])
        workspace = Workspace.open(project.root / "Evalfile")
        job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root)
        executor = FakeExecutor("cluster", None, workspace.root / "work")
        journal = Journal(workspace.root / "journal")
        pool = ServerPool(job_builder, {"cluster": executor}, journal, Secrets({}), lambda _: None)
        for spec in job_builder.server_specs("small", "sha256:" + 32 * "ab"):
            pool.add_user(spec, "asked")
        pool.start_missing(("small",), "cluster", 0)
        assert [one.state for one in pool.servers.values()].count(State.STARTING) == starts
        executor.sweep()
