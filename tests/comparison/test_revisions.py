"""Sides that are not of the Evalfile as it is now: git revisions and saved plans."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evalmake.provenance import revision as revisions
from evalmake.provenance.revision import RevisionError, extract_revision
from tests.support.git_repositories import commit, git
from tests.support.projects import Project

COUNTED = """\
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }

benchmark b {
    harness = command
    run     = "sh ../../../job.sh"
}

eval e {
    model     = m
    benchmark = b
    seed      in 1..2
}
"""


def compare(compared: Project, *words: str, status: int = 0) -> dict[str, Any]:
    """What `compare` says as JSON."""
    found: dict[str, Any] = json.loads(compared.run("compare", *words, "--json", status=status).stdout)
    return found


@pytest.fixture
def tracked(compared: Project) -> Project:
    """The project in a repository, whose data of one benchmark are ignored; then `good` becomes another server."""
    compared.write(".gitignore", ".evalmake/\ndata/others.jsonl\n")
    commit(compared.root, "first")
    git(compared.root, "tag", "v1.2")
    text = (compared.root / "Evalfile").read_text()
    compared.write("Evalfile", text.replace("model good { deployment = good }", "model good { deployment = worse }"))
    compared.run("grid", "-s")
    return compared


def test_a_revision_is_compared_with_now(tracked: Project) -> None:
    """The Evalfile of a branch is planned, its results are found by digest, and the user's tree is not touched."""
    before = git(tracked.root, "status", "--porcelain")
    found = compare(tracked, "main:", "grid/good", status=1)
    [one] = found["benchmarks"]
    assert (one["verdict"], one["paired"], found["a"]["cells"]) == ("REGRESSION", True, ["grid/good"])
    assert {change["path"] for change in found["differences"]} >= {"model.deployment.args.skill"}
    assert found["a"]["notes"] == [f"commit {git(tracked.root, 'rev-parse', 'HEAD')[:12]}"]
    for words in (("v1.2:grid/good",), ("v1.2:grid/good", "grid/good"), ("HEAD:model:good", "grid/good")):
        assert compare(tracked, *words, status=1)["benchmarks"] == [one]
    assert git(tracked.root, "status", "--porcelain") == before


def test_what_git_ignores_is_as_it_is_now(tracked: Project) -> None:
    """Data that are not tracked belong to no revision: their results are found all the same."""
    assert compare(tracked, "main:elsewhere")["benchmarks"][0]["verdict"] == "PASS"


def test_tracked_data_are_those_of_the_revision(tracked: Project) -> None:
    """Where the data changed since, the revision's results are those of its own data."""
    rows = (tracked.root / "data/sums.jsonl").read_text().splitlines(keepends=True)
    tracked.write("data/sums.jsonl", "".join(rows[:300]))
    tracked.run("grid", "-s")
    [one] = compare(tracked, "main:", "grid/worse")["benchmarks"]
    assert (one["items"], one["dropped"]) == (300, 100)


def test_includes_are_those_of_the_revision(tracked: Project) -> None:
    """An Evalfile in a folder includes files elsewhere in the repository, as they were."""
    text = (tracked.root / "Evalfile").read_text()
    tracked.write("shared/models.evalfile", "".join(line + "\n" for line in text.splitlines()[:8]))
    rest = text[text.index("benchmark sums") :].replace('file("data/', 'file("../data/')
    tracked.write("sub/Evalfile", f'include "../shared/models.evalfile"\n\n{rest}')
    commit(tracked.root, "second")
    tracked.run("-C", "sub", "grid", "-s")
    tracked.write("shared/models.evalfile", (tracked.root / "shared/models.evalfile").read_text() + "LIMIT = 1\n")
    assert compare(tracked, "-C", "sub", "main:", "grid")["verdict"] == "PASS"


def test_what_is_wrong_with_a_revision_is_told(tracked: Project) -> None:
    """A misspelt name, a target that was not there, and a mistake are told with their places in that revision."""
    said = tracked.run("compare", "mian:", "grid", status=2).stderr
    assert "`mian` is no branch, tag or commit" in said
    assert "did you mean `main:`?" in said
    said = tracked.run("compare", "main:grod", "grid", status=2).stderr
    assert "no target is named `grod`" in said
    assert "this is about the Evalfile at main" in said
    text = (tracked.root / "Evalfile").read_text()
    tracked.write("Evalfile", text.replace("eval grid {", "eval grid { modle = good\n"))
    commit(tracked.root, "broken")
    tracked.write("Evalfile", text)
    said = tracked.run("compare", "HEAD:", "grid", status=2).stderr
    assert "--> HEAD:Evalfile:" in said
    assert "/tmp" not in said.replace(str(tracked.root), "")
    tracked.write("Evalfile", text.replace("eval grid {", "eval grid {{\n"))
    commit(tracked.root, "worse")
    tracked.write("Evalfile", text)
    assert "--> HEAD:Evalfile:" in tracked.run("compare", "HEAD:", "grid", status=2).stderr


def test_a_revision_without_this_evalfile(tracked: Project) -> None:
    """An Evalfile that a revision does not have is told, and one whose results are gone."""
    tracked.write("new/Evalfile", (tracked.root / "Evalfile").read_text().replace('file("data', 'file("../data'))
    said = tracked.run("compare", "-C", "new", "v1.2:", "grid", status=2).stderr
    assert "`v1.2` has no file `new/Evalfile` [bad-revision]" in said
    text = (tracked.root / "Evalfile").read_text()
    tracked.write("Evalfile", text.replace("skill = 0.80, seed = 4", "skill = 0.5"))
    commit(tracked.root, "third")
    tracked.write("Evalfile", text)
    said = tracked.run("compare", "HEAD:grid/alike", "grid/worse", status=2).stderr
    assert "`HEAD:grid/alike` has no result to compare" in said
    assert "check out HEAD" in said


def test_no_repository(compared: Project) -> None:
    """Without a repository there are no revisions, and it is said."""
    assert "is in no git repository" in compared.run("compare", "main:", "grid", status=2).stderr


def test_a_repository_without_commits(compared: Project) -> None:
    """What it lacks is said, and no list without names."""
    git(compared.root, "init", "-q")
    said = compared.run("compare", "main:", "grid", status=2).stderr
    assert "`main` is no branch, tag or commit" in said
    assert "there are" not in said


def test_a_result_of_a_plan_that_is_to_run_again_does_not_count(project: Project) -> None:
    """A rerun that was wanted and failed leaves a plan without the result, as it leaves every other side."""
    project.write("Evalfile", COUNTED)
    project.write("job.sh", "echo '{\"accuracy\": 0.5}' > $EVALMAKE_OUT/scores.json\n")
    project.run("e", "-s")
    project.run("-n", "-o", "plan.json", "e")
    project.write("job.sh", "exit 1\n")
    project.run("-B", "e/1", status=2)
    said = project.run("compare", "plan.json", "e/2", status=None)
    assert "a rerun of it was wanted, and has not succeeded" in said.stdout + said.stderr


def test_what_a_repository_names_does_not_run(tracked: Project, tmp_path: Path) -> None:
    """Filters and hooks of the repository are not run, and links out of it lead nowhere."""
    mark = tmp_path / "ran"
    git(tracked.root, "config", "filter.evil.smudge", f"touch {mark}; cat")
    tracked.write(".gitattributes", "* filter=evil\n")
    (tracked.root / "link").symlink_to("/etc/passwd")
    commit(tracked.root, "third")
    mark.unlink(missing_ok=True)
    assert compare(tracked, "HEAD:", "grid/worse")["verdict"] == "PASS"
    assert not mark.exists()


def test_files_of_a_revision(tmp_path: Path) -> None:
    """Contents are exact, links stay links, names may be odd, and pointers of Git LFS lead to their objects."""
    root, there = tmp_path / "root", tmp_path / "there"
    root.mkdir(), there.mkdir()
    digest = "ab" * 32
    large = root / ".git/lfs/objects/ab/ab" / digest
    (root / "a b\n.txt").write_bytes(b"\0\r\n")
    (root / "empty").write_bytes(b"")
    (root / "link").symlink_to("empty")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 5\n"
    (root / "large").write_text(pointer)
    made = commit(root, "first")
    large.parent.mkdir(parents=True)
    large.write_text("large")
    (root / "empty").write_bytes(b"not any more")
    (root / "new").write_text("untracked")
    found = extract_revision(root, "main", there)
    assert found.commit == made
    assert (there / "a b\n.txt").read_bytes() == b"\0\r\n"
    assert (there / "empty").read_bytes() == b""
    assert os.readlink(there / "link") == "empty"
    assert (there / "large").read_text() == "large"
    assert (there / "new").read_text() == "untracked"


def test_a_large_repository_is_read_below_the_evalfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many files are left out elsewhere; where there are too many in the folder itself, a baseline is proposed."""
    root = tmp_path / "root"
    for number in range(4):
        path = root / ("sub" if number == 0 else "others") / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    commit(root, "first")
    monkeypatch.setattr(revisions, "MOST_FILES", 2)
    extract_revision(root / "sub", "main", tmp_path / "there")
    assert [path.name for path in (tmp_path / "there/sub").iterdir()] == ["0"]
    with pytest.raises(RevisionError, match="keep a baseline instead"):
        extract_revision(root, "main", tmp_path / "here")


def test_a_saved_plan_is_a_side(compared: Project) -> None:
    """The results of what was planned are found by their digests, whatever the Evalfile says now."""
    compared.run("-n", "-o", "plan.json", "grid")
    text = (compared.root / "Evalfile").read_text()
    changed = text.replace("model good { deployment = good }", "model good { deployment = worse }")
    compared.write("Evalfile", changed)
    compared.run("grid", "-s")
    found = compare(compared, "plan.json", status=1)
    verdicts = {one["benchmark"]: one["verdict"] for one in found["benchmarks"]}
    assert verdicts == {"sums (good)": "REGRESSION", "sums (worse)": "PASS", "sums (alike)": "PASS"}
    paths = {change["path"] for one in found["benchmarks"] for change in one["differences"]}
    assert "model.deployment.args.skill" in paths
    assert not {path for path in paths if "execut" in path}  # where a plan runs is no part of what it measures
    compared.write("Evalfile", changed.replace("eval grid", "eval other"))
    compared.run("other", "-s")
    assert compare(compared, "plan.json", "other", status=1)["verdict"] == "REGRESSION"
    compared.write("plan.json", "{}")
    assert "[bad-plan]" in compared.run("compare", "plan.json", "grid", status=2).stderr
