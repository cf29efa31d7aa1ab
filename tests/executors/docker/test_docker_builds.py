"""Whole builds in containers: a harness and a model's server in images, killed, closed in, refused."""

from __future__ import annotations

import json
import socket
from typing import Any

from tests.executors.docker.contained import SCORED, Contained
from tests.support.docker_engine import ADDRESS, BASE
from tests.support.http_replies import chat_completion, http_reply
from tests.support.inside import PACKAGE, packages
from tests.support.media import png
from tests.support.scripted_upstream import Upstream
from tests.support.workspaces import SUMS, end, wait_for

WAITING = 'wait("/shared/go")\n'


def running(bench: Contained) -> list[str]:
    """The states of the workspace's containers."""
    return sorted(one["State"] for one in bench.containers())


def test_harness_and_server_in_images(contained: Contained) -> None:
    """Harness and server run in containers, the record names their images, and nothing is left of them."""
    contained.asks()
    ended = contained.run("-v")

    assert ended.status == 0, ended.text
    assert contained.scores() == {"asked": [1.0]}
    assert "deployment server: ready at http://127.0.0.1:" in ended.err
    [attempt] = contained.attempts()
    image = contained.engine.api().inspect_image(BASE)["Id"]
    assert attempt.facts.items() >= {
        ("image", BASE),
        ("image-id", image),
        ("deployment server image", BASE),
        ("deployment server image-id", image),
    }
    assert contained.run("logs", "asked").out.startswith("heard: you said hello\n")
    assert contained.run("logs", "server").out.startswith("serving\n")
    assert "nothing to do" in contained.run().out
    contained.clean()


def test_mock_and_native_in_an_image(contained: Contained) -> None:
    """The mock engine and the native harness run in an image that contains evalmake; answers in the data, too."""
    more = f'mounts = ["{PACKAGE}:/src/evalmake", "{packages()}:/packages"]'
    more += '\n    env = { PYTHONPATH = "/src:/packages" }'
    contained.evalfile(
        f"""
        executor box {{
            backend = docker
            host    = "{contained.engine.url}"
            {more}
        }}
        deployment stand-in {{
            engine   = mock
            image    = "{BASE}"
            executor = box
        }}
        model stand-in {{ deployment = stand-in }}
        """,
        SUMS.replace("native", f'native\n        image   = "{BASE}"'),
        'benchmark stored from sums { answer = "{answer}" }\n',
        "eval asked { model = stand-in, benchmark = sums, executor = box }\n",
        "eval scored { model = none, benchmark = stored, executor = box }\n",
    )
    contained.sums(12)
    ended = contained.run()

    assert ended.status == 0, ended.text
    assert contained.scores() == {"asked": [1.0], "scored": [1.0]}
    contained.clean()


JUDGED = """\
said = ask("hello")
os.environ["EVALMAKE_API_KEY"] = os.environ["EVALMAKE_JUDGE_API_KEY"]
os.environ["EVALMAKE_MODEL_URL"] = os.environ["EVALMAKE_JUDGE_URL"]
leave("scores.json", {"correct": float(said == ask("grade") == "you said hello")})
"""


def test_a_judge_of_a_program_in_an_image(contained: Contained) -> None:
    """A program in a container reaches its judge by an address and a token of its own; each is counted."""
    upstream = Upstream(lambda seen: [http_reply(chat_completion("you said hello"))])
    contained.asks(JUDGED, model=f'endpoint = "{upstream.url}"\n    name     = "m"')
    contained.edit("    harness = command\n", "    harness = command\n    judge   = grader\n")
    contained.edit("model subject {", f'model grader {{ endpoint = "{upstream.url}", name = "m" }}\nmodel subject {{')
    ended = contained.run()
    assert ended.status == 0, ended.text
    assert contained.scores() == {"asked": [1.0]}
    [attempt] = contained.attempts()
    for folder in ("gateway", "gateway-judge"):
        assert json.loads(contained.output(attempt, f"{folder}/usage.json"))["requests"] == 1
    contained.clean()


def test_kill_and_adoption(contained: Contained) -> None:
    """The containers of a killed build go on, are found again, and run once."""
    contained.asks(WAITING + SCORED, eval="seed in 1..2")
    process = contained.start()
    wait_for(lambda: running(contained) == ["running"] * 3)
    process.kill()
    process.communicate()
    before = {one["Id"] for one in contained.containers()}
    (contained.shared / "go").touch()
    again = contained.run()

    assert again.status == 0, again.text
    assert len(before) == 3
    assert again.err.count("job of an earlier build taken over") == 3
    assert contained.scores() == {"asked/1": [1.0], "asked/2": [1.0]}
    assert {a.attempt for a in contained.attempts()} == {1}
    contained.clean()


def test_clean(contained: Contained) -> None:
    """`clean` ends what a killed build left and says what it removed; a second `clean` finds nothing."""
    contained.asks(WAITING, more="network = gateway")
    process = contained.start()
    wait_for(lambda: running(contained) == ["running"] * 2)
    process.kill()
    process.communicate()
    closed = contained.executor(network="gateway").network
    assert closed is not None
    assert closed.name in _firewall()
    ended = contained.run("clean")

    assert ended.status == 0, ended.text
    lines = ended.out.splitlines()
    assert sorted(line.rpartition(" of ")[2] for line in lines[:-1]) == [
        "asked",
        "gateway subject",
        f"removed the network {closed.name}",
        "server",
    ]
    assert lines[-1] == "4 removed"
    assert closed.name not in _firewall()
    assert contained.run("clean").out == "nothing to clean\n"
    contained.clean()


def test_interrupt(contained: Contained) -> None:
    """Ctrl-C ends the containers, and records their outputs."""
    contained.asks('leave("early.json", 1)\nprint("begun", flush=True)\n' + WAITING)
    process = contained.start()
    logs = contained.root / ".evalmake" / "work"
    wait_for(lambda: any(b"begun" in path.read_bytes() for path in logs.glob("*/log")))
    process.terminate()
    ended = end(process)

    assert ended.status == 130, ended.text
    [attempt] = contained.attempts()
    assert (attempt.status, attempt.detail) == ("cancelled", "interrupted")
    assert {"early.json", "log"} <= {output.name for output in attempt.outputs}
    contained.clean()


def test_key_is_nowhere(contained: Contained) -> None:
    """A model's key is in no container's configuration, in no file of the workspace, and not shown."""
    key = "sk-0123456789-only-the-gateway-has-it"
    upstream = Upstream(lambda seen: [http_reply(chat_completion("you said hello"))])
    contained.asks(
        'leave("env.json", dict(os.environ))\n' + SCORED + WAITING,
        model=f'endpoint = "{upstream.url}", name = "m", api_key = secret("KEY")',
    )
    process = contained.start(env={"KEY": key})
    logs = contained.root / ".evalmake" / "work"
    wait_for(lambda: any(b"heard" in path.read_bytes() for path in logs.glob("*/log")))
    [one] = contained.containers()
    shown = json.dumps(contained.engine.api().inspect_container(one["Id"]))
    (contained.shared / "go").touch()
    ended = end(process)

    assert ended.status == 0, ended.text
    assert contained.scores() == {"asked": [1.0]}
    assert [seen.header(b"authorization") for seen in upstream.received] == [f"Bearer {key}".encode()]
    assert key not in shown + ended.text
    files = [path for path in contained.root.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not any(key.encode() in path.read_bytes() for path in files)
    contained.clean()


PROBING = """\
import socket
from concurrent.futures import ThreadPoolExecutor

def reached(place):
    try:
        socket.create_connection(place, 3).close()
        return True
    except OSError:
        return False

def answered(server):
    name = b"".join(bytes([len(part)]) + part for part in b"deb.debian.org".split(b".")) + bytes(1)
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.settimeout(3)
    try:
        asking.sendto(bytes([1, 2, 1, 0, 0, 1, *[0] * 6]) + name + bytes([0, 1, 0, 1]), (server, 53))
        return asking.recv(512)[6:8] != bytes(2)
    except OSError:
        return False

here = os.environ["EVALMAKE_MODEL_URL"].split("/")[2].split(":")[0]
others = json.load(open("/shared/others.json"))
places = {
    "this host": [(host, others["port"]) for host in (here, *others["hosts"])],
    "elsewhere": [(host, 443) for host in others["elsewhere"]],
    "neighbours": [(here.rsplit(".", 1)[0] + f".{n}", 8000) for n in range(2, 60)],
}
with ThreadPoolExecutor(64) as pool:
    names = pool.submit(answered, "127.0.0.11")
    found = {kind: pool.map(reached, those) for kind, those in places.items()}
    counts = {kind: sum(those) for kind, those in found.items()}
leave("reached.json", {**counts, "gateway": ask("hello"), "names": names.result()})
leave("scores.json", {"asked": 1.0})
"""


def test_closed_network(contained: Contained) -> None:
    """With `network = gateway`, a job reaches only the gateway: no server, no other port of this host, no internet."""
    contained.asks(PROBING, more="network = gateway", eval="seed in 1..2")
    with socket.create_server(("0.0.0.0", 0)) as stranger:
        others = {
            "hosts": [ADDRESS, _own_address()],
            "port": stranger.getsockname()[1],
            "elsewhere": ["192.0.2.1", "1.1.1.1"],
        }
        (contained.shared / "others.json").write_text(json.dumps(others))
        ended = contained.run()

    assert ended.status == 0, ended.text
    for attempt in contained.attempts():
        found = _output(contained, attempt, "reached.json")
        assert found == {
            "gateway": "you said hello",
            "this host": 0,
            "elsewhere": 0,
            "names": False,
            "neighbours": 0,
        }
    closed = contained.executor(network="gateway").network
    assert closed is not None
    assert closed.name not in json.dumps(contained.engine.api().networks()) + _firewall()
    contained.clean()


def test_open_network(contained: Contained) -> None:
    """With an open network, the same probes reach the ports of this host, so they can detect a leak."""
    contained.asks(PROBING)
    with socket.create_server(("0.0.0.0", 0)) as stranger:
        others = {"hosts": [], "port": stranger.getsockname()[1], "elsewhere": []}
        (contained.shared / "others.json").write_text(json.dumps(others))
        ended = contained.run()

    assert ended.status == 0, ended.text
    [attempt] = contained.attempts()
    found = _output(contained, attempt, "reached.json")
    assert found["this host"] == 1
    assert found["neighbours"] >= 1


def test_network_that_cannot_be_closed(contained: Contained, tmp_path: Any) -> None:
    """Without iptables a closed network is refused, and nothing is left."""
    contained.asks(more="network = gateway", model='endpoint = "http://127.0.0.1:9/v1", name = "m"')
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to("/bin/sh")
    ended = contained.run(env={"PATH": str(tmp_path / "bin")})

    assert ended.status == 2
    assert (
        "asked could not be started: executor box: `network = gateway` is not possible: "
        "it takes iptables, as root, to close this host to containers [job-failed]"
    ) in ended.err
    contained.clean()


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def _output(bench: Contained, attempt: Any, name: str) -> Any:
    with bench.store() as store:
        data = store.blob({o.name: o.sha256 for o in attempt.outputs}[name])
    assert data is not None
    return json.loads(data)


def _firewall() -> str:
    import subprocess

    return subprocess.run(["iptables", "-S"], check=True, capture_output=True, text=True).stdout


def test_pictures_reach_the_container(contained: Contained) -> None:
    """Pictures that records name are among the files of a job in a container."""
    more = f'mounts = ["{PACKAGE}:/src/evalmake", "{packages()}:/packages"]'
    more += '\n    env = { PYTHONPATH = "/src:/packages" }'
    contained.evalfile(
        f"""
        executor box {{
            backend = docker
            host    = "{contained.engine.url}"
            image   = "{BASE}"
            {more}
        }}
        deployment stand-in {{
            engine   = mock
            image    = "{BASE}"
            executor = box
        }}
        model stand-in {{
            deployment = stand-in
            api        = vlm
        }}
        """,
        SUMS.replace("scorer", 'image   = "pics/{picture}.png"\n        scorer'),
        "eval asked { model = stand-in, benchmark = sums, executor = box }\n",
    )
    rows = [{"question": f"What is {n} + 1?", "answer": n + 1, "picture": n} for n in range(4)]
    (contained.root / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (contained.root / "pics").mkdir()
    for number in range(4):
        (contained.root / "pics" / f"{number}.png").write_bytes(png(number))
    ended = contained.run()

    assert ended.status == 0, ended.text
    assert contained.scores() == {"asked": [1.0]}
