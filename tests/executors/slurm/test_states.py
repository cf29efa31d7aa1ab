"""Slurm's words in evalmake's: states, reasons, limits of time, names of images."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.executors.job_inputs import LARGE
from evalmake.executors.slurm.containers import container_words
from evalmake.executors.slurm.job_script import directives
from evalmake.executors.slurm.job_states import SlurmJob, describe_wait, refine_state, state_of
from evalmake.executors.slurm.settings import Settings
from evalmake.language.values import Duration
from evalmake.plugin_api.executor import Job, JobState, Phase

TIMEOUT = (
    "TIMEOUT: it reached its time limit: its replies are cached; raise `time` of its "
    "executor, or `retries`, and it continues from there"
)
LATE = "DEADLINE: it could not end before its deadline: lower `time`, or use another partition"
MEMORY = "OUT_OF_MEMORY: it ran out of memory: raise `resources.memory`"
STATES = {
    "PENDING": (Phase.QUEUED, None, ""),
    "CONFIGURING": (Phase.QUEUED, None, ""),
    "REQUEUED": (Phase.QUEUED, None, ""),
    "REQUEUE_HOLD": (Phase.QUEUED, None, ""),
    "REQUEUE_FED": (Phase.QUEUED, None, ""),
    "SPECIAL_EXIT": (Phase.QUEUED, None, ""),
    "RUNNING": (Phase.RUNNING, None, ""),
    "COMPLETING": (Phase.RUNNING, None, ""),
    "SUSPENDED": (Phase.RUNNING, None, ""),
    "RESIZING": (Phase.RUNNING, None, ""),
    "SIGNALING": (Phase.RUNNING, None, ""),
    "STAGE_OUT": (Phase.RUNNING, None, ""),
    "STOPPED": (Phase.RUNNING, None, ""),
    "NODE_FAIL": (Phase.ENDED, None, "NODE_FAIL: its node failed"),
    "BOOT_FAIL": (Phase.ENDED, None, "BOOT_FAIL: its node did not start"),
    "PREEMPTED": (Phase.ENDED, None, "PREEMPTED: another job took its place"),
    "REVOKED": (Phase.ENDED, None, "REVOKED: another cluster of the federation took it"),
    "TIMEOUT": (Phase.ENDED, 143, TIMEOUT),
    "DEADLINE": (Phase.ENDED, 143, LATE),
    "OUT_OF_MEMORY": (Phase.ENDED, 137, MEMORY),
    "CANCELLED": (Phase.ENDED, 143, "CANCELLED: somebody cancelled it in Slurm (scancel)"),
}
REASONS = {
    "": "",
    "None": "",
    "Resources": "Resources: waits for resources",
    "(Resources)": "Resources: waits for resources",
    "Priority": "Priority: other jobs have a higher priority",
    "Dependency": "Dependency: waits for another job",
    "BeginTime": "BeginTime: its begin time is later",
    "JobArrayTaskLimit": "JobArrayTaskLimit: as many jobs run as `slots` allows",
    "ReqNodeNotAvail, UnavailableNodes:n[1-2]": ("ReqNodeNotAvail: the nodes that it needs are not available"),
    "PartitionDown": "PartitionDown: its partition is down",
    "PartitionTimeLimit": ("PartitionTimeLimit: exceeds the time limit of its partition: lower `time`"),
    "PartitionNodeLimit": "PartitionNodeLimit: exceeds the node limit of its partition",
    "AssocGrpCPUMinutesLimit": "AssocGrpCPUMinutesLimit: the hours of the account are used up",
    "AssocMaxJobsLimit": "AssocMaxJobsLimit: a limit of its account",
    "QOSMaxJobsPerUserLimit": "QOSMaxJobsPerUserLimit: a limit of its QOS",
    "JobHeldUser": "JobHeldUser: is held: `scontrol release` releases it",
    "JobHeldAdmin": "JobHeldAdmin: is held by an administrator",
    "Licenses": "Licenses",
}


@pytest.mark.parametrize("word", STATES)
def test_states(word: str) -> None:
    """Each state is a phase, an exit status and a sentence; what was lost has no status."""
    phase, status, detail = STATES[word]
    state = state_of(SlurmJob("12_3", word))
    assert (state.phase, state.status, state.detail) == (phase, status, detail)
    assert state.facts == {"slurm-job": "12_3"}


@pytest.mark.parametrize("word", ["COMPLETED", "FAILED", "LAUNCH_FAILED"])
def test_ended_without_a_word(word: str) -> None:
    """A job whose folder does not say how it ended has failed, with the status that Slurm tells."""
    assert state_of(SlurmJob("1", word, exit="0:9", node="n1")) == JobState(
        Phase.ENDED,
        1,
        f"{word}: the job script ended with status 0 (n1), before the job's own command",
    )
    assert state_of(SlurmJob("1", word, exit="97:0")).status == 97


def test_details() -> None:
    """The sentence on an end has the limits, nodes and users that Slurm reports."""
    assert "its time limit of 00:30:00:" in state_of(SlurmJob("1", "TIMEOUT", limit="00:30:00")).detail
    assert "out of memory of 2G:" in state_of(SlurmJob("1", "OUT_OF_MEMORY", memory="2G")).detail
    lost = state_of(SlurmJob("1", "NODE_FAIL", node="n7"))
    assert (lost.detail, lost.facts["node"]) == ("NODE_FAIL: its node failed (n7)", "n7")
    assert state_of(SlurmJob("1", "CANCELLED", by="1000")).detail.endswith("(scancel by 1000)")
    assert state_of(SlurmJob("1", "CANCELLED by 1000")).phase is Phase.ENDED


@pytest.mark.parametrize("reason", REASONS)
def test_reasons(reason: str) -> None:
    """Why a job waits is told in Slurm's word, and in plain ones where there are."""
    assert describe_wait(SlurmJob("1", "PENDING", reason)) == REASONS[reason]


def test_expected_start() -> None:
    """When Slurm expects a job to begin is said, where it knows."""
    seen = SlurmJob("1", "PENDING", "Priority", "2026-11-24T18:00:00")
    assert describe_wait(seen).endswith("; expected to begin at 2026-11-24 18:00:00")
    assert "expected" not in describe_wait(SlurmJob("1", "PENDING", "Priority", "N/A"))


@pytest.mark.parametrize(
    "said",
    [
        "slurmstepd: error: Step 5.4294967291 exceeded memory limit (320 > 50), being killed",
        "slurmstepd: error: Detected 1 oom_kill event in StepId=5.batch.",
        "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=5.batch.",
    ],
)
def test_memory_by_what_was_printed(said: str) -> None:
    """A job of which only its output says that it took too much memory is told as that."""
    failed = state_of(SlurmJob("5", "FAILED", exit="0:9"))
    told = refine_state(failed, f"a line\n{said}\n")
    assert (told.status, told.detail) == (137, MEMORY)
    assert refine_state(failed, "a line\n") == failed


@pytest.mark.parametrize(
    ("time", "timeout", "told"),
    [
        (None, None, None),
        (30, None, "0-00:01:00"),
        (90, None, "0-00:02:00"),
        (3600, None, "0-01:00:00"),
        (86400, None, "1-00:00:00"),
        (180061, None, "2-02:02:00"),
        (None, 60, "0-00:11:00"),
        (3600, 10, "0-01:00:00"),
    ],
)
def test_time(time: float | None, timeout: float | None, told: str | None) -> None:
    """Slurm is told whole minutes, never fewer than asked for; evalmake's own limit comes first."""
    job = Job("a.1", "a", ("true",), Path("/w"), timeout=timeout)
    asks = directives(job, Settings(time=None if time is None else Duration(time)))
    assert [ask for ask in asks if ask.startswith("--time")] == ([f"--time={told}"] if told else [])


@pytest.mark.parametrize(
    ("image", "named"),
    [
        ("ubuntu", "docker://ubuntu"),
        ("ubuntu:22.04", "docker://ubuntu:22.04"),
        ("library/ubuntu", "docker://library/ubuntu"),
        ("registry.example.org/team/image:1", "docker://registry.example.org#team/image:1"),
        ("localhost/image", "docker://localhost#image"),
        ("localhost:5000/image:1", "docker://localhost:5000#image:1"),
        ("host:5000/a/b@sha256:0f", "docker://host:5000#a/b:sha256:0f"),
        ("host:5000/a/b:1@sha256:0f", "docker://host:5000#a/b:sha256:0f"),
        ("python@sha256:0f", "docker://python:sha256:0f"),
        ("/images/one.sqsh", "/images/one.sqsh"),
        ("./one.sqsh", "./one.sqsh"),
        ("docker://registry.example.org#team/image", "docker://registry.example.org#team/image"),
    ],
)
def test_images_for_pyxis(image: str, named: str) -> None:
    """enroot is told the registry apart from the image, and a digest where the tag stands; files stay as they are."""
    job = Job("a.1", "a", ("true",), Path("/w"), image=image)
    words = container_words(job, "/there", Settings(container="pyxis"), [], [])
    [option] = [word for word in words if "--container-image=" in word]
    assert option.strip("'").removeprefix("--container-image=") == named


@pytest.mark.parametrize(
    ("image", "named"),
    [
        ("python", "docker://python"),
        ("host:5000/a/b@sha256:0f", "docker://host:5000/a/b@sha256:0f"),
        ("host:5000/a/b:1@sha256:0f", "docker://host:5000/a/b@sha256:0f"),
        ("/images/one.sif", "/images/one.sif"),
        ("oras://host/a", "oras://host/a"),
    ],
)
def test_images_for_apptainer(image: str, named: str) -> None:
    """Apptainer takes a tag or a digest, but not both."""
    job = Job("a.1", "a", ("true",), Path("/w"), image=image)
    assert container_words(job, "/there", Settings(container="apptainer"), [], [])[-1] == named


@pytest.mark.parametrize("runtime", ["pyxis", "apptainer", "docker", "podman"])
def test_inputs_in_containers(runtime: str, tmp_path: Path) -> None:
    """A container sees what its job's folder has links to: large inputs, and behind ssh all of them."""
    small, large = tmp_path / "small", tmp_path / "large"
    for path, size in ((small, 1), (large, LARGE + 1)):
        with path.open("wb") as file:
            file.truncate(size)
    inputs = {"data/small": small, "data/large": large}
    job = Job("a.1", "a", ("true",), Path("/w/a.1"), inputs=inputs, image="a")
    near = " ".join(container_words(job, "/w/a.1", Settings(container=runtime), [], []))
    assert (f"{large}:{large}:ro" in near, str(small) in near) == (True, False)
    far = " ".join(container_words(job, "/home/me/jobs/k/a.1", Settings(container=runtime, host="login"), [], []))
    assert "/home/me/jobs/k/inputs:/home/me/jobs/k/inputs:ro" in far
    assert str(large) not in far


def test_nodes() -> None:
    """Of nodes that are not well Slurm's words are told, where a job waits for them or was lost with one."""
    nodes = {"n1": "down: bad fan", "n2": "drained: disk swap"}
    lost = state_of(SlurmJob("1", "NODE_FAIL", node="n1"), nodes)
    assert lost.detail == "NODE_FAIL: its node failed (n1, which is down: bad fan)"
    waits = describe_wait(SlurmJob("1", "PENDING", "ReqNodeNotAvail, UnavailableNodes:n[1-2]"), nodes)
    assert waits.endswith("are not available (n1 is down: bad fan; n2 is drained: disk swap)")
    many = {f"n{at}": "down" for at in range(9)}
    waits = describe_wait(SlurmJob("1", "PENDING", "Nodes required for job are DOWN, DRAINED or reserved"), many)
    assert waits == (
        "its nodes are down, drained or reserved (n0 is down; n1 is down; n2 is down; 6 more are unhealthy)"
    )
    assert describe_wait(SlurmJob("1", "PENDING", "Priority"), nodes) == "Priority: other jobs have a higher priority"


@pytest.mark.parametrize("word", ["RESV_DEL_HOLD", "SOMETHING_NEW", ""])
def test_words_of_later_versions(word: str) -> None:
    """A job whose state nobody knows is not taken for one that has ended."""
    assert not state_of(SlurmJob("1", word)).is_over


@pytest.mark.parametrize(
    "text", ["-Jmine", "-a 0-3", "-o /dev/null", "--job-nam=x", "-M other", "--cluster=other", "--wrap=true"]
)
def test_directives_of_ours(text: str) -> None:
    """Options by which jobs are found and told apart are refused, however they are written."""
    with pytest.raises(ValueError, match="to find jobs again"):
        Settings(directives=(text,))


@pytest.mark.parametrize(
    "text",
    ["--exclusive", "-p gpu", "--nodelist=n1", "--wait-all-nodes=1", "--cluster-constraint=x"],
)
def test_directives_of_theirs(text: str) -> None:
    """All other options of sbatch are passed on."""
    assert Settings(directives=(text,)).directives == (text,)
