"""The git repository of an Evalfile: what is told of it, and that nothing it names is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from evalmake.provenance.repository import describe_repository, strip_credentials

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def git(folder: Path, *words: str) -> str:
    """What git prints; nobody's configuration counts."""
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(["git", *settings, *words], cwd=folder, env=environ, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit of two files."""
    folder = tmp_path / "repository"
    (folder / "below").mkdir(parents=True)
    (folder / "text").write_text("one\n")
    (folder / "below" / "image").write_bytes(b"\0\1")
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder


def test_a_clean_repository(repository: Path) -> None:
    """The commit, the branch, and no difference."""
    git(repository, "remote", "add", "origin", "https://me:canary@example.org/team/evals.git?token=canary")
    assert describe_repository(repository / "below") == {
        "commit": git(repository, "rev-parse", "HEAD"),
        "branch": "main",
        "remote": "https://example.org/team/evals.git",
        "dirty": False,
        "difference": "",
        "untracked": 0,
    }


def test_a_detached_head(repository: Path) -> None:
    """A commit that is checked out alone is on no branch."""
    git(repository, "checkout", "--detach")
    found = describe_repository(repository)
    assert found is not None
    assert (found["branch"], found["remote"]) == ("", "")


def test_a_difference(repository: Path) -> None:
    """Changes, also those of binary files and of files elsewhere in the repository, have a digest of their own."""
    seen = set()
    for name, content in (("text", b"two\n"), ("below/image", b"\0\2"), ("below/image", b"\0\3")):
        (repository / name).write_bytes(content)
        found = describe_repository(repository / "below")
        assert found is not None
        assert found["dirty"] is True
        seen.add(found["difference"])
    assert len(seen) == 3
    git(repository, "config", "diff.noprefix", "true")
    git(repository, "config", "diff.algorithm", "patience")
    git(repository, "config", "color.ui", "always")
    again = describe_repository(repository)
    assert again is not None
    assert again["difference"] in seen, "which no configuration changes"


def test_untracked_files(repository: Path) -> None:
    """Files below the folder count that git neither has nor ignores; evalmake's own do not."""
    for name in (".evalmake/store/x", "new", "ignored", "below/new", "below/more/new", "below/.evalmake/x"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).touch()
    (repository / ".gitignore").write_text("ignored\n")
    counts = [describe_repository(folder) for folder in (repository, repository / "below")]
    assert [found and found["untracked"] for found in counts] == [4, 2]


def test_no_repository(tmp_path: Path) -> None:
    """A folder outside, one without a commit, and a broken one are of no repository."""
    assert describe_repository(tmp_path) is None
    git(tmp_path, "init")
    assert describe_repository(tmp_path) is None
    (tmp_path / ".git" / "HEAD").write_text("nonsense")
    assert describe_repository(tmp_path) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_somebody_elses_repository(repository: Path) -> None:
    """git refuses a repository that belongs to another user, and nothing is known of it."""
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 65534, 65534)
    assert describe_repository(repository) is None


def test_no_git(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program, nothing is known."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert describe_repository(repository) is None


def test_a_git_that_hangs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended, and nothing is known."""
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    began = time.monotonic()
    assert describe_repository(repository, 0.2) is None
    assert time.monotonic() - began < 100


def test_a_difference_that_fails(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What git told before is kept, and the rest is unknown."""
    program, real = tmp_path / "git", shutil.which("git")
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *--binary*) exit 1;; *--others*) kill -9 $$;; esac\nexec {real} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = describe_repository(repository)
    assert found is not None
    assert found["commit"] == git(repository, "rev-parse", "HEAD")
    assert (found["dirty"], found["difference"], found["untracked"]) == (None, None, None)


def test_nothing_of_the_repository_runs(repository: Path, tmp_path: Path) -> None:
    """No hook, monitor, filter, difference program or text conversion that the repository names is run."""
    trap = tmp_path / "trap"
    trap.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/ran\ncat\n')
    trap.chmod(0o755)
    shutil.copy(trap, repository / ".git" / "hooks" / "post-index-change")
    (repository / ".gitattributes").write_text("* filter=trap diff=trap\nimage filter=other\n")
    (repository / ".git" / "more").write_text(f'[filter "other"]\n\tclean = {trap}\n\trequired = true\n')
    settings = {
        "core.fsmonitor": trap,
        "core.pager": trap,
        "core.sshCommand": trap,
        "diff.external": trap,
        "diff.trap.command": trap,
        "diff.trap.textconv": trap,
        "filter.trap.clean": trap,
        "filter.trap.process": trap,
        "filter.trap.required": "true",
        "include.path": "more",
    }
    for name, value in settings.items():
        git(repository, "config", name, str(value))
    (tmp_path / "ran").unlink(missing_ok=True)
    time.sleep(0.01)
    (repository / "text").write_text("two\n")
    (repository / "below" / "image").write_bytes(b"\0\2")
    found = describe_repository(repository)
    assert found is not None
    assert found["dirty"] is True
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()


def test_variables_that_point_elsewhere(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that a git hook started is of its own folder's repository."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init")
    commit = git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    found = describe_repository(repository)
    assert found is not None
    assert found["commit"] == commit


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://user:pass@host/a.git", "https://host/a.git"),
        ("https://user:p@ss/w@host:8443/a.git", "https://host:8443/a.git"),
        ("https://token@host/a?token=1#x", "https://host/a"),
        ("ssh://git@host/a", "ssh://host/a"),
        ("git@host:team/a.git", "host:team/a.git"),
        ("user:word@host:a", "host:a"),
        ("/srv/me@home/a.git", "/srv/me@home/a.git"),
        ("../a", "../a"),
        ("ext::sh -c 'curl -u me:word host'", ""),
        ("", ""),
    ],
)
def test_credentials(address: str, told: str) -> None:
    """The address of a remote has no user, password, query or fragment."""
    assert strip_credentials(address) == told
