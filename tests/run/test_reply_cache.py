"""The reply cache in whole builds: what is asked again, and what is not."""

from __future__ import annotations

import json

from tests.run.request_evalfiles import ASKED, SAMPLER, SENDS, model, output
from tests.support.http_replies import numbered_replies
from tests.support.mock_servers import read_stats
from tests.support.scripted_upstream import Upstream
from tests.support.workspaces import SUMS, Bench


def build_samples(bench: Bench) -> tuple[Upstream, list[str]]:
    """A model whose every reply is another one, and its replies to ten equal requests of a build."""
    upstream = Upstream(numbered_replies())
    bench.evalfile(model(upstream.url), SAMPLER, ASKED.replace("sums", "sampler"))
    bench.job(SENDS, "job.py")
    assert bench.run().status == 0
    return upstream, output(bench, "replies.json")


def test_ten_samples_stay_ten(bench: Bench) -> None:
    """Ten equal requests at temperature 1 get ten replies; a second run gets the same ten from the cache."""
    upstream, first = build_samples(bench)
    bench.job(SENDS + "# scored otherwise\n", "job.py")
    assert bench.run().status == 0

    assert first == sorted(f"sample {at}" for at in range(10))
    assert output(bench, "replies.json") == first
    assert len(upstream.received) == 10
    assert [(a.usage["requests"], a.usage.get("cached", 0)) for a in bench.attempts()] == [
        (10, 0),
        (10, 10),
    ]


def test_always_asks_anew(bench: Bench) -> None:
    """-B adds an attempt with new samples."""
    upstream, first = build_samples(bench)
    assert bench.run("-B").status == 0

    assert len(upstream.received) == 20
    assert not set(output(bench, "replies.json")) & set(first)


def test_no_two_models_and_prompts_share_a_reply(bench: Bench) -> None:
    """Models with another name, revision or endpoint, and other prompts, share no cached reply."""
    upstream, other = Upstream(numbered_replies()), Upstream(numbered_replies("other {}".format))
    models = {
        "a": (upstream.url, ""),
        "b": (upstream.url, 'revision = "2"'),
        "c": (other.url, ""),
    }
    texts = [model(url, more, name) for name, (url, more) in models.items()]
    texts.append(model(upstream.url, "", "d").replace('"subject"', '"another"'))
    bench.evalfile(
        *texts,
        SAMPLER,
        'benchmark else from sampler { run = "PROMPT=other python3 data/job.py" }\n',
        "eval asked { model in [a, b, c, d]\n benchmark in [sampler, else] }\n",
    )
    bench.job(SENDS, "job.py")
    assert bench.run("-j", "4").status == 0
    assert (len(upstream.received), len(other.received)) == (60, 20)


def test_cache_false(bench: Bench, mock: str) -> None:
    """With `cache = false` no cached reply is used, and none is stored."""
    bench.evalfile(model(f"{mock}/v1", "adapter = { cache = false }"), SUMS, ASKED)
    bench.sums(5)
    bench.run()
    bench.edit('prompt  = "{question}"', 'prompt  = "{question}"\n        coverage = 0.9')
    bench.run("-B")
    assert read_stats(mock)["requests"] == 10


def test_a_cache_that_cannot_be_used(bench: Bench, mock: str) -> None:
    """Where the cache cannot be used, evaluations go on, and one warning says why."""
    bench.evalfile(model(f"{mock}/v1"), SUMS, ASKED.replace("benchmark", "seed in 1..2\n benchmark"))
    bench.sums(5)
    folder = bench.root / ".evalmake/store/replies"
    folder.mkdir(parents=True)
    (folder / "cache.db").write_text("no database" * 1000)
    ended = bench.run()

    assert ended.status == 0, ended.text
    assert ended.err.count("warning: the reply cache cannot be used: ") == 1
    assert sorted(bench.scores()) == ["asked/1", "asked/2"]


def test_a_report_tells_what_was_replayed(bench: Bench, mock: str) -> None:
    """Reports say how many of the replies came from the cache."""
    report = 'report card {{ of = [asked], path = "card.{0}", format = {0} }}\n'
    bench.evalfile(
        model(f"{mock}/v1"),
        SUMS,
        ASKED,
        report.format("json"),
        'report text { of = [asked], path = "card.md" }\n',
    )
    bench.edit("benchmark = sums", "benchmark = sums\n        limit = 3")
    bench.sums(9)
    bench.run()
    bench.edit("limit = 3", "limit = 8")
    assert bench.run().status == 0

    (result,) = json.loads((bench.root / "card.json").read_text())["results"]
    assert (result["usage"]["requests"], result["usage"]["cached"]) == (8, 3)
    assert "8 requests, 3 of them answered from the cache" in (bench.root / "card.md").read_text()
    assert read_stats(mock)["requests"] == 8
