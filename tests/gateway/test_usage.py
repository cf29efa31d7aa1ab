"""The record of what an evaluation used of its model."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xxhash import xxh3_64_hexdigest

from evalmake.gateway.proxy.usage import UsageRecord, prompt_digest
from evalmake.gateway.settings import CLOSED
from tests.gateway.gateway_process import KEY, Gateway, wait_until
from tests.support.http_replies import DONE, chat_completion, chat_event, chunked_reply, http_reply
from tests.support.scripted_upstream import ConnectionEnd, Upstream


def used(prompt: int, completion: int, **details: Any) -> dict[str, Any]:
    """A reply's counts of tokens."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, **details}


def test_sums_and_rows(start_gateway: Callable[..., Gateway]) -> None:
    """Tokens, finish reasons, calls, retries and cached replies are in the rows, and their sums."""
    details = {
        "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": None},
        "prompt_tokens_details": {"cached_tokens": 5},
    }
    calls = {**chat_completion(None, "tool_calls", tool_calls=[{"id": "1"}, {"id": "2"}]), "usage": used(3, 4)}
    usage = b"data: " + json.dumps({"choices": [], "usage": used(1, 2)}).encode() + b"\n\n"
    upstream = Upstream([]).use_scripts(
        [0.002, http_reply({**chat_completion("7"), "usage": used(10, 20, **details)})],
        [http_reply({}, 500)],
        [http_reply(calls)],
        [0.05, *chunked_reply(chat_event("7"), chat_event(finish="stop"), usage, DONE)],
        [http_reply(chat_completion(None, "length"))],
        [http_reply({"error": {}}, 404)],
        [http_reply({**chat_completion("7", None), "usage": 7})],
    )
    evaluation = start_gateway().open_evaluation(upstream)  # its limits are this test's alone
    bodies: list[dict[str, Any]] = [
        {"temperature": 0},
        {"temperature": 0},
        {"seed": 2},
        {"stream": True},
        {},
        {},
        {"seed": 3},
    ]
    for body in bodies:
        evaluation.post(**body)
    evaluation.request("GET", "/v1/models")
    sums = evaluation.close()
    assert sums.pop("seconds") >= sums.pop("slowest") > 0
    assert sums.pop("first") > 0
    assert sums.pop("limits") == {"concurrency": None, "rate": None, "throttled": 0}
    assert sums == {
        "requests": 8,
        "sent": 8,
        "cached": 1,
        "retries": 1,
        "tokens_in": 10 + 10 + 3 + 1 + 7,
        "tokens_out": 20 + 20 + 4 + 2 + 3,
        "tokens_reasoning": 4,
        "tokens_cached": 10,
        "paid_tokens_in": 21,
        "paid_tokens_out": 29,
        "paid_tokens_reasoning": 2,
        "paid_tokens_cached": 5,
        "uncounted": 1,
        "tool_calls": 2,
        "calls_without_text": 1,
        "null_content": 1,
        "truncated": 1,
        "statuses": {"200": 7, "404": 1},
        "finish": {"stop": 3, "tool_calls": 1, "length": 1, "None": 1},
        "models": {},
        "fingerprints": {},
        "undeclared": {},
        "parameters": {"model": {'"m"': 7}, "seed": {"2": 1, "3": 1}, "stream": {"true": 1}, "temperature": {"0": 2}},
        "probed": {},
        "fatal": "",
        "fatal_status": "",
        "redirect": "",
        "cache_trouble": "",
        "last_error": f'{upstream.url}/chat/completions: HTTP 404: {{"error": {{}}}}',
    }
    rows = evaluation.read_rows("requests")
    assert [row["n"] for row in rows] == list(range(1, 9))
    assert [row["status"] for row in rows] == [200] * 5 + [404, 200, 200]
    assert [row["tries"] for row in rows] == [1, 0, 2, 1, 1, 1, 1, 1]
    assert [row["cached"] for row in rows] == [False, True] + [False] * 6
    assert [row.get("tokens_out") for row in rows] == [20, 20, 4, 2, 3, None, None, None]
    assert [row.get("finish") for row in rows] == [
        "stop",
        "stop",
        "tool_calls",
        "stop",
        "length",
        None,
        "None",
        None,
    ]
    assert 0.001 < rows[1]["seconds"] <= rows[0]["seconds"]  # what it took when it was asked
    assert ["first" in row for row in rows] == [row["n"] == 4 for row in rows]
    assert 0.04 < rows[3]["first"] <= rows[3]["seconds"]
    assert [row["occurrence"] for row in rows[:7]] == [0, 0, 0, 0, 0, 1, 0]
    assert rows[4]["question"] == rows[5]["question"] != rows[0]["question"]
    assert {row["prompt"] for row in rows[:7]} == {xxh3_64_hexdigest(b"Hello")}
    assert rows[7]["path"] == "/v1/models"
    assert not {"prompt", "question"} & set(rows[7])


def test_what_a_score_does_not_show(gateway: Gateway) -> None:
    """Empty and missing texts, refusals, calls in place of text and cut reasoning are counted."""
    calls = [{"id": "1", "function": {"name": "f"}}]
    parts = [{"type": "thinking", "thinking": "7"}, {"type": "text", "text": " "}]
    replies = [
        chat_completion(""),
        chat_completion(parts),
        chat_completion(None, "length", reasoning="hm"),
        chat_completion(None, "tool_calls", tool_calls=calls),
        chat_completion("Let me call.", "tool_calls", tool_calls=calls),
        chat_completion(None, refusal="No."),
        chat_completion("", "content_filter"),
        chat_completion("<think>hm", "length"),
        chat_completion("<think>hm</think>7", "length"),
        chat_completion("<think>hm", "max_tokens"),
        chat_completion("<think>hm", "end_turn"),
        {"choices": [{"text": "", "finish_reason": "stop"}]},
    ]
    upstream = Upstream([]).use_scripts(*([http_reply(reply)] for reply in replies))
    evaluation = gateway.open_evaluation(upstream)
    evaluation.post_repeatedly(len(replies))
    sums = evaluation.close()
    counted = ("null_content", "empty_content", "refusals", "calls_without_text", "tool_calls", "cut_in_reasoning")
    counted += ("stopped_in_reasoning",)
    assert {name: sums[name] for name in counted} == {
        "null_content": 1,
        "empty_content": 4,
        "refusals": 1,
        "calls_without_text": 1,
        "tool_calls": 2,
        "cut_in_reasoning": 2,
        "stopped_in_reasoning": 1,
    }
    assert sums["finish"] == {"stop": 5, "length": 4, "tool_calls": 2, "content_filter": 1}


DECLARED = {"seed": 3, "temperature": 0.7, "max_tokens": 100, "stop": ["x"], "top_p": 1}


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (DECLARED, {}),
        ({**DECLARED, "temperature": 0.70, "top_p": 1.0, "n": 2}, {}),
        ({**DECLARED, "seed": 5}, {"seed": {"5": 2}}),
        ({**DECLARED, "temperature": 0, "stop": "x"}, {"temperature": {"0": 2}}),
        ({**DECLARED, "stop": ["x", "y"]}, {"stop": {'["x", "y"]': 2}}),
        ({**DECLARED, "seed": 3 + 2 * 15_485_863}, {}),
        ({"temperature": 0.7, "stop": ["x"], "top_p": 1, "max_completion_tokens": 100}, {}),
        ({**DECLARED, "max_tokens": None, "top_p": None}, {"max_tokens": {"unset": 2}, "top_p": {"unset": 2}}),
    ],
)
def test_parameters_against_their_declaration(gateway: Gateway, sent: dict[str, Any], found: dict[str, Any]) -> None:
    """Values of requests that contradict the declared ones are counted, before adapters change them."""
    upstream = Upstream([http_reply(chat_completion("7"))])
    settings = {"declared": DECLARED, "seed": "3", "seed_step": 15_485_863}
    evaluation = gateway.open_evaluation(upstream, settings=settings, params={"temperature": 0.1})
    evaluation.post_repeatedly(2, **sent)
    evaluation.post("/v1/embeddings", input="x")
    sums = evaluation.close()
    assert sums["undeclared"] == found
    assert sums.get("reseeded", 0) == (2 if sent.get("seed") not in (3, 5, None) else 0)


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({"top_p": 0.5, "temperature": 0.7, "min_p": 0.1}, {"top_p": {"0.5": 2}, "min_p": {"0.1": 2}}),
        ({"top_p": 0.9999999, "top_k": -1, "presence_penalty": 0, "frequency_penalty": None, "seed": 1}, {}),
        ({"top_k": 20, "repetition_penalty": 1.1}, {"top_k": {"20": 2}}),
    ],
)
def test_parameters_that_nothing_declares(gateway: Gateway, sent: dict[str, Any], found: dict[str, Any]) -> None:
    """Sampling parameters of a harness's own are counted, unless they change nothing or an adapter overrules them."""
    upstream = Upstream([http_reply(chat_completion("7"))])
    adapter = {"params": {"repetition_penalty": 1}}
    evaluation = gateway.open_evaluation(upstream, settings={"declared": {"temperature": 0.7}}, **adapter)
    evaluation.post_repeatedly(2, **sent)
    assert evaluation.close().get("added", {}) == found


def test_what_answered(gateway: Gateway) -> None:
    """Models and fingerprints are counted as replies name them: whole, streamed and cached ones."""
    names = {"model": "m-2", "system_fingerprint": "fp_1"}
    head = b"data: " + json.dumps({"choices": [], **names}).encode() + b"\n\n"
    upstream = Upstream([]).use_scripts(
        [http_reply({**chat_completion("7"), **names})],
        chunked_reply(head, chat_event("7"), chat_event(finish="stop"), DONE),
        [http_reply({**chat_completion("7"), "model": "m-3", "system_fingerprint": None})],
        [http_reply({**chat_completion("7"), "model": 7})],
        [http_reply({"model": "m-2", "data": []})],
        [http_reply({**chat_completion("7"), "model": f"the key is {KEY}"})],
    )
    evaluation = gateway.open_evaluation(upstream)
    for stream in (False, True):
        evaluation.post_repeatedly(2, temperature=0, stream=stream)
    for _ in range(2):
        evaluation.post()
    evaluation.post("/v1/embeddings", input="x")
    evaluation.post()
    sums = evaluation.close()
    assert sums["models"] == {"m-2": 5, "m-3": 1, "the key is ***": 1}
    assert sums["fingerprints"] == {"fp_1": 4}


def test_a_new_name_each_time(gateway: Gateway) -> None:
    """A server whose every reply has another fingerprint fills neither memory nor record."""
    usage = UsageRecord(gateway.folder, str)
    for number in range(1000):
        usage.record_request({"status": 200, "seconds": 0.1}, {"system_fingerprint": f"fp_{number}"})
    fingerprints = usage.summarize({})["fingerprints"]
    assert isinstance(fingerprints, dict)
    assert (fingerprints["fp_0"], fingerprints["..."]) == (1, 900)
    assert len(fingerprints) == 101


def test_the_record_is_written_meanwhile(gateway: Gateway) -> None:
    """Rows and sums are there while the evaluation runs, and are only added to."""
    evaluation = gateway.open_evaluation(Upstream([http_reply(chat_completion("7"))]))
    evaluation.post()
    wait_until(lambda: evaluation.read_rows("requests"), "a row was written")
    first = (evaluation.folder / "requests.jsonl").read_bytes()
    evaluation.post()
    evaluation.close()
    both = (evaluation.folder / "requests.jsonl").read_bytes()
    assert both.startswith(first)
    assert both.count(b"\n") == 2


def test_an_evaluation_that_asks_nothing(gateway: Gateway) -> None:
    """An evaluation without requests has sums of zero."""
    sums = gateway.open_evaluation(Upstream([])).close()
    assert sums["statuses"] == {}
    assert "requests" not in sums


def test_an_evaluation_that_ended_is_marked(gateway: Gateway) -> None:
    """A build that is killed while it ends an evaluation leaves the mark to the next one, which finds no session."""
    evaluation = gateway.open_evaluation(Upstream([http_reply(chat_completion("7"))]))
    evaluation.post_repeatedly(1)
    assert not (evaluation.folder / CLOSED).exists()
    evaluation.close()
    assert (evaluation.folder / CLOSED).exists()
    assert not (gateway.folder / "sessions" / f"{evaluation.key}.json").exists()


def test_an_attempt_begins_anew(gateway: Gateway) -> None:
    """A further attempt has its own sums; the earlier one's rows are not lost."""
    evaluation = gateway.open_evaluation(Upstream([http_reply(chat_completion("7"))]))
    evaluation.post_repeatedly(3)
    evaluation.restart().post_repeatedly(1)
    assert evaluation.close()["requests"] == 1
    assert [row["n"] for row in evaluation.read_rows("requests")] == [1, 2, 3, 1]


def test_pairs_are_logged(gateway: Gateway) -> None:
    """`log = 2` keeps the first two requests and replies as the model saw and said them."""
    upstream = Upstream([]).use_scripts([http_reply(chat_completion("<think>hm</think>7"))], [http_reply({}, 404)])
    evaluation = gateway.open_evaluation(upstream, log=2, system="Think.", strip_reasoning=True, cache=False)
    evaluation.post_repeatedly(3, n=1)
    evaluation.close()
    pairs = evaluation.read_rows("exchanges")
    assert [pair["n"] for pair in pairs] == [1, 2]
    assert pairs[0]["request"].encode() == upstream.received[0].body
    assert json.loads(pairs[0]["reply"]) == chat_completion("<think>hm</think>7")
    assert pairs[1]["reply"] == "{}"


@pytest.mark.parametrize(
    ("log", "kept"),
    [
        ({"requests": 2}, [{"request"}, {"request"}]),
        ({"replies": 1}, [{"reply"}]),
        ({"requests": 1, "replies": 2}, [{"request", "reply"}, {"reply"}]),
        ({"requests": 0}, []),
    ],
)
def test_requests_and_replies_are_logged_apart(gateway: Gateway, log: dict[str, int], kept: list[set[str]]) -> None:
    """A map says how many requests and how many replies are kept; what it does not name is not kept."""
    evaluation = gateway.open_evaluation(Upstream([http_reply(chat_completion("7"))]), log=log, cache=False)
    evaluation.post_repeatedly(3)
    evaluation.close()
    rows = evaluation.read_rows("exchanges") if kept else []
    assert [set(row) - {"n"} for row in rows] == kept


def test_very_long_texts_are_cut_in_the_log(gateway: Gateway) -> None:
    """A pair in the log is bounded, and says where it was cut."""
    evaluation = gateway.open_evaluation(Upstream([http_reply(chat_completion("é" * 300_000))]), log=1)
    evaluation.post()
    evaluation.close()
    [pair] = evaluation.read_rows("exchanges")
    assert pair["reply"].endswith(" ... (cut)")
    assert len(pair["reply"]) < 100_100


def test_the_key_is_in_no_record(gateway: Gateway) -> None:
    """Even a server that repeats the key in its errors puts it in none of the files, nor before the harness."""
    echo = {"error": {"message": f"the key {KEY} is no good"}}
    upstream = Upstream([]).use_scripts(
        [http_reply(echo, 500)],
        [http_reply({**chat_completion("7", "length"), "you_sent": KEY})],
        [*chunked_reply(chat_event(KEY), b"data: {}\n\n", end=False), ConnectionEnd.RESET],
        [http_reply(f"<html>{KEY}".encode())],
    )
    evaluation = gateway.open_evaluation(upstream, log=9, retry=1, strip_reasoning=True)
    evaluation.post()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        evaluation.post(stream=True)
    last = evaluation.post()
    assert last.status == 502
    assert KEY.encode() not in last.body
    upstream.use_scripts([http_reply(echo, 401)])
    evaluation.post()
    assert "***" in evaluation.close()["fatal"]
    files = [path for path in _files(gateway.folder) if "cache" not in path.parts]
    assert {path.name for path in files} > {"requests.jsonl", "usage.json", "exchanges.jsonl"}
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_nobody_else_may_read_it(gateway: Gateway) -> None:
    """Files and folders of the gateway are its user's alone."""
    evaluation = gateway.open_evaluation(Upstream([http_reply(chat_completion("7"))]))
    evaluation.post()
    evaluation.close()
    for path in (evaluation.folder, *_files(evaluation.folder)):
        assert path.stat().st_mode & 0o077 == 0, path


def test_rows_wait_for_a_disk_that_is_not_there(tmp_path: Path) -> None:
    """What could not be written is written later, each row once."""
    usage = UsageRecord(tmp_path / "file" / "folder", str)
    usage.record_request({"n": 1, "status": 200, "seconds": 0.1}, None)
    (tmp_path / "file").touch()
    for _ in range(2):
        try:
            usage.flush({})
        except OSError:
            continue
        raise AssertionError("it wrote into a file as into a folder")
    (tmp_path / "file").unlink()
    usage.flush({})
    usage.flush({})
    text = (tmp_path / "file" / "folder" / "requests.jsonl").read_text()
    assert text == '{"n":1,"status":200,"seconds":0.1}\n'


def test_prompts_are_known_by_their_last_text() -> None:
    """A row's prompt is that of the last message, the prompt or the input, whatever its kind."""
    assert prompt_digest({"prompt": "a"}) == prompt_digest({"input": "a"})
    chat = {"messages": [{"content": "b"}, {"content": "a"}]}
    assert prompt_digest(chat) == prompt_digest({"prompt": "a"})
    odd: list[dict[str, Any]] = [
        {},
        {"messages": []},
        {"messages": ["a"]},
        {"messages": [{"content": [{"text": "a"}]}]},
        {"prompt": [1, 2]},
        {"prompt": "\ud800"},
        {"input": None},
    ]
    assert all(len(prompt_digest(body)) == 16 for body in odd)


def test_odd_replies_are_counted_as_they_are(gateway: Gateway) -> None:
    """Whatever JSON a server answers with, the harness gets it and the request has its row."""
    odd: list[object] = [
        [],
        7,
        None,
        "text",
        {"choices": 1},
        {"choices": [1]},
        {"choices": [{"message": []}]},
        {"usage": []},
        {"choices": [{"message": {"tool_calls": 1, "content": None}}]},
        {"usage": {"prompt_tokens": "7", "completion_tokens_details": 1}},
        {"error": 1},
    ]
    upstream = Upstream([]).use_scripts(*([http_reply(one)] for one in odd))
    evaluation = gateway.open_evaluation(upstream, strip_reasoning=True)
    got = [evaluation.post("/v1/embeddings", input="x") for _ in odd]
    assert [answer.json for answer in got] == odd
    stream = [b"data: " + json.dumps(one).encode() + b"\n\n" for one in odd]
    upstream.use_scripts(chunked_reply(*stream))
    assert evaluation.post(stream=True).status == 200
    assert evaluation.close()["statuses"] == {"200": len(odd) + 1}
