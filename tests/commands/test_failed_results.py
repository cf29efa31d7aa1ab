"""What failed alike is told once: at the end of a build, and by `evalmake results --failed`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.projects import Project, check_golden

GOLDEN = Path(__file__).parent / "golden"
EVALFILE = """\
model m {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}

benchmark sums {
    harness  = command
    run      = "sh ../../../job.sh"
    coverage = 0.5
    metric   = "accuracy"
}

eval grid {
    model     = m
    benchmark = sums
    seed      in 1..5
}
"""
JOB = """\
case $EVALMAKE_SEED in
    1|2|3) cat >&2 <<END
Traceback (most recent call last):
  File "/work/$EVALMAKE_SEED/score.py", line 12, in parse
    float(text)
ValueError: could not convert string to float: 'item $EVALMAKE_SEED'
END
        exit 1 ;;
    4) exit 3 ;;
esac
cp ../../../rows.jsonl $EVALMAKE_OUT/samples.jsonl
echo '{"accuracy": 1}' > $EVALMAKE_OUT/scores.json
"""


def make_row(number: int, error: str | None) -> str:
    """A sample; one with an error has no score."""
    return json.dumps({"id": f"sums/{number}", "scores": {} if error else {"accuracy": 1.0}, "error": error})


@pytest.fixture
def broken(project: Project) -> Project:
    """Five evaluations: three fail alike, one otherwise, and one has samples without a score."""
    errors = [
        None,
        None,
        None,
        "HTTP 503: request req_0a1b2c3d4e was lost",
        "HTTP 503: request req_77f6e5d4c3 was lost",
    ]
    project.write("Evalfile", EVALFILE)
    project.write("job.sh", JOB)
    project.write("rows.jsonl", "".join(f"{make_row(n, error)}\n" for n, error in enumerate(errors)))
    return project


def test_a_build_tells_what_failed_alike_once(broken: Project) -> None:
    """With the number, the names, and the first as an example; as JSON each by itself."""
    said = broken.run("-k", status=2).stderr
    assert said.count("[evaluation-failed]") == 2
    message = "exit status 1: ValueError: could not convert string to float: 'item 1'"
    assert f"error: grid/1 and 2 more evaluations failed: {message} [evaluation-failed]\n" in said
    assert "note: alike: grid/2, grid/3: `evalmake results --failed` lists classes of failures\n" in said
    assert "help: its log: evalmake logs grid/1\n" in said
    assert "error: grid/4 failed: exit status 3 [evaluation-failed]\n" in said
    assert broken.run("-k", "--json", status=2).stderr.count("evaluation-failed") == 4


def test_failures_are_listed_in_classes(broken: Project) -> None:
    """Of evaluations and of samples, with what and where, the largest class first."""
    broken.run("-k", status=2)
    check_golden(GOLDEN / "failed.txt", broken.run("results", "--failed").stdout)
    check_golden(GOLDEN / "failed.json", broken.run("results", "--failed", "--json").stdout)
    assert broken.run("results", "grid/4", "--failed").stdout.startswith("1 evaluation failed\n  1  exit status 3\n")


def test_nothing_failed(broken: Project) -> None:
    """That is said, and where nothing is on record the status is 2."""
    assert broken.run("results", "--failed", status=2).stderr == "nothing on record failed\n"
    broken.write("rows.jsonl", make_row(1, None) + "\n")
    broken.run("grid/5")
    assert broken.run("results", "grid/5", "--failed").stderr == "nothing on record failed\n"
    told = json.loads(broken.run("results", "grid/5", "--failed", "--json").stdout)
    assert told == {"evaluations": [], "samples": []}


def test_the_most_common_reason_counts_what_is_alike(broken: Project) -> None:
    """Ids in the errors of a server do not make each of them a reason of its own."""
    broken.write("Evalfile", EVALFILE.replace("coverage = 0.5", "coverage = 1.0"))
    said = broken.run("grid/5", status=2).stderr
    assert "the most common reason (2): HTTP 503: request req_0a1b2c3d4e was lost" in said
    listed = broken.run("results", "grid/5", "--failed").stdout
    assert "1 evaluation failed\n" in listed
    assert "2 samples without a score\n  2  HTTP 503: request <id> was lost\n" in listed


def test_texts_of_programs_are_safe_for_the_terminal(broken: Project) -> None:
    """What controls a terminal or a CI is replaced for people."""
    broken.write("rows.jsonl", make_row(1, "\x1b[2Jx\n::error::y") + "\n" + make_row(2, None) + "\n")
    broken.run("grid/5")
    said = broken.run("results", "grid/5", "--failed", env={"CI": "1"}).stdout
    assert not {"\x1b", "\r"} & set(said)
    assert "\n::" not in said
