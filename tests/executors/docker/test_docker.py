"""Containers of a real engine: what they may, and how they are seen."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from evalmake.executors.docker import DockerExecutor, container
from evalmake.executors.docker.images import Image
from evalmake.language.values import Size
from evalmake.plugin_api.executor import Executor, JobState, Phase
from tests.executors.contract import ExecutorContract, Make, ended, finished, job
from tests.executors.docker.boxes import Based, Made, left
from tests.support.daemons import until
from tests.support.docker_engine import BASE, Dockerd
from tests.support.request_gate import gate_engine


def inspected(engine: Dockerd, executor: DockerExecutor, id: str = "job.1") -> Any:
    """What the engine says of a job's container."""
    return engine.api().inspect_container(f"evalmake-{executor.workspace}-{id}")


def output(root: Path, name: str, id: str = "job.1") -> str:
    """A file that a job left."""
    return (root / id / "out" / name).read_text()


class TestDockerExecutor(ExecutorContract):
    """Every promise, kept by containers; the tests' folder is shown to them, to be read."""

    @pytest.fixture
    def make(self, docker: Made, tmp_path: Path) -> Make:
        """Executors over one folder."""

        def made() -> Executor:
            return docker(mounts=[f"{tmp_path}:{tmp_path}"])

        return made


# What a job may and may not


def test_little_can_be_done_as_root(docker: Made, root: Path, engine: Dockerd) -> None:
    """Root in a container has few capabilities, cannot gain others, and is not the first process."""
    executor = docker()
    executor.submit(job(root, "cat /proc/self/status > out/status; cat /proc/1/comm > out/init"), {})
    settings = inspected(engine, executor)["HostConfig"]
    assert finished(executor, root / "job.1").status == 0
    status = dict(line.split(":\t") for line in output(root, "status").splitlines() if ":\t" in line)
    assert status["NoNewPrivs"].strip() == "1"
    assert int(status["CapBnd"], 16) == sum(1 << bit for bit in (0, 1, 3, 4, 5, 6, 7, 10))
    assert output(root, "init") == "docker-init\n"
    assert (settings["Binds"], settings["Privileged"]) == (None, False)


def test_user_of_the_image(docker: Made, root: Path, engine: Dockerd) -> None:
    """The user of the image can write in the job's folder; copied outputs belong to us, whatever their mode was."""
    executor = docker(user="4242:4242")
    text = "id -u > out/id; echo x > ~/here; cat here; mkdir out/deep; echo x > out/deep/x; chmod 0 out/deep/x out/deep"
    executor.submit(job(root, text), {})
    assert finished(executor, root / "job.1").status == 0
    assert output(root, "id") == "4242\n"
    deep = root / "job.1" / "out" / "deep"
    assert (deep / "x").read_text() == "x\n"
    assert {path.stat().st_uid for path in (deep, deep / "x")} == {os.getuid()}
    assert (deep.stat().st_mode & 0o700, (deep / "x").stat().st_mode & 0o600) == (0o700, 0o600)


def test_nothing_of_this_host_can_be_written(
    docker: Made, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mounts and large inputs are read-only unless a mount says otherwise; small inputs are copies."""
    monkeypatch.setattr(container, "LARGE", 10)
    for name in ("shared", "scratch"):
        (tmp_path / name).mkdir()
    inputs = {}
    for name, text in (("small", "few"), ("large", "many characters")):
        (tmp_path / name).write_text(text)
        inputs[f"data/{name}"] = tmp_path / name
    executor = docker(mounts=[f"{tmp_path}/shared:/shared", f"{tmp_path}/scratch:/scratch:rw"])
    text = """
        cat data/small data/large > out/both
        echo changed > data/small && echo small >> out/written
        echo changed > data/large && echo large >> out/written
        echo x > /shared/x && echo shared >> out/written
        echo x > /scratch/x && echo scratch >> out/written
        ln -s /etc out/link; ln -s /etc/passwd out/passwd
        true
    """
    executor.submit(job(root, text, inputs=inputs), {})
    assert finished(executor, root / "job.1").status == 0
    assert output(root, "both") == "fewmany characters"
    assert output(root, "written").split() == ["small", "scratch"]
    assert (tmp_path / "small").read_text() == "few"
    assert (tmp_path / "large").read_text() == "many characters"
    assert sorted(os.listdir(root / "job.1" / "out")) == ["both", "written"]


def test_mount_that_is_not_there(docker: Made, root: Path, tmp_path: Path, engine: Dockerd) -> None:
    """A mount of a folder that does not exist is refused; the folder is not created, and no container is left."""
    executor = docker(mounts=[f"{tmp_path}/typo:/data"])
    with pytest.raises(OSError, match=r"executor box: cannot create a container: .*typo"):
        executor.submit(job(root, "true"), {})
    assert not (tmp_path / "typo").exists()
    assert left(engine, executor) == []


def test_limits(docker: Made, root: Path) -> None:
    """Memory, processors and shared memory have their limits; a job that exceeds its memory is told so."""
    executor = docker(shm=Size(96 * 2**20))
    text = "df -m /dev/shm | tail -1 > out/shm; python3 -c 'x = bytearray(10**9)'"
    executor.submit(job(root, text, memory=64 * 2**20, cpus=0.5), {})
    info = executor._inspect("job.1")["HostConfig"]
    assert (info["NanoCpus"], info["Memory"], info["MemorySwap"]) == (5 * 10**8, 2**26, 2**26)
    state = finished(executor, root / "job.1")
    assert state.status == 137
    assert state.detail == "exit status 137: it ran out of memory (limit 64MiB)"
    assert output(root, "shm").split()[1] == "96"


def test_shared_memory_suits_torch(docker: Made, root: Path) -> None:
    """Where nothing is said of it, a container may use far more than the 64 MB that an engine gives by itself."""
    executor = docker()
    executor.submit(job(root, "df -m /dev/shm | tail -1 > out/shm"), {})
    assert finished(executor, root / "job.1").status == 0
    assert output(root, "shm").split()[1] == "16384"


def test_refused_resources(docker: Made, root: Path, engine: Dockerd) -> None:
    """Resources that the engine lacks are refused with the reason, and nothing is left."""
    executor = docker()
    with pytest.raises(OSError, match=r"executor box: .*CPUs"):
        executor.submit(job(root, "true", cpus=1000), {})
    with pytest.raises(OSError, match=r"executor box: .*no GPUs for containers"):
        executor.submit(job(root, "true", gpus=1), {})
    assert left(engine, executor) == []


def test_gpus(docker: Made, root: Path, engine: Dockerd) -> None:
    """A job gets the GPUs that evalmake chose, or a number of GPUs if evalmake does not count them."""
    made = docker(gpus=4)
    assert (made.gpus(), docker(gpus="1,a").gpus(), docker().gpus()) == (
        tuple("0123"),
        ("1", "a"),
        None,
    )
    for devices, asked in ((("3", "0"), {"DeviceIDs": ["3", "0"]}), ((), {"Count": 2})):
        image = Image(engine.api().inspect_image(BASE)["Id"], "", "/")
        given = container.create_parameters(
            job(root, "true", gpus=2, gpu_ids=devices), image, made.settings, {}, None, False, True
        )
        created = engine.api().create_container(**given)
        (request,) = engine.api().inspect_container(created)["HostConfig"]["DeviceRequests"]
        assert {key: request[key] for key in asked} == asked
        assert request["Capabilities"] == [["gpu"]]
        engine.api().remove_container(created)


def test_secrets_are_with_the_job_alone(docker: Made, root: Path, engine: Dockerd) -> None:
    """A secret is in no container configuration, no file of the engine, and no command line."""
    secret = "sesame-street-42'\"\nand a second line"
    executor = docker()
    executor.submit(job(root, 'printf %s "$TOKEN" | sha256sum > out/sum; sleep 1000'), {"TOKEN": secret})
    until(lambda: executor.poll("job.1").phase is Phase.RUNNING)
    info = inspected(engine, executor)
    layer = info["GraphDriver"]["Data"]["UpperDir"]
    kept = [
        *(engine.folder / "data" / "containers" / info["Id"]).rglob("*"),
        *Path(layer).rglob("*"),
    ]
    assert len(kept) > 5
    assert not any(b"sesame" in path.read_bytes() for path in kept if path.is_file())
    assert "sesame" not in json.dumps(info)
    assert not any(b"sesame" in word for word in command_lines())
    executor.cancel("job.1")
    assert output(root, "sum").split()[0] == sha256(secret.encode()).hexdigest()


def command_lines() -> Iterator[bytes]:
    """Of every process."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()


# How a job is seen


def test_log_is_followed(docker: Made, root: Path, tmp_path: Path) -> None:
    """The log of a job is in its folder while it runs, and complete at the end."""
    executor = docker(mounts=[f"{tmp_path}:{tmp_path}"])
    text = f"echo begun; while ! test -e {tmp_path}/go; do sleep 0.05; done; echo done"
    executor.submit(job(root, text), {})
    log = root / "job.1" / "log"
    until(lambda: executor.poll("job.1") and log.read_text() == "begun\n")
    (tmp_path / "go").touch()
    assert finished(executor, root / "job.1").status == 0
    assert log.read_text() == "begun\ndone\n"


def test_descriptor_wakes(docker: Made, root: Path) -> None:
    """The descriptor is readable once a job has ended."""
    executor = docker()
    executor.submit(job(root, "sleep 1"), {})
    assert executor.poll("job.1").phase is Phase.RUNNING
    ready, _, _ = select.select(executor.waitables(), [], [], 60)
    assert ready
    assert ended(executor) == JobState(Phase.ENDED, 0)


def test_stubborn_job(docker: Made, root: Path, engine: Dockerd) -> None:
    """A job that ignores SIGTERM is killed after the grace period, and its outputs are copied."""
    executor = docker()
    text = "trap '' TERM; echo x > out/up; while :; do sleep 0.1; done"
    executor.submit(job(root, text), {})
    until(lambda: _exists(engine, executor, "up"))
    executor.cancel("job.1")
    assert executor.poll("job.1") == JobState(Phase.ENDED, 137, "exit status 137 (SIGKILL)")
    assert output(root, "up") == "x\n"
    assert left(engine, executor) == []


def _exists(engine: Dockerd, executor: DockerExecutor, name: str) -> bool:
    try:
        engine.api().get_archive(f"evalmake-{executor.workspace}-job.1", f"{container.FOLDER}/out/{name}")
    except NotFound:
        return False
    return True


def test_polite_job_that_was_cancelled(docker: Made, root: Path, engine: Dockerd) -> None:
    """A cancelled job that exits with status 0 has not succeeded."""
    executor = docker()
    text = "trap 'exit 0' TERM; echo x > out/up; while :; do sleep 0.1; done"
    executor.submit(job(root, text), {})
    until(lambda: _exists(engine, executor, "up"))
    executor.cancel("job.1")
    assert executor.poll("job.1").status == 143


def test_killed_from_without(docker: Made, root: Path, engine: Dockerd) -> None:
    """A container that the engine was told to kill is lost; one that kills itself has failed."""
    executor = docker()
    executor.submit(job(root, "sleep 1000; true"), {})
    engine.api().kill(inspected(engine, executor)["Id"])
    assert ended(executor) == JobState(Phase.ENDED, None, "its engine ended it")
    executor.submit(job(root, "kill -9 $$", "job.2"), {})
    assert ended(executor, "job.2") == JobState(Phase.ENDED, 137, "exit status 137 (SIGKILL)")


def test_removed_by_others(docker: Made, root: Path, engine: Dockerd) -> None:
    """A container that somebody removed is unknown, without an error."""
    executor = docker()
    executor.submit(job(root, "sleep 1000"), {})
    engine.api().remove_container(inspected(engine, executor)["Id"], force=True)
    assert ended(executor).phase is Phase.UNKNOWN
    executor.fetch("job.1", root / "job.1")
    executor.submit(job(root, "rm -r out; exit 3", "job.2"), {})
    assert finished(executor, root / "job.2", "job.2").status == 3


def test_never_begun(docker: Made, root: Path, engine: Dockerd) -> None:
    """A container that was created but never started, because of a kill, is no job and can be removed."""
    executor = docker()
    name = f"evalmake-{executor.workspace}-job.1"
    labels = {
        container.WORKSPACE: executor.workspace,
        container.JOB: "job.1",
        container.IMAGE: BASE,
        container.DIGEST: "",
    }
    engine.api().create_container(BASE, ["true"], name=name, labels=labels)
    assert executor.poll("job.1").phase is Phase.UNKNOWN
    executor.cancel("job.1")
    assert left(engine, executor) == []


def test_late_request_of_one_that_was_killed(docker: Made, root: Path, engine: Dockerd) -> None:
    """A container that appears under the name of a new job is replaced by that job's container."""
    name = f"evalmake-{docker().workspace}-job.1"
    with gate_engine(engine.url, "POST /[^/]+/containers/create") as (gate, url):
        executor = docker(host=url)
        with ThreadPoolExecutor(1) as pool:
            submitted = pool.submit(executor.submit, job(root, "exit 3"), {})
            until(lambda: gate.held != [])
            engine.api().create_container(BASE, ["true"], name=name)
            gate.open()
            submitted.result()
        assert finished(executor, root / "job.1").status == 3
    assert left(engine, executor) == []


def test_ended_by_several_at_once(docker: Made, root: Path, engine: Dockerd) -> None:
    """Cancelling works while somebody else removes the container, and the container is gone afterwards."""
    executors = [docker() for _ in range(6)]
    for at in range(4):
        id = f"job.{at}"
        executors[0].submit(job(root, "sleep 1000", id), {})
        with ThreadPoolExecutor(len(executors)) as pool:
            list(pool.map(lambda each, id=id: each.sweep(), executors))
        assert left(engine, executors[0]) == []


def test_facts(docker: Made, root: Path, engine: Dockerd) -> None:
    """The state of an ended job names its image, by the requested name and by its id."""
    executor = docker()
    executor.submit(job(root, "exit 3"), {})
    facts = finished(executor, root / "job.1").facts
    assert facts == {"image": BASE, "image-id": engine.api().inspect_image(BASE)["Id"]}
    assert docker().poll("job.1").facts == facts


def test_sweep(docker: Made, root: Path, engine: Dockerd) -> None:
    """`sweep` removes every container of its workspace, running or not, and none of another."""
    mine, other = docker(), Based("box", docker().settings, root.parent / "other")
    mine.submit(job(root, "sleep 1000"), {})
    mine.submit(job(root, "true", "job.2"), {})
    other.submit(job(root.parent / "other", "sleep 1000"), {})
    assert [id for id, _ in mine.sweep()] == ["job.1", "job.2"]
    assert left(engine, mine) == []
    assert mine.poll("job.1").phase is Phase.UNKNOWN
    assert len(left(engine, other)) == 1
    assert [id for id, _ in other.sweep()] == ["job.1"]


def test_network_that_many_need_at_once(docker: Made, engine: Dockerd) -> None:
    """Jobs that start at the same time share one closed network, and no firewall rule is left."""
    network = docker(network="gateway").network
    assert network is not None
    with ThreadPoolExecutor(4) as pool:
        addresses = set(pool.map(lambda _: network.open(), range(8)))
    assert len(addresses) == 1
    network.remove()
    rules = subprocess.run(["iptables", "-S"], capture_output=True, text=True, check=True).stdout
    assert network.name not in rules
    assert not network.marker.exists()


def test_outputs_for_which_there_is_no_room(
    docker: Made, root: Path, engine: Dockerd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs that cannot be copied are an error, and their container is removed all the same."""
    executor = docker()
    executor.submit(job(root, "true"), {})
    ended(executor)

    def full(*words: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(executor, "_copy_outputs", full)
    with pytest.raises(OSError, match="No space"):
        executor.fetch("job.1", root / "job.1")
    assert left(engine, executor) == []
