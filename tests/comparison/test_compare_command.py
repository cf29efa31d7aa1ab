"""`evalmake compare` on models, targets, seeds and benchmarks of an Evalfile: text, JSON, Markdown, statuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalmake.scoring.comparisons import paired_proportions
from tests.support.projects import Project, check_golden

GOLDEN = Path(__file__).with_name("golden")


def compare(compared: Project, *words: str, status: int = 0) -> dict[str, Any]:
    """What it says as JSON."""
    found: dict[str, Any] = json.loads(compared.run("compare", *words, "--json", status=status).stdout)
    return found


@pytest.mark.parametrize(
    ("name", "words", "status"),
    [
        ("regression.txt", ("grid/good", "grid/worse"), 1),
        ("passed.txt", ("grid/good", "grid/alike", "--margin", "7%"), 0),
        ("unpaired.txt", ("grid/worse", "elsewhere"), 0),
        ("flips.txt", ("grid/good", "grid/worse", "--flips", "--most", "2"), 1),
        ("comment.md", ("grid/good", "grid/worse", "--flips", "--most", "2", "--format", "markdown"), 1),
        ("two.txt", ("good", "worse", "--margin", "1%"), 1),
    ],
)
def test_comparisons_read_well(name: str, words: tuple[str, ...], status: int, compared: Project) -> None:
    """Head, differences, table, verdict and flips are as in the golden file."""
    check_golden(GOLDEN / name, compared.run("compare", *words, status=status).stdout)


def test_numbers_are_those_of_the_paired_test(compared: Project) -> None:
    """The JSON has both scores, wins, losses and ties, and the interval and p that these give."""
    found = compare(compared, "grid/good", "grid/worse", status=1)
    [one] = found["benchmarks"]
    assert (one["a"]["score"], one["b"]["score"]) == (0.785, 0.715)
    assert one["wins"] + one["losses"] + one["ties"] == one["items"] == 400
    expected = paired_proportions(one["wins"], one["losses"], 400)
    assert (one["difference"], one["p"], (one["low"], one["high"])) == (expected.mean, expected.p, expected.interval)
    assert (one["verdict"], found["verdict"], found["status"]) == ("REGRESSION", "REGRESSION", 1)
    paths = {change["path"]: (change["a"], change["b"]) for change in found["differences"]}
    assert paths["model.deployment.args.skill"] == ("0.8", "0.75")


def test_models_of_equal_skill_are_not_told_apart(compared: Project) -> None:
    """Two models of skill 0.80 end inconclusive, with an estimate of how many items would decide; --strict says 3."""
    found = compare(compared, "grid/good", "grid/alike")
    [one] = found["benchmarks"]
    assert one["verdict"] == "INCONCLUSIVE"
    assert one["items_to_decide"]["items"] > 400
    assert compare(compared, "grid/good", "grid/alike", "--strict", status=3)["status"] == 3
    assert compare(compared, "grid/good", "grid/alike", "--margin", "7%", "--strict")["verdict"] == "PASS"


def test_seeds_and_prompts_are_sides(compared: Project) -> None:
    """Two seeds of one cell differ in nothing else, two benchmarks in their prompt, and share their items."""
    found = compare(compared, "seeds/2", "seeds/3")
    assert (found["differences"], found["benchmarks"][0]["paired"]) == ([], True)
    assert "the same, but for the seed" in compared.run("compare", "seeds/2", "seeds/3").stdout
    found = compare(compared, "grid/good", "wide/good/sums-cot")
    assert [change["path"] for change in found["differences"]] == ["benchmark.prompt"]
    assert found["benchmarks"][0]["paired"]


def test_the_same_result_passes(compared: Project) -> None:
    """A side against itself is the same result, whatever the margin."""
    found = compare(compared, "grid/good", "grid/good", "--strict")
    assert found["benchmarks"][0]["reason"] == "both sides are the same result"


def test_flips_are_whole_in_json(compared: Project) -> None:
    """Each item that differs has its texts, the worse ones first."""
    [one] = compare(compared, "grid/good", "grid/worse", "--flips", status=1)["benchmarks"]
    flips = one["flips"]
    assert len(flips) == one["wins"] + one["losses"]
    assert [flip["worse"] for flip in flips] == [True] * one["losses"] + [False] * one["wins"]
    assert flips[0]["reply_a"].strip() == flips[0]["target"] != flips[0]["reply_b"]
    assert "What is" in flips[0]["prompt"]


def test_what_lacks_a_result_is_never_passed(compared: Project) -> None:
    """A seed without a result makes its benchmark inconclusive, and one without any result ends the comparison."""
    text = (compared.root / "Evalfile").read_text()
    compared.write("Evalfile", text.replace("seed      in 2..3", "seed      in 2..4"))
    found = compare(compared, "grid/worse", "seeds", "--strict", status=3)
    assert "seeds/4 of seeds has no result: it has not run" in found["benchmarks"][0]["reason"]
    said = compared.run("compare", "grid/worse", "seeds/4", status=2).stderr
    assert "`seeds/4` has no result to compare [nothing-to-compare]" in said
    assert "run it first: `evalmake seeds`" in said
    compared.write("Evalfile", text.replace("skill = 0.75", "skill = 0.76"))
    assert "of another definition" in compared.run("compare", "grid/good", "grid/worse", status=2).stderr


def test_words_that_name_nothing(compared: Project) -> None:
    """A misspelt word, one side alone, sides with nothing in common, and options that are none, are told."""
    assert "did you mean `worse`?" in compared.run("compare", "good", "wurse", status=2).stderr
    assert "did you mean `model:good`?" in compared.run("compare", "model:god", "worse", status=2).stderr
    assert "name the other side" in compared.run("compare", "good", status=2).stderr
    said = compared.run("compare", "grid/good", "elsewhere", "seeds", status=2).stderr
    assert "takes two sides" in said
    said = compared.run("compare", "wide", "elsewhere", status=2).stderr
    assert "note: benchmark: sums, sums-cot on the first side, others on the second" in said
    assert "nothing in common to compare [nothing-to-compare]" in said
    assert (
        "metrics on record: accuracy"
        in compared.run("compare", "grid/good", "grid/worse", "--metric", "f1", status=2).stderr
    )
    assert "takes a margin" in compared.run("compare", "grid/good", "grid/worse", "--margin", "-1", status=2).stderr
    assert (
        "takes a confidence" in compared.run("compare", "grid/good", "grid/worse", "--confidence", "5", status=2).stderr
    )


def test_options_count(compared: Project) -> None:
    """The confidence and the metric that are asked for are those of the comparison."""
    found = compare(compared, "grid/good", "grid/worse", "--confidence", "99%", "--metric", "acc*")
    assert (found["confidence"], found["verdict"]) == (0.99, "INCONCLUSIVE")


def test_texts_of_models_are_made_safe(compared: Project) -> None:
    """A reply that controls a terminal, or a name that looks like Markdown, is shown as text."""
    text = (compared.root / "Evalfile").read_text()
    text = text.replace("eval grid {", "eval odd { model in [good, alike], benchmark = odd }\neval grid {")
    odd = 'benchmark odd from sums { prompt = "\\u001b[31m|`{question}" }\n'
    compared.write("Evalfile", text + odd)
    compared.run("odd", "-s")
    said = compared.run("compare", "odd/good", "odd/alike", "--flips").stdout
    assert "\x1b" not in said
    assert "\N{REPLACEMENT CHARACTER}[31m" in said
    assert "\\|\\`" in compared.run("compare", "odd/good", "odd/alike", "--flips", "--format", "markdown").stdout


def test_values_of_axes_are_compared(project: Project) -> None:
    """A parameter, and a key of the benchmark: each pairs the same items, and other axes tell the pairs apart."""
    rows = "".join(json.dumps({"question": f"What is {a} + 7?", "answer": a + 7}) + "\n" for a in range(8))
    project.write("sums.jsonl", rows)
    project.write(
        "Evalfile",
        """
PLAIN = "{question}"
LONG  = "{question} Think, then answer with a number."
deployment d { engine = mock, args = { skill = 0.7 } }
model m { deployment = d }
benchmark b {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = number
}
eval e { model = m, benchmark = b, params.temperature in [0.0, 0.7], prompt in [PLAIN, LONG] }
""",
    )
    project.run("e")
    found = compare(project, "e/0.0/*", "e/0.7/*")
    assert [one["benchmark"] for one in found["benchmarks"]] == ["b (prompt=PLAIN)", "b (prompt=LONG)"]
    found = compare(project, "e/*/PLAIN", "e/*/LONG")
    assert [one["benchmark"] for one in found["benchmarks"]] == [
        "b (params.temperature=0.0)",
        "b (params.temperature=0.7)",
    ]
    assert [one["items"] for one in found["benchmarks"]] == [8, 8]
    assert [change["path"] for change in found["differences"]] == ["benchmark.prompt"]
