"""Servers and executors of nemo-evaluator-launcher's configurations."""

from __future__ import annotations

import re

import pytest

from tests.migration.launcher_texts import OF_ONE_TASK, ON_SLURM, SERVED
from tests.support.projects import Project


def test_mounts_on_slurm_are_shared(project: Project) -> None:
    """Servers and evaluations of a cluster share an executor, so both sides' mounts stand in it; a note says so."""
    mounts = ", mounts: {deployment: {/hf: /root/.cache/huggingface}, evaluation: {/data: /data}}"
    project.write("c.yaml", SERVED.format(execution="slurm/default", keys=ON_SLURM + mounts, more=""))
    ran = project.run("import", "c.yaml", "-o", "Evalfile")
    assert "execution.mounts: on Slurm, evaluations and their servers share an executor" in ran.stderr
    assert '["/data:/data:rw", "/hf:/root/.cache/huggingface:rw"]' in (project.root / "Evalfile").read_text()
    assert "1 to run on cluster, 1 server to start" in project.run("-n").stdout


def test_several_servers_have_ports_of_their_own(project: Project) -> None:
    """The port that the launcher gives is left out where several servers may share a node; one's own stays."""
    keys = ON_SLURM + ", num_nodes: 2, num_instances: 2, sbatch_extra_flags: {exclusive: false}"
    project.write("c.yaml", SERVED.format(execution="slurm/default", keys=keys, more=""))
    project.run("import", "c.yaml", "-o", "Evalfile")
    assert " port " not in (project.root / "Evalfile").read_text()
    assert "1 to run on cluster" in project.run("-n").stdout
    project.write("c.yaml", SERVED.format(execution="slurm/default", keys=keys, more=", port: 9000"))
    assert re.search(" port += 9000", project.run("import", "c.yaml").stdout)


def test_tokens_of_lepton_are_not_copied(project: Project) -> None:
    """A token of an endpoint, or a variable that is one by its name, becomes a secret, with a note."""
    more = ", lepton_config: {api_tokens: [{value: UNIQUE_TOKEN}], envs: {MY_TOKEN: ABC, PLAIN: ABC}}"
    keys = "output_dir: out, lepton_platform: {tasks: {node_group: n, resource_shape: cpu.small}}"
    project.write("c.yaml", SERVED.format(execution="lepton/default", keys=keys, more=more))
    ran = project.run("import", "c.yaml")
    assert re.search(r'key += secret\("ENDPOINT_API_KEY"\)', ran.stdout)
    assert re.search(r'MY_TOKEN += secret\("MY_TOKEN"\)', ran.stdout)
    assert re.search(r'PLAIN += "ABC"', ran.stdout)
    assert "UNIQUE_TOKEN" not in ran.stdout + ran.stderr
    assert "a token is not copied: set ENDPOINT_API_KEY" in ran.stderr


def test_shared_memory_is_what_the_launcher_gives(project: Project) -> None:
    """Each container gets 100 GiB at most, servers too; what `extra_docker_args` say counts, in any of their units."""
    local = "execution: {%s}\ntarget:"
    for said, written in (
        ("", "shm     = 100GiB  # a most"),
        ("extra_docker_args: --shm-size 8g", "shm     = 8GiB\n"),
        ("extra_docker_args: --shm-size=67108864", "shm     = 67108864B\n"),
    ):
        text = OF_ONE_TASK.format(task="simple_evals.mgsm", more="").replace("target:", local % said, 1)
        project.write("c.yaml", text)
        ran = project.run("import", "c.yaml", "-o", "Evalfile", "--replace")
        assert written in (project.root / "Evalfile").read_text()
        assert ran.stderr.count("--shm-size") == 0
        project.run("-n")
    project.write("c.yaml", text.replace("--shm-size=67108864", "--ipc=host"))
    assert "how much shared memory a container may use: `shm`" in project.run("import", "c.yaml").stderr
    project.write("c.yaml", SERVED.format(execution="local", keys="mounts: {deployment: {/a: /b}}", more=""))
    written = project.run("import", "c.yaml").stdout
    assert re.search(r"executor servers from box \{\n    mounts", written)
    assert written.count("shm ") == 1
    assert "shm " in project.run("import", "c.yaml", "--wheels").stdout.partition("executor servers {")[2]


def test_notes_say_why(project: Project) -> None:
    """Keys that something else decides, and keys for another place, each with its own line and reason."""
    keys = "resource_shape: x"
    more = ", multiple_instances: true, lepton_config: {resource_shape: gpu.2xh100, min_replicas: 2, envs: {A: b}}"
    text = SERVED.format(execution="local", keys=keys, more=more)
    text += "target: {api_endpoint: {api_key_name: K, type: chat, stream: true}}\n"
    project.write("c.yaml", text)
    ran = project.run("import", "c.yaml", "-o", "Evalfile")
    for said in (
        "execution.resource_shape: nothing reads it here: `resource_shape` belongs under `evaluation_tasks`",
        "deployment.multiple_instances: the launcher no longer reads it: `execution.num_instances`",
        "deployment.lepton_config: it is for `execution: lepton`",
        "target.api_endpoint.api_key_name: the server is one that evalmake starts: it asks for no key",
        "target.api_endpoint.type: the task decides it",
        "target.api_endpoint.stream: the launcher does not read it here, but in `nemo_evaluator_config.target",
    ):
        assert said in ran.stderr, said
    written = (project.root / "Evalfile").read_text()
    assert "resources = { gpus = 8 }" in written
    assert "replicas" not in written.partition("# From")[0]
    assert "A = " not in written


def test_endpoints_on_lepton_have_a_key(project: Project) -> None:
    """The launcher starts one without; evalmake does not, so the Evalfile names a secret, and a note tells it."""
    more = ", lepton_config: {resource_shape: gpu.8xh100}"
    mount = "{from: 'node-nfs:shared', path: /shared, mount_path: /workspace}"
    keys = f"output_dir: out, lepton_platform: {{tasks: {{node_group: n, mounts: [{mount}]}}}}"
    project.write("c.yaml", SERVED.format(execution="lepton/default", keys=keys, more=more))
    ran = project.run("import", "c.yaml", "-o", "Evalfile")
    assert "evalmake's endpoints ask their callers for a key: set ENDPOINT_API_KEY" in ran.stderr
    assert re.search(r'key += secret\("ENDPOINT_API_KEY"\)', (project.root / "Evalfile").read_text())
    assert "1 to run on lepton" in project.run("-n").stdout


def test_gpus_of_a_node_of_a_cluster(project: Project) -> None:
    """`gpus_per_node` is `resources.gpus`, as `gres` is; an endpoint needs none, and a note says so."""
    for keys, gpus in (("", 8), (", gpus_per_node: 4", 4), (", gres: null, gpus_per_node: 2", 2)):
        project.write("c.yaml", SERVED.format(execution="slurm/default", keys=ON_SLURM + keys, more=""))
        ran = project.run("import", "c.yaml")
        assert f"resources = {{ gpus = {gpus} }}" in ran.stdout
        assert "gpus_per_node" not in ran.stderr
    text = OF_ONE_TASK.format(task="simple_evals.mgsm", more="").replace("local", "slurm/default")
    text = text.replace("target:", f"execution: {{{ON_SLURM}, gpus_per_node: 4}}\ntarget:", 1)
    project.write("c.yaml", text)
    said = project.run("import", "c.yaml").stderr
    assert "execution.gpus_per_node: evaluations of an endpoint need no GPU" in said


def test_what_only_the_launcher_does_on_a_node_is_noted(project: Project) -> None:
    """Commands before a server, variables of the job's node, the home folder: each with what to do instead."""
    keys = ON_SLURM + ", mounts: {mount_home: true}"
    more = ", pre_cmd: 'export A=1', env_vars: {C: 'runtime:TMPDIR'}"
    project.write("c.yaml", SERVED.format(execution="slurm/default", keys=keys, more=more))
    ran = project.run("import", "c.yaml", "-o", "Evalfile")
    for said in (
        "c.yaml:3: deployment.pre_cmd: a server has no commands before its own: its `image` may",
        "c.yaml:3: deployment.env_vars.C: evalmake reads TMPDIR here, not where the job runs",
        "c.yaml:2: execution.mounts.mount_home: containers see no home: name what they need in `mounts`",
    ):
        assert said in ran.stderr
    assert "1 to run" in project.run("-n").stdout


@pytest.mark.parametrize(("given", "written"), [("7200", "2h"), ("12:00:00", "12h"), ("'1-00:00:00'", "1d")])
def test_most_time_as_the_launcher_reads_it(project: Project, given: str, written: str) -> None:
    """A plain number of `max_walltime` is in seconds, though sbatch would take it for minutes."""
    keys = f"{ON_SLURM}, walltime: '01:00:00', max_walltime: {given}"
    project.write("c.yaml", SERVED.format(execution="slurm/default", keys=keys, more=""))
    assert f"total_time = {written}\n" in project.run("import", "c.yaml").stdout
