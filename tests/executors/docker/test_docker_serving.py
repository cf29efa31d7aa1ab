"""Servers for many evaluations: started once, once more where they die, and what is told where they fail."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from tests.executors.chat_server import chat_server
from tests.executors.docker.contained import Contained
from tests.support.docker_engine import BASE
from tests.support.workspaces import SUMS, end, wait_for

HANGS_IN_ITS_FIRST_START = """\
shared = Path(__file__).parent
with open(shared / "starts", "a") as starts:
    starts.write(f"{os.getpid()}\\n")
first = len((shared / "starts").read_text().split()) == 1
answered, lock = [], threading.Lock()

def reply(text):
    with lock:
        if first and len(answered) == 20:
            (shared / "middle").touch()
            time.sleep(3600)
        answered.append(text)
        print("answered", len(answered), flush=True)
    return str(sum(map(int, re.findall("[0-9]+", text))))
"""
SERVER = chat_server(HANGS_IN_ITS_FIRST_START)
"""It adds up; the first that is started answers twenty questions, and is then silent."""

EVALFILE = """\
executor local {{
    backend = process
    slots   = 6
}}
executor box {{
    backend = docker
    host    = "{host}"
    mounts  = ["{shared}:/shared:rw"]
}}
deployment adder {{
    engine = command
    {placed}
}}
model adder {{ deployment = adder }}
defaults benchmark {{
    harness = native
    prompt  = "{{question}}"
    target  = "{{answer}}"
    scorer  = number
}}
benchmark right {{ files = file("right.jsonl") }}
benchmark half  {{ files = file("half.jsonl") }}
benchmark wrong {{ files = file("wrong.jsonl") }}
eval asked {{
    model     = adder
    benchmark in [right, half, wrong]
    seed      in 1..4
    executor  = local
    retries   = 0
}}
"""
PLACED = {
    "process": 'executor = local\n    run = "exec python3 {shared}/server.py"',
    "container": f'executor = box\n    image = "{BASE}"\n    port = 8000\n    run = "exec python3 /shared/server.py"',
}
TOLD = re.compile(
    r"deployment adder: restarting: it died while it was used: "
    r"(?:exit status 137 \(SIGKILL, most often memory\)|its engine ended it)\n(?: +\| .*\n)+"
)
SHARES = {"right": 1.0, "half": 0.5, "wrong": 0.0}


@pytest.fixture(params=sorted(PLACED))
def served(contained: Contained, request: pytest.FixtureRequest) -> Contained:
    """A workspace of twelve evaluations of one server, which is a process or a container."""
    (contained.shared / "server.py").write_text(SERVER)
    for place, (name, share) in enumerate(SHARES.items()):
        rows = [{"question": f"What is {at} + {place}?", "answer": at + place + (at >= share * 6)} for at in range(6)]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (contained.root / f"{name}.jsonl").write_text(text)
    placed = PLACED[request.param].format(shared=contained.shared)
    url = contained.engine.url
    contained.evalfile(EVALFILE.format(host=url, shared=contained.shared, placed=placed))
    return contained


def starts(bench: Contained) -> list[int]:
    """The processes that servers said they are, each as it was started."""
    return [int(word) for word in (bench.shared / "starts").read_text().split()]


def kill_server(bench: Contained) -> None:
    """Kill the server, as who is short of memory does: its process, or its container."""
    containers = bench.containers()
    for one in containers:
        bench.engine.api().kill(one["Id"])
    if not containers:
        os.kill(starts(bench)[0], signal.SIGKILL)


def all_right(bench: Contained) -> None:
    """Assert that every evaluation is on record once, with its score, and nothing is left."""
    wanted = {f"asked/{name}/{n}": [share] for name, share in SHARES.items() for n in range(1, 5)}
    assert bench.scores() == wanted
    assert {(a.attempt, a.status) for a in bench.attempts()} == {(1, "succeeded")}
    bench.clean()


def test_started_once(served: Contained) -> None:
    """Twelve evaluations share one server, which is started once."""
    (served.shared / "server.py").write_text(SERVER.replace("if first and", "if False and"))
    ended = served.run()
    assert ended.status == 0, ended.text
    assert len(starts(served)) == 1
    all_right(served)


def test_killed_while_it_is_asked(served: Contained) -> None:
    """A killed server starts again, its evaluations wait for it, and the output says how the first one ended."""
    process = served.start()
    wait_for((served.shared / "middle").exists)
    kill_server(served)
    ended = end(process)
    assert ended.status == 0, ended.text
    assert len(starts(served)) == 2
    told = TOLD.search(ended.err)
    assert told is not None, ended.err
    assert "        | answered 20\n" in told[0]
    assert ended.err.count("deployment adder: restarting") == 1
    assert sum(attempt.usage["requests"] for attempt in served.attempts()) == 72
    all_right(served)


FAILING = """\
executor box {{
    backend = docker
    host    = "{host}"
}}
defaults deployment {{
    engine   = command
    image    = "{base}"
    port     = 8000
    executor = box
}}
deployment greedy {{
    run       = "echo loading; exec python3 -c 'b = bytearray(10**9)'"
    resources = {{ memory = 64MiB }}
}}
deployment mistyped {{ run = "exec python3 --no-such-flag" }}
deployment imageless {{
    engine  = vllm
    weights = glob("weights/*")
}}
deployment weightless {{
    engine  = vllm
    weights = "gone"
}}
deployment gpuless {{
    run       = "exit 3"
    resources = {{ gpus = 1 }}
}}
deployment deaf {{
    run   = "echo listening nowhere; exec sleep 1000"
    ready = 2s
}}
deployment other {{
    run   = "exec python3 -m http.server 8000"
    ready = 5s
}}
"""
TOLD_OF = {
    "greedy": [
        "stopped before it was ready, after \\d+s: exit status 137: it ran out of memory \\(limit 64MiB\\)",
        "-+ this is its limit",
        "      \\| loading",
        "help: give it more memory: raise `resources.memory`",
    ],
    "mistyped": [
        "stopped before it was ready, after \\d+s: exit status 2",
        "      \\| unknown option --no-such-flag",
    ],
    "imageless": [
        "stopped before it was ready, after \\d+s: exit status 127",
        "-+ it has no `vllm`",
        "help: name an image that has the program `vllm`",
    ],
    "weightless": [
        "could not be started: executor box: weightless needs {root}/gone, which does not exist",
    ],
    "gpuless": [
        "could not be started: executor box: cannot start a container: it has no GPUs for containers: "
        "NVIDIA's container toolkit is missing",
    ],
    "deaf": [
        "was not ready within 2s: GET /health at port 8000: no answer",
        "      \\| listening nowhere",
        "help: a server in a container listens on 0.0.0.0, at the `port` of its deployment",
    ],
    "other": ["was not ready within 5s: GET /health at port 8000: status 404"],
}
"""What is said of a deployment that cannot be had, and what below that: patterns."""


def test_what_is_told_of_servers_that_fail(contained: Contained) -> None:
    """Each failing server is tried three times; the error has the reason, the end of its log, and help."""
    text = FAILING.format(host=contained.engine.url, base=BASE)
    models = "".join(f"model {name} {{ deployment = {name} }}\n" for name in TOLD_OF)
    asked = f"eval asked {{\n    model in [{', '.join(TOLD_OF)}]\n    benchmark = sums\n}}\n"
    contained.evalfile(text, models, SUMS, asked)
    contained.sums(2)
    (contained.root / "weights").mkdir()
    (contained.root / "weights" / "model").touch()
    ended = contained.run("-k")

    assert ended.status == 2
    told = {part.split()[0]: part for part in ended.err.split("error: deployment ")[1:]}
    assert sorted(told) == sorted(TOLD_OF)
    for name, (why, *more) in TOLD_OF.items():
        first, *rest = (pattern.replace("{root}", str(contained.root)) for pattern in (why, *more))
        assert re.match(f"{name} {first} \\[service-failed\\]\n", told[name]), told[name]
        for pattern in rest:
            assert re.search(f"{pattern}\n", told[name]), told[name]
        assert "attempt 3 of 3 on executor box" in told[name]
    assert contained.scores() == {}
    contained.clean()
