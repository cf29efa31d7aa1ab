"""The data of the `ragas` harness: rows with ragas's own names; standard library only, as the job reads them, too.

A row is graded as it is if it holds a reply: `response`, or a conversation that ends with a message of `type = ai`.
Else the model is asked for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
TYPES = ("human", "ai", "tool")


@dataclass(frozen=True)
class Task:
    """A metric of ragas's: the name of its class and of its score, and what a row needs for it."""

    metric_class: str
    metric: str
    columns: tuple[str, ...]
    conversation: bool = True
    judged: bool = True
    arguments: tuple[str, ...] = ()


TASKS = {
    "answer_accuracy": Task("AnswerAccuracy", "nv_accuracy", ("reference",), conversation=False),
    "goal_accuracy_with_reference": Task("AgentGoalAccuracyWithReference", "agent_goal_accuracy", ("reference",)),
    "goal_accuracy_without_reference": Task("AgentGoalAccuracyWithoutReference", "agent_goal_accuracy", ()),
    "topic_adherence": Task("TopicAdherenceScore", "topic_adherence", ("reference_topics",), arguments=("mode",)),
    "tool_call_accuracy": Task(
        "ToolCallAccuracy", "tool_call_accuracy", ("reference_tool_calls",), judged=False, arguments=("strict_order",)
    ),
    "faithfulness": Task("Faithfulness", "faithfulness", ("retrieved_contexts",), conversation=False),
}


def read_rows(files: Iterable[tuple[str, Path]], task: Task) -> tuple[list[Row], list[str]]:
    """The rows of files, each a name to show and a path; and their mistakes, which begin with `NAME:LINE: `."""
    rows: list[Row] = []
    mistakes: list[str] = []
    seen: dict[str, str] = {}
    for name, path in files:
        for number, (line, row) in enumerate(_read_file(path), 1):
            wrong = row if isinstance(row, str) else next(_find_mistakes(row, task), "")
            if not wrong and not isinstance(row, str) and row.get("id") is not None:
                here = f"row {number} of {name}"
                first = seen.setdefault(str(row["id"]), here)
                wrong = f"the id `{row['id']}` is also that of {first}" if first != here else ""
            if wrong or isinstance(row, str):
                mistakes.append(f"{name}:{line}: {wrong}")
            else:
                rows.append(row)
    return rows, mistakes


def is_recorded(row: Row, task: Task) -> bool:
    """Whether a row holds the reply that is to be graded."""
    if task.conversation:
        return bool(messages_of(row)[-1]["type"] == "ai")
    return row.get("response") is not None


def messages_of(row: Row) -> list[dict[str, Any]]:
    """The conversation of a row; a text is a single message of a human's."""
    given = row["user_input"]
    return [{"content": given, "type": "human"}] if isinstance(given, str) else list(given)


def chat_of(row: Row, task: Task) -> list[dict[str, Any]]:
    """What the model is asked: messages in the form of OpenAI's API."""
    chat = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    if not task.conversation:
        return [*chat, {"role": "user", "content": _write_question(row)}]
    open_calls: list[str] = []
    for number, message in enumerate(messages_of(row)):
        if message["type"] == "tool":
            id = open_calls.pop(0) if open_calls else "call_0"
            chat.append({"role": "tool", "tool_call_id": id, "content": message["content"]})
        elif message["type"] == "human":
            chat.append({"role": "user", "content": message["content"]})
        else:
            calls = [_call_of(f"call_{number}_{at}", call) for at, call in enumerate(message.get("tool_calls") or ())]
            open_calls = [call["id"] for call in calls]
            chat.append({"role": "assistant", "content": message["content"]} | ({"tool_calls": calls} if calls else {}))
    return chat


def _write_question(row: Row) -> str:
    """The question of a row, after the texts that were retrieved for it."""
    contexts = row.get("retrieved_contexts")
    if not contexts:
        return str(row["user_input"])
    texts = "\n\n".join(contexts)
    return f"Answer the question by these texts alone.\n\n{texts}\n\nQuestion: {row['user_input']}"


def _call_of(id: str, call: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": json.dumps(call["args"], ensure_ascii=False)}
    return {"id": id, "type": "function", "function": function}


def _read_file(path: Path) -> Iterator[tuple[int, Row | str]]:
    """The rows of a file with their lines; a text says what is wrong with one. A `.json` file is a list of rows."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        yield 1, "it is not UTF-8 text"
        return
    if path.suffix == ".json":
        found = _parse(text)
        if not isinstance(found, list):
            yield 1, found if isinstance(found, str) else "it is no list of rows"
            return
        yield from ((1, row if isinstance(row, dict) else f"row {at} is no object") for at, row in enumerate(found, 1))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            row = _parse(line)
            yield number, row if isinstance(row, dict | str) else "it is no object"


def _parse(text: str) -> Any:
    """The value of JSON that is no text; a text that says why there is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"it is not JSON: {error}"
    return "it is no object" if isinstance(found, str) else found


def _find_mistakes(row: Row, task: Task) -> Iterator[str]:
    """What is wrong with a row."""
    for column in ("user_input", *task.columns):
        if row.get(column) in (None, "") or (row[column] == [] and column != "reference_tool_calls"):
            yield f"the row has no `{column}`"
    asked = row["user_input"]
    if not isinstance(asked, str):
        if not task.conversation:
            yield "`user_input` is no text"
        yield from _find_mistakes_in_messages(asked)
    for column in ("reference", "response", "system"):
        if not isinstance(row.get(column, ""), str | None):
            yield f"`{column}` is no text"
    for column in ("reference_topics", "retrieved_contexts"):
        if not _is_list_of(row.get(column) or [], str):
            yield f"`{column}` is no list of texts"
    if not _is_list_of(row.get("tools") or [], dict):
        yield "`tools` is no list of objects, as requests for chats have them"
    yield from _find_mistakes_in_calls("reference_tool_calls", row.get("reference_tool_calls"))


def _find_mistakes_in_messages(messages: Any) -> Iterator[str]:
    if not _is_list_of(messages, dict):
        yield "`user_input` is neither a text nor a list of messages"
        return
    called = False  # whether a tool may speak
    for at, message in enumerate(messages, 1):
        of = f"message {at} of `user_input`"
        kind = message.get("type")
        if kind not in TYPES:
            yield f"{of} has no `type`: it is one of {', '.join(TYPES)}"
        if not isinstance(message.get("content"), str):
            yield f"{of} has no text `content`"
        yield from _find_mistakes_in_calls(f"tool_calls` of message {at} of `user_input", message.get("tool_calls"))
        if kind == "tool" and not called:
            yield f"{of} is a tool's, and no message of `type` ai with `tool_calls` is before it"
        called = bool(message.get("tool_calls")) if kind == "ai" else called and kind == "tool"


def _find_mistakes_in_calls(name: str, calls: Any) -> Iterator[str]:
    if not _is_list_of(calls or [], dict):
        yield f"`{name}` is no list of calls"
        return
    for call in calls or ():
        if not isinstance(call.get("name"), str) or not isinstance(call.get("args"), dict):
            yield f'`{name}` has a call that is not {{"name": TEXT, "args": OBJECT}}'


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, kind) for one in value)
