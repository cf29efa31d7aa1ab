"""NVIDIA's contract in a container: whose user, entry point and folder an image has of its own."""

from __future__ import annotations

import io
import tarfile

import pytest
from contained import SERVED, Contained
from docker_engine import BASE, Dockerd

PROGRAM = """\
#!/usr/bin/python3
import json, os, sys, urllib.request

said = dict(zip(sys.argv[2::2], sys.argv[3::2]))
assert sys.argv[1] == "run_eval", sys.argv
config = json.load(open(said["--run_config"]))
toy = json.load(open("toy.json"))  # beside the program's own files: where the image says
head = {"Authorization": "Bearer " + os.environ["EVALMAKE_API_KEY"],
        "Content-Type": "application/json"}
body = {"model": said["--model_id"], "messages": [{"role": "user", "content": toy["question"]}]}
sent = urllib.request.Request(said["--model_url"], json.dumps(body).encode(), head)
with urllib.request.urlopen(sent) as reply:
    right = json.load(reply)["choices"][0]["message"]["content"] == "you said " + toy["question"]
score = {"value": float(right), "stats": {"count": 1, "stderr": 0.0}}
tasks = {"toy": {"metrics": {"acc": {"scores": {"micro": score}}}}}
place = "/results" if os.getuid() == 0 else said["--output_dir"]
with open(place + "/results.yml", "w") as file:
    json.dump({"command": "toy", "results": {"groups": {}, "tasks": tasks}}, file)
print("ran as", os.getuid(), config["config"]["type"])
"""
EVALFILE = """\
executor box {{
    backend = docker
    host    = "{host}"
    mounts  = ["{shared}:/shared"]
}}
model subject {{ deployment = server }}
benchmark toy {{
    harness = nemo
    image   = "evalmake-test/toy:{user}"
    task    = "toy.toy"
}}
eval asked {{
    model     = subject
    benchmark = toy
    executor  = box
}}
"""


def toy_image(engine: Dockerd, user: str) -> None:
    """An image with a harness in a folder of its own, a user, and an entry point that is none."""
    api, whole = engine.api(), io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, text, mode in (
            ("usr/local/bin/nemo-evaluator", PROGRAM, 0o755),
            ("opt/toy/toy.json", '{"question": "hello"}', 0o644),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), mode
            tar.addfile(entry, io.BytesIO(text.encode()))
    made = api.create_container(BASE, ["true"])
    api.put_archive(made, "/", whole.getvalue())
    own = {"User": user, "WorkingDir": "/opt/toy", "Entrypoint": ["/no/such/program"]}
    api.commit(made, "evalmake-test/toy", user, conf=own)
    api.remove_container(made)


@pytest.mark.parametrize(("user", "id"), [("root", 0), ("nobody", 65534)])
def test_contract(contained: Contained, user: str, id: int) -> None:
    """The harness runs where and as whom its image says; results are had from /results too."""
    toy_image(contained.engine, user)
    contained.evalfile(
        SERVED.format(base=BASE),
        EVALFILE.format(host=contained.engine.url, shared=contained.shared, user=user),
    )
    ended = contained.run()

    assert ended.status == 0, ended.text
    assert contained.scores() == {"asked": [1.0]}
    assert f"ran as {id} toy.toy\n" in contained.run("logs", "asked").out
    contained.clean()
