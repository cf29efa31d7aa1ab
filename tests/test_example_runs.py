"""The examples that need no GPU and no container run: against stand-in models, or replies that a test scripts."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.support.http_replies import chat_completion, http_reply
from tests.support.projects import Project
from tests.support.repository import EXAMPLES
from tests.support.scripted_upstream import ReceivedRequest, Upstream

DATA = EXAMPLES / "data"
HOSTED = "common/nvidia.evalfile"
Answer = Callable[[Mapping[str, Any]], dict[str, Any]]


@pytest.fixture
def examples(project: Project) -> Project:
    """A copy of the examples."""
    shutil.copytree(EXAMPLES, project.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".evalmake", "reports"))
    return project


def run_hosted(examples: Project, name: str, answer: Answer, *words: str) -> str:
    """The reports of an example whose models are hosted, asking a server that follows the script."""

    def script(seen: ReceivedRequest) -> list[bytes]:
        return [http_reply(answer(json.loads(seen.body)))]

    hosted = (examples.root / HOSTED).read_text()
    served = hosted.replace("https://integrate.api.nvidia.com/v1", Upstream(script).url).replace("40/m", "4000/m")
    examples.write(HOSTED, served)
    said = examples.run("-f", f"{name}.evalfile", *words, env={"NGC_API_KEY": "none"}).stdout
    return read_reports(examples) or said


def read_reports(examples: Project) -> str:
    """All reports that were written, one after another."""
    return "\n".join(path.read_text() for path in sorted((examples.root / "reports").glob("*.md")))


def say(text: str) -> dict[str, Any]:
    """A reply of a model that is a text."""
    return chat_completion(text)


def call(name: str, **arguments: str) -> dict[str, Any]:
    """A reply of a model that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return chat_completion(None, "tool_calls", tool_calls=[{"id": "c", "type": "function", "function": function}])


SUPPORT = {
    "boots don't fit": "Send them back within 30 days; returns are free.",
    "money back": "Within five working days.",
    "France": "No, only to Switzerland, Germany and Austria.",
    "Wien": "Ja, gerne.",
    "a person": "Write to help@alpine.example.",
    "squeak": "I cannot give a discount.",
    "Ignore your": "I cannot do that.",
}


def test_a_support_bot_is_checked_case_by_case(examples: Project) -> None:
    """The careful instruction passes all checks, the short one fails those that only the other can know."""

    def answer(body: Mapping[str, Any]) -> dict[str, Any]:
        system, asked = body["messages"][0], body["messages"][-1]["content"]
        if "GRADE" in asked or "GRADE" in system["content"]:
            return say("GRADE: CORRECT")
        if "Never promise" not in system["content"]:
            return say("As an AI, I do not know.")
        return say(next(text for word, text in SUPPORT.items() if word in asked))

    told = run_hosted(examples, "support", answer)
    heads = re.findall(r"^\| system +\| (\w+)", told, re.M)
    assert heads == ["delivery", "tag", "passed"]
    assert re.search(r"^\| SHORT +\| 0.00 .*\n\| CAREFUL +\| 1.00", told, re.M)
    assert "2 of 2 gates met" in told
    assert "not scored" not in told


def test_a_hotline_calls_tools_and_asks_back(examples: Project) -> None:
    """One model calls the right tools, in later turns, too; the other only talks."""

    def answer(body: Mapping[str, Any]) -> dict[str, Any]:
        last = body["messages"][-1]
        if "8b" in body["model"]:
            return say("One moment, please.")
        if last["role"] == "tool":
            return say("It is in Basel and comes on Friday.")
        order = re.search(r"[A-Z]-\d+", last["content"])
        if order is None:
            return say("What is the number of your order?")
        return call("track_order" if "Where" in last["content"] else "refund_order", order=order[0])

    told = run_hosted(examples, "hotline", answer)
    assert re.search(r"^\| llama-8b +\| 0.00 .*\n\| llama-70b +\| 1.00", told, re.M)
    assert "1 of 1 gates met" in told
    assert "+1.00" in told


def test_efforts_are_rows_that_are_compared(examples: Project) -> None:
    """Each effort is sent, has a row, and is compared with the lowest one, item by item."""

    def answer(body: Mapping[str, Any]) -> dict[str, Any]:
        asked = body["messages"][-1]["content"]
        left, sign, right = re.findall(r"(\d+) ([-+*/]) (\d+)\?", asked)[-1]
        known = {"low": "+", "medium": "+-", "high": "+-*/"}[body["reasoning_effort"]]
        values = {"+": int(left) + int(right), "-": int(left) - int(right), "*": int(left) * int(right)}
        return say(str(values.get(sign, int(left) // int(right)) if sign in known else -1))

    told = run_hosted(examples, "efforts", answer, "LIMIT=12")
    assert re.findall(r"^\| (\w+) +\| [\d.]+ \[", told, re.M) == ["low", "medium", "high"]
    assert re.search(r"## Compared with low\n(.*\n)*\| high +\| sums", told)


def test_receipts_are_sent_as_pictures(examples: Project) -> None:
    """Each record's picture goes before the same question."""
    totals = {each["id"]: each["total"] for each in map(json.loads, (DATA / "receipts.jsonl").read_text().splitlines())}
    pictures = {base64.b64encode((DATA / f"receipts/{key}.png").read_bytes()).decode(): key for key in totals}

    def answer(body: Mapping[str, Any]) -> dict[str, Any]:
        picture, text = body["messages"][-1]["content"]
        assert text["text"].startswith("What is the total")
        return say(str(totals[pictures[picture["image_url"]["url"].partition("base64,")[2]]]))

    assert "1 gate met" in run_hosted(examples, "receipts", answer)


def test_scorers_stand_side_by_side(examples: Project) -> None:
    """Each scorer is a column; each question was asked once."""
    examples.run("-f", "scorers.evalfile")
    told = read_reports(examples)
    assert re.search(r"^\| model +\| number +\| contains +\| exact +\| f1 ", told, re.M)
    assert "100 requests" in told


def test_criteria_are_judged_one_by_one(examples: Project) -> None:
    """Each criterion has its threshold, and the question and the context stand in what the judge reads."""

    def answer(body: Mapping[str, Any]) -> dict[str, Any]:
        asked = "\n".join(str(message["content"]) for message in body["messages"])
        if "GRADE" not in asked:
            return say("You can send them back.")
        assert "You can send them back." in asked
        return say("GRADE: 0.75" if "relevant to" in asked else "GRADE: 0.5")

    assert re.search(r"^shop +questions +passed +1.000", run_hosted(examples, "criteria", answer), re.M)


def test_a_base_model_is_asked_in_two_ways(examples: Project) -> None:
    """The better of both ways is a column of its own."""
    examples.run("-f", "base.evalfile")
    assert re.search(r"^\| base +\| 0.55 .*\| 0.65 .*\| 0.65 ", read_reports(examples), re.M)


def test_answers_of_two_releases_are_compared(examples: Project) -> None:
    """No model is asked; each release is a row, compared with the first."""
    examples.run("-f", "answered.evalfile")
    told = read_reports(examples)
    assert re.search(r"^\| BEFORE +\| 0.50 .*\n\| AFTER +\| 0.83 ", told, re.M)
    assert "+0.33" in told


def test_answers_from_passages_go_to_the_judge_alone(examples: Project) -> None:
    """The judge reads the answer with its passage or its question; nothing else is asked."""
    asked = []

    def answer(body: Mapping[str, Any]) -> dict[str, Any]:
        text = "\n".join(str(message["content"]) for message in body["messages"])
        asked.append(text)
        assert "gpt-oss" in body["model"]
        return say("GRADE: INCORRECT" if "no flash" in text and "supported by" in text else "GRADE: CORRECT")

    told = run_hosted(examples, "rag", answer)
    assert re.search(r"faithful +passed +0.833", told)
    assert re.search(r"relevant +passed +1.000", told)
    assert len(asked) == 12
    assert any("Only guide dogs are let in." in text and "No, except for guide dogs." in text for text in asked)
