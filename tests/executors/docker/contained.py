"""A workspace whose jobs run in containers, and programs for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalmake.executors.docker import DockerExecutor, container
from tests.executors.chat_server import chat_server
from tests.support.docker_engine import BASE, Dockerd
from tests.support.workspaces import Bench

EVALFILE = """\
executor box {{
    backend = docker
    host    = "{host}"
    slots   = 4
    mounts  = ["{shared}:/shared:rw"]
    {more}
}}
model subject {{
    {model}
}}
benchmark asking {{
    harness = command
    image   = "{base}"
    files   = file("job.py")
    run     = "python3 data/job.py"
}}
eval asked {{
    model     = subject
    benchmark = asking
    executor  = box
    {eval}
}}
"""
SERVED = """\
deployment server {{
    engine   = command
    image    = "{base}"
    run      = "exec python3 /shared/server.py"
    port     = 8000
    executor = box
}}
"""
SERVER = chat_server('def reply(text):\n    return "you said " + text\n')
ASKING = """\
import json, os, time, urllib.request

def ask(text):
    head = {"Authorization": "Bearer " + os.environ["EVALMAKE_API_KEY"],
            "Content-Type": "application/json"}
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    url = os.environ["EVALMAKE_MODEL_URL"] + "/chat/completions"
    sent = urllib.request.Request(url, json.dumps(body).encode(), head)
    with urllib.request.urlopen(sent, timeout=60) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]

def leave(name, value):
    with open(os.environ["EVALMAKE_OUT"] + "/" + name, "w") as file:
        json.dump(value, file)

def wait(path):
    while not os.path.exists(path):
        time.sleep(0.05)

"""
"""The beginning of a `job.py`."""
SCORED = """\
said = ask("hello")
print("heard:", said, flush=True)
leave("scores.json", {"heard": float(said == "you said hello")})
"""


class Contained(Bench):
    """`shared` is a folder that containers see as `/shared`."""

    def __init__(self, root: Path, engine: Dockerd) -> None:
        super().__init__(root)
        self.engine = engine
        self.shared = root.parent / "shared"
        for folder in (root, self.shared):
            folder.mkdir(parents=True)
        (self.shared / "server.py").write_text(SERVER)

    def asks(self, job: str = SCORED, more: str = "", eval: str = "", model: str = "") -> None:
        """An evaluation by `job`; its model is a server in a container unless it is another."""
        (self.root / "job.py").write_text(ASKING + job)
        text = EVALFILE if model else SERVED + EVALFILE
        self.evalfile(
            text.format(
                host=self.engine.url,
                shared=self.shared,
                base=BASE,
                more=more,
                eval=eval,
                model=model or "deployment = server",
            )
        )

    def executor(self, **settings: Any) -> DockerExecutor:
        """One that knows of the workspace's containers."""
        given = DockerExecutor.Settings(host=self.engine.url, **settings)
        return DockerExecutor("box", given, self.root / ".evalmake" / "work")

    def containers(self) -> list[Any]:
        """The workspace's containers, running or not."""
        mine = {"label": f"{container.WORKSPACE}={self.executor().workspace}"}
        found: list[Any] = self.engine.api().containers(all=True, filters=mine)
        return found

    def sweep(self) -> None:
        """Remove all of them."""
        self.executor().sweep()

    def clean(self) -> None:
        """Assert that nothing runs or lies about, here or with the engine."""
        super().clean()
        assert self.containers() == []
