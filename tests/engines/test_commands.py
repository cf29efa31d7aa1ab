"""The job of each engine's server, beside the Evalfile that asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Capabilities, Job
from evalmake.run.job_builder import JobBuilder
from evalmake.servers.command import assign_port, place_command
from evalmake.workspace import Workspace
from tests.support.projects import Project, check_golden

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*.evalfile"))


def shown(job: Job, root: Path) -> str:
    """A job, a word or variable a line, without what differs from run to run."""
    lines = [f"image  {job.image}" if job.image else "no image", f"port   {job.port}"]
    words = iter(job.argv)
    line = next(words)
    for word in words:
        if word.startswith("--"):
            lines.append(f"run    {line}")
            line = word
        else:
            line += f" {word}"
    lines.append(f"run    {line}")
    lines += [f"env    {key}={value}" for key, value in sorted(job.env.items())]
    lines += [f"secret {key}" for key in sorted(job.secrets)]
    lines += [
        f"mount  {place}{' (writable)' if mount.writable else ''} = {mount.source}"
        for place, mount in sorted(job.mounts.items())
    ]
    text = "\n".join(lines).replace(str(root), "[FOLDER]")
    return text + "\n"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_job_of_a_server(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command, variables, mounts and name are those beside the Evalfile (UPDATE_GOLDEN=1 rewrites)."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("LOCAL_NIM_CACHE", str(tmp_path / "nim"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    for name in ("config.json", "model.safetensors", "model.gguf"):
        (tmp_path / "weights").mkdir(exist_ok=True)
        (tmp_path / "weights" / name).write_text(name)
    (tmp_path / "Evalfile").write_bytes(path.read_bytes())
    workspace = Workspace.open(tmp_path / "Evalfile")
    graph = workspace.graph(())
    job_builder = JobBuilder(workspace.project, workspace.plugins, workspace.root)
    texts = []
    for name, action in graph.services.items():
        (spec,) = job_builder.server_specs(name, action.digest)
        known = spec.command.model or name
        job = spec.build_job("id")
        text = f"{name}: {known} at {spec.command.health}\n" + shown(job, tmp_path)
        texts.append(text if spec.command.port else text.replace(str(job.port), "[PORT]"))
    check_golden(path.with_suffix(".jobs"), "\n".join(texts).replace(str(tmp_path), "[FOLDER]"))


def test_where_the_network_is_its_own() -> None:
    """A server in a network of its own has a port that is known before it starts."""
    service = ServerCommand(("serve", "--host", "{host}", "--port", "{port}"))
    there = assign_port(place_command(service, True, Capabilities(images=True, private_network=True)))
    assert there.port == 8000
    assert there.argv == ("serve", "--host", "0.0.0.0", "--port", "8000")


def test_two_starts_have_two_ports() -> None:
    """A server that is told its port is told another the next time, and it is written down."""
    service = place_command(ServerCommand(("serve", "{port}")), False, Capabilities())
    chosen = {assign_port(service).argv[1] for _ in range(20)}
    assert len(chosen) > 1
    assert assign_port(service).files.keys() == {"port"}


def test_a_server_answers_to_its_served_name(project: Project) -> None:
    """`served_name` is the model of every request, counts as what the deployment is, and `show` names it."""
    project.write(
        "Evalfile",
        """
deployment tiny {
    engine      = mock
    served_name = "acme/tiny"
}
model tiny { deployment = tiny }
benchmark names {
    harness = command
    files   = file("ask.py")
    run     = "python3 data/ask.py"
}
eval e {
    model     = tiny
    benchmark = names
}
""",
    )
    project.write(
        "ask.py",
        """
import json, os, urllib.request
base, name, key = (os.environ[f"EVALMAKE_{x}"] for x in ("MODEL_URL", "MODEL_NAME", "API_KEY"))
body = json.dumps({"model": name, "messages": [{"role": "user", "content": "What is 2 + 2?"}]}).encode()
head = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
reply = json.load(urllib.request.urlopen(urllib.request.Request(f"{base}/chat/completions", body, head)))
assert (name, reply["model"]) == ("acme/tiny", "acme/tiny"), (name, reply)
json.dump({"right": 1}, open(os.environ["EVALMAKE_OUT"] + "/scores.json", "w"))
""",
    )
    assert "1 ran" in project.run().stdout
    assert '"acme/tiny"' in project.run("show", "e").stdout
    renamed = (project.root / "Evalfile").read_text().replace("acme/tiny", "acme/other")
    project.write("Evalfile", renamed)
    assert "served_name" in project.run("-n", "-v").stdout


def test_a_server_that_names_models_itself_takes_no_name(project: Project) -> None:
    """`transformers serve` knows a model by its weights, so `served_name` is an error there."""
    text = 'deployment t {\n engine = transformers\n weights = "hf://a/b"\n served_name = "c"\n}\n'
    text += 'model t { deployment = t }\nbenchmark b {\n harness = command\n run = "true"\n}\n'
    project.write("Evalfile", text + "eval e {\n model = t\n benchmark = b\n}\n")
    assert "`served_name`: this server names a model by its weights" in project.run("-n", status=2).stderr
