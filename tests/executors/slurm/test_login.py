"""The tests' own login node does what the tests of the executor rest on."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.slurm_cluster import Cluster
from tests.support.ssh_login import HOST, Login


def session(login: Login) -> subprocess.Popen[bytes]:
    """A session that would last, begun."""
    argv = [f"{login.bin}/ssh", HOST, "echo up; exec sleep 600"]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stdout.readline() == b"up\n"
    return running


def test_user(login: Login) -> None:
    """Who logs in is a user with a home of its own, who finds Slurm's commands."""
    done = login.run("id -un; pwd; command -v sbatch")
    assert done.stdout.split() == [login.user, str(login.home), f"{login.folder.parent}/bin/sbatch"]


def test_job(cluster: Cluster, login: Login) -> None:
    """A job that is submitted there runs as that user, and the call is counted."""
    cluster.wrappers.forget()
    id = login.run(f"sbatch --parsable -o {login.work}/%j --wrap 'id -un; pwd'").stdout.strip()
    cluster.ended(id, "COMPLETED")
    assert (login.work / id).read_text().split() == [login.user, str(login.home)]
    assert len(cluster.wrappers.calls("sbatch")) == 1


def test_copies(login: Login, tmp_path: Path) -> None:
    """Files are copied both ways, the copy there being the user's."""
    (tmp_path / "there").write_bytes(b"text" * 100_000)
    for source, target in (
        (tmp_path / "there", f"{HOST}:{login.work}/file"),
        (f"{HOST}:{login.work}/file", tmp_path / "back"),
    ):
        subprocess.run([f"{login.bin}/scp", "-q", source, target], check=True)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "there").read_bytes()
    assert (login.work / "file").stat().st_uid == login.uid


def test_quota(login: Login) -> None:
    """A small work folder is full soon; afterwards the old one is back."""
    (login.work / "old").touch()
    with login.small("1m"):
        done = login.run(f"head -c 2000000 /dev/zero > {login.work}/big")
        assert "No space left on device" in done.stderr
        assert not (login.work / "old").exists()
    assert (login.work / "old").exists()


def test_cut(login: Login) -> None:
    """A session is cut in the middle, on the way or at the node, and the next one begins as ever."""
    for cut in (login.proxy.cut, login.cut):
        running = session(login)
        cut()
        assert running.wait(60) == 255
        assert login.run("true").returncode == 0


def test_refused(login: Login) -> None:
    """A node that takes no connections is told by ssh; each attempt is counted."""
    before = login.proxy.connections
    login.proxy.refusing = True
    assert login.run("true").returncode == 255
    login.proxy.flow()
    assert login.run("true").returncode == 0
    assert login.proxy.connections == before + 2


def test_silent(login: Login) -> None:
    """A connection that is silent leaves a session waiting, and goes on where it was."""
    argv = [f"{login.bin}/ssh", HOST, "echo up; read word; echo got $word"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        login.proxy.hang()
        running.stdin.write(b"it\n")
        running.stdin.flush()
        try:
            running.wait(1)
            raise AssertionError("it was not silent")
        except subprocess.TimeoutExpired:
            login.proxy.flow()
        assert running.stdout.readline() == b"got it\n"
