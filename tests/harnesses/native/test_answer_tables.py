"""Tables of replies, as models write them, each with the right reading; the same replies in other wrappings; time.

A row of the table of choices may have the question that was asked; without one, nothing is known of it.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.native.answers.asked_exception import asks_exception
from evalmake.harnesses.native.answers.letter import find_chosen_option, find_chosen_options
from evalmake.harnesses.native.answers.number import find_number
from evalmake.harnesses.native.right_options import LETTERS

Reader = Callable[[dict[str, Any], str], object]

OPTIONS = ["Paris", "London", "Rome", "Berlin"]
"""The options of a row of the table that has none of its own."""
WRAPPINGS = (
    *("Sure! {}", "Okay.\n{}", "Let me think about this.\n\n{}", "The United Kingdom is a country in Europe.\n\n{}"),
    *(
        "{}\n\nI hope this helps!",
        "{}\n\nThank you for the question.",
        "{} 😊",
        "   {}   ",
        "\n\n{}\n\n",
        "---\n{}\n---",
    ),
    *("> {}", "```\n{}\n```", "- {}", "* {}", "<p>{}</p>", "<div>{}</div>", "<response>{}</response>"),
    *("\u200b{}\u200b", "\ufeff{}", "<think>Perhaps A? Or C.</think>\n{}"),
)
WRAPPINGS_OF_A_LINE = ("**{}**", "*{}*", "_{}_", "## {}", '"{}"', "({})")
REWRITINGS = (
    lambda reply: reply.replace("\n", "\r\n"),
    lambda reply: reply.replace("\n", "\n\n"),
    lambda reply: reply.replace(" ", "\u00a0"),
    lambda reply: reply.replace(" ", "  "),
    lambda reply: reply.replace("'", "’"),
    lambda reply: reply.replace(":", "：").replace("(", "（").replace(")", "）"),
)


def read_table(name: str) -> list[dict[str, Any]]:
    """The rows of a table beside this file."""
    return [json.loads(line) for line in (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()]


CHOICES, NUMBERS = read_table("choice_replies.jsonl"), read_table("number_replies.jsonl")


def read_choice(row: dict[str, Any], reply: str) -> object:
    """What is read from a reply, as the table writes it: a letter, none, or a list for `scorer = choices`."""
    options, question = row.get("options", OPTIONS), row.get("question", "")
    if isinstance(row["chosen"], list):
        return [LETTERS[index] for index in sorted(find_chosen_options(reply, options, question))]
    index = find_chosen_option(reply, options, question)
    return None if index is None else LETTERS[index]


def read_number(row: dict[str, Any], reply: str) -> object:
    """What is read from a reply as a number, as the table writes it."""
    found = find_number(reply)
    return None if found is None else found.value


def expected(row: dict[str, Any]) -> object:
    """The right reading of a row."""
    return row["chosen"] if "chosen" in row else row["number"] and Fraction(row["number"])


TABLES = pytest.mark.parametrize(
    ("table", "read"), [(CHOICES, read_choice), (NUMBERS, read_number)], ids=["choice", "number"]
)


@TABLES
def test_every_reply_of_the_table_is_read_right(table: list[dict[str, Any]], read: Reader) -> None:
    """Each of the phrasings, in 28 languages, names the option or number that a person reads, or none."""
    assert len(CHOICES) > 1000
    assert len(NUMBERS) > 300
    wrong = [(row["reply"], found) for row in table if (found := read(row, row["reply"])) != expected(row)]
    assert wrong == []


def test_a_question_for_an_exception_is_told_from_others() -> None:
    """Words such as NOT, EXCEPT and false count where they say which option is asked for, in 28 languages."""
    rows = read_table("asked_questions.jsonl")
    letters = "\n".join(f"{LETTERS[index]}) {option}" for index, option in enumerate(OPTIONS))
    wrong = []
    for row in rows:
        options = row.get("options", OPTIONS)
        question = row["question"] if "options" in row else f"{row['question']}\n{letters}"
        if asks_exception(question, options) != row["exception"]:
            wrong.append(question)
    assert len(rows) > 100
    assert wrong == []


@pytest.mark.parametrize("seed", range(3))
@TABLES
def test_no_wrapping_changes_a_reading(table: list[dict[str, Any]], read: Reader, seed: int) -> None:
    """Words before and after, Markdown, HTML, other quotes, spaces and line ends change no reading."""
    chance = random.Random(seed)
    wrong = []
    for row in table:
        reply = row["reply"]
        if not reply.strip() or isinstance(expected(row), list):
            continue
        wrappings = WRAPPINGS if "\n" in reply else WRAPPINGS + WRAPPINGS_OF_A_LINE
        if "," in reply:  # (3,14) are two numbers
            wrappings = tuple(one for one in wrappings if one != "({})")
        for wrapped in (chance.choice(wrappings).replace("{}", reply, 1), chance.choice(REWRITINGS)(reply)):
            if (found := read(row, wrapped)) != expected(row):
                wrong.append((wrapped, found))
    assert wrong == []


HOSTILE = (
    "which of all except ",
    "Which is ",
    "the answer is maybe ",
    "A ",
    "a ",
    "Option A, ",
    "答案A",
    "答",
    "Answer:",
    "**A** ",
    "A\n",
    "\\boxed{",
    "<answer>",
    "A?No.",
    "\nB\nQuestion: ",
    "plan A and B or ",
    "I cannot answer ",
    "330 m (1,083 ft) ",
    "5 red and 7 green, ",
    "12 eggs for 4 cakes ",
    "6 × 42 in 3 and ",
    "42. Note: 7 = ",
    "Verification:\n7\n",
    "I don't know. 42 days, or 1 week ",
    "All except A ",
    "All of these are mammals except A. ",
    "The statement that is not true is ",
    "I choose A. I also choose ",
    "</think><thinking>",
    "\n",
    "A ✅ B ❌ ",
    "A? Or ",
    "the second option ",
    "(a) 5 ",
    "x = 5, ",
    "**5** ",
    "5 (a) b (c 3) ",
    "5: 2, 3, ",
    "5 full a, with 5 left ",
    "I multiplied 5. ",
    "5.000 m ist ",
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_time_is_bounded(piece: str) -> None:
    """A reply of 1 MB costs no more than one of 20 kB, but for some passes over its characters."""

    def measure(size: int) -> float:
        reply = piece * (size // len(piece))
        started = time.process_time()
        find_chosen_options(reply, OPTIONS)
        find_number(reply)
        asks_exception(reply, OPTIONS)
        return time.process_time() - started

    measure(1000)
    short = min(measure(20_000) for _ in range(3))
    assert measure(1_000_000) < 50 * short + 0.25


def test_an_answer_in_the_middle_of_a_long_reply_is_read() -> None:
    """Words that announce an answer are looked for in all of a reply."""
    filler = "The weather in the city was fine that day. " * 3000
    assert find_chosen_option(f"{filler}\nThe answer is B.\n{filler}", OPTIONS) == 1
