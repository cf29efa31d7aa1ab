"""Scorers, through the whole program: a question, a reply, a score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.native.text_folding import DEFAULT, contains_words, make_folding, mentions
from evalmake.harnesses.native.token_f1 import compute_token_f1
from tests.harnesses.native.harness_bench import Native

COLOURS = {"choices": "{o}", "scorer": "choice"}


@pytest.mark.parametrize(
    ("task", "answer", "reply", "score", "found"),
    [
        ({"scorer": "exact"}, "Paris", " paris\n", 1, "paris"),
        ({"scorer": "exact", "normalize": ["space"]}, "Paris", "paris", 0, "paris"),
        ({"scorer": "exact"}, ["Paris", "Lutetia"], "Lutetia", 1, "Lutetia"),
        ({"scorer": "exact"}, "Paris", "Paris.", 0, "Paris."),
        ({"scorer": "exact"}, 4, "4", 1, "4"),
        ({"scorer": "exact", "extract": r"<a>(.*?)</a>"}, "4", "so <a>4</a> it is", 1, "4"),
        ({"scorer": "exact", "extract": r"<a>(.*?)</a>"}, "4", "4", 0, ""),
        ({"scorer": "number"}, "1,000", "It is $1000.00.", 1, "$1000.00"),
        ({"scorer": "number"}, 0.5, "50%", 1, "50%"),
        ({"scorer": "number"}, "7", "no idea", 0, None),
        ({"scorer": "contains"}, "Paris", "It is paris, of course", 1, "Paris"),
        ({"scorer": "contains", "normalize": []}, "Paris", "paris", 0, None),
        ({"scorer": "regex", "pattern": r"is (\w+)"}, "paris", "It is Paris", 1, "Paris"),
        ({"scorer": "regex", "pattern": r"is (\w+)"}, "paris", "It was Paris", 0, None),
        ({"scorer": "regex", "pattern": r"is (\w+)"}, "paris", "It is Rome", 0, "Rome"),
        ({"scorer": "regex", "pattern": "yes", "target": None}, "", "oh yes", 1, "yes"),
        ({"scorer": "regex", "pattern": "yes", "target": None}, "", "oh no", 0, None),
        (COLOURS, "B", "**B**", 1, "B"),
        (COLOURS, 0, "B", 0, "B"),
        (COLOURS, "green", "no letter", 0, None),
    ],
)
def test_built_in_scorers(
    native: Native, task: dict[str, object], answer: object, reply: str, score: int, found: object
) -> None:
    """Each scorer reads its answer from a reply and grades it 1 or 0."""
    native.server.answer = lambda body: reply
    run = native([{"q": "?", "a": answer, "o": ["red", "green"]}], **task)
    assert run.status == 0, run.err
    assert run.samples[0]["scores"] == {"accuracy": score}
    assert run.samples[0]["answer"] == found


@pytest.mark.parametrize(
    "task",
    [
        {"scorer": "contains"},
        {"scorer": "exact"},
        {"scorer": "regex", "pattern": r"(\w+)$"},
        {"scorer": "f1"},
        {"scorer": "exact", "extract": r"\w+"},
    ],
)
def test_no_answer_is_taken_from_reasoning(native: Native, task: dict[str, object]) -> None:
    """Texts are compared, and `extract` searches, behind the reasoning; a reply of reasoning only is no answer."""
    replies = ("<think>Is it Paris?</think>Lyon", "Paris? No.\n</think>Lyon", "<think>Paris</think>", "Paris</think>")
    for number, reply in enumerate((*replies, "<think>Lyon?</think>Paris")):
        native.server.answer = lambda body, reply=reply: reply  # type: ignore[misc]
        run = native([{"q": "?", "a": "Paris"}], **task)
        assert run.headline["value"] == (number == len(replies)), reply


@pytest.mark.parametrize(
    ("task", "reply", "counted"),
    [
        ({"scorer": "number"}, "Seven", True),
        ({"scorer": "number"}, "7", False),
        ({"scorer": "number"}, " ", False),
        ({"scorer": "number"}, "<think>7</think>", False),
        ({"scorer": "number", "extract": "[a-z]+"}, "seven 42", True),
        ({"scorer": "regex", "pattern": "A: (.*)"}, "42", True),
        ({"scorer": "choice", "choices": ["41", "42"]}, "Either of both", True),
        ({"scorer": "choices", "choices": ["41", "42"]}, "Either of both", True),
        ({"scorer": "exact", "extract": "A: (.*)"}, "42", True),
        ({"scorer": "exact", "extract": "A: (.*)"}, "A: 41", False),
        ({"scorer": "exact"}, "Seven", False),
        ({"scorer": "contains"}, "Seven", False),
    ],
)
def test_replies_without_an_answer_are_counted(native: Native, task: dict[str, Any], reply: str, counted: bool) -> None:
    """A reply with text counts as one without an answer if its scorer, or `extract`, finds none in it."""
    native.server.answer = lambda body: reply
    run = native([{"q": "?", "a": "42"}] * 3, **task)
    assert run.scores["usage"].get("replies_without_answer", 0) == 3 * counted
    assert run.headline["value"] in (0, 1)


def test_a_function_sees_the_reasoning(native: Native) -> None:
    """A scorer of the user's gets the whole reply."""
    native.server.answer = lambda body: "<think>Paris?</think>Lyon"
    native.write("s.py", "def score(record, reply, target):\n    return 'Paris' in reply\n")
    assert native(scorer="python", scorer_file="s.py").headline["value"] == 1


@pytest.mark.parametrize(("reply", "target"), [("−40", "-40"), ("-40", "−40"), ("CO₂", "CO2"), ("1914–18", "1914-18")])
@pytest.mark.parametrize("task", [{"scorer": "exact"}, {"scorer": "contains"}, {"scorer": "regex", "pattern": ".+"}])
def test_forms_of_one_text_are_alike(native: Native, reply: str, target: str, task: dict[str, object]) -> None:
    """A minus sign is a hyphen, and a chemist's subscript a digit, whatever `normalize` lists; a power is not."""
    native.server.answer = lambda body: reply
    assert native([{"q": "?", "a": target}], **task, normalize=[]).headline["value"] == 1
    native.server.answer = lambda body: "10²"
    assert native([{"q": "?", "a": "102"}], **task).headline["value"] == 0


def test_markup_is_no_part_of_a_word() -> None:
    """`contains` finds a target that Markdown or HTML divides, and takes no sign of a product or name for markup."""
    lines = (Path(__file__).parent / "contains_replies.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) > 50
    fold = make_folding(DEFAULT)
    assert [row for row in rows if mentions(row["reply"], row["target"], fold) is not row["contains"]] == []


@pytest.mark.parametrize(
    ("reply", "target", "score"),
    [
        ("The Cat!", "cat", 1.0),
        ("a black cat", "the white cat", 0.5),
        ("dog", "cat", 0.0),
        ("cat cat", "cat", 2 / 3),
        ("the", "a", 0.0),
        ("the", "A.", 0.0),
        ("", "A", 0.0),
        ("It is (A).", "A", 0.5),
        ("A", "a cat", 0.0),
        ("-5", "5", 0.0),
        ("−5.", "-5", 1.0),
        ("–5.", "-5", 1.0),
        ("CO₂", "CO2", 1.0),
        ("“cat”", "cat", 1.0),
        ("1.5", "15", 0.0),
        (".5", "5", 0.0),
        ("$1,000.", "1000", 1.0),
        ("1990-95", "199095", 1.0),
        ("+", "-", 0.0),
        ("+", "+", 1.0),
        ("C", "C++", 0.0),
        ("C++!", "C++", 1.0),
        ("an A+", "A+", 1.0),
        ("well-known", "wellknown", 1.0),
        ("", "cat", 0.0),
    ],
)
def test_token_f1(reply: str, target: str, score: float) -> None:
    """Token F1 ignores case, punctuation and articles, but in numbers, names and targets of nothing else."""
    assert compute_token_f1(reply, target) == pytest.approx(score)


def test_f1_is_its_own_metric(native: Native) -> None:
    """The scorer f1 reports `f1`, the best of the accepted answers."""
    native.server.answer = lambda body: "black cat"
    run = native([{"q": "?", "a": ["dog", "cat"]}], scorer="f1")
    assert run.scores["metric"] == "f1"
    assert run.headline["value"] == pytest.approx(2 / 3)


def test_python_scorer(native: Native) -> None:
    """The user's function gets record, reply and target, and may return several metrics."""
    native.write("helper.py", "HALF = 0.5\n")
    native.write(
        "score.py",
        "from helper import HALF\n"
        "def score(record, reply, target):\n"
        "    return {'quality': HALF, 'right': reply == target, 'n': record['q'] == 'n1' or None}\n",
    )
    native.server.answer = lambda body: "1"
    data = [{"q": "n0", "a": "0"}, {"q": "n1", "a": "1"}]
    run = native(data, scorer="python", scorer_file="score.py")
    assert run.status == 0, run.err
    assert run.scores["metric"] == "quality"
    assert run.samples[1]["scores"] == {"quality": 0.5, "right": 1.0, "n": 1.0}
    assert run.scores["scores"]["n"]["unscored"] == 1
    assert run.scores["scores"]["right"]["value"] == 0.5


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("raise KeyError('x')", "grade() failed: KeyError: 'x'"),
        ("return 'good'", "grade() failed: TypeError: it returned 'good', not a number"),
        ("return '1'", "grade() failed: ValueError: it returned '1', not a finite number"),
        ("return float('nan')", "grade() failed: ValueError: it returned nan, not a finite number"),
        (
            "return 83",
            "grade() failed: ValueError: it returned 83 as `accuracy`, not from 0 to 1:"
            " return {'points': ...} for another scale",
        ),
        (
            "return {'pass@1': -1}",
            "grade() failed: ValueError: it returned -1 as `pass@1`, not from 0 to 1:"
            " return {'points': ...} for another scale",
        ),
        ("import sys; sys.exit(0)", "grade() failed: SystemExit: 0"),
    ],
)
def test_a_failing_python_scorer_errs_the_sample(native: Native, body: str, error: str) -> None:
    """What the user's function does wrong is the sample's error, never a zero."""
    native.write("s.py", f"def grade(record, reply, target):\n    {body}\n")
    run = native(scorer="python", scorer_file="s.py", function="grade")
    assert run.status == 4
    assert run.samples[0]["error"] == error
    assert run.samples[0]["cause_kind"] == "scorer"
    assert run.samples[0]["scores"] == {}
    assert run.headline["value"] is None


def test_a_python_scorer_may_leave_unscored(native: Native) -> None:
    """None is neither a score nor an error."""
    native.write("s.py", "def score(record, reply, target):\n    return None\n")
    run = native(scorer="python", scorer_file="s.py")
    assert run.status == 4
    assert run.samples[0]["error"] is None
    assert "0 of 1 samples were scored" in run.err
    assert "left unscored by the scorer" in run.err


@pytest.mark.parametrize(
    ("normalize", "one", "other", "same"),
    [
        ((), "Paris", "paris", False),
        ((), "caf\u00e9", "cafe\u0301", True),
        ((), "a\u00a0b", " a b ", True),
        ((), "don’t", "don't", True),
        ((), "“a”", '"a"', True),
        ((), "a  b", "a b", False),
        (("space",), "a \n b", "a b", True),
        (("case",), "Straße", "STRASSE", True),
        (("punctuation",), "Paris.", "Paris", True),
        (("punctuation",), "well-known", "well known", True),
        (("punctuation",), "-3.5", "3.5", False),
        (("punctuation",), "3.5", "35", False),
        (("punctuation",), "1,000", "1000", False),
        (("unicode",), "ﬁve ²", "five 2", True),
        (("articles",), "the cat", "cat", True),
        (("articles",), "theatre", "atre", False),
    ],
)
def test_normalizations(normalize: tuple[str, ...], one: str, other: str, same: bool) -> None:
    """Each normalization folds what its name says, and no number changes; some folding is always done."""
    fold = make_folding(normalize)
    assert (fold(one) == fold(other)) is same


@pytest.mark.parametrize(
    ("reply", "target", "found"),
    [
        ("It is 4.", "4", True),
        ("It is 42.", "4", False),
        ("It is 4.5", "4", False),
        ("It is 1,400", "400", False),
        ("It is -4", "4", False),
        ("pages 3-4", "4", True),
        ("a part", "art", False),
        ("the art of", "art", True),
        ("答えは東京です", "東京", True),
        ("서울입니다", "서울", True),
        ("Paris's", "Paris", True),
        ("C++ it is", "C++", True),
        ("C++17", "C++", True),
        ("C++", "C", False),
        ("C++17", "C", False),
        ("C#.", "C", False),
        ("C#.", "C#", True),
        ("C+", "C", False),
        ("C, not C++", "C", True),
        ("A+B", "A", True),
        ("2+3 years", "3", True),
        ("3+ years", "3", True),
        ("user_id", "id", False),
        ("__id__", "id", True),
        ("R&D", "D", False),
        ("a Paris-based firm", "Paris", True),
        ("答案是C++。", "C", False),
        ("答案是C。", "C", True),
    ],
)
def test_whole_words_are_contained(reply: str, target: str, found: bool) -> None:
    """A target is found as words, not inside a word or a number; scripts without spaces have no such words."""
    assert contains_words(reply, target) is found
