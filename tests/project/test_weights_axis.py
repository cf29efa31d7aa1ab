"""The axis `weights`: each complete folder of weights is a model of its own."""

from __future__ import annotations

import json
import os
import time

import pytest

from evalmake.engines.command import CommandEngine
from evalmake.executors.process import ProcessExecutor
from evalmake.servers.command import place_command
from evalmake.workspace import Workspace
from tests.support.projects import Project

EVALFILE = """\
deployment trained { engine = mock }
model trained { deployment = trained }
model hosted {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}
benchmark sums {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = number
}
eval progress {
    model     = trained
    benchmark = sums
    weights   in glob("checkpoints/*/")
}
"""
SUMS = '{"question": "What is 2 + 3?", "answer": 5}\n'


def write(project: Project, *steps: int, evalfile: str = EVALFILE) -> None:
    """Write the project, with a checkpoint for each step."""
    project.write("Evalfile", evalfile)
    project.write("sums.jsonl", SUMS)
    for step in steps:
        project.write(f"checkpoints/step-{step}/model.bin", f"weights of {step}")


def cells(project: Project, *words: str) -> list[str]:
    """The cells that are planned, in order."""
    plan = json.loads(project.run("-n", "--json", *words).stdout)
    return [cell["name"] for cell in plan["evaluations"]]


def test_each_folder_is_a_cell(project: Project) -> None:
    """In natural order; a folder without files is none, and the path of a cell has the folder's name."""
    write(project, 100, 20, 3)
    (project.root / "checkpoints/empty").mkdir()
    assert cells(project) == ["progress/step-3", "progress/step-20", "progress/step-100"]


def test_a_marker_says_that_a_folder_is_complete(project: Project) -> None:
    """Folders without the file are left out, and one that gets it is found, also by a build that had nothing to do."""
    write(project, 1, 2, evalfile=EVALFILE.replace('*/")', '*/", "DONE")'))
    said = project.run("-n", status=2).stderr
    assert "no folder matches `checkpoints/*/` and holds `DONE`" in said
    project.write("checkpoints/step-1/DONE", "")
    assert "1 ran" in project.run().stdout
    assert "nothing to do" in project.run().stdout
    assert project.run("-q", status=0)
    project.write("checkpoints/step-2/DONE", "")
    assert cells(project) == ["progress/step-1", "progress/step-2"]
    project.run("-q", status=1)


def test_the_content_of_the_folder_is_the_identity(project: Project) -> None:
    """A checkpoint that is written anew runs again, and no other does; where the folder lies does not matter."""
    write(project, 1, 2)
    project.run()
    project.write("checkpoints/step-2/model.bin", "other weights")
    assert "progress/step-2" in (said := project.run("-n").stdout)
    assert "1 up to date" in said
    (project.root / "checkpoints").rename(project.root / "moved")
    project.write("Evalfile", EVALFILE.replace("checkpoints/", "moved/"))
    assert "1 up to date" in project.run("-n").stdout
    assert "deployment.weights" in project.run("why", "progress/step-2").stdout


def test_folders_have_rows_in_a_report_and_conditions(project: Project) -> None:
    """A report shows a row for each folder, and `when` and `skip` test the axis by the folder's name."""
    report = 'report r {\n    of   = [progress]\n    path = "r.md"\n    rows = weights\n}\n'
    skipping = EVALFILE.replace('*/")', '*/")\n    skip weights = "step-2"\n    when weights = step-1 { limit = 1 }')
    write(project, 1, 2, 3, evalfile=skipping + report)
    project.run()
    assert [line for line in (project.root / "r.md").read_text().splitlines() if "step-1" in line]
    assert cells(project, "-B") == ["progress/step-1", "progress/step-3"]


def test_a_folder_that_changes_is_left_out_until_it_has_settled(project: Project) -> None:
    """`--settle` goes by the time of change: old times of modification, as `cp -p` keeps them, deceive nobody."""
    write(project, 1)
    path = project.root / "checkpoints/step-1/model.bin"
    os.utime(path, (0, 0))
    said = project.run("-n", "--settle", "1h", status=2).stderr
    assert "has not been quiet for long enough" in said
    while time.time() < path.stat().st_ctime + 0.02:
        time.sleep(0.01)
    assert cells(project, "--settle", "10ms") == ["progress/step-1"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("= trained\n    benchmark", "= hosted\n    benchmark", "has an endpoint"),
        ("weights   in", "weights   =", "is a list"),
        ('glob("checkpoints/*/")', '["a"]', 'takes folders: glob("PATTERN/")'),
        ('glob("checkpoints/*/")', 'glob("checkpoints/*/*")', "takes a list"),
        ('glob("checkpoints/*/")', 'glob("checkpoints/*/*", "DONE")', "only a `glob` over folders takes a marker"),
        ('glob("checkpoints/*/")', 'glob("checkpoints/*/", "a/b")', "name of a file in the folder"),
        ('weights   in glob("checkpoints/*/")', 'weights = "x"', "an axis over folders"),
        ('file("sums.jsonl")', 'glob("checkpoints/*/")', "`files`"),
        (
            "{ engine = mock }",
            '{\n    engine = mock\n    args = { name = glob("checkpoints/*/") }\n}',
            "`args.name` takes",
        ),
        ("eval progress {", 'eval progress {\n    params = { a = glob("checkpoints/*/") }', "`params.a` takes"),
    ],
)
def test_mistakes_are_told(project: Project, old: str, new: str, said: str) -> None:
    """Each has a message with its place."""
    assert old in EVALFILE
    write(project, 1, evalfile=EVALFILE.replace(old, new, 1))
    shown = project.run("-n", status=2).stderr
    assert said in shown
    assert "--> Evalfile:" in shown


def test_a_folder_whose_name_is_no_part_of_a_path_is_refused(project: Project) -> None:
    """Its cell could not be named on a command line."""
    write(project, 1)
    project.write("checkpoints/a b/model.bin", "x")
    assert "the folder `a b` cannot be a part of the path of a cell" in project.run("-n", status=2).stderr


def test_any_program_can_serve_a_folder(project: Project) -> None:
    """`engine = command` has the folder in a variable: its path on this host, or where it is mounted."""
    command = EVALFILE.replace("{ engine = mock }", '{\n    engine = command\n    run    = "x"\n    port   = 8000\n}')
    write(project, 1, evalfile=command)
    workspace = Workspace.open(project.root / "Evalfile")
    served = CommandEngine().serve(workspace.project.deployments["trained@step-1"])
    for in_container, path in ((False, str(project.root / "checkpoints/step-1")), (True, "/models/trained@step-1")):
        placed = place_command(served, in_container, ProcessExecutor.capabilities)
        assert placed.env["EVALMAKE_WEIGHTS"] == path
        assert list(map(str, placed.mounts)) == ["/models/trained@step-1"]


def test_folders_cannot_share_a_port(project: Project) -> None:
    """Their servers may run at the same time, so a fixed port is refused, with what to do."""
    command = '{\n    engine = command\n    run    = "x"\n    port   = 8000\n}'
    write(project, 1, 2, evalfile=EVALFILE.replace("{ engine = mock }", command))
    said = project.run("-n", status=2).stderr
    assert "have the same port 8000" in said
    assert "leave out `port`" in said
