"""The gateway between evaluations and models: requests, limits, failures and keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.run.request_evalfiles import ASKED, KEY, SAMPLER, SENDS, holders, model, output
from tests.support.http_replies import chat_completion, chat_event, chunked_reply, http_reply, numbered_replies
from tests.support.mock_servers import mock_server, read_stats
from tests.support.scripted_upstream import ConnectionEnd, ReceivedRequest, Script, Step, Upstream
from tests.support.workspaces import SUMS, Bench, end, wait_for


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
    """A program that sends its model nothing has 0 requests in its usage, whatever it writes itself."""
    bench.evalfile(model("http://127.0.0.1:9/v1"), SAMPLER, ASKED.replace("sums", "sampler"))
    write = "json.dump({'scores': {'a': 1}, 'usage': {'requests': 9}}, file)"
    bench.job(
        f"import json, os\nwith open(os.environ['EVALMAKE_OUT'] + '/scores.json', 'w') as file: {write}", "job.py"
    )
    assert "no request reached the model" in bench.run().out
    assert bench.attempts()[0].usage["requests"] == 0


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
