"""The reply cache: which replies are stored, under which key, and when they are used."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from evalmake.gateway.reply_cache.key import build_request_key
from tests.gateway.gateway_process import CHAT, Evaluation, Gateway, MockServer, wait_until
from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply, numbered_replies
from tests.support.scripted_upstream import ConnectionEnd, ReceivedRequest, Script, Step, Upstream

TEXT = "/v1/completions"


# Samples


@pytest.mark.parametrize("at_once", [1, 10])
def test_ten_samples_stay_ten(gateway: Gateway, start_mock: Callable[..., MockServer], at_once: int) -> None:
    """At temperature 1 ten identical requests are ten samples; a replay gives the same ten."""
    mock = start_mock()
    evaluation = gateway.open_evaluation(mock.url)
    first = [answer.text for answer in evaluation.post_repeatedly(10, at_once, temperature=1)]
    assert len(set(first)) == 10
    assert mock.stats["requests"] == 10
    again = evaluation.restart().post_repeatedly(10, at_once, temperature=1)
    assert all(answer.cached for answer in again)
    assert sorted(answer.text for answer in again) == sorted(first)
    if at_once == 1:
        assert [answer.text for answer in again] == first
    assert mock.stats["requests"] == 10
    assert not {answer.text for answer in evaluation.post_repeatedly(2, temperature=1)} & set(first)


def test_another_evaluation_with_the_same_seed_has_the_same_samples(gateway: Gateway) -> None:
    """Samples belong to the seed, not to the evaluation: a changed evaluation resumes."""
    upstream, seed = Upstream(numbered_replies()), {"seed": "seed 1"}
    first = [answer.text for answer in gateway.open_evaluation(upstream, settings=seed).post_repeatedly(3)]
    assert [answer.text for answer in gateway.open_evaluation(upstream, settings=seed).post_repeatedly(3)] == first


def test_models_share_nothing(gateway: Gateway) -> None:
    """Two models never share a reply, not even a greedy one."""
    upstream = Upstream(numbered_replies())
    models = [gateway.open_evaluation(upstream, settings={"model": name}) for name in ("one", "another")]
    answers = [model.post(temperature=0).text for model in models]
    assert answers == ["sample 0", "sample 1"]


def test_seeds_share_what_is_greedy(gateway: Gateway) -> None:
    """Evaluations of different seeds share replies only at temperature 0."""
    upstream = Upstream(numbered_replies())
    one = gateway.open_evaluation(upstream, settings={"seed": "1"})
    two = gateway.open_evaluation(upstream, settings={"seed": "2"})
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
    upstream = Upstream(numbered_replies())
    evaluation = gateway.open_evaluation(upstream)
    bodies = [{"temperature": 0}, *({"temperature": 0, **change} for change in CHANGES)]
    first = [evaluation.post(**body).text for body in bodies]
    assert len(set(first)) == len(bodies)
    evaluation.restart()
    assert [evaluation.post(**body).text for body in bodies] == first
    assert len(upstream.received) == len(bodies)


def test_the_path_and_its_query_are_part_of_the_key(gateway: Gateway) -> None:
    """The same body under another path or query is another request."""
    upstream = Upstream(numbered_replies())
    evaluation = gateway.open_evaluation(upstream)
    paths = [CHAT, f"{CHAT}?a=1", f"{CHAT}?a=2", "/v1/beta/chat/completions"]
    assert len({evaluation.post(path, temperature=0).text for path in paths}) == len(paths)


def test_what_names_the_caller_is_no_part_of_the_key(gateway: Gateway) -> None:
    """`user`, `metadata`, headers and the layout of the JSON are not part of the key."""
    upstream = Upstream(numbered_replies())
    evaluation = gateway.open_evaluation(upstream)
    bodies = [
        b'{"temperature": 0, "messages": [{"role": "user", "content": "\\u00e9"}]}',
        '{"messages":[{"content":"é","role":"user"}],\n"temperature":0}'.encode(),
        b'{"user": "me", "metadata": {"a": 1}, "messages": [{"role": "user", "content": "\\u00e9"}], "temperature": 0}',
    ]
    texts = [evaluation.request("POST", CHAT, body).text for body in bodies]
    assert texts == ["sample 0"] * 3
    assert evaluation.request("POST", CHAT, bodies[0], [("X-Id", "7")]).text == "sample 0"


def test_only_what_generates_is_kept(gateway: Gateway) -> None:
    """Embeddings are cached; lists of models, files and tokens are not."""
    upstream = Upstream([http_reply({"data": [1]})])
    evaluation = gateway.open_evaluation(upstream)
    for rest in ("/v1/models", "/tokenize", "/v1/files", "/v1/embeddings", "/v1/embeddings"):
        assert not evaluation.post(rest, input="x").cached or rest == "/v1/embeddings"
    assert [seen.target for seen in upstream.received].count(b"/v1/embeddings") == 1
    assert evaluation.request("GET", CHAT).status == 200
    assert evaluation.request("GET", CHAT).status == 200
    assert len(upstream.received) == 6


# What is kept


def text(finish: str | None, content: str | None = "7") -> bytes:
    """A text completion."""
    return http_reply({"choices": [{"index": 0, "text": content, "finish_reason": finish}]})


TWO = {"choices": [chat_completion("a")["choices"][0], {**chat_completion("b", "length")["choices"][0], "index": 1}]}
KEEPING: dict[str, tuple[bool, list[Step], str, dict[str, Any]]] = {
    "whole": (True, [http_reply(chat_completion("7"))], CHAT, {}),
    "empty text": (False, [http_reply(chat_completion(""))], CHAT, {}),
    "spaces": (False, [http_reply(chat_completion(" \n"))], CHAT, {}),
    "parts without text": (False, [http_reply(chat_completion([{"type": "thinking", "thinking": "x"}]))], CHAT, {}),
    "empty text allowed": (True, [http_reply(chat_completion(""))], CHAT, {"cache_empty": True}),
    "empty completion": (False, [text("stop", "")], TEXT, {"prompt": "x"}),
    "empty echo": (True, [text("length", "")], TEXT, {"prompt": "x", "echo": True, "max_tokens": 0}),
    "tool calls": (True, [http_reply(chat_completion(None, "tool_calls", tool_calls=[{"id": "1"}]))], CHAT, {}),
    "refusal": (True, [http_reply(chat_completion(None, refusal="No."))], CHAT, {}),
    "filtered": (True, [http_reply(chat_completion("", "content_filter"))], CHAT, {}),
    "null content": (False, [http_reply(chat_completion(None))], CHAT, {}),
    "null content, no calls": (False, [http_reply(chat_completion(None, tool_calls=[]))], CHAT, {}),
    "reasoning only": (False, [http_reply(chat_completion(None, reasoning_content="x"))], CHAT, {}),
    "length": (False, [http_reply(chat_completion("7", "length"))], CHAT, {"max_tokens": 5}),
    "length of one of two": (False, [http_reply(TWO)], CHAT, {}),
    "no finish": (False, [http_reply(chat_completion("7", None))], CHAT, {}),
    "one token": (True, [http_reply(chat_completion("7", "length"))], CHAT, {"max_tokens": 1}),
    "one token, new name": (True, [http_reply(chat_completion("7", "length"))], CHAT, {"max_completion_tokens": 1}),
    "echo": (True, [text("length")], TEXT, {"prompt": "x", "echo": True, "max_tokens": 0}),
    "length allowed": (True, [http_reply(chat_completion("7", "length"))], CHAT, {"cache_truncated": True}),
    "null text": (False, [text("stop", None)], TEXT, {"prompt": "x"}),
    "no choices": (False, [http_reply({"choices": []})], CHAT, {}),
    "error in a success": (False, [http_reply({**chat_completion("7"), "error": {"message": "x"}})], CHAT, {}),
    "no object": (False, [http_reply([1])], CHAT, {}),
    "client error": (False, [http_reply(chat_completion("7"), 400)], CHAT, {}),
    "another success": (False, [http_reply(chat_completion("7"), 201)], CHAT, {}),
    "server error": (False, [http_reply(chat_completion("7"), 500)], CHAT, {}),
    "page": (False, [http_reply(b"<html>Sign in</html>", content_type="text/html")], CHAT, {}),
    "half": (False, [http_reply(chat_completion("7"))[:-5], ConnectionEnd.CLOSE], CHAT, {}),
    "stream": (True, [*chunked_reply(chat_event("7"), chat_event(finish="stop"), DONE)], CHAT, {"stream": True}),
    "stream without done": (True, [*chunked_reply(chat_event("7", "stop"))], CHAT, {"stream": True}),
    "stream without finish": (False, [*chunked_reply(chat_event("7"), DONE)], CHAT, {"stream": True}),
    "stream of nothing": (False, [*chunked_reply(chat_event(finish="stop"), DONE)], CHAT, {"stream": True}),
    "stream, length": (False, [*chunked_reply(chat_event("7", "length"), DONE)], CHAT, {"stream": True}),
    "stream with an error": (
        False,
        [*chunked_reply(chat_event("7", "stop"), b'data: {"error": {"message": "x"}}\n\n')],
        CHAT,
        {"stream": True},
    ),
    "broken stream": (
        False,
        [*chunked_reply(chat_event("7", "stop"), end=False), ConnectionEnd.CLOSE],
        CHAT,
        {"stream": True},
    ),
}


@pytest.mark.parametrize("name", KEEPING)
def test_what_is_kept(gateway: Gateway, name: str) -> None:
    """Only a complete success is cached; anything else is requested again."""
    kept, script, rest, body = KEEPING[name]
    upstream = Upstream(script)
    adapter = {name: True for name in ("cache_truncated", "cache_empty") if name in body}
    evaluation = gateway.open_evaluation(upstream, retry=0, **adapter)
    for _ in range(2):
        _ask(evaluation, rest, {"temperature": 0, **body})
    assert len(upstream.received) == (1 if kept else 2)


def _ask(evaluation: Evaluation, rest: str, body: dict[str, Any]) -> bytes | None:
    """The reply's body, None where it broke."""
    try:
        return evaluation.post(rest, **body).body
    except (http.client.IncompleteRead, ConnectionError):
        return None


def test_a_failed_sample_is_taken_by_the_next(gateway: Gateway) -> None:
    """A failed request uses up no sample: the harness's retry gets it, now and in a replay."""
    upstream = Upstream([])
    upstream.use_scripts(
        [http_reply(chat_completion("a"))],
        [http_reply({}, 400)],
        [http_reply(chat_completion("b"))],
        [http_reply(chat_completion("c"))],
    )
    evaluation = gateway.open_evaluation(upstream)
    first = evaluation.post_repeatedly(4, temperature=1)
    assert [answer.status for answer in first] == [200, 400, 200, 200]
    again = evaluation.restart().post_repeatedly(3, temperature=1)
    assert [answer.text for answer in again] == ["a", "b", "c"]
    evaluation.close()
    assert [row["occurrence"] for row in evaluation.read_rows("requests")[:4]] == [0, 1, 1, 2]


def test_a_sample_that_is_not_kept_keeps_its_place(gateway: Gateway) -> None:
    """In a replay only the truncated sample is drawn again, and the others keep their places."""
    upstream = Upstream([])
    cut = [http_reply(chat_completion("cut", "length"))]
    upstream.use_scripts(
        [http_reply(chat_completion("a"))], cut, [http_reply(chat_completion("c"))], [http_reply(chat_completion("b"))]
    )
    evaluation = gateway.open_evaluation(upstream)
    assert [answer.text for answer in evaluation.post_repeatedly(3)] == ["a", "cut", "c"]
    assert [answer.text for answer in evaluation.restart().post_repeatedly(3)] == ["a", "b", "c"]


# Identical requests at the same time


def gated(folder: Path, *scripts: list[Step]) -> Script:
    """Each request waits for a file of its number, then is answered by its script."""
    numbers = iter(range(len(scripts)))

    def script(seen: ReceivedRequest) -> Iterator[Step]:
        number = next(numbers)

        def steps() -> Iterator[Step]:
            while not (folder / str(number)).exists():
                yield 0.01
            yield from scripts[number]

        return steps()

    return script


def test_identical_requests_at_once_are_sent_once(gateway: Gateway, tmp_path: Path) -> None:
    """At temperature 0 identical requests wait for the first one's reply, streams too."""
    for stream in (False, True):
        folder = tmp_path / str(stream)
        folder.mkdir()
        whole = (
            chunked_reply(chat_event("7"), chat_event(finish="stop")) if stream else [http_reply(chat_completion("7"))]
        )
        upstream = Upstream(gated(folder, [*whole]))
        evaluation = gateway.open_evaluation(upstream)
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(evaluation.post, temperature=0, stream=stream) for _ in range(8)]
            wait_until(lambda upstream=upstream: upstream.received, "a request arrived")
            time.sleep(0.1)
            (folder / "0").touch()
            bodies = {one.result().body for one in asked}
        assert len(bodies) == 1
        assert len(upstream.received) == 1


def test_when_the_first_of_identical_requests_fails(gateway: Gateway, tmp_path: Path) -> None:
    """If the leader fails, one of those that wait asks the model, and its reply serves the rest."""
    upstream = Upstream(gated(tmp_path, [http_reply({}, 400)], [http_reply(chat_completion("7"))]))
    evaluation = gateway.open_evaluation(upstream)
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(evaluation.post, temperature=0) for _ in range(8)]
        wait_until(lambda: upstream.received, "a request arrived")
        (tmp_path / "1").touch()
        time.sleep(0.1)
        (tmp_path / "0").touch()
        statuses = sorted(one.result().status for one in asked)
    assert statuses == [200] * 7 + [400]
    assert len(upstream.received) == 2


def test_when_the_client_of_the_first_leaves(gateway: Gateway, tmp_path: Path) -> None:
    """If the leader's harness leaves, another request leads, and the first connection is closed."""
    (tmp_path / "1").touch()
    upstream = Upstream(gated(tmp_path, [ConnectionEnd.HANG], [http_reply(chat_completion("7"))]))
    (tmp_path / "0").touch()
    evaluation = gateway.open_evaluation(upstream)
    body = b'{"temperature": 0}'
    with evaluation.connect() as first:
        first.sendall(evaluation.request_bytes(body))
        wait_until(lambda: upstream.received, "the first request arrived")
        with ThreadPoolExecutor(3) as threads:
            others = [threads.submit(evaluation.request, "POST", CHAT, body) for _ in range(3)]
            time.sleep(0.1)
            first.close()
            assert [one.result().text for one in others] == ["7"] * 3
    assert len(upstream.received) == 2
    wait_until(lambda: upstream.abandoned == 1, "the model saw that nobody waits")


def test_answers_that_are_not_kept_hold_nobody_up(gateway: Gateway, tmp_path: Path) -> None:
    """If the leader's reply is not cacheable, the others ask at the same time, not in turn."""
    scripts = [[http_reply(chat_completion("7", "length"))]] * 4
    upstream = Upstream(gated(tmp_path, *scripts))
    evaluation = gateway.open_evaluation(upstream)
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(evaluation.post, temperature=0) for _ in range(4)]
        wait_until(lambda: upstream.received, "a request arrived")
        time.sleep(0.1)
        (tmp_path / "0").touch()
        wait_until(lambda: len(upstream.received) == 4, "the others asked all at once")
        for number in range(1, 4):
            (tmp_path / str(number)).touch()
        assert {one.result().text for one in asked} == {"7"}


# What a session may say


def test_not_before_asks_anew_and_keeps(gateway: Gateway) -> None:
    """A session with `not_before` asks again, and its reply replaces the older one."""
    upstream = Upstream(numbered_replies())
    assert gateway.open_evaluation(upstream).post(temperature=0).text == "sample 0"
    time.sleep(0.01)
    doubting = gateway.open_evaluation(upstream, settings={"not_before": time.time()})
    assert [doubting.post(temperature=0).text for _ in range(2)] == ["sample 1"] * 2
    assert gateway.open_evaluation(upstream).post(temperature=0).text == "sample 1"


def test_max_age(gateway: Gateway) -> None:
    """A reply older than `max_age` is requested again."""
    upstream = Upstream(numbered_replies())
    gateway.open_evaluation(upstream).post(temperature=0)
    time.sleep(0.2)
    young = gateway.open_evaluation(upstream, settings={"max_age": 0.1})
    assert young.post(temperature=0).text == "sample 1"
    old = gateway.open_evaluation(upstream, settings={"max_age": 3600})
    assert old.post(temperature=0).text == "sample 1"


def test_without_a_cache(gateway: Gateway) -> None:
    """With `cache = false` nothing is read and nothing stored."""
    upstream = Upstream(numbered_replies())
    gateway.open_evaluation(upstream).post(temperature=0)
    evaluation = gateway.open_evaluation(upstream, cache=False)
    assert [evaluation.post(temperature=0).text for _ in range(2)] == ["sample 1", "sample 2"]
    assert gateway.open_evaluation(upstream).post(temperature=0).text == "sample 0"


def test_streams_are_replayed_byte_for_byte(gateway: Gateway) -> None:
    """A replayed stream has the first one's bytes and type, and never those of a whole reply."""
    stream = [b": hello\r\n\r\n", chat_event("7"), b"id: 1\ndata: x\n\n", chat_event(finish="stop"), DONE]
    upstream = Upstream([])
    evaluation = gateway.open_evaluation(upstream)
    upstream.use_scripts(
        chunked_reply(*stream, kind="text/event-stream; charset=utf-8"), [http_reply(chat_completion("7"))]
    )
    first, again = (evaluation.post(temperature=0, stream=True) for _ in range(2))
    assert first.body == again.body == b"".join(stream)
    assert ("content-type", "text/event-stream; charset=utf-8") in again.headers
    assert (first.cached, again.cached) == (False, True)
    assert evaluation.post(temperature=0).text == "7"


def test_numbers_that_are_written_differently() -> None:
    """1 and 1.0 make different keys: a server may treat them differently."""
    one, other = build_request_key(CHAT, {"top_p": 1}), build_request_key(CHAT, {"top_p": 1.0})
    assert one is not None
    assert other is not None
    assert one.digest != other.digest
