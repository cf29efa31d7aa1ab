"""A plan runs nothing: no command of the Evalfile, no harness, no installer; and it writes nothing outside."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.support.repository import ROOT
from tests.support.workspaces import Bench, Ended

EVALFILE = """\
include "common/models.evalfile"
executor box {
    backend = docker
    image   = "acme/evals:1"
}
executor cluster {
    backend   = slurm
    host      = "me@login.acme.test"
    partition = "cpu"
}
benchmark program {
    harness = command
    files   = glob("data/*")
    run     = "sh data/job.sh"
}
benchmark scored {
    harness     = native
    files       = file("data/sums.jsonl")
    prompt      = "{question}"
    target      = "{answer}"
    scorer      = "{how}"
    scorer_file = file("data/score.py")
}
benchmark gsm8k {
    harness  = lm-eval
    task     = "gsm8k"
    packages = ["lm-eval==0.4.9"]
}
benchmark theory {
    harness  = inspect
    task     = "theory"
    files    = file("data/theory.py")
    packages = ["inspect-ai==0.3.285", "openai"]
}
eval here   { model = hosted, benchmark in [program, scored, gsm8k, theory] }
eval there  { model = llama,  benchmark = program, executor = box }
eval yonder { model = hosted, benchmark = program, executor = cluster }
report card { of = [here, there, yonder], path = "card.md" }
"""
MODELS = """\
model hosted {
    endpoint = "https://api.acme.test/v1"
    name     = "hosted"
    api_key  = secret("KEY")
}
deployment llama {
    engine    = vllm
    image     = "vllm/vllm-openai:v0.11.0"
    weights   = "hf://meta-llama/Llama-3.1-8B-Instruct@0e9e39f"
    executor  = box
    resources = { gpus = 2 }
}
model llama { deployment = llama }
"""


@pytest.fixture
def planned(bench: Bench) -> Bench:
    """An Evalfile with whatever may tempt a plan to run something."""
    files = {
        "common/models.evalfile": MODELS,
        "data/job.sh": "touch ran\n",
        "data/score.py": "open('ran', 'w')\n\n\ndef score(record, reply, target):\n    return 1\n",
        "data/theory.py": "open('ran', 'w')\n",
        "data/sums.jsonl": '{"question": "1 + 1?", "answer": 2, "how": "python"}\n',
    }
    bench.evalfile(EVALFILE)
    for name, text in files.items():
        path = bench.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return bench


@pytest.fixture
def audit(planned: Bench, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[str, Ended]]:
    """A function that runs a command line of Python; it returns what may not happen in a plan and did, and the end."""
    folder = tmp_path_factory.mktemp("audit")
    hooks, home, temporary = (folder / name for name in ("hooks", "home", "temporary"))
    for path in (hooks, home / ".cache", temporary):
        path.mkdir(parents=True)
    shutil.copy(ROOT / "tests/support/audit_hook.py", hooks / "sitecustomize.py")
    log = folder / "events"
    writable = f"{planned.root}:{home / '.cache'}:{temporary}"
    env = planned.env | {
        "AUDIT_LOG": str(log),
        "AUDIT_PROJECT": str(planned.root),
        "AUDIT_WRITABLE": writable,
        "PYTHONPATH": str(hooks),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "KEY": "a-key-of-acme",
    }

    def run(*argv: str) -> tuple[str, Ended]:
        log.write_text("")
        done = subprocess.run([sys.executable, *argv], cwd=planned.root, env=env, capture_output=True, text=True)
        return log.read_text(), Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.mark.parametrize("words", [("-n",), ("-n", "-v"), ("-n", "--json"), ("-q",), ("why", "here")])
def test_a_plan_runs_nothing(planned: Bench, audit: Callable[..., tuple[str, Ended]], words: tuple[str, ...]) -> None:
    """It starts no process, calls no host, imports no file of the project, and writes only below the workspace."""
    before = sorted(path for path in planned.root.rglob("*") if ".evalmake" not in path.parts)
    events, ended = audit("-m", "evalmake", *words)
    assert ended.status in (0, 1), ended.text
    assert events == ""
    assert sorted(path for path in planned.root.rglob("*") if ".evalmake" not in path.parts) == before
    assert not (planned.root / ".evalmake" / "work").exists()


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("import runpy; runpy.run_path('data/score.py')", "exec"),
        ("open('../elsewhere', 'w')", "open"),
        ("import socket; socket.socket().connect_ex(('127.0.0.1', 9))", "socket.connect"),
    ],
)
def test_what_would_run_is_seen(audit: Callable[..., tuple[str, Ended]], line: str, event: str) -> None:
    """The events on which the test above relies do occur."""
    assert audit("-c", line)[0].startswith(event)
