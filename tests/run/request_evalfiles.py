"""Evalfiles whose evaluations send requests to a scripted model, by different harnesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.workspaces import Bench

KEY = "sk-0123456789-only-the-gateway-has-it"
MODEL = """\
    model subject {{
        endpoint = "{url}"
        name     = "subject"
        {more}
    }}
"""
ASKED = """\
    eval asked {
        model     = subject
        benchmark = sums
    }
"""
SAMPLER = """\
    benchmark sampler {
        harness = command
        files   = file("job.py")
        run     = "python3 data/job.py"
    }
"""
"""A harness that sends what `SENDS` says, and leaves the replies."""

SENDS = """\
import json, os, urllib.request
from concurrent.futures import ThreadPoolExecutor

url, token = os.environ["EVALMAKE_MODEL_URL"], os.environ["EVALMAKE_API_KEY"]
def ask(body):
    head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    sent = urllib.request.Request(url + "/chat/completions", json.dumps(body).encode(), head)
    with urllib.request.urlopen(sent) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]
prompt = os.environ.get("PROMPT", "Say something.")
body = {"model": "m", "messages": [{"role": "user", "content": prompt}], "temperature": 1}
with ThreadPoolExecutor(4) as threads:
    replies = list(threads.map(ask, [body] * 10))
with open(os.environ["EVALMAKE_OUT"] + "/replies.json", "w") as file:
    json.dump(sorted(replies), file)
with open(os.environ["EVALMAKE_OUT"] + "/scores.json", "w") as file:
    json.dump({"distinct": len(set(replies))}, file)
"""


def model(url: str, more: str = "", name: str = "subject") -> str:
    """The declaration of a model."""
    return MODEL.format(url=url, more=more).replace("model subject", f"model {name}")


def output(bench: Bench, name: str, attempt: int = -1) -> Any:
    """The JSON of an output of an attempt, by default the last."""
    made = bench.attempts()[attempt]
    with bench.store() as store:
        data = store.blob({o.name: o.sha256 for o in made.outputs}[name])
    assert data is not None
    return json.loads(data)


CARELESS = """\
import json, os, time, urllib.request
url, token = os.environ["EVALMAKE_MODEL_URL"], os.environ["EVALMAKE_API_KEY"]
def ask(at):
    body = {"model": "m", "messages": [{"role": "user", "content": f"q {at}"}], "temperature": 1}
    head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    sent = urllib.request.Request(url + "/chat/completions", json.dumps(body).encode(), head)
    try:
        with urllib.request.urlopen(sent, timeout=60) as reply:
            return json.load(reply)["choices"][0]["message"]["content"]
    except OSError:
        return ""
done = []
for at in range(10):
    if at == 3 and os.environ["EVALMAKE_SEED"] != "9":
        open("../../../up", "w").close()
        while not os.path.exists("../../../go"): time.sleep(0.02)
    done.append(ask(at))
print(done)
with open(os.environ["EVALMAKE_OUT"] + "/scores.json", "w") as file:
    json.dump({"accuracy": sum(map(bool, done)) / 10}, file)
"""
"""Scores what it was not answered as wrong; waits in the middle, unless its seed is 9, for `go`."""


def holders(root: Path, secret: str) -> list[str]:
    """The files below `root` that contain a secret, except session files."""
    files = [p for p in root.rglob("*") if p.is_file() and p.parent.name != "sessions"]
    return [str(p) for p in files if secret.encode() in p.read_bytes()]
