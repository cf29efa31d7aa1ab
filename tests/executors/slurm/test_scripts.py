"""What Slurm is given for a job, as a person reads it: for each way to run images, and for none."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from evalmake.executors.slurm.job_script import batch_script, directives, job_script, run_host_job
from evalmake.executors.slurm.settings import Settings
from evalmake.language.values import Duration
from evalmake.plugin_api.executor import Job, Mount, Sidecar
from tests.support.daemons import needed
from tests.support.projects import check_golden
from tests.support.repository import SPEC

GOLDEN = SPEC / "slurm"
WORK = Path("/home/me/evals/.evalmake/work")
RUNTIMES = ("none", "pyxis", "apptainer", "docker", "podman")
EVALUATION = Job(
    "0123456789ab.1",
    "asked/good/1",
    ("{python}", "-m", "evalmake.harnesses.native", f"{WORK}/0123456789ab.1/native.json"),
    WORK / "0123456789ab.1",
    env={"EVALMAKE_OUT": f"{WORK}/0123456789ab.1/out", "GREETING": "it's me"},
    image="registry.acme.com:5000/evals/sums:1",
    timeout=3600,
    cpus=1.5,
    memory=400 * 2**20,
    sidecar=Sidecar(
        ("{python}", "-P", "-m", "evalmake.gateway.sidecar", f"{WORK}/0123456789ab.1/sidecar.json"),
        ("EVALMAKE_MODEL_URL",),
        ("MODEL_KEY",),
    ),
)
DEPLOYMENT = Job(
    "ba9876543210.1",
    "llama",
    ("vllm", "serve", "/models/llama", "--port", "8000"),
    WORK / "ba9876543210.1",
    env={"HF_HUB_CACHE": "/hub"},
    image="vllm/vllm-openai:v0.11.0",
    port=8000,
    gpus=2,
    mounts={"/models/llama": Mount(Path("/lustre/models/llama")), "/hub": Mount(Path("/home/me/hub"), writable=True)},
)


def scripts(job: Job, there: str, settings: Settings, secrets: tuple[str, ...]) -> dict[str, str]:
    """Both scripts of a job."""
    asks = directives(job, settings)
    batch = batch_script("evalmake-0123-4567", asks, "evalmake", [job.id, "another.1"], 4)
    own = job_script(job, there, settings, "/opt/evalmake/bin/python", secrets)
    return {"batch.sh": batch, "job.sh": own}


@pytest.mark.parametrize("kind", ["evaluation", "deployment"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_scripts(runtime: str, kind: str, tmp_path: Path) -> None:
    """Scripts equal the golden files (UPDATE_GOLDEN=1 writes them), and bash and shellcheck accept them."""
    settings = Settings(
        container=runtime,
        account="evals",
        partition="gpu long",
        nodes=1,
        time=Duration(5400),
        modules=("cuda/12.4",),
        prologue=("export TMPDIR=/scratch",),
        directives=("--exclusive",),
        mounts=("/lustre/data:/data",),
    )
    job, secrets = (EVALUATION, ("HUB_TOKEN", "MODEL_KEY")) if kind == "evaluation" else (DEPLOYMENT, ("HUB_TOKEN",))
    if runtime == "none":
        job = replace(job, image=None, mounts={})
    for name, text in scripts(job, str(job.workdir), settings, secrets).items():
        check_shell(text, tmp_path / name)
        if name == "job.sh" or runtime == "none":
            GOLDEN.mkdir(exist_ok=True) if os.environ.get("UPDATE_GOLDEN") else None
            check_golden(GOLDEN / f"{kind}-{runtime}.{name}", text)


def check_shell(text: str, path: Path, but: str = "SC1090,SC1091") -> None:
    """Assert that neither bash nor shellcheck complains of a script, `but` for what is meant."""
    needed("shellcheck", "" if (checker := shutil.which("shellcheck")) else "not installed")
    path.write_text(text)
    for argv in (["bash", "-n", path], [checker, "-S", "info", "-e", but, path]):
        done = subprocess.run(argv, capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_hosting(tmp_path: Path) -> None:
    """A server that takes evaluations into its allocation is run by what runs these, too."""
    settings = Settings(modules=("python/3.12",), prologue=("export TMPDIR=/scratch",))
    ends = run_host_job(settings, "/opt/evalmake/bin/python", 16)
    asks = directives(DEPLOYMENT, settings)
    text = batch_script("evalmake-0123-4567", asks, "evalmake", [DEPLOYMENT.id], None, ends)
    check_shell(text, tmp_path / "batch.sh")
    check_golden(GOLDEN / "deployment-hosting.batch.sh", text)


@pytest.mark.parametrize("runtime", ["none", "pyxis", "apptainer"])
def test_several_nodes(runtime: str, tmp_path: Path) -> None:
    """A server on several nodes is one step of Slurm on all, whose shells add what each node is to know."""
    settings = Settings(container=runtime, nodes=2)
    launcher = '--nnodes "$EVALMAKE_NODES" --node-rank "$EVALMAKE_NODE"'
    job = replace(DEPLOYMENT, cpus=8, multi_node_launcher=launcher)
    if runtime == "none":
        job = replace(job, image=None, mounts={})
    asks = directives(job, settings)
    assert asks == ("--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=8", "--gpus-per-node=2")
    assert directives(EVALUATION, settings)[:2] == ("--nodes=1", "--ntasks=1")
    text = job_script(job, str(job.workdir), settings, "python3", ("HUB_TOKEN",))
    check_shell(text, tmp_path / "job.sh", "SC1090,SC1091,SC2016")  # another shell expands it
    check_golden(GOLDEN / f"nodes-{runtime}.job.sh", text)


def test_words_stay_words(tmp_path: Path) -> None:
    """A job gets every word and value unchanged, whatever characters it contains."""
    odd = "a 'b' \"c\" $HOME `date` \\ ; ü\nline"
    job = Job(
        "x.1",
        "odd",
        ("python3", "-c", "import os, sys; print(sys.argv[1:], [os.environ['ODD']])", odd),
        tmp_path / "x.1",
        env={"ODD": odd},
    )
    job.workdir.mkdir()
    text = job_script(job, str(job.workdir), Settings(), "python3", ())
    done = subprocess.run(["bash"], input=text, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (job.workdir / "log").read_text() == f"{[odd]} {[odd]}\n"
    assert (job.workdir / "status").read_text() == "0\n"


def test_hub_behind_ssh() -> None:
    """What is fetched from the hub is kept on the cluster, not where this host keeps it."""
    settings = Settings(container="pyxis", host="login")
    text = job_script(DEPLOYMENT, "/lustre/me/evalmake/abc/ba9876543210.1", settings, "python3", ())
    assert "/lustre/me/evalmake/hub:/hub:rw" in text
    assert "mkdir -p /lustre/me/evalmake/hub\n" in text
    assert "/home/me" not in text


@pytest.mark.parametrize(("runtime", "program"), [("pyxis", "srun"), ("apptainer", "apptainer")])
def test_what_a_container_inherits(runtime: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container gets its job's variables and what configures its runtime, and none that belongs to the node."""
    called = tmp_path / program
    called.write_text("#!/bin/sh\nexec env\n")
    called.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/pki/node.pem")
    monkeypatch.setenv("HF_HOME", "/before")
    job = Job("x.1", "x", ("true",), tmp_path / "x.1", env={"GREETING": "hello", "TMP": "/own"}, image="python:3")
    job.workdir.mkdir()
    exports = ("LD_LIBRARY_PATH=/node", "TMPDIR=/scratch", "GREETING=bye", "OF_THE_SITE=1", "ENROOT_DATA_PATH=/fast")
    settings = Settings(container=runtime, prologue=tuple(f"export {one}" for one in exports))
    text = job_script(job, str(job.workdir), settings, "python3", ())
    done = subprocess.run(["bash"], input=text, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    inherited = dict(line.split("=", 1) for line in (job.workdir / "log").read_text().splitlines() if "=" in line)
    assert inherited["GREETING"] == "hello"
    assert inherited["TMP"] == "/own"
    assert inherited["HF_HOME"] == "/before"
    assert inherited["ENROOT_DATA_PATH"] == "/fast"
    assert not {"SSL_CERT_FILE", "LD_LIBRARY_PATH", "TMPDIR", "OF_THE_SITE"} & inherited.keys()
