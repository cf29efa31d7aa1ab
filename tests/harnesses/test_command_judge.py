"""A judge of one's own program: a second model behind a gateway of its own."""

from __future__ import annotations

import json

import pytest

from tests.support.http_replies import chat_completion, http_reply
from tests.support.scripted_upstream import ReceivedRequest, Upstream
from tests.support.workspaces import Bench

EVALFILE = """
model subject {{ endpoint = "{url}", name = "subject" }}
model grader {{ endpoint = "{url}", name = "grader", params = {{ temperature = 0.25 }} }}
benchmark rag {{
    harness = command
    files   = file("rag.py")
    run     = "python3 data/rag.py"
    judge   = grader
}}
eval rag {{ model = subject, benchmark = rag }}
"""
RAG = """\
import json, os, urllib.request

def ask(role, key, text):
    name, url = os.environ[f"EVALMAKE_{role}_NAME"], os.environ[f"EVALMAKE_{role}_URL"] + "/chat/completions"
    body = {"model": name, "messages": [{"role": "user", "content": text}]}
    head = {"Authorization": "Bearer " + os.environ[key], "Content-Type": "application/json"}
    sent = urllib.request.Request(url, json.dumps(body).encode(), head)
    return json.load(urllib.request.urlopen(sent))["choices"][0]["message"]["content"]

said = ask("MODEL", "EVALMAKE_API_KEY", "hello")
assert os.environ["EVALMAKE_JUDGE_API"] == "chat"
grade = ask("JUDGE", "EVALMAKE_JUDGE_API_KEY", "grade: " + said)
with open(os.environ["EVALMAKE_OUT"] + "/scores.json", "w") as file:
    json.dump({"correct": float(grade)}, file)
"""


def reply(seen: ReceivedRequest) -> list[bytes]:
    """A model that says hello, and a judge that gives half a mark."""
    return [http_reply(chat_completion("0.5" if json.loads(seen.body)["model"] == "grader" else "hello"))]


@pytest.fixture
def upstream(bench: Bench) -> Upstream:
    """Model and judge behind one server, and the Evalfile that names them."""
    server = Upstream(reply)
    bench.evalfile(EVALFILE.format(url=server.url))
    bench.job(RAG, "rag.py")
    return server


def test_the_judge_is_asked_through_its_own_gateway(bench: Bench, upstream: Upstream) -> None:
    """Both are counted apart, the judge with its own parameters, and its replies come from the cache again."""
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert bench.scores() == {"rag": [0.5]}
    assert [(body["model"], body.get("temperature")) for body in upstream.bodies] == [
        ("subject", None),
        ("grader", 0.25),
    ]
    [attempt] = bench.attempts()
    for folder in ("gateway", "gateway-judge"):
        assert json.loads(bench.output(attempt, f"{folder}/usage.json"))["requests"] == 1
    bench.job(RAG + "# changed\n", "rag.py")
    assert bench.run().status == 0
    assert len(upstream.bodies) == 2
    bench.clean()


def test_another_judge_is_another_benchmark(bench: Bench, upstream: Upstream) -> None:
    """The judge is part of the identity."""
    assert bench.run().status == 0
    bench.edit('name = "grader"', 'name = "grader", revision = "2"')
    assert "judge" in bench.run("why", "rag").out


def test_a_judge_that_is_asked_nothing_is_an_error(bench: Bench, upstream: Upstream) -> None:
    """A score stands as graded by a judge only if the judge was asked, or if the adapter accepts it."""
    score = """echo '{"correct": 1}' > $EVALMAKE_OUT/scores.json\n"""
    bench.job(score, "rag.sh")
    bench.edit('file("rag.py")', 'file("rag.sh")')
    bench.edit("python3 data/rag.py", "sh data/rag.sh")
    ended = bench.run()
    assert ended.status != 0
    assert "it sent its judge no request: its program asked another judge, or none" in ended.text
    bench.edit("judge   = grader", "judge   = grader, adapter = { requests = any }")
    assert bench.run().status == 0
    assert bench.scores() == {"rag": [1.0]}
    assert upstream.bodies == []
