"""What of a reply is beside its text: recorded with the sample, and given to a scorer that takes it."""

from __future__ import annotations

import pytest

from evalmake.harnesses.native import replay
from tests.harnesses.native.harness_bench import Native, completion, read_lines

CALL = {"id": "c1", "type": "function", "function": {"name": "capital", "arguments": '{"of": "France"}'}}


def test_tool_calls_are_recorded(native: Native) -> None:
    """A reply of tool calls alone is an answer: its text is empty, and its calls stand in the sample."""
    native.server.answer = lambda body: completion(None, "tool_calls", tool_calls=[CALL])
    run = native()
    assert (run.samples[0]["reply"], run.samples[0]["error"]) == ("", None)
    assert run.samples[0]["tool_calls"] == [{"id": "c1", "name": "capital", "arguments": {"of": "France"}}]
    assert run.samples[0]["scores"] == {"accuracy": 0.0}


def test_a_sample_without_calls_has_no_such_field(native: Native) -> None:
    """Nothing is written of calls and messages that no one asks for."""
    assert {"tool_calls", "message"}.isdisjoint(native().samples[0])


def test_a_scorer_of_four_arguments_has_the_whole_reply(native: Native) -> None:
    """The fourth argument has text, latency, tokens, finish reason, tool calls and the message itself."""
    native.server.answer = lambda body: completion("Paris", "tool_calls", tool_calls=[CALL], mood="good")
    native.write(
        "s.py",
        "def score(record, text, target, reply):\n"
        "    [call] = reply.tool_calls\n"
        "    assert call.name == 'capital' and call.arguments == {'of': 'France'} and call.id == 'c1'\n"
        "    assert reply.text == text == 'Paris' and reply.finish_reason == 'tool_calls' and reply.latency > 0\n"
        "    assert reply.message['mood'] == 'good'\n"
        "    return {'tokens': reply.tokens_in + reply.tokens_out}\n",
    )
    run = native(scorer="python", scorer_file="s.py")
    assert run.samples[0]["scores"] == {"tokens": 9.0}
    assert run.samples[0]["message"]["mood"] == "good"


def test_the_whole_reply_cannot_be_changed(native: Native) -> None:
    """A scorer that writes to it has an error."""
    native.write("s.py", "def score(record, text, target, reply):\n    reply.text = 'x'\n")
    assert "FrozenInstanceError" in str(native(scorer="python", scorer_file="s.py").samples[0]["error"])


@pytest.mark.parametrize(
    "function",
    ["def score(a, b, c):", "def score(a, b, c, d=1):", "def score(*a, d=1):", "def score(a, b, c=None, *, d=1):"],
)
def test_scorers_of_three_arguments_get_three(native: Native, function: str) -> None:
    """A parameter with a default keeps it, as it did before."""
    body = (
        "    return len(a) == 3\n"
        if "*a" in function
        else "    return d == 1\n"
        if "d=" in function
        else "    return 1\n"
    )
    native.write("s.py", f"{function}\n{body}")
    run = native(scorer="python", scorer_file="s.py")
    assert (run.samples[0]["scores"], run.samples[0].get("message")) == ({"accuracy": 1.0}, None)


@pytest.mark.parametrize("parameters", ["a, b", "a, b, c, d, e", "a, *, b"])
def test_scorers_of_other_arguments(native: Native, parameters: str) -> None:
    """A function that cannot be called is told before anything is asked."""
    native.write("s.py", f"def score({parameters}):\n    return 1\n")
    run = native(scorer="python", scorer_file="s.py")
    assert run.status == 2
    assert run.err == (
        f"error: s.py: `score({parameters})` cannot be called with the record, the text of the reply, the target and,"
        " if it wants that, the whole reply\n"
    )
    assert native.server.bodies == []


def test_a_replay_gives_scorers_the_same_reply(native: Native) -> None:
    """What a scorer of four arguments read is on record, and a replay scores it again."""
    native.server.answer = lambda body: completion(None, "tool_calls", tool_calls=[CALL], mood="good")
    native.write(
        "s.py",
        "def score(record, text, target, reply):\n"
        "    [call] = reply.tool_calls\n"
        "    return {call.name: 7, reply.message['mood']: reply.latency}\n",
    )
    run = native(scorer="python", scorer_file="s.py")
    samples = (native.out / "samples.jsonl").replace(native.folder / "recorded.jsonl")
    assert replay.main(str(native.folder / "task.json"), str(samples)) == 0
    assert read_lines(native.out / "samples.jsonl") == run.samples
    assert run.samples[0]["scores"]["capital"] == 7
