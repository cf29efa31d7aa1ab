"""Builds in which only what scores has changed: they score stored replies again and ask nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from evalmake.planner.action import ActionResult
from evalmake.scoring.cost import read_cost
from tests.support.mock_servers import count_requests, mock_server
from tests.support.workspaces import Bench, end, kill, wait_for

EVALFILE = """\
model m {{
    endpoint = "{url}/v1"
    name     = "mock"
    price    = {{ in = $1/Mtok, out = $1/Mtok }}
}}
benchmark sums {{
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{{question}}"
    target  = "{{answer}}"
    scorer  = number
}}
eval e {{
    model     = m
    benchmark = sums
}}
"""
SCORER = "def score(record, reply, target):\n    return str(target) in reply\n"


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[str]:
    """The root URL of a model that is right in 80 % of sums."""
    with mock_server({"skill": 0.8, "seed": 1}, tmp_path / "port") as url:
        yield url


@pytest.fixture
def asked(bench: Bench, mock: str) -> Bench:
    """A workspace with the result of 20 sums."""
    bench.sums()
    bench.evalfile(EVALFILE.format(url=mock))
    assert bench.run().status == 0
    return bench


def last(bench: Bench) -> ActionResult:
    """The latest attempt."""
    return max(bench.attempts(), key=lambda one: one.finished)


def plain(samples: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    """Samples without how long the replies took."""
    return [{key: value for key, value in one.items() if key != "latency"} for one in samples]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("scorer  = number", "scorer  = exact"),
        ("scorer  = number", "scorer  = [number, contains]"),
        ("scorer  = number", "scorer  = number\n    extract = '(\\d+)'"),
        ("scorer  = number", "scorer  = regex\n    pattern = '\\d+'"),
        ("scorer  = number", 'checks = [{ type = contains, value = "{answer}" }]'),
        ("scorer  = number", 'scorer = python\n    scorer_file = file("score.py")'),
        ("scorer  = number", 'scorer = number\n    id = "question"'),
        ("{answer}", "1{answer}"),
    ],
)
def test_what_only_scores(asked: Bench, mock: str, old: str, new: str) -> None:
    """A change of scorer, extraction, checks, function, id or target sends nothing, and gives what asking would."""
    (asked.root / "score.py").write_text(SCORER)
    first, before = last(asked), count_requests(mock)
    asked.edit(old, new)
    assert "score again, 20 stored replies" in (planned := asked.run("-n").text)
    assert "1 to score again on local" in planned
    ran = asked.run()
    assert ran.status == 0, ran.text
    assert "no request reached" not in ran.text
    assert count_requests(mock) == before
    again = last(asked)
    assert again.facts["replies-of"] == f"{first.action}/1"
    assert again.usage["stored_replies"] == 20
    assert again.usage["requests"] == 0
    assert again.usage["tokens_in"] == first.usage["tokens_in"]
    assert not any(read_cost(again.usage).values())
    assert json.loads(asked.output(again, "*attempt.json"))["replies"]["attempt"] == f"{first.action}/1"
    assert "nothing to do" in asked.run().text
    asked.run("-B")
    assert count_requests(mock) == before + 20
    assert "replies-of" not in last(asked).facts
    assert plain(asked.samples(last(asked))) == plain(asked.samples(again))
    assert [one.value for one in last(asked).scores] == [one.value for one in again.scores]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"{question}"', '"Say: {question}"'),
        ("benchmark = sums\n", "benchmark = sums\n    limit = 10\n"),
        ("benchmark = sums\n", "benchmark = sums\n    params = { temperature = 0.5 }\n"),
        ('name     = "mock"', 'name     = "other"'),
    ],
)
def test_what_asks(asked: Bench, old: str, new: str) -> None:
    """A change of what is sent asks, also together with one of what scores."""
    asked.edit(old, new)
    asked.edit("scorer  = number", "scorer  = exact")
    assert "score again" not in asked.run("-n").text
    assert asked.run().status == 0
    assert "replies-of" not in last(asked).facts


def test_scored_twice_again(asked: Bench, mock: str) -> None:
    """The replies of a second scoring are still those of the attempt that asked."""
    first = last(asked)
    for scorer in ("exact", "contains"):
        asked.edit("scorer  =", f"scorer  = {scorer} #")
        asked.run()
        assert last(asked).facts["replies-of"] == f"{first.action}/1"
    assert count_requests(mock) == 20
    [row] = [one for one in json.loads(asked.run("history", "--json").out) if one["replies_of"]][:1]
    assert row["replies_of"] == f"{first.action}/1"
    assert "20 stored replies scored again" in asked.run("history").out
    assert "scored stored replies again and asked for none" in asked.run("audit", "e").out
    assert asked.run("results").status == 0


def test_another_judge_asks_the_judge_alone(bench: Bench, mock: str, tmp_path: Path) -> None:
    """Neither the server of the model nor its gateway starts where another judge grades its replies."""
    bench.sums()
    text = EVALFILE.replace('endpoint = "{url}/v1"', "deployment = d").replace("scorer  = number", "scorer = judge")
    bench.evalfile(
        text.replace("prompt", "judge = JUDGE\n    prompt").format(url=mock),
        "deployment d { engine = mock }\nJUDGE = one\n",
        *(
            f'model {name} {{ endpoint = "{mock}/v1" name = "{name}" }}\n'.replace("{ ", "{\n").replace(
                " name", "\nname"
            )
            for name in ("one", "two")
        ),
    )
    ran = bench.run()
    assert ran.status == 0, ran.text
    assert "deployment d: ready" in ran.err
    assert count_requests(mock) == 20
    ran = bench.run("JUDGE=two")
    assert ran.status == 0, ran.text
    assert "deployment d" not in ran.err
    assert count_requests(mock) == 40
    assert last(bench).usage["stored_replies"] == 20
    assert last(bench).usage["judge_requests"] == 20


def test_more_replies_than_are_stored(bench: Bench, mock: str) -> None:
    """A rule that wants more replies than are stored asks for the rest in the same build, and says so."""
    bench.sums(400)
    bench.evalfile(EVALFILE.format(url=mock))
    bench.edit("benchmark = sums\n", "benchmark = sums\n    until = decided\n    require accuracy >= 50%\n")
    assert bench.run().status == 0
    before = count_requests(mock)
    assert before < 200
    bench.edit("scorer  = number", 'scorer  = python\n    scorer_file = file("score.py")')
    (bench.root / "score.py").write_text("def score(record, reply, target):\n    return int(target) % 4 == 1\n")
    ran = bench.run()
    assert "asks after all" in ran.text
    assert before < count_requests(mock) <= 400
    assert "replies-of" not in last(bench).facts
    bench.clean()


def test_fewer_replies_than_are_stored(bench: Bench, mock: str) -> None:
    """A rule that is content with the stored replies, or with some of them, asks nothing."""
    bench.sums(400)
    bench.evalfile(EVALFILE.format(url=mock))
    bench.edit("benchmark = sums\n", "benchmark = sums\n    until = decided\n    require accuracy >= 50%\n")
    assert bench.run().status == 0
    before = count_requests(mock)
    bench.edit("scorer  = number", "scorer  = contains")
    assert bench.run().status == 0
    assert count_requests(mock) == before
    assert last(bench).usage["stopped_after"] == last(bench).usage["stored_replies"]


def test_a_kill_while_scoring(asked: Bench, mock: str) -> None:
    """A build that is killed while it scores leaves nothing behind that keeps the next one from scoring again."""
    slow = """\
        import os, time

        def score(record, reply, target):
            while not os.path.exists(GO):
                time.sleep(0.05)
            return 1
    """
    (asked.root / "score.py").write_text(dedent(slow).replace("GO", repr(str(asked.root / "go"))))
    asked.edit("scorer  = number", 'scorer  = python\n    scorer_file = file("score.py")')
    process = asked.start()
    wait_for(lambda: asked.journal_entries() != [])
    kill(process.pid)
    end(process)
    (asked.root / "go").touch()
    assert asked.run().status == 0
    assert count_requests(mock) == 20
    assert last(asked).usage["stored_replies"] == 20
    asked.clean()


def test_a_scorer_that_reads_the_whole_reply(asked: Bench, mock: str) -> None:
    """Samples have whole messages only where a scorer read them: one that now does so asks the reply cache."""
    (asked.root / "score.py").write_text("def score(record, text, target, reply):\n    return bool(reply.message)\n")
    asked.edit("scorer  = number", 'scorer  = python\n    scorer_file = file("score.py")')
    ran = asked.run()
    assert "reads the whole message" in ran.text
    assert last(asked).usage["requests"] == 20
    assert last(asked).scores[0].value == 1
    assert count_requests(mock) == 20, "the reply cache has them"
    (asked.root / "score.py").write_text("def score(record, text, target, reply):\n    return not reply.message\n")
    asked.run()
    assert last(asked).usage["stored_replies"] == 20
    assert last(asked).scores[0].value == 0


def test_damaged_samples(asked: Bench, mock: str) -> None:
    """Where the stored samples are lost, their evaluation asks, which `-n` says."""
    [sha256] = [one.sha256 for one in last(asked).outputs if one.name == "samples.jsonl"]
    with asked.store() as store:
        store.remove_entry(f"blob/{sha256}")
    asked.edit("scorer  = number", "scorer  = exact")
    assert "ask and score, as the last result is damaged" in asked.run("-n").text
    assert asked.run().status == 0
    assert last(asked).usage["requests"] == 20


def test_evidence(asked: Bench, tmp_path: Path) -> None:
    """`verify` proves evidence of replies that were scored again; it counts everything of the record again."""
    asked.edit("scorer  = number", "scorer  = contains")
    (asked.root / "Evalfile").open("a").write(
        'report proof {\n    of = [e]\n    format = in-toto\n    path = "proof"\n    sign = file("audit.key")\n}\n'
    )
    asked.run("key", "new", "audit")
    assert (ran := asked.run("e", "proof")).status == 0, ran.text
    assert last(asked).usage["stored_replies"] == 20
    checked = asked.run("verify", "proof", "--key", "audit.pub")
    assert checked.status == 0, checked.text
