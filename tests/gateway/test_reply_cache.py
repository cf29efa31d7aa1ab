"""The reply cache: what is kept, under which key, and what becomes of it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from evalmake.gateway.reply_cache.key import build_request_key
from tests.gateway.gateway_process import CHAT, Evaluation, Gateway, Mock, eventually
from tests.support.scripted import DONE, Script, Seen, Step, Then, Upstream, chunked, event, numbered, reply, said

TEXT = "/v1/completions"


# Samples


@pytest.mark.parametrize("at_once", [1, 10])
def test_ten_samples_stay_ten(gateway: Gateway, start_mock: Callable[..., Mock], at_once: int) -> None:
    """At temperature 1 the same request is sampled each time; a replay gives the same ten."""
    mock = start_mock()
    evaluation = gateway.open(mock.url)
    first = [answer.text for answer in evaluation.posts(10, at_once, temperature=1)]
    assert len(set(first)) == 10
    assert mock.stats["requests"] == 10
    again = evaluation.again().posts(10, at_once, temperature=1)
    assert all(answer.cached for answer in again)
    assert sorted(answer.text for answer in again) == sorted(first)
    if at_once == 1:
        assert [answer.text for answer in again] == first
    assert mock.stats["requests"] == 10
    assert not {answer.text for answer in evaluation.posts(2, temperature=1)} & set(first)


def test_another_evaluation_with_the_same_seed_has_the_same_samples(gateway: Gateway) -> None:
    """What tells samples apart is the seed, not the evaluation, so that a changed one is resumed."""
    upstream, seed = Upstream(numbered()), {"seed": "seed 1"}
    first = [answer.text for answer in gateway.open(upstream, settings=seed).posts(3)]
    assert [answer.text for answer in gateway.open(upstream, settings=seed).posts(3)] == first


def test_models_share_nothing(gateway: Gateway) -> None:
    """Two models never have a reply in common, not even a greedy one."""
    upstream = Upstream(numbered())
    models = [gateway.open(upstream, settings={"model": name}) for name in ("one", "another")]
    answers = [model.post(temperature=0).text for model in models]
    assert answers == ["sample 0", "sample 1"]


def test_seeds_share_what_is_greedy(gateway: Gateway) -> None:
    """Evaluations of different seeds share replies at temperature 0, and no other."""
    upstream = Upstream(numbered())
    one = gateway.open(upstream, settings={"seed": "1"})
    two = gateway.open(upstream, settings={"seed": "2"})
    assert one.post(temperature=0).text == two.post(temperature=0).text
    assert one.post(temperature=0.1).text != two.post(temperature=0.1).text
    assert one.post().text != two.post().text
    assert one.post(temperature=0, n=2).text != two.post(temperature=0, n=2).text


CHANGES: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "Hello!"}]},
    {"messages": [{"role": "user", "content": "Hello"}, {"role": "user", "content": "Hello"}]},
    {"messages": [{"role": "system", "content": "Hello"}]},
    {"model": "another"},
    {"temperature": 0.0001},
    {"stop": ["\n"]},
    {"stop": "\n"},
    {"n": 2},
    {"n": 1},
    {"logprobs": True},
    {"logprobs": True, "top_logprobs": 3},
    {"max_tokens": 5},
    {"seed": 1},
    {"stream_options": {"include_usage": True}},
    {"chat_template_kwargs": {"thinking": True}},
    {"a field of tomorrow": {"b": [1]}},
    {"a field of tomorrow": {"b": [2]}},
    {"tools": []},
    {"user ": "x"},
]


def test_every_field_is_part_of_the_key(gateway: Gateway) -> None:
    """Requests that differ in anything never share a reply."""
    upstream = Upstream(numbered())
    evaluation = gateway.open(upstream)
    bodies = [{"temperature": 0}, *({"temperature": 0, **change} for change in CHANGES)]
    first = [evaluation.post(**body).text for body in bodies]
    assert len(set(first)) == len(bodies)
    evaluation.again()
    assert [evaluation.post(**body).text for body in bodies] == first
    assert len(upstream.seen) == len(bodies)


def test_the_path_and_its_query_are_part_of_the_key(gateway: Gateway) -> None:
    """The same body under another path or query is another request."""
    upstream = Upstream(numbered())
    evaluation = gateway.open(upstream)
    paths = [CHAT, f"{CHAT}?a=1", f"{CHAT}?a=2", "/v1/beta/chat/completions", "/chat/completions"]
    assert len({evaluation.post(path, temperature=0).text for path in paths}) == len(paths)


def test_what_names_the_caller_is_no_part_of_the_key(gateway: Gateway) -> None:
    """`user`, `metadata`, headers, and how the JSON is written change no answer."""
    upstream = Upstream(numbered())
    evaluation = gateway.open(upstream)
    bodies = [
        b'{"temperature": 0, "messages": [{"role": "user", "content": "\\u00e9"}]}',
        '{"messages":[{"content":"é","role":"user"}],\n"temperature":0}'.encode(),
        b'{"user": "me", "metadata": {"a": 1}, "messages": [{"role": "user", "content": "\\u00e9"}], "temperature": 0}',
    ]
    texts = [evaluation.request("POST", CHAT, body).text for body in bodies]
    assert texts == ["sample 0"] * 3
    assert evaluation.request("POST", CHAT, bodies[0], [("X-Id", "7")]).text == "sample 0"


def test_only_what_generates_is_kept(gateway: Gateway) -> None:
    """Models, files and tokens are asked for each time; embeddings once."""
    upstream = Upstream([reply({"data": [1]})])
    evaluation = gateway.open(upstream)
    for rest in ("/v1/models", "/tokenize", "/v1/files", "/v1/embeddings", "/v1/embeddings"):
        assert not evaluation.post(rest, input="x").cached or rest == "/v1/embeddings"
    assert [seen.target for seen in upstream.seen].count(b"/v1/embeddings") == 1
    assert evaluation.request("GET", CHAT).status == 200
    assert evaluation.request("GET", CHAT).status == 200
    assert len(upstream.seen) == 6


# What is kept


def text(finish: str | None, content: str | None = "7") -> bytes:
    """A text completion."""
    return reply({"choices": [{"index": 0, "text": content, "finish_reason": finish}]})


TWO = {"choices": [said("a")["choices"][0], {**said("b", "length")["choices"][0], "index": 1}]}
KEEPING: dict[str, tuple[bool, list[Step], str, dict[str, Any]]] = {
    "whole": (True, [reply(said("7"))], CHAT, {}),
    "empty text": (True, [reply(said(""))], CHAT, {}),
    "tool calls": (True, [reply(said(None, "tool_calls", tool_calls=[{"id": "1"}]))], CHAT, {}),
    "refusal": (True, [reply(said(None, refusal="No."))], CHAT, {}),
    "filtered": (True, [reply(said("", "content_filter"))], CHAT, {}),
    "null content": (False, [reply(said(None))], CHAT, {}),
    "null content, no calls": (False, [reply(said(None, tool_calls=[]))], CHAT, {}),
    "reasoning only": (False, [reply(said(None, reasoning_content="x"))], CHAT, {}),
    "length": (False, [reply(said("7", "length"))], CHAT, {"max_tokens": 5}),
    "length of one of two": (False, [reply(TWO)], CHAT, {}),
    "no finish": (False, [reply(said("7", None))], CHAT, {}),
    "one token": (True, [reply(said("7", "length"))], CHAT, {"max_tokens": 1}),
    "one token, new name": (True, [reply(said("7", "length"))], CHAT, {"max_completion_tokens": 1}),
    "echo": (True, [text("length")], TEXT, {"prompt": "x", "echo": True, "max_tokens": 0}),
    "length allowed": (True, [reply(said("7", "length"))], CHAT, {"cache_truncated": True}),
    "null text": (False, [text("stop", None)], TEXT, {"prompt": "x"}),
    "no choices": (False, [reply({"choices": []})], CHAT, {}),
    "error in a success": (False, [reply({**said("7"), "error": {"message": "x"}})], CHAT, {}),
    "no object": (False, [reply([1])], CHAT, {}),
    "client error": (False, [reply(said("7"), 400)], CHAT, {}),
    "another success": (False, [reply(said("7"), 201)], CHAT, {}),
    "server error": (False, [reply(said("7"), 500)], CHAT, {}),
    "page": (False, [reply(b"<html>Sign in</html>", content_type="text/html")], CHAT, {}),
    "half": (False, [reply(said("7"))[:-5], Then.CLOSE], CHAT, {}),
    "stream": (True, [*chunked(event("7"), event(finish="stop"), DONE)], CHAT, {"stream": True}),
    "stream without done": (True, [*chunked(event("7", "stop"))], CHAT, {"stream": True}),
    "stream without finish": (False, [*chunked(event("7"), DONE)], CHAT, {"stream": True}),
    "stream of nothing": (False, [*chunked(event(finish="stop"), DONE)], CHAT, {"stream": True}),
    "stream, length": (False, [*chunked(event("7", "length"), DONE)], CHAT, {"stream": True}),
    "stream with an error": (
        False,
        [*chunked(event("7", "stop"), b'data: {"error": {"message": "x"}}\n\n')],
        CHAT,
        {"stream": True},
    ),
    "broken stream": (
        False,
        [*chunked(event("7", "stop"), end=False), Then.CLOSE],
        CHAT,
        {"stream": True},
    ),
}


@pytest.mark.parametrize("name", KEEPING)
def test_what_is_kept(gateway: Gateway, name: str) -> None:
    """Only a complete success is kept, and what is not is asked for again."""
    kept, script, rest, body = KEEPING[name]
    upstream = Upstream(script)
    adapter = {"cache_truncated": True} if "cache_truncated" in body else {}
    evaluation = gateway.open(upstream, retry=0, **adapter)
    for _ in range(2):
        _ask(evaluation, rest, {"temperature": 0, **body})
    assert len(upstream.seen) == (1 if kept else 2)


def _ask(evaluation: Evaluation, rest: str, body: dict[str, Any]) -> bytes | None:
    """The reply's body, None where it broke."""
    try:
        return evaluation.post(rest, **body).body
    except (http.client.IncompleteRead, ConnectionError):
        return None


def test_a_failed_sample_is_taken_by_the_next(gateway: Gateway) -> None:
    """A request that failed used up no sample: the harness's own retry gets it, now and in a replay."""
    upstream = Upstream([])
    upstream.say([reply(said("a"))], [reply({}, 400)], [reply(said("b"))], [reply(said("c"))])
    evaluation = gateway.open(upstream)
    first = evaluation.posts(4, temperature=1)
    assert [answer.status for answer in first] == [200, 400, 200, 200]
    again = evaluation.again().posts(3, temperature=1)
    assert [answer.text for answer in again] == ["a", "b", "c"]
    evaluation.close()
    assert [row["occurrence"] for row in evaluation.rows("requests")[:4]] == [0, 1, 1, 2]


def test_a_sample_that_is_not_kept_keeps_its_place(gateway: Gateway) -> None:
    """In a replay only the truncated sample is drawn anew, and the others stay where they were."""
    upstream = Upstream([])
    cut = [reply(said("cut", "length"))]
    upstream.say([reply(said("a"))], cut, [reply(said("c"))], [reply(said("b"))])
    evaluation = gateway.open(upstream)
    assert [answer.text for answer in evaluation.posts(3)] == ["a", "cut", "c"]
    assert [answer.text for answer in evaluation.again().posts(3)] == ["a", "b", "c"]


# Identical requests at the same time


def gated(folder: Path, *scripts: list[Step]) -> Script:
    """Each request waits for a file of its number, then is answered by its script."""
    numbers = iter(range(len(scripts)))

    def script(seen: Seen) -> Iterator[Step]:
        number = next(numbers)

        def steps() -> Iterator[Step]:
            while not (folder / str(number)).exists():
                yield 0.01
            yield from scripts[number]

        return steps()

    return script


def test_identical_requests_at_once_are_sent_once(gateway: Gateway, tmp_path: Path) -> None:
    """At temperature 0 those that come while one is under way get its reply, streams too."""
    for stream in (False, True):
        folder = tmp_path / str(stream)
        folder.mkdir()
        whole = chunked(event("7"), event(finish="stop")) if stream else [reply(said("7"))]
        upstream = Upstream(gated(folder, [*whole]))
        evaluation = gateway.open(upstream)
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(evaluation.post, temperature=0, stream=stream) for _ in range(8)]
            eventually(lambda upstream=upstream: upstream.seen, "a request arrived")
            time.sleep(0.1)
            (folder / "0").touch()
            bodies = {one.result().body for one in asked}
        assert len(bodies) == 1
        assert len(upstream.seen) == 1


def test_when_the_first_of_identical_requests_fails(gateway: Gateway, tmp_path: Path) -> None:
    """The others get no part of its failure: one of them asks, and its reply serves the rest."""
    upstream = Upstream(gated(tmp_path, [reply({}, 400)], [reply(said("7"))]))
    evaluation = gateway.open(upstream)
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(evaluation.post, temperature=0) for _ in range(8)]
        eventually(lambda: upstream.seen, "a request arrived")
        (tmp_path / "1").touch()
        time.sleep(0.1)
        (tmp_path / "0").touch()
        statuses = sorted(one.result().status for one in asked)
    assert statuses == [200] * 7 + [400]
    assert len(upstream.seen) == 2


def test_when_the_client_of_the_first_leaves(gateway: Gateway, tmp_path: Path) -> None:
    """Another one asks in its place, and the first one's connection to the model is closed."""
    (tmp_path / "1").touch()
    upstream = Upstream(gated(tmp_path, [Then.HANG], [reply(said("7"))]))
    (tmp_path / "0").touch()
    evaluation = gateway.open(upstream)
    body = b'{"temperature": 0}'
    with evaluation.connect() as first:
        first.sendall(evaluation.raw(body))
        eventually(lambda: upstream.seen, "the first request arrived")
        with ThreadPoolExecutor(3) as threads:
            others = [threads.submit(evaluation.request, "POST", CHAT, body) for _ in range(3)]
            time.sleep(0.1)
            first.close()
            assert [one.result().text for one in others] == ["7"] * 3
    assert len(upstream.seen) == 2
    eventually(lambda: upstream.left == 1, "the model saw that nobody waits")


def test_answers_that_are_not_kept_hold_nobody_up(gateway: Gateway, tmp_path: Path) -> None:
    """Where the first reply is none to keep, the others ask at once, not one after another."""
    scripts = [[reply(said("7", "length"))]] * 4
    upstream = Upstream(gated(tmp_path, *scripts))
    evaluation = gateway.open(upstream)
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(evaluation.post, temperature=0) for _ in range(4)]
        eventually(lambda: upstream.seen, "a request arrived")
        time.sleep(0.1)
        (tmp_path / "0").touch()
        eventually(lambda: len(upstream.seen) == 4, "the others asked all at once")
        for number in range(1, 4):
            (tmp_path / str(number)).touch()
        assert {one.result().text for one in asked} == {"7"}


# What a session may say


def test_not_before_asks_anew_and_keeps(gateway: Gateway) -> None:
    """A session that distrusts older replies asks once more, and what it gets is what is kept."""
    upstream = Upstream(numbered())
    assert gateway.open(upstream).post(temperature=0).text == "sample 0"
    time.sleep(0.01)
    doubting = gateway.open(upstream, settings={"not_before": time.time()})
    assert [doubting.post(temperature=0).text for _ in range(2)] == ["sample 1"] * 2
    assert gateway.open(upstream).post(temperature=0).text == "sample 1"


def test_max_age(gateway: Gateway) -> None:
    """A reply that is older than a session allows is asked for anew."""
    upstream = Upstream(numbered())
    gateway.open(upstream).post(temperature=0)
    time.sleep(0.2)
    young = gateway.open(upstream, settings={"max_age": 0.1})
    assert young.post(temperature=0).text == "sample 1"
    old = gateway.open(upstream, settings={"max_age": 3600})
    assert old.post(temperature=0).text == "sample 1"


def test_without_a_cache(gateway: Gateway) -> None:
    """With `cache = false` nothing is read and nothing kept."""
    upstream = Upstream(numbered())
    gateway.open(upstream).post(temperature=0)
    evaluation = gateway.open(upstream, cache=False)
    assert [evaluation.post(temperature=0).text for _ in range(2)] == ["sample 1", "sample 2"]
    assert gateway.open(upstream).post(temperature=0).text == "sample 0"


def test_streams_are_replayed_byte_for_byte(gateway: Gateway) -> None:
    """A replayed stream has the bytes and the type of the first, and never those of a whole reply."""
    stream = [b": hello\r\n\r\n", event("7"), b"id: 1\ndata: x\n\n", event(finish="stop"), DONE]
    upstream = Upstream([])
    evaluation = gateway.open(upstream)
    upstream.say(chunked(*stream, kind="text/event-stream; charset=utf-8"), [reply(said("7"))])
    first, again = (evaluation.post(temperature=0, stream=True) for _ in range(2))
    assert first.body == again.body == b"".join(stream)
    assert ("content-type", "text/event-stream; charset=utf-8") in again.headers
    assert (first.cached, again.cached) == (False, True)
    assert evaluation.post(temperature=0).text == "7"


def test_numbers_that_are_written_differently() -> None:
    """1 and 1.0 are two requests: some server may tell them apart."""
    one, other = build_request_key(CHAT, {"top_p": 1}), build_request_key(CHAT, {"top_p": 1.0})
    assert one is not None
    assert other is not None
    assert one.digest != other.digest
