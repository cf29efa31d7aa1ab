"""Scores from what any program may write: JSON, JUnit reports, tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.measurements import find_location_mistake, read_measurement
from tests.support.workspaces import Bench

JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="a" tests="4">
  <testcase classname="t" name="one"/>
  <testcase classname="t" name="two"><failure message="no">x</failure></testcase>
  <testcase classname="t" name="three"><system-out>x</system-out></testcase>
  <testcase classname="t" name="four"><skipped/></testcase>
</testsuite></testsuites>
"""
EVALFILE = """
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
benchmark b {
    harness = command
    files   = file("job.sh")
    run     = "sh data/job.sh"
    metrics = { METRICS }
}
eval e { model = m, benchmark = b }
"""


def at(tmp_path: Path, name: str, text: str, where: str) -> Any:
    """What is measured at a place in a file with this text."""
    (tmp_path / name).write_text(text)
    return read_measurement(tmp_path, where)


def test_a_junit_report_is_the_share_that_passed(tmp_path: Path) -> None:
    """Skipped tests were not asked; count and standard error come with it."""
    found = at(tmp_path, "j.xml", JUNIT, "j.xml")
    assert found["value"] == pytest.approx(2 / 3)
    assert found["stderr"] == pytest.approx(1 / 3)
    assert (found["scored"], found["unscored"]) == (3, 0)


def test_a_junit_error_is_no_failure_of_the_model(tmp_path: Path) -> None:
    """A test that could not run is counted as not scored."""
    text = JUNIT.replace("<system-out>x</system-out>", "<error/>")
    found = at(tmp_path, "j.xml", text, "j.xml")
    assert (found["value"], found["scored"], found["unscored"]) == (0.5, 2, 1)


def test_a_namespace_changes_nothing(tmp_path: Path) -> None:
    """Some writers put their elements in one."""
    text = JUNIT.replace("<testsuites>", '<testsuites xmlns="urn:x">')
    assert at(tmp_path, "j.xml", text, "j.xml")["scored"] == 3


def test_a_column_is_its_mean(tmp_path: Path) -> None:
    """Of numbers, or of true and false; by name, in commas or tabs, with or without a byte order mark."""
    text = "id,ok,len\n1,true,3\n2,False,4\n3,1,5\n"
    assert at(tmp_path, "a.csv", text, "a.csv:len") == {
        "value": 4.0,
        "stderr": pytest.approx(1 / 3**0.5),
        "scored": 3,
        "unscored": 0,
    }
    assert at(tmp_path, "a.csv", text, "a.csv:ok")["value"] == pytest.approx(2 / 3)
    assert at(tmp_path, "a.csv", "\ufeff" + text, "a.csv:id")["value"] == 2
    assert at(tmp_path, "a.tsv", text.replace(",", "\t"), "a.tsv:len")["value"] == 4


def test_a_column_that_a_table_does_not_have_is_told(tmp_path: Path) -> None:
    """With the columns that there are, or with the mark that separates them in its place."""
    assert at(tmp_path, "a.csv", "id,ok\n1,1\n", "a.csv:good") == "a.csv has no column `good`; it has id, ok"
    told = "its columns are separated by `;`, and those of a .csv file by commas: write commas"
    assert at(tmp_path, "a.csv", "id;ok\n1;1\n", "a.csv:ok") == f"a.csv has no column `ok`; {told}"


def test_a_row_without_a_number_is_not_scored(tmp_path: Path) -> None:
    """An empty cell, a missing one and NaN are not scored; a word is an error, and so is infinity."""
    text = 'id,ok\n1,1\n2,\n3\n4,nan\n"5",0\n'
    found = at(tmp_path, "a.csv", text, "a.csv:ok")
    assert (found["value"], found["scored"], found["unscored"]) == (0.5, 2, 3)
    for cell in ("blue", "inf"):
        wrong = at(tmp_path, "a.csv", f"id,ok\n1,{cell}\n", "a.csv:ok")
        assert wrong == f"row 1 of a.csv has `{cell}` as `ok`, not a number"


@pytest.mark.parametrize(
    ("name", "text", "where", "words"),
    [
        ("a.csv", "id,ok\n1,1\n", "a.csv:okay", "no column `okay`; it has id, ok"),
        ("a.csv", "", "a.csv:ok", "no column `ok`; it has none"),
        ("a.csv", "id,ok\n", "a.csv:ok", "a.csv has no rows"),
        ("a.csv", "", "b.csv:ok", "the harness wrote no b.csv"),
        ("j.xml", "<testsuites>", "j.xml", "is not XML"),
        ("j.xml", "<testsuites/>", "j.xml", "j.xml has no tests"),
        ("a.json", '{"a": [1, {"b": "x"}]}', "a.json:a[1].b", "no number at `a[1].b`"),
        ("a.json", '{"a": [1]}', "a.json:a[3]", "nothing at `a[3]`"),
        ("a.json", "{", "a.json:a", "is not JSON"),
    ],
)
def test_what_is_not_there_is_an_error(tmp_path: Path, name: str, text: str, where: str, words: str) -> None:
    """Never a zero."""
    assert words in at(tmp_path, name, text, where)


def test_a_path_leads_into_json(tmp_path: Path) -> None:
    """To a number or to a map with its value; a path alone is of scores.json."""
    text = '{"a": [1, {"b": 0.5}], "c": {"value": 0.25, "n": 4}}'
    assert at(tmp_path, "scores.json", text, "a[1].b") == 0.5
    assert at(tmp_path, "deep.json", text, "deep.json:a[0]") == 1.0
    assert at(tmp_path, "deep.json", text, "deep.json:c") == {"value": 0.25, "n": 4}


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("a.csv", "has columns: name one, such as `a.csv:correct`"),
        ("a.xml:x", "is counted whole: `a.xml`"),
        ("a.json:", "names nothing"),
        ("a.json:b", ""),
        ("a.xml", ""),
        ("b", ""),
    ],
)
def test_a_place_that_makes_no_sense_is_known_before(where: str, words: str) -> None:
    """By its form alone."""
    assert words in find_location_mistake(where)
    assert bool(find_location_mistake(where)) == bool(words)


def test_a_benchmark_is_scored_by_what_its_program_wrote(bench: Bench) -> None:
    """Values, standard errors and counts come into the record; of several, the benchmark names the headline."""
    bench.job(f"cat > $EVALMAKE_OUT/j.xml <<'X'\n{JUNIT}X\nprintf 'n\\n1\\n3\\n' > $EVALMAKE_OUT/t.csv\n")
    bench.evalfile(EVALFILE.replace("METRICS", 'passed = "j.xml", length = "t.csv:n"'))
    undecided = bench.run("-n")
    assert "`metrics` has 2 metrics: `metric` must say which one stands for the benchmark" in undecided.err
    bench.edit("harness = command", 'harness = command\n    metric = "length"')
    ended = bench.run()
    assert ended.status == 0, ended.text
    (attempt,) = bench.attempts()
    assert [(s.metric, round(s.value or 0, 3), s.scored) for s in attempt.scores] == [
        ("passed", 0.667, 3),
        ("length", 2.0, 2),
    ]
    assert attempt.metric == "length"


def test_rows_with_ids_alone_give_an_interval(bench: Bench) -> None:
    """Rows of nothing but `id` and `scores` give an interval and a paired comparison, without any `stderr`."""
    bench.job(
        "python3 - <<'X'\n"
        "import json, os\n"
        "out, skill = os.environ['EVALMAKE_OUT'], int(os.environ['EVALMAKE_MODEL_NAME'])\n"
        "with open(out + '/samples.jsonl', 'w') as file:\n"
        "    for at in range(10):\n"
        "        file.write(json.dumps({'id': at, 'scores': {'p': at + skill}}) + '\\n')\n"
        "json.dump({'p': 4.5 + skill}, open(out + '/scores.json', 'w'))\n"
        "X\n"
    )
    models = 'model n from m { name = "1" }\neval e { model in [m, n], benchmark = b }\n'
    report = 'report r { of = [e], path = "r.md", compare = m }\n'
    text = EVALFILE.replace("METRICS", 'p = "scores.json:p"').replace('name = "m"', 'name = "0"')
    bench.evalfile(text[: text.index("eval e")] + models + report)
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert "4.500  [2.334, 6.666]" in ended.out
    assert "no interval" not in ended.out
    assert "every item has the same difference" in (bench.root / "r.md").read_text()


def test_a_gate_on_no_metric_is_refused_before_the_run(bench: Bench) -> None:
    """`metrics` name all that a result can have, so a requirement of another is an error of `-n`."""
    bench.job("true")
    text = EVALFILE.replace("METRICS", 'passed = "j.xml"')
    bench.evalfile(text.replace("benchmark = b }", "benchmark = b, require pased >= 50% }"))
    ended = bench.run("-n")
    assert ended.status == 2
    assert "have no `pased` [bad-value]" in ended.err
    assert "help: did you mean `passed`?" in ended.err


def test_a_wrong_place_is_refused_where_it_is_written(bench: Bench) -> None:
    """So is a headline metric that is none of them."""
    bench.job("true")
    bench.evalfile(EVALFILE.replace("METRICS", 'passed = "t.csv"'))
    ended = bench.run()
    assert ended.status == 2
    assert "metric `passed`: `t.csv` has columns" in ended.err
    assert "--> Evalfile:7:" in ended.err
    bench.evalfile(EVALFILE.replace("{ METRICS }", '{ passed = "j.xml" }\n    metric = "pass"'))
    assert "`metric`: `metrics` has no `pass`" in bench.run().err


def test_a_file_named_without_its_folder_is_told(bench: Bench) -> None:
    """A failing `run` that names a file as if it lay in the working folder has a hint where it is."""
    bench.job("true")
    bench.evalfile(EVALFILE.replace("METRICS", 'passed = "j.xml"').replace("sh data/job.sh", "sh job.sh"))
    told = bench.run().err
    hint = "(`run` names `job.sh`, which is in ./data/: write `data/job.sh`)"
    assert re.search(rf"failed: exit status \d+ {re.escape(hint)}: sh: .*job.sh", told), told


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ("sh ./job.sh", "names `./job.sh`"),
        ("sh -c 'sh job.sh'", "names `job.sh`"),
        ("sh data/job.sh --log job.sh.log", ""),
        ("cd data && sh job.sh", ""),
    ],
)
def test_where_a_file_is_named(bench: Bench, run: str, told: str) -> None:
    """A name counts as that of a file wherever a shell would read it so, and not behind `cd`."""
    bench.job("exit 3")
    bench.evalfile(EVALFILE.replace("METRICS", 'passed = "j.xml"').replace('"sh data/job.sh"', f'"{run}"'))
    said = bench.run().err
    assert ("which is in ./data/" in said) == bool(told), said
    assert told in said


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ("echo fine\necho \"KeyError: 'x'\" >&2\nexit 3", "exit status 3: KeyError: 'x'"),
        ("printf 'Traceback:\\nKeyError: 1\\n\\nsee the docs\\n' >&2\nexit 3", "exit status 3: KeyError: 1"),
        ("printf '\\033[31mit is red\\033[0m\\n' >&2\nexit 3", "exit status 3: it is red"),
        ("printf '%0300d\\n' 0 >&2\nexit 3", f"exit status 3: {'0' * 200}..."),
        ("exit 3", "exit status 3"),
    ],
)
def test_the_last_words_of_a_failing_program_are_told(bench: Bench, job: str, told: str) -> None:
    """The failure has the error of the program's log, or its last line, once and short."""
    bench.job(job)
    bench.evalfile(EVALFILE.replace("METRICS", 'passed = "j.xml"'))
    assert f"error: e failed: {told} [evaluation-failed]" in bench.run().err
    assert f"failed last time: {told}\n" in bench.run("-n").out
