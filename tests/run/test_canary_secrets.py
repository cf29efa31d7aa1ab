"""Canary secrets: a job hunts for them, a server repeats them, and nobody finds them who must not have them."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator

import pytest

from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply
from tests.support.scripted_upstream import ReceivedRequest, Script, Step, Upstream
from tests.support.workspaces import Bench

# Random, because the hunt also meets the processes of tests that run beside it.
KEY = f"sk-canary-{secrets.token_hex(8)}"
HEADER = f"hc-canary-{secrets.token_hex(8)}"
GIVEN = f"gv-canary-{secrets.token_hex(8)}"

EVALFILE = """\
    executor here {{
        backend = process
        env     = {{ GIVEN_TOKEN = secret("CANARY_GIVEN") }}
    }}
    model remote {{
        endpoint = "{url}"
        name     = "m"
        api_key  = secret("CANARY_KEY")
        headers  = {{ "X-Canary" = secret("CANARY_HEADER") }}
        adapter  = {{ retry = 0, log = 9 }}
    }}
    benchmark hunter {{
        harness  = command
        files    = file("job.py")
        run      = "python3 data/job.py"
        coverage = 50%
    }}
    eval hunt {{
        model     = remote
        benchmark = hunter
        executor  = here
    }}
"""

JOB = """\
import http.client, json, os
from pathlib import Path
from urllib.parse import urlsplit

CANARIES = [word[::-1].encode() for word in {reversed}]
url = urlsplit(os.environ["EVALMAKE_MODEL_URL"])
head = {{"Authorization": "Bearer " + os.environ["EVALMAKE_API_KEY"], "Content-Type": "application/json"}}
seen = b"got " + os.environ["GIVEN_TOKEN"].encode()
for number in range(5):
    body = {{"model": "m", "n_th": number, "stream": True, "messages": [{{"role": "user", "content": "?"}}]}}
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    connection.request("POST", url.path + "/chat/completions", json.dumps(body), head)
    try:
        reply = connection.getresponse()
        seen += repr(reply.getheaders()).encode() + reply.read()
    except http.client.HTTPException as error:
        seen += getattr(error, "partial", b"")
found = ["a reply"] if any(canary in seen for canary in CANARIES) else []


def hunt(path):
    try:
        data = path.read_bytes()
    except OSError:
        return
    if any(canary in data for canary in CANARIES):
        found.append(str(path))


for process in Path("/proc").glob("[0-9]*"):
    hunt(process / "environ")
    hunt(process / "cmdline")
parent = Path("/proc", str(os.getppid()), "stat").read_text().split()[3]  # the shell of the job, above that of `run`
CANARIES.append(os.environ["GIVEN_TOKEN"].encode())
hunt(Path("/proc", parent, "environ"))
CANARIES.pop()
for path in Path("../../..").rglob("*"):
    if path.is_file() and path.name != "Evalfile":
        hunt(path)
out = Path(os.environ["EVALMAKE_OUT"])
(out / "seen.txt").write_bytes(seen)
(out / "found.json").write_text(json.dumps(found))
(out / "scores.json").write_text(json.dumps({{"accuracy": 0.0 if found else 1.0}}))
print("found", found, "and was given", os.environ["GIVEN_TOKEN"], flush=True)
"""


def echo() -> Script:
    """A server that repeats what it is sent: in a body, headers, an error, a split stream, and token by token."""

    def script(seen: ReceivedRequest) -> list[Step]:
        key, header = (seen.header(name) or b"" for name in (b"authorization", b"x-canary"))
        text = f"{key.decode()} {header.decode()}"
        assert KEY in text
        assert HEADER in text
        half = len(text) // 4
        words = [chat_event(text[at : at + 3]) for at in range(0, len(text), 3)]
        return [
            [http_reply(chat_completion(text))],
            [http_reply(chat_completion("7"), x_echo=text, **{f"x_{header.decode()}": "1"})],
            [http_reply({"error": {"message": text}}, 400)],
            [*chunked_reply(b"data: " + text[:half].encode(), text[half:].encode() + b"\n\n", DONE)],
            [*chunked_reply(*words, chat_event(finish="stop"), DONE)],
        ][json.loads(seen.body)["n_th"]]

    return script


@pytest.fixture
def lax_umask() -> Iterator[None]:
    """The laxest umask that a user may have."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("lax_umask")
def test_a_hunt(bench: Bench) -> None:
    """A job finds no key and no secret header, in no process, file or reply; what it was given is in no record."""
    bench.env |= {"CANARY_KEY": KEY, "CANARY_HEADER": HEADER, "CANARY_GIVEN": GIVEN, "SAME_KEY": f"Bearer {KEY}"}
    bench.forks = False  # the keys are in the environment that it starts with
    bench.evalfile(EVALFILE.format(url=Upstream(echo()).url))
    bench.job(JOB.format(reversed=[KEY[::-1], HEADER[::-1]]), "job.py")
    ended = bench.run("-v")
    logs = bench.run("logs", "hunt")
    assert ended.status == 0, ended.text
    assert "found [] and was given [secret CANARY_GIVEN]" in logs.text
    texts = [ended.text.encode(), logs.text.encode()]
    texts += [path.read_bytes() for path in bench.root.rglob("*") if path.is_file() and path.name != "job.py"]
    for canary in (KEY, HEADER, GIVEN):
        assert not any(canary.encode() in text for text in texts)


ANCESTORS = """\
import json, os
from pathlib import Path

pid, variables = os.getpid(), {}
while b"evalmake\\0" not in (Path("/proc") / str(pid) / "cmdline").read_bytes():
    status = (Path("/proc") / str(pid) / "status").read_text()
    pid = int(status.partition("PPid:")[2].split()[0])
words = (Path("/proc") / str(pid) / "environ").read_bytes().decode(errors="replace").split("\\0")
variables = dict(word.split("=", 1) for word in words if "=" in word)
print(variables["PLAIN_WORD"], [variables[name] for name in ("CANARY_KEY", "CANARY_HEADER", "CANARY_GIVEN")])
(Path(os.environ["EVALMAKE_OUT"]) / "scores.json").write_text(json.dumps({"accuracy": 1}))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into evalmake's process at all")
def test_the_process_of_a_build(bench: Bench) -> None:
    """The environment of evalmake itself shows no secret while jobs run."""
    bench.env |= {"CANARY_KEY": KEY, "CANARY_HEADER": HEADER, "CANARY_GIVEN": GIVEN, "PLAIN_WORD": "stays"}
    bench.forks = False
    bench.evalfile(EVALFILE.format(url="http://127.0.0.1:9/v1"))
    bench.job(ANCESTORS, "job.py")
    ended = bench.run("-v")
    assert ended.status == 0, ended.text + bench.run("logs", "hunt").text
    assert "stays ['', '', '']" in bench.run("logs", "hunt").text
