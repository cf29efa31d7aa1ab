"""`evalmake outputs` lists what jobs left, and copies it."""

from __future__ import annotations

import json

from tests.support.projects import Project

EVALFILE = """\
model m {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}
benchmark b {
    harness = command
    files   = file("job.sh")
    run     = "sh data/job.sh"
}
eval e {
    model     = m
    benchmark = b
    seed      in 1..2
}
eval unrun from e { limit = 1 }
"""
JOB = """\
mkdir -p $EVALMAKE_OUT/raw
echo a,b > $EVALMAKE_OUT/raw/table.csv
ln -s /etc/passwd $EVALMAKE_OUT/raw/link
echo '{"accuracy": 0.5}' > $EVALMAKE_OUT/scores.json
echo hello
"""


def ran(project: Project) -> Project:
    """The project, with the two cells of `e` run."""
    project.write("Evalfile", EVALFILE)
    project.write("job.sh", JOB)
    project.run("e")
    return project


def test_outputs_are_listed_and_copied(project: Project) -> None:
    """Each target has its attempt and the sizes and names of its outputs; a copy has a folder for each target."""
    ran(project)
    listed = project.run("outputs", "e").stdout
    assert listed.startswith("e/1: attempt 1, succeeded ")
    assert "             4  raw/table.csv" in listed
    assert "link" not in listed
    assert "files copied to out" in project.run("outputs", "e", "--copy", "out").stdout
    for seed in (1, 2):
        assert (project.root / f"out/e/{seed}/raw/table.csv").read_text() == "a,b\n"
        assert "hello" in (project.root / f"out/e/{seed}/log").read_text()
    assert project.run("outputs", "e", "--copy", "out").stdout.splitlines()[-1].startswith("0 files copied to out, ")


def test_several_attempts_of_a_target_are_all_shown(project: Project) -> None:
    """Attempts that are named by the ids of their jobs stand apart, listed and copied."""
    ran(project)
    project.run("-B", "e/1")
    jobs = [one["job"] for one in json.loads(project.run("history", "e/1", "--json").stdout)]
    said = project.run("outputs", *jobs, "--copy", "out").stdout
    assert "attempt 1, succeeded" in said
    assert "attempt 2, succeeded" in said
    copied = sorted(
        path.parent.relative_to(project.root / "out").as_posix() for path in project.root.glob("out/**/log")
    )
    assert copied == sorted(["e/1", jobs[1]])


def test_outputs_are_json_for_programs(project: Project) -> None:
    """A list with an object for each target, whose outputs have name, size and digest, and their path if copied."""
    ran(project)
    [one] = json.loads(project.run("outputs", "e/1", "--json").stdout)
    assert (one["target"], one["attempt"], one["status"]) == ("e/1", 1, "succeeded")
    table = next(output for output in one["outputs"] if output["name"] == "raw/table.csv")
    assert table["bytes"] == 4
    assert "path" not in table
    [one] = json.loads(project.run("outputs", "e/1", "--json", "--copy", "out").stdout)
    assert all((project.root / output["path"]).is_file() for output in one["outputs"])


def test_a_failed_attempt_has_outputs_too(project: Project) -> None:
    """What a job left before it failed is what one wants to see."""
    ran(project)
    project.write("job.sh", "echo partial > $EVALMAKE_OUT/partial.txt; exit 3")
    project.run("-k", "e", status=2)
    listed = project.run("outputs", "e/1").stdout
    assert "failed" in listed
    assert "partial.txt" in listed


def test_what_cannot_be_shown_is_told(project: Project) -> None:
    """A target that has not run makes the status 2, and so does a file that is in the way."""
    ran(project)
    said = project.run("outputs", "e/1", "unrun/1", status=2).stdout
    assert "unrun/1 has not run" in said
    assert "e/1: attempt 1" in said
    assert "takes targets" in project.run("outputs", status=2).stderr
    project.write("out/e/1/log", "mine")
    said = project.run("outputs", "e/1", "--copy", "out", status=2).stderr
    assert "out/e/1/log, which has another content [copy-failed]" in said
    assert "no file is replaced" in said
