"""`messages`: conversations of records, asked turn by turn; `tools`: what the model may call."""

from __future__ import annotations

from typing import Any

import pytest

from evalmake.harnesses.native import replay
from evalmake.harnesses.native.conversation import split_turns
from tests.harnesses.native.harness_bench import Body, Native, completion, question, read_lines, refusal

CALL = {"id": "c1", "type": "function", "function": {"name": "capital", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "capital", "parameters": {"type": "object", "properties": {}}}}


def user(text: str) -> Body:
    """A message of the user."""
    return {"role": "user", "content": text}


def said(text: str) -> Body:
    """A message of the model."""
    return {"role": "assistant", "content": text}


SYSTEM = {"role": "system", "content": "Be brief."}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "Paris"}
CALLS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
SENT_CALLS = {"role": "assistant", "tool_calls": [CALL]}


def chat(native: Native, *messages: Any, **task: Any) -> Any:
    """Run a task with one conversation."""
    record = {"m": list(messages), "a": "42"}
    return native([record], **{"prompt": None, "messages": "{m}"} | task)


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        ([user("6*7?")], [user("6*7?")]),
        ([SYSTEM, user("a"), said("b"), user("c")], [SYSTEM, user("a"), said("b"), user("c")]),
        ([user("a"), CALLS, RESULT], [user("a"), SENT_CALLS, RESULT]),
        ([user("a"), said("b"), said("c"), user("d")], [user("a"), said("b"), said("c"), user("d")]),
        (
            [{**user("a"), "name": None, "tool_calls": None}, said("b"), {**user("c"), "name": "ann"}],
            [user("a"), said("b"), {**user("c"), "name": "ann"}],
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a", "image_url": None}]}],
            [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
        ),
    ],
)
def test_messages_are_sent_as_they_are(native: Native, messages: list[Body], sent: list[Body]) -> None:
    """A conversation is one request if the model replies at its end only; keys that are null are left out."""
    run = chat(native, *messages)
    assert run.err == ""
    assert [body["messages"] for body in native.server.bodies] == [sent]
    assert run.samples[0]["request"] == native.server.bodies[0]
    assert "turns" not in run.samples[0]
    assert run.headline["value"] == 1


def test_a_system_message_is_put_before(native: Native) -> None:
    """`system` stands before the conversation."""
    chat(native, user("6*7?"), system="For {a}.")
    assert native.server.bodies[0]["messages"] == [{"role": "system", "content": "For 42."}, user("6*7?")]


def test_user_messages_in_a_row_are_asked_one_by_one(native: Native) -> None:
    """Each reply goes into the next request; all are recorded, and the last one is scored."""
    replies = iter(["<think>Hm.</think>\n\nHello.", "40", "42"])
    native.server.answer = lambda body: next(replies)
    run = chat(native, SYSTEM, user("Hi."), user("5*8?"), said("No."), user("6*7?"), scorer="number")
    first = [SYSTEM, user("Hi.")]
    second = [*first, said("Hello."), user("5*8?"), said("No."), user("6*7?")]
    assert [body["messages"] for body in native.server.bodies] == [first, second]
    sample = run.samples[0]
    assert sample["request"] == native.server.bodies[-1]
    assert [turn["reply"] for turn in sample["turns"]] == ["<think>Hm.</think>\n\nHello.", "40"]
    assert (sample["reply"], sample["scores"]) == ("40", {"accuracy": 0.0})
    assert (sample["tokens_in"], sample["tokens_out"]) == (14, 4)
    assert sample["latency"] == pytest.approx(sum(turn["latency"] for turn in sample["turns"]))
    assert (run.scores["usage"]["requests"], run.scores["usage"]["tokens_in"]) == (2, 14)


@pytest.mark.parametrize(
    ("roles", "turns"),
    [
        ("u", ["u"]),
        ("uu", ["u", "u"]),
        ("suuu", ["su", "u", "u"]),
        ("usu", ["u", "su"]),
        ("ssudu", ["ssu", "du"]),
        ("uauu", ["uau", "u"]),
        ("uatu", ["uat", "u"]),
        ("uattauu", ["uattau", "u"]),
        ("auau", ["auau"]),
    ],
)
def test_turns_of_a_conversation(roles: str, turns: list[str]) -> None:
    """The model is asked before each user message that follows a user's or a tool's, whatever instructs it between."""
    names = {"s": "system", "d": "developer", "u": "user", "a": "assistant", "t": "tool"}
    found = split_turns([{"role": names[role], "n": number} for number, role in enumerate(roles)])
    assert ["".join(message["role"][0] for message in turn) for turn in found] == turns
    assert [message["n"] for turn in found for message in turn] == list(range(len(roles)))


def test_a_reply_that_calls_tools_ends_the_conversation(native: Native) -> None:
    """Nobody runs the tools, so the reply that calls them is the last one, and is scored."""
    native.server.answer = lambda body: completion(None, "tool_calls", tool_calls=[CALL])
    run = chat(native, user("a"), user("b"), user("c"))
    assert len(native.server.bodies) == 1
    assert (run.samples[0]["scores"], len(run.samples[0]["turns"])) == ({"accuracy": 0.0}, 1)
    assert run.samples[0]["tool_calls"][0]["name"] == "capital"


def test_a_turn_that_fails(native: Native) -> None:
    """The error says in which turn; the replies before it are recorded and counted."""
    native.server.answer = lambda body: "40" if len(body["messages"]) == 1 else refusal(500)
    run = chat(native, user("a"), user("b"), user("c"))
    sample = run.samples[0]
    assert sample["error"] == 'turn 2 of 3: HTTP 500: {"error": "no"}'
    assert (sample["reply"], sample["scores"], sample["tokens_in"]) == (None, {}, 7)
    assert [turn["reply"] for turn in sample["turns"]] == ["40"]
    assert sample["request"]["messages"] == [user("a"), said("40"), user("b")]


@pytest.mark.parametrize("fails", [False, True])
def test_a_replay_of_turns(native: Native, fails: bool) -> None:
    """Recorded conversations are replayed turn by turn, to the same samples; also one that failed."""
    counts = iter(range(100))

    def answer(body: Body) -> Any:
        text = question(body)
        return refusal(500) if fails and text == "b" else f"<think>{text}</think>{next(counts)}"

    native.server.answer = answer
    native.write(
        "s.py", "def score(record, text, target, reply):\n    return float(reply.message['content'][-1] == text[-1])\n"
    )
    records = [{"m": [user("a"), user("b"), user("c")]}, {"m": [user("d")]}, {"m": [user("e"), user("f")]}]
    run = native(records, prompt=None, messages="{m}", target=None, scorer="python", scorer_file="s.py")
    assert run.headline["scored"] == (2 if fails else 3), run.samples
    recorded = (native.out / "samples.jsonl").replace(native.folder / "recorded.jsonl")
    assert replay.main(str(native.folder / "task.json"), str(recorded)) == 0
    assert read_lines(native.out / "samples.jsonl") == run.samples


def test_a_judge_sees_the_conversation(native: Native) -> None:
    """What the judge is told of the question is all that was said."""
    native.env |= {"EVALMAKE_JUDGE_URL": native.server.url, "EVALMAKE_JUDGE_NAME": "judge"}
    native.server.answer = lambda body: "GRADE: 1" if body["model"] == "judge" else "42"
    chat(native, SYSTEM, user("Hi."), user("6*7?"), scorer="judge")
    assert "[Question]\nuser: Hi.\n\nassistant: 42\n\nuser: 6*7?\n\n[Expected" in question(native.server.bodies[-1])


def test_different_conversations_are_no_repeats(native: Native) -> None:
    """Conversations that end alike are different questions."""
    records = [{"m": [user("a"), said("b"), user("go on")], "a": "42"}, {"m": [user("go on")], "a": "42"}]
    run = native(records, prompt=None, messages="{m}")
    assert len({sample["question_key"] for sample in run.samples}) == 2


MISTAKES: list[tuple[Any, str]] = [
    ("Hi.", "the field 'm' is a text, not a list of messages"),
    ([], "the field 'm' is an empty list"),
    ({"role": "user"}, "the field 'm' is an object, not a list of messages"),
    (["Hi."], "message 1 is a text, not an object with `role` and `content`"),
    ([{"content": "Hi."}], "message 1 has no role; the roles are system, developer, user, assistant, tool"),
    ([{"role": "human", "content": "Hi."}], "message 1 has the role 'human'; the roles are system,"),
    ([{"role": 5, "content": "Hi."}], "message 1 has the role a number; the roles are"),
    ([{"role": [], "content": "Hi."}], "message 1 has the role a list; the roles are"),
    ([{"from": "human", "value": "Hi."}], "message 1 has `from` and `value`; in the chat format they are `role` and"),
    ([{"role": "user"}], "message 1 has no content"),
    ([user("a"), {"role": "assistant"}, user("b")], "message 2 has no content"),
    ([user(" ")], "message 1: the content is empty"),
    ([user("a"), {"role": "user", "content": []}], "message 2: the content is an empty list"),
    ([{"role": "user", "content": 5}], "message 1: the content is a number, not a text or a list of parts"),
    ([{"role": "user", "content": "a", "mood": "good"}], "message 1 has the key 'mood'; a message of the role 'user'"),
    ([{"role": "user", "content": "a", "name": 5}], "message 1: `name` is a number, not a text"),
    ([{"role": "user", "content": ["a"]}], "message 1, part 1 is a text, not an object"),
    ([{"role": "user", "content": [{"type": "video_url"}]}], "message 1, part 1 has the type 'video_url'; the types"),
    ([{"role": "user", "content": [{"type": []}]}], "message 1, part 1 has the type a list; the types"),
    ([{"role": "user", "content": [{"type": "text"}]}], "message 1, part 1: `text` is null, not a text"),
    ([{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]}], "message 1, part 1 has the key 'x'"),
    ([{"role": "user", "content": [{"type": "image_url"}]}], 'message 1, part 1: `image_url` is an object: {"url"'),
    (
        [{"role": "user", "content": [{"type": "image_url", "image_url": "a.png"}]}],
        'message 1, part 1: `image_url` is an object: {"url": "..."}',
    ),
    (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,", "detail": "much"}}]}],
        "message 1, part 1: `detail` is 'much'; it can be auto, low, high",
    ),
    (
        [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}, user("a")],
        "message 1, part 1 has the type 'image_url', which only a message of the role 'user' can have",
    ),
    ([user("a"), said("b")], "the last message is of the role 'assistant': there is nothing to reply to"),
    ([SYSTEM], "the last message is of the role 'system': there is nothing to reply to"),
    ([user("a"), RESULT], "message 2 is the result of 'c1', no call before it"),
    ([user("a"), CALLS, user("b")], "message 3 comes before the result of the call 'c1'"),
    ([user("a"), CALLS, RESULT, RESULT], "message 4 is the result of 'c1', no call before it"),
    ([user("a"), {"role": "tool", "content": "b"}], "message 2 has no `tool_call_id`"),
    ([user("a"), {**CALLS, "tool_calls": []}, user("b")], "message 2: `tool_calls` is empty, not a list of calls"),
    ([user("a"), {**CALLS, "tool_calls": [5]}, user("b")], "message 2, call 1 is no call of a function: {"),
    ([user("a"), {**CALLS, "tool_calls": [CALL | {"id": 5}]}, user("b")], "message 2, call 1 has no `id`"),
    (
        [user("a"), {**CALLS, "tool_calls": [CALL | {"function": {"name": "a b"}}]}, user("b")],
        "message 2, call 1: the name 'a b' is none of a function",
    ),
    (
        [user("a"), {**CALLS, "tool_calls": [CALL | {"function": {"name": "f", "arguments": {}}}]}, user("b")],
        "message 2, call 1: `arguments` is an object, not a text",
    ),
]


@pytest.mark.parametrize(("messages", "message"), MISTAKES)
def test_mistakes_in_conversations(native: Native, messages: Any, message: str) -> None:
    """What is not OpenAI's chat format is an error with file and line, and nothing is asked."""
    run = native([{"m": messages, "a": "42"}], prompt=None, messages="{m}")
    assert run.err.startswith(f"error: data.jsonl:1: {message}"), run.err
    assert native.server.bodies == []


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"messages": None}, "task.json: prompt is missing"),
        ({"messages": "Say {m}"}, "task.json: messages: expected one field, as '{messages}'"),
        ({"messages": "m"}, "task.json: messages: expected one field, as '{messages}'"),
        ({"messages": "{x}"}, "data.jsonl:1: the record has no field 'x'; it has m, a"),
        ({"prompt": "{a}"}, "task.json: prompt and messages cannot stand together: they are two ways to ask"),
        ({"choices": ["x", "y"]}, "task.json: choices and messages cannot stand together: a conversation has its"),
        ({"examples": [{"m": [user("a")], "a": "b"}]}, "task.json: examples and messages cannot stand together"),
        ({"system": "Be {a}.", "messages": "{s}"}, "data.jsonl:1: the conversation has a system message of its own"),
        ({"tools": "tools"}, "task.json: tools: expected one field, as '{tools}'"),
        ({"tools": "{x}"}, "data.jsonl:1: the record has no field 'x'; it has m, a"),
        ({"tools": "{a}"}, "data.jsonl:1: the tools in 'a': it is not a list of tools"),
        ({"tools": 5}, "task.json: tools: it is not a list of tools"),
        ({"tools": [5]}, "task.json: tools: tool 1 is no function: {"),
        ({"tools": [TOOL, TOOL]}, "task.json: tools: tool 2 has the name of an earlier one, 'capital'"),
        ({"tools": [{**TOOL, "name": "x"}]}, "task.json: tools: tool 1 has the key 'name'; it is {"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "task.json: tools: tool 1 has no `name` of"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": "none"}}]},
            "task.json: tools: tool 1 has `parameters` that are no JSON schema",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "input": {}}}]},
            "task.json: tools: tool 1 has the key 'input' in `function`, which has name,",
        ),
    ],
)
def test_mistakes_in_the_keys(native: Native, task: Body, message: str) -> None:
    """Keys that do not fit are told before anything is asked."""
    record = {"m": [user("6*7?")], "a": "42"} | ({"s": [SYSTEM, user("a")]} if "system" in task else {})
    run = native([record], **{"prompt": None, "messages": "{m}"} | task)
    assert run.err.replace(f"{native.folder}/", "").startswith(f"error: {message}"), run.err
    assert native.server.bodies == []


@pytest.mark.parametrize("task", [{"prompt": None, "messages": "{m}"}, {"tools": [TOOL]}])
def test_the_completions_api_has_no_conversations(native: Native, task: Body) -> None:
    """Messages and tools need the chat API."""
    native.env["EVALMAKE_MODEL_API"] = "completions"
    run = native([{"m": [user("a")], "q": "b", "a": "42"}], **task)
    assert (
        run.err
        == "error: messages, tools, image and audio are for the chat API, and EVALMAKE_MODEL_API is 'completions'\n"
    )


@pytest.mark.parametrize("given", ["list", "field"])
def test_tools_are_sent(native: Native, given: str) -> None:
    """Tools of the task, or of a record, stand in the request; a record whose tools are null offers none."""
    record = {"q": "6*7?", "a": "42", "t": [{**TOOL, "function": {**TOOL["function"], "strict": None}}]}
    run = native([record, record | {"t": None, "q": "5?"}], tools=[TOOL] if given == "list" else "{t}")
    assert run.err == ""
    sent = {question(body): body.get("tools") for body in native.server.bodies}
    assert sent == {"6*7?": [TOOL], "5?": [TOOL] if given == "list" else None}
