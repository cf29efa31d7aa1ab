"""NVIDIA's contract in a container: an image's own user, entry point and folder; NVIDIA's own software."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.run.environments.environment import Environment
from tests.executors.docker.contained import SERVED, Contained
from tests.executors.docker.images import image
from tests.support.docker_engine import BASE
from tests.support.sums import put_mgsm

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
    image   = "{image}"
    task    = "toy.toy"
}}
eval asked {{
    model     = subject
    benchmark = toy
    executor  = box
}}
"""


@pytest.mark.parametrize(("user", "id"), [("root", 0), ("nobody", 65534)])
def test_contract(contained: Contained, user: str, id: int) -> None:
    """The harness runs in the folder and as the user of its image, and results in /results are found, too."""
    own = {"user": user, "workdir": "/opt/toy", "entrypoint": ["/no/such/program"]}
    files = {"/usr/local/bin/nemo-evaluator": PROGRAM, "/opt/toy/toy.json": '{"question": "hello"}'}
    contained.evalfile(
        SERVED.format(base=BASE),
        EVALFILE.format(
            host=contained.engine.url,
            shared=contained.shared,
            image=image(contained.engine, "toy", files=files, **own),
        ),
    )
    ended = contained.run()

    assert ended.status == 0, ended.text
    assert contained.scores() == {"asked": [1.0]}
    assert f"ran as {id} toy.toy\n" in contained.run("logs", "asked").out
    contained.clean()


SIMPLE_EVALS = """\
executor box {{ backend = docker, host = "{host}", network = gateway }}

deployment stand-in {{ engine = mock, args = {{ skill = 0.6 }} }}
model stand-in      {{ deployment = stand-in }}

defaults benchmark {{
    harness = nemo
    task    = "simple_evals.mgsm"
    offline = true
    files   = glob("**/mgsm/*")
}}
benchmark mgsm          {{ packages = ["nemo-evaluator==0.2.8", "nvidia-simple-evals==26.3"] }}
benchmark mgsm-in-image {{ image = "{image}" }}

defaults eval      {{ model = stand-in, params = {{ temperature = 0.5 }} }}
eval mgsm          {{ benchmark = mgsm }}
eval mgsm-in-image {{ benchmark = mgsm-in-image, executor = box }}
"""


@pytest.mark.timeout(600)  # an environment may have to be installed
def test_nvidias_own(contained: Contained, simple_evals: Environment, environments: Path) -> None:
    """simple-evals in an image, whose user is nobody, scores as it does in an environment here."""
    put_mgsm(contained.root)
    contained.env["EVALMAKE_ENVIRONMENTS"] = str(environments)
    own = {"user": "nobody", "workdir": "/workspace"}
    made = image(contained.engine, "simple-evals", simple_evals, **own)
    contained.evalfile(SIMPLE_EVALS.format(host=contained.engine.url, image=made))
    ended = contained.run()

    assert ended.status == 0, ended.text
    found = {attempt.name: attempt for attempt in contained.attempts()}
    here, there = found["mgsm"], found["mgsm-in-image"]
    assert there.scores == here.scores
    assert len(there.scores) > 10
    assert there.metric == "mgsm_score_micro"
    assert 0 < {score.metric: score.value or 0 for score in there.scores}[there.metric] < 1
    assert "nothing to do" in contained.run().out
    contained.clean()
