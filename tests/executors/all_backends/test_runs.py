"""Every plan of evalmake's own harnesses that the page `what-works-where` says `yes` to runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.executors.all_backends.matrix import DEPLOYED, ELSEWHERE, LOOPBACK, MODEL, NEEDS_IMAGE, SERVICES
from tests.executors.all_backends.places import BACKENDS, Places
from tests.executors.all_backends.test_matrix import PAGE
from tests.support.docker_engine import ADDRESS, BASE
from tests.support.mock_servers import mock_server
from tests.support.workspaces import SUMS

ROOM = "resources = { memory = 400MiB }"
ASKING = """\
import json, os, urllib.request

def ask(text):
    head = {"Authorization": "Bearer " + os.environ["EVALMAKE_API_KEY"], "Content-Type": "application/json"}
    messages = [{"role": "user", "content": text}]
    body = {"model": os.environ["EVALMAKE_MODEL_NAME"], "messages": messages}
    url = os.environ["EVALMAKE_MODEL_URL"] + "/chat/completions"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), head)) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]

with open(os.environ["EVALMAKE_OUT"] + "/scores.json", "w") as file:
    json.dump({"accuracy": float("42" in ask("What is 20 + 22?"))}, file)
"""
COMMAND = """\
benchmark asking {
    harness = command
    files   = file("asking.py")
    run     = "python3 data/asking.py"
}
"""
EVAL = """\
eval asked {{
    model     in [{models}]
    benchmark in [sums, asking]
    executor  = {where}
    {room}
}}
"""


def works(backend: str) -> list[str]:
    """The models that the page says `yes` to, for evaluations on a backend."""
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    found = [row[1] for row in rows if row[0] == f"| {backend}" and row[1] in SERVICES]
    assert len(found) == len(SERVICES)
    return [row[1] for row in rows if row[0] == f"| {backend}" and row[2:4] == ["yes", "yes"]]


def declared(service: str, name: str, urls: dict[str, str]) -> str:
    """A model of that kind, by this name, and its deployment, where it has one."""
    if service in urls:
        return MODEL.format(url=f"{urls[service]}/v1").replace("model subject", f"model {name}")
    [executor] = [key for key, backend in BACKENDS.items() if f"`{backend}`" in service]
    image = f'image = "{BASE}"' if executor in NEEDS_IMAGE else ""
    apart = f'env = {{ WHICH = "{name}" }}'  # or two of them are one and the same
    text = DEPLOYED.format(executor=executor, image=f"{image}\n    {ROOM}\n    {apart}")
    return text.replace("subject", name).replace("server", f"{name}-server")


@pytest.mark.parametrize("where", BACKENDS)
def test_runs(places: Places, tmp_path: Path, where: str) -> None:
    """Every method of each executor behaves as its interface says."""
    services = works(BACKENDS[where])
    names = {f"m{at}": service for at, service in enumerate(services)}
    with (
        mock_server({}, tmp_path / "here-port") as here,
        mock_server({}, tmp_path / "there-port", host=ADDRESS) as there,
    ):
        urls = {LOOPBACK: here, ELSEWHERE: there}
        models = [declared(service, name, urls) for name, service in names.items()]
        asked = EVAL.format(models=", ".join(names), where=where, room=ROOM)
        bench = places.bench(tmp_path / "work", *models, SUMS, COMMAND, asked)
        (bench.root / "asking.py").write_text(ASKING)
        done = bench.run()
    assert done.status == 0, done.text
    wanted = {f"asked/{name}/{benchmark}" for name in names for benchmark in ("sums", "asking")}
    assert bench.scores() == {name: [1.0] for name in wanted}
    for attempt in bench.attempts():
        asked_of_it = json.loads(bench.output(attempt, "gateway/usage.json"))
        assert asked_of_it["requests"] == (10 if attempt.name.endswith("sums") else 1)
    bench.clean()
    state = places.lepton.state()
    assert [*state["listed"], *state["endpoints_now"], *state["secrets"]] == []
