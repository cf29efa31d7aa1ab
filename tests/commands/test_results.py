"""`evalmake results` shows stored scores and samples, and only reads."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.samples import Row, write_samples
from tests.support.projects import Project, check_golden

GOLDEN = Path(__file__).parent / "golden"
EVALFILE = """\
LIMIT = 4

model small {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "small"
}
model large from small { name = "large" }
benchmark cities {
    harness  = command
    run      = "sh ../../../job.sh"
    coverage = 0.5
    metric   = "accuracy"
}
eval grid {
    model     in [small, large]
    benchmark = cities
    seed      in 1..2
    limit     = LIMIT
}
"""
REPLIES = ("The capital is Paris.", "Lyon", "I do not know:\nperhaps Rome?", None)
JOB = """\
test -e ../../../broken && exit 3
cp ../../../rows.jsonl $EVALMAKE_OUT/samples.jsonl
echo '{"accuracy": 0.5, "f1": 0.65}' > $EVALMAKE_OUT/scores.json
"""


def make_row(number: int, reply: str | None) -> dict[str, Any]:
    """A sample of which the second and third are wrong, and the last has no reply."""
    scores = {"accuracy": (1, 0, 0.5)[number], "f1": (1, 0.2, 0.75)[number]} if reply else {}
    return {
        "id": f"cities/{number}",
        "item": f"{number:x}",
        "scores": scores,
        "input": {"level": number, "country": "France"},
        "request": {
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Capital {number}?"}]
        },
        "target": "Paris",
        "reply": reply,
        "error": None if reply else "HTTP status 500",
        "tokens_in": 12,
        "tokens_out": 5,
        "latency": 0.25,
        "finish_reason": "stop" if reply else None,
        "tags": ["geo"],
    }


@pytest.fixture
def ran(project: Project) -> Project:
    """A project whose four cells have results and samples."""
    project.write("Evalfile", EVALFILE)
    project.write("job.sh", JOB)
    rows = [make_row(number, reply) for number, reply in enumerate(REPLIES)]
    project.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    project.run()
    return project


def table(project: Project, *words: str) -> list[dict[str, str]]:
    """What `results --format csv` prints."""
    return list(csv.DictReader(io.StringIO(project.run("results", "--format", "csv", *words).stdout)))


def ids(project: Project, *words: str) -> list[str]:
    """The ids of the samples of one evaluation that are chosen."""
    said = project.run("results", "grid/small/1", "--samples", "--json", *words).stdout
    return [row["id"].removeprefix("cities/") for row in json.loads(said)]


# Scores ----------------------------------------------------------------------------------------------


def test_scores_are_those_of_a_build(ran: Project) -> None:
    """Each line has what `evalmake -v` prints, and the number of items."""
    built = ran.run("-v").stdout.splitlines()
    shown = ran.run("results").stdout.splitlines()
    assert shown[0].split() == [*built[0].split(), "n"]
    for line, row in zip(built[1:3], shown[1:3], strict=True):
        *before, count, runs, word = row.split()
        assert ([*before, runs, word], count) == (line.split(), "3")
    assert [line for line in built if line.startswith("note: ")] == shown[4:]


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "latex", "json"])
def test_every_format_of_scores(ran: Project, form: str) -> None:
    """A stale row and a missing evaluation are in each."""
    ran.write("Evalfile", EVALFILE.replace('name     = "small"', 'name     = "small-2"').replace("1..2", "1..3"))
    said = ran.run("results", "--format", form).stdout
    if form == "json":
        told = json.loads(said)
        assert [(one["row"], one["state"], one["mean"]) for one in told["table"]] == [
            ("large", "valid", 0.5),
            ("small", "stale: changed", 0.5),
        ]
        assert [(one["name"], one["state"]) for one in told["results"]][:3] == [
            ("grid/small/1", "stale: changed"),
            ("grid/small/2", "stale: changed"),
            ("grid/large/1", "valid"),
        ]
        assert told["missing"][0] == {"name": "grid/small/3", "reason": "never run"}
        return
    check_golden(GOLDEN / f"results.{form}", said)


def test_keys_make_rows_and_columns(ran: Project) -> None:
    """One key makes rows, two make both; a tag divides the samples; one that nothing has is an error."""
    assert [row["seed"] for row in table(ran, "--by", "seed", "grid/small/*")] == ["1", "2"]
    assert list(table(ran, "--by", "benchmark")[0])[:2] == ["benchmark", "model"]
    assert list(table(ran, "--by", "seed,model")[0])[:2] == ["seed", "model"]
    assert [row["tag"] for row in table(ran, "--by", "tag", "grid/small/*")] == ["geo"]
    assert "did you mean `seed`?" in ran.run("results", "--by", "sed", status=2).stderr
    for words in ("seed,seed", "seed,model,eval"):
        assert "one key or two" in ran.run("results", "--by", words, status=2).stderr


def test_metrics_are_chosen_by_name_or_pattern(ran: Project) -> None:
    """The headline without it; an unknown name is an error with one that is like it."""
    assert [row["metric"] for row in table(ran, "grid/small/*")] == ["accuracy"]
    assert [row["metric"] for row in table(ran, "grid/small/*", "--metric", "*")] == ["accuracy", "f1"]
    assert "did you mean `accuracy`?" in ran.run("results", "--metric", "acuracy", status=2).stderr


def test_what_is_not_valid_is_never_averaged_with_what_is(ran: Project) -> None:
    """One seed whose rerun failed stands beside the other, and says why."""
    ran.write("broken", "")
    ran.run("-B", "grid/small/2", status=2)
    found = {(row["model"], row["state"]): row["runs"] for row in table(ran)}
    assert found == {("small", "valid"): "1", ("small", "stale: rerun"): "1", ("large", "valid"): "1"}
    ran.run("grid/large/*", "LIMIT=3", "-k", status=2)
    said = ran.run("results", "LIMIT=3", "grid/large/*").stdout
    assert [line.split()[-1] for line in said.splitlines() if line.startswith("large")] == ["failed"]
    assert "failed: grid/large/1, grid/large/2: failed last time: exit status 3" in said


def test_nothing_on_record_is_told(project: Project) -> None:
    """Status 2 and the names; no store is made. Unknown targets are errors."""
    project.write("Evalfile", EVALFILE)
    said = project.run("results", status=2).stdout
    assert said.startswith("no result: grid/small/1, grid/small/2, ")
    assert not (project.root / ".evalmake/store").exists()
    assert "[unknown-target]" in project.run("results", "gird", status=2).stderr


def test_a_store_that_may_only_be_read_is_enough(ran: Project) -> None:
    """Nothing in the workspace changes."""
    before = {path: path.stat().st_mtime_ns for path in (ran.root / ".evalmake/store").rglob("*")}
    ran.run("results")
    ran.run("results", "--samples", "--where", "score < 1")
    assert {path: path.stat().st_mtime_ns for path in (ran.root / ".evalmake/store").rglob("*")} == before


# Samples ---------------------------------------------------------------------------------------------


def test_samples_are_chosen(ran: Project) -> None:
    """By flags, by an expression, or by both; two flags choose those of either kind."""
    assert ids(ran) == ["0", "1", "2", "3"]
    assert ids(ran, "--failed") == ["1", "2"]
    assert ids(ran, "--unscored") == ["3"]
    assert ids(ran, "--failed", "--unscored") == ["1", "2", "3"]
    assert ids(ran, "--failed", "--where", '"Rome" in reply') == ["2"]
    assert ids(ran, "--where", "f1 > 0.5 and record.level < 2 and model == 'small' and seed = 1") == ["0"]
    assert ids(ran, "--where", 'prompt matches "brief.*\\nCap" and error == "HTTP status 500"') == ["3"]
    assert ids(ran, "--limit", "2") == ["0", "1"]


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "latex", "json"])
def test_every_format_of_samples(ran: Project, form: str) -> None:
    """Columns are those that are asked for, and texts of a table stay on their line."""
    words = ("--columns", "id,score,scores.f1,reply,record.country,tags,cell")
    said = ran.run("results", "grid/small/1", "--samples", "--format", form, *words).stdout
    check_golden(GOLDEN / f"samples.{form}", said)


def test_a_table_of_samples_fits_the_terminal(ran: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long texts are cut, and how many more there are is told."""
    monkeypatch.setattr("evalmake.commands.results.terminal_columns", lambda: 60)
    monkeypatch.setattr("evalmake.commands.results._SHOWN", 5)
    said = ran.run("results", "--samples")
    lines = said.stdout.splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].split() == ["cell", "id", "score", "target", "reply"]
    assert (len(lines), said.stderr) == (6, "5 of 16 samples shown: `--limit 0` shows all\n")
    assert len(ran.run("results", "--samples", "--limit", "0").stdout.splitlines()) == 17


def test_a_sample_is_shown_in_full(ran: Project) -> None:
    """One for each evaluation that has it; as JSON, the record as it is."""
    said = ran.run("results", "grid/*/1", "--sample", "cities/2").stdout
    lines = [line for line in said.splitlines() if not line.startswith("  attempt")]
    check_golden(GOLDEN / "sample.txt", "\n".join(lines) + "\n")
    (told,) = json.loads(ran.run("results", "grid/small/1", "--sample", "cities/2", "--json").stdout)
    assert {"cell": "grid/small/1", "state": "valid", "metric": "accuracy"}.items() <= told.items()
    assert make_row(2, REPLIES[2]).items() <= told.items()


def test_checks_of_a_sample_are_shown(ran: Project) -> None:
    """A line for each check, with its verdict, what it asks for and what was found; what is no check is left out."""
    inner = {"type": "contains", "value": "x", "passed": True, "reason": "the reply has it"}
    near = {"type": "similar", "value": ["a", "b"], "threshold": 0.9, "passed": False, "reason": "the cosine is 0.408"}
    checks = [{"type": "any", "passed": True, "checks": [inner, 5]}, near, {"type": "judge", "passed": None}, {}]
    ran.write("rows.jsonl", json.dumps({**make_row(0, "x"), "checks": checks}) + "\n")
    ran.run("-B", "grid/small/1")
    said = ran.run("results", "grid/small/1", "--sample", "cities/0").stdout
    assert said.partition("\nChecks\n")[2].splitlines() == [
        "  passed: any",
        '    passed: contains "x" (the reply has it)',
        '  failed: similar ["a", "b"], threshold 0.9 (the cosine is 0.408)',
        "  no verdict: judge",
    ]


def test_texts_of_models_are_safe_for_the_terminal(ran: Project) -> None:
    """What controls a terminal is replaced where a person reads, and kept where a program does."""
    row = make_row(0, "\x1b]0;owned\x07 \x1b[2J::error::x\r\u202eabc")
    ran.write("rows.jsonl", json.dumps(row) + "\n")
    ran.run("-B", "grid/small/1")
    for words in (["--samples"], ["--sample", "cities/0"], ["--samples", "--format", "markdown"]):
        said = ran.run("results", "grid/small/1", *words, env={"CI": "1"}).stdout
        assert not {"\x1b", "\x07", "\r", "\u202e"} & set(said)
        assert "owned" in said
    (told,) = json.loads(ran.run("results", "grid/small/1", "--samples", "--json").stdout)
    assert told["reply"] == row["reply"]


def test_reasoning_is_found_beside_and_inside_the_reply(ran: Project) -> None:
    """In a field of the message, or between tags."""
    beside = {**make_row(0, "Paris"), "message": {"content": "Paris", "reasoning_content": "Let me think."}}
    inside = make_row(1, "<think>Hm.</think>Lyon")
    ran.write("rows.jsonl", json.dumps(beside) + "\n" + json.dumps(inside) + "\n")
    ran.run("-B", "grid/small/1")
    assert ids(ran, "--where", 'reasoning == "Let me think."') == ["0"]
    assert ids(ran, "--where", 'reasoning matches "^Hm"') == ["1"]


def test_samples_of_a_failed_attempt_are_there(ran: Project) -> None:
    """Where there is no result, one looks at what the last attempt left; lines that are no samples are left out."""
    ran.write("Evalfile", EVALFILE.replace('"small"', '"other"').replace('"large"', '"other-large"'))
    ran.write("rows.jsonl", "[]\nnonsense\n" + json.dumps(make_row(1, "Lyon")) + "\n")
    ran.write("job.sh", "cp ../../../rows.jsonl $EVALMAKE_OUT/samples.jsonl; exit 3")
    ran.run("grid/small/1", status=2)
    assert ids(ran, "--where", "f1 < 0.5 and scores.accuracy == 0") == ["1"]
    said = ran.run("results", "grid/small/*", "--samples").stderr
    assert said == "grid/small/1: failed\ngrid/small/2: stale: changed\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('reply matches "(a|a)+b"', "^" * 9),
        ('lower((reply matches "(a|a)+b")) == "true"', "^" * 9),
        ('not (reply matches "x" or reply matches "(a|a)+b")', "^" * 30),
    ],
)
def test_a_slow_pattern_ends(ran: Project, text: str, told: str) -> None:
    """Wherever it stands, it is told at its place, with the sample; of several, all are pointed at."""
    ran.write("rows.jsonl", json.dumps(make_row(0, "a" * 60)) + "\n")
    ran.run("-B", "grid/small/1")
    said = ran.run("results", "grid/small/1", "--samples", "--where", text, status=2).stderr
    assert "took longer than 1s on the sample `cities/0` [bad-filter]" in said
    assert told in said


def test_failed_needs_a_full_score(ran: Project) -> None:
    """Points have none, and a score beyond 1 shows that 1 is not it; where lower is better, it is 0."""
    for key, said in (("scale = points", "whose scores are points"), ("", "`cities/0` has 7"), ("scale = percent", "")):
        ran.write("rows.jsonl", json.dumps({**make_row(0, "x"), "scores": {"accuracy": 7}}) + "\n")
        ran.write("job.sh", JOB.replace("0.5", "7"))
        ran.write("Evalfile", EVALFILE.replace("    harness", f"    {key}\n    harness", 1))
        ran.run("-B", "grid/small/1")
        result = ran.run("results", "grid/small/1", "--samples", "--failed", status=2 if said else 0)
        assert said in result.stderr
    ran.write("Evalfile", EVALFILE.replace("    harness", "    better = lower\n    harness", 1))
    assert ids(ran, "--failed") == ["0"]


def test_a_field_that_no_record_has_is_told(ran: Project) -> None:
    """Other records may have it, so the column is empty and the mistake is told at the end."""
    said = ran.run("results", "grid/small/1", "--samples", "--columns", "id,record.levle,record.level").stderr
    assert said == "no record has a field `levle`; did you mean `record.level`?\n"


MISTAKES = {
    ("--where", "score < 1"): "`--where` is about samples: add `--samples`",
    ("--failed", "--limit", "0"): "`--limit` is about samples: add `--samples`",
    ("--failed", "--by", "seed"): "`--failed` lists failures, and takes no `--by`",
    ("--failed", "--format", "csv"): "`--failed` without `--samples` lists failures as text or JSON, not csv",
    ("--limit", "0"): "`--limit` is about samples: add `--samples`",
    ("--samples", "--by", "seed"): "`--by` is about the table of scores, without `--samples`",
    ("--samples", "--limit", "-1"): "-1 is not in the range",
    ("--sample", "x", "--samples"): "takes no `--samples`",
    ("--sample", "x", "--failed"): "takes no `--failed`",
    ("--sample", "x", "--format", "csv"): "a sample in full is text or JSON, not csv",
    ("--json", "--format", "csv"): "`--json` is `--format json`",
    ("--format", "html"): "'html' is not one of",
    ("--samples", "--columns", "id,repyl"): "did you mean `reply`?",
    ("--samples", "--columns", " , "): "`--columns` names no column",
    ("--samples", "--where", "level == 1"): "a field of the record is `record.level`",
    ("--samples", "--where", "record.levle == 1"): "did you mean `record.level`?",
    ("--samples", "--where", ""): "the expression is empty",
    ("--sample", "cities/9"): "did you mean `cities/",
    ("--by", ""): "no evaluation has an axis ``",
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_mistakes_are_told(ran: Project, words: tuple[str, ...]) -> None:
    """Each with what to write instead, and without a traceback."""
    said = ran.run("results", *words, status=2).stderr
    assert MISTAKES[words] in said
    assert "Traceback" not in said


def test_damaged_samples_are_told(ran: Project) -> None:
    """They are never shown: the error says what to do."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(ran.root / ".evalmake/store/cache.db")) as database, database:
        database.execute("UPDATE Cache SET value = replace(value, 'Paris', 'Porto') WHERE tag = 'blob'")
    said = ran.run("results", "--samples", status=2)
    assert "samples.jsonl of grid/" in said.stderr
    assert "[store-damaged]" in said.stderr
    assert "Porto" not in said.stdout
    shutil.rmtree(ran.root / ".evalmake/store")
    assert ran.run("results", "--samples", status=2).stderr.startswith("no samples on record: grid/small/1")


def test_samples_of_other_harnesses_have_what_they_record(ran: Project) -> None:
    """What lm-eval, Inspect and NVIDIA's harnesses leave has no prompt and no record: such fields are empty."""
    rows = [Row("a", "1", {"accuracy": 1.0}, target=["x", "y"], reply="x"), Row("a", "1", {}, 2, "HTTP status 500")]
    write_samples(ran.root / "rows.jsonl", rows)
    ran.run("-B", "grid/small/1")
    words = ("--columns", "id,repetition,score,prompt,target,reply,reasoning,tags,weight,tokens_in,error")
    first, second = json.loads(ran.run("results", "grid/small/1", "--samples", "--json", *words).stdout)
    assert list(first.values()) == ["a", 1, 1.0, None, ["x", "y"], "x", None, [], 1.0, None, None]
    assert list(second.values()) == ["a", 2, None, None, None, None, None, [], 1.0, None, "HTTP status 500"]
    shown = ran.run("results", "grid/small/1", "--sample", "a").stdout
    assert shown.count("grid/small/1, sample a") == 2
    assert "  repetition  2\n" in shown
    assert "Prompt" not in shown
