"""The gateway between evaluations and models: requests, cache, limits and keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.run.request_evalfiles import ASKED, KEY, SAMPLER, SENDS, holders, model, output
from tests.support.mock_servers import mock_server, read_stats
from tests.support.scripted_upstream import (
    ConnectionEnd,
    ReceivedRequest,
    Script,
    Step,
    Upstream,
    chat_completion,
    chat_event,
    chunked_reply,
    http_reply,
    numbered_replies,
)
from tests.support.workspaces import SUMS, Bench, end, wait_for


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[str]:
    """A mock server that knows all the answers."""
    with mock_server({"skill": 1.0}, tmp_path / "mock-port") as url:
        yield url


# What is asked, and what is not asked again


def test_ten_samples_stay_ten(bench: Bench) -> None:
    """Ten equal requests at temperature 1 get ten replies; a second run gets the same ten from the cache."""
    upstream = Upstream(numbered_replies())
    bench.evalfile(model(upstream.url), SAMPLER, ASKED.replace("sums", "sampler"))
    bench.job(SENDS, "job.py")
    assert bench.run().status == 0
    first = output(bench, "replies.json")
    bench.job(SENDS + "# scored otherwise\n", "job.py")
    assert bench.run().status == 0

    assert first == sorted(f"sample {at}" for at in range(10))
    assert output(bench, "replies.json") == first
    assert len(upstream.received) == 10
    assert [(a.usage["requests"], a.usage.get("cached", 0)) for a in bench.attempts()] == [
        (10, 0),
        (10, 10),
    ]


def test_what_requests_carried_against_the_declaration(bench: Bench) -> None:
    """An attempt's usage counts requests that contradict the declared parameters, and how many models replied."""
    upstream = Upstream([http_reply({**chat_completion("7"), "model": "another"})])
    params = "params = { temperature = 0.5, top_p = 0.9 }\n model "
    bench.evalfile(model(upstream.url), SAMPLER, ASKED.replace("sums", "sampler").replace("model ", params))
    bench.job(SENDS, "job.py")
    assert bench.run().status == 0

    (attempt,) = bench.attempts()
    assert (attempt.usage["undeclared_temperature"], attempt.usage["undeclared_top_p"]) == (10, 10)
    assert "undeclared_seed" not in attempt.usage
    assert attempt.usage["models"] == 1
    assert output(bench, "gateway/usage.json")["undeclared"] == {"temperature": {"1": 10}, "top_p": {"unset": 10}}


def test_no_requests_at_all(bench: Bench) -> None:
    """A harness that sends nothing through the gateway has 0 requests in its usage, whatever it writes itself."""
    bench.evalfile(model("http://127.0.0.1:9/v1"), SAMPLER, ASKED.replace("sums", "sampler"))
    write = "json.dump({'scores': {'a': 1}, 'usage': {'requests': 9}}, file)"
    bench.job(
        f"import json, os\nwith open(os.environ['EVALMAKE_OUT'] + '/scores.json', 'w') as file: {write}", "job.py"
    )
    assert bench.run().status == 0
    assert bench.attempts()[0].usage["requests"] == 0


def test_always_asks_anew(bench: Bench) -> None:
    """-B adds an attempt with new samples."""
    upstream = Upstream(numbered_replies())
    bench.evalfile(model(upstream.url), SAMPLER, ASKED.replace("sums", "sampler"))
    bench.job(SENDS, "job.py")
    assert bench.run().status == 0
    first = output(bench, "replies.json")
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


# Limits


def test_a_rate_is_shared(bench: Bench, mock: str) -> None:
    """Six evaluations at once share the model's rate."""
    bench.evalfile(
        "executor local { backend = process, slots = 6 }\n",
        model(f"{mock}/v1", 'rate = "60/s"'),
        SUMS,
        ASKED.replace("benchmark", "seed in 1..6\n benchmark"),
    )
    bench.edit('prompt  = "{question}"', 'prompt  = "{question}"\n')
    bench.sums(40)
    assert bench.run().status == 0

    seen = read_stats(mock)
    assert seen["requests"] == 240
    # That the gateway sends at most 60 a second is tested with a simulated clock (tests/gateway). Here arrivals
    # bunch on a busy machine. Were the rate not shared, all 240 would arrive in one second.
    assert 30 <= seen["peak_per_second"] <= 90


def test_a_model_that_refuses_is_asked_less(bench: Bench, tmp_path: Path) -> None:
    """When the model answers 429, everything completes, and the limit adapts."""
    settings = {"skill": 1.0, "rate": 50, "retry_after": 0.1}
    with mock_server(settings, tmp_path / "limited") as url:
        bench.evalfile(
            "executor local { backend = process, slots = 6 }\n",
            model(f"{url}/v1", 'rate = "200/s"\n adapter = { retry = 20 }'),
            SUMS,
            ASKED.replace("benchmark", "seed in 1..6\n benchmark"),
        )
        bench.sums(40)
        ended = bench.run()
        seen = read_stats(url)

    assert ended.status == 0, ended.text
    assert seen["statuses"]["200"] == 240
    assert seen["statuses"]["429"] > 0
    limits = output(bench, "gateway/usage.json")["limits"]
    assert limits["rate"] < 200
    assert limits["throttled"] > 0
    assert seen["statuses"]["429"] < 240


# Upstreams that fail


def _stuttering(*failures: list[Step]) -> Script:
    """A script with each failure once, then right answers to every question of `Bench.sums`."""
    left = list(failures)

    def script(seen: ReceivedRequest) -> list[Step]:
        if left:
            return left.pop(0)
        a, b = json.loads(seen.body)["messages"][-1]["content"].split()[2::2]
        return [http_reply(chat_completion(str(int(a) + int(b.rstrip("?")))))]

    return script


def test_failures_within_the_budget(bench: Bench) -> None:
    """Resets, silence, half a reply and bursts of 500 are retried, and do not change the score."""
    half = http_reply(chat_completion("1"))[:-9]
    upstream = Upstream(
        _stuttering(
            [ConnectionEnd.RESET],
            [ConnectionEnd.CLOSE],
            [half, ConnectionEnd.CLOSE],
            [ConnectionEnd.HANG],
            *[[http_reply(b"no", 500)]] * 3,
            [http_reply(b"<html>", content_type="text/html")],
        )
    )
    more = "concurrency = 2\n adapter = { retry = 8, timeout = 500ms }"
    bench.evalfile(model(upstream.url, more), SUMS, ASKED)
    bench.sums(6)
    ended = bench.run()

    assert ended.status == 0, ended.text
    assert bench.scores() == {"asked": [1.0]}
    assert bench.attempts()[0].usage["retries"] == 8


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ([ConnectionEnd.RESET], "the connection was closed: Connection reset by peer"),
        ([http_reply(b"out of order", 500)], "HTTP 500: out of order"),
        ([http_reply({"error": "who are you"}, 401)], 'HTTP 401: {"error": "who are you"}'),
        ([ConnectionEnd.HANG], "nothing came for 0.3 s"),
    ],
)
def test_failures_beyond_the_budget(bench: Bench, step: list[Step], reason: str) -> None:
    """The evaluation fails, and the message names the model, its last error and the log."""
    upstream = Upstream(step)
    bench.evalfile(model(upstream.url, "adapter = { retry = 1, timeout = 300ms }"), SUMS, ASKED)
    bench.sums(60)
    ended = bench.run()

    assert ended.status == 2
    assert f"{upstream.url}/chat/completions: {reason}" in ended.err
    assert f"its model is subject at {upstream.url}" in ended.err
    assert "its log: evalmake logs asked" in ended.err
    assert bench.scores() == {}
    assert len(upstream.received) < 60  # it was given up, not asked to the end
    bench.clean()


def test_a_program_that_passes_over_failures(bench: Bench) -> None:
    """A program that scores unanswered requests does not succeed, unless `coverage` allows it."""
    upstream = Upstream([]).use_scripts(*[[http_reply(b"no", 400)]] * 2, numbered_replies())
    careless = SENDS.replace("    with urllib", "    try:\n     with urllib").replace(
        '["content"]\n', '["content"]\n    except OSError: return ""\n'
    )
    bench.evalfile(model(upstream.url), SAMPLER, ASKED.replace("sums", "sampler"))
    bench.job(careless, "job.py")
    ended = bench.run()
    assert ended.status == 2
    assert "2 of 10 requests were not answered, and 100% must be" in ended.err

    upstream.use_scripts(*[[http_reply(b"no", 400)]] * 2, numbered_replies())
    bench.edit("harness = command", "harness = command\n        coverage = 80%")
    assert bench.run("-B").status == 0


UNFRAMED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([*chunked_reply(chat_event("He"), end=False), ConnectionEnd.CLOSE], "the connection was closed"),
        ([UNFRAMED, chat_event("He"), ConnectionEnd.CLOSE], "the stream broke off: it has no finish reason"),
    ],
)
def test_half_a_stream(bench: Bench, script: list[Step], reason: str) -> None:
    """A stream that breaks off breaks for the harness, too, and is not cached."""
    upstream = Upstream(script)
    job = SENDS.replace('"temperature": 1', '"temperature": 0, "stream": True').replace("* 10", "")
    bench.evalfile(model(upstream.url), SAMPLER, ASKED.replace("sums", "sampler"))
    bench.job(job, "job.py")
    assert bench.run().status == 2
    assert bench.run().status == 2
    assert len(upstream.received) == 2
    assert reason in output(bench, "gateway/usage.json")["last_error"]


# Who may ask, and who has the key


def test_the_key_is_the_gateways(bench: Bench) -> None:
    """The model gets the key; no variable of a harness, file, argument or log contains it."""
    upstream = Upstream(numbered_replies())
    bench.env["THE_KEY"] = KEY
    bench.evalfile(
        model(upstream.url, 'api_key = secret("THE_KEY")'),
        SAMPLER,
        ASKED.replace("sums", "sampler"),
    )
    wait = 'open("../../../up", "w").close()\nimport time\nwhile not os.path.exists("../../../go"): time.sleep(0.02)\n'
    tell = 'json.dump(dict(os.environ), open(os.environ["EVALMAKE_OUT"] + "/environ.json", "w"))\n'
    bench.job(SENDS + tell + wait, "job.py")
    process = bench.start("-v")
    wait_for((bench.root / "up").exists)
    words = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    held = holders(bench.root, KEY)
    port, key, token = _session(bench)
    statuses = [_status(port, f"/t/{key}{path}", "wrong") for path in ("/v1/models", "/close")]
    listening = _addresses(port)
    (bench.root / "go").touch()
    ended = end(process)

    assert ended.status == 0, ended.text
    assert {seen.header(b"authorization") for seen in upstream.received} == {f"Bearer {KEY}".encode()}
    assert not any(KEY.encode() in word for word in words)
    assert held == holders(bench.root, KEY) == []
    assert KEY not in ended.text
    assert KEY not in json.dumps(output(bench, "environ.json"))
    assert output(bench, "environ.json")["EVALMAKE_API_KEY"] == "[token]"
    assert statuses == [401, 401]
    assert listening == {"0100007F"}
    assert holders(bench.root, token) == []
    bench.clean()


def _session(bench: Bench) -> tuple[int, str, str]:
    """The port, key and token of the open session."""
    (session,) = (bench.root / ".evalmake/work").glob("*/sessions/*.json")
    assert session.stat().st_mode & 0o077 == 0
    port = int((session.parent.parent / "port").read_text())
    return port, session.stem, json.loads(session.read_text())["token"]


def _status(port: int, path: str, token: str) -> int:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, headers={"Authorization": f"Bearer {token}"})
    status = connection.getresponse().status
    connection.close()
    return status


def _addresses(port: int) -> set[str]:
    """The local addresses, as the kernel writes them, that somebody listens on at a port."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                found.add(address)
    return found


# Judges, interruptions


def test_a_judge_has_a_gateway_of_its_own(bench: Bench) -> None:
    """The judge has its own gateway, with its own key, usage and cache."""
    upstream = Upstream(numbered_replies(lambda at: "GRADE: CORRECT"))
    asked = Upstream(numbered_replies())
    bench.env["JUDGE_KEY"] = KEY
    bench.evalfile(
        model(asked.url),
        model(upstream.url, 'api_key = secret("JUDGE_KEY")', "judge"),
        SUMS.replace("number", "judge\n        judge   = judge"),
        ASKED,
    )
    bench.sums(4)
    ended = bench.run()

    assert ended.status == 0, ended.text
    assert {seen.header(b"authorization") for seen in upstream.received} == {f"Bearer {KEY}".encode()}
    assert {seen.header(b"authorization") for seen in asked.received} == {None}
    (attempt,) = bench.attempts()
    assert (attempt.usage["requests"], attempt.usage["judge_requests"]) == (4, 4)


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_a_build_goes_on_where_it_was(bench: Bench, how: str, tmp_path: Path) -> None:
    """After a kill -9 or Ctrl-C, no request that had a reply is sent again."""
    with mock_server({"skill": 1.0, "latency": 0.02}, tmp_path / "slow") as url:
        bench.evalfile(model(f"{url}/v1", "concurrency = 1"), SUMS, ASKED)
        bench.sums(60)
        process = bench.start()
        wait_for(lambda: read_stats(url)["requests"] > 10)
        getattr(process, how)()
        process.communicate()
        ended = bench.run()
        seen = read_stats(url)

    assert ended.status == 0, ended.text
    assert bench.scores() == {"asked": [1.0]}
    assert seen["distinct_bodies"] == 60
    assert seen["requests"] <= 61  # the one that was under way may have been lost
    bench.clean()
