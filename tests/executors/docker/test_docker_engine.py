"""An engine that is not there, that refuses, that is far away, or of which little may be seen."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from evalmake.executors.docker import DockerExecutor
from evalmake.executors.docker.engine import Engine
from evalmake.executors.tar_archive import unpack
from evalmake.plugin_api.executor import Phase
from tests.executors.contract import finished, job
from tests.executors.docker.boxes import Based, Made
from tests.support.daemons import free_port
from tests.support.docker_engine import ADDRESS, Dockerd, certificates, listens, running, tcp_port, until


def box(root: Path, host: str) -> Based:
    """An executor over an engine at `host`."""
    return Based("box", DockerExecutor.Settings(host=host), root)


@pytest.mark.parametrize(
    ("name", "why"),
    [("none", "no such file or directory"), ("dead", "connection refused"), ("file", "connection refused")],
)
def test_engine_that_is_not_there(root: Path, tmp_path: Path, name: str, why: str) -> None:
    """Without an engine, jobs cannot start, and the state of running jobs is unreachable, not ended."""
    import socket

    place = tmp_path / name
    if name == "dead":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place))
    if name == "file":
        place.touch()
    executor = box(root, f"unix://{place}")
    said = f"executor box: cannot reach the engine at unix://{place}: {why}"
    with pytest.raises(ConnectionError, match=said):
        executor.submit(job(root, "true"), {})
    state = executor.poll("job.1")
    assert (state.phase, state.status, state.detail) == (Phase.UNREACHABLE, None, said)
    for ask in (executor.host_address, lambda: executor.cancel("job.1"), executor.sweep):
        with pytest.raises(ConnectionError, match=said):
            ask()


def test_engine_that_says_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that accepts connections but does not reply becomes unreachable after a timeout."""
    import socket

    monkeypatch.setattr("evalmake.executors.docker.engine._TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        executor = box(root, f"tcp://127.0.0.1:{silent.getsockname()[1]}")
        assert executor.poll("job.1").detail.endswith(": no answer in time")


def test_engine_that_is_slow_to_change(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change may take longer than a question, because a busy host is slow to create and remove containers."""
    monkeypatch.setattr("evalmake.executors.docker.engine._TIMEOUT", 1.0)
    with slow_to_change(1.5) as url:
        engine = Engine("box", url)
        with engine.call() as api:
            assert api.create_container(image="base", name="one")["Id"] == "1"
            api.put_archive("one", "/", b"")
            api.remove_container("one")
        engine.close()


@contextmanager
def slow_to_change(seconds: float) -> Iterator[str]:
    """An engine that answers questions at once, and anything else after some time; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({"ApiVersion": "1.44"})

        def do_POST(self) -> None:
            time.sleep(seconds)
            self.answer({"Id": "1"})

        do_PUT = do_DELETE = do_POST

        def answer(self, value: object) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_tls(engine: Dockerd, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine over TCP and evalmake check each other's certificates, and secrets reach jobs."""
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates()))
    executor = box(root, f"tcp://127.0.0.1:{tcp_port()}")
    executor.submit(job(root, 'echo "$TOKEN" > out/token; echo said'), {"TOKEN": "t k"})
    assert finished(executor, root / "job.1").status == 0
    assert (root / "job.1" / "out" / "token").read_text() == "t k\n"
    assert (root / "job.1" / "log").read_text() == "said\n"
    executor.close()

    others = tmp_path / "certificates"
    shutil.copytree(certificates(), others)
    shutil.copy(others / "cert.pem", others / "ca.pem")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(others))
    stranger = box(root, f"tcp://127.0.0.1:{tcp_port()}")
    assert "certificate" in stranger.poll("job.2").detail
    (others / "key.pem").unlink()
    without = box(root, "tcp://engine.example:2376")
    with pytest.raises(OSError, match=r"an engine over TCP needs TLS, .* no .*/key\.pem"):
        without.submit(job(root, "true"), {})


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An ssh server with a key of the test's own, and an `ssh` that knows of both; its address."""
    folder, port = tmp_path / "ssh", free_port()
    folder.mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile {folder}/pid\n"
        f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
    )
    (folder / "config").write_text(
        f"Host *\nIdentityFile {folder}/user\nUserKnownHostsFile {folder}/known\nStrictHostKeyChecking accept-new\n"
    )
    program = folder / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    Path("/run/sshd").mkdir(exist_ok=True)
    with running("/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "sshd_config"), log=folder / "log"):
        until(lambda: listens(port))
        yield f"127.0.0.1:{port}"


def test_ssh(engine: Dockerd, root: Path, ssh: str) -> None:
    """An engine is reached by its socket on another host; the session ends with the executor."""
    socket = engine.url.removeprefix("unix://")
    executor = box(root, f"ssh://root@{ssh}{socket}")
    executor.submit(job(root, 'echo "$TOKEN" > out/token; echo said'), {"TOKEN": "t k"})
    assert finished(executor, root / "job.1").status == 0
    assert (root / "job.1" / "out" / "token").read_text() == "t k\n"
    tunnel = executor.engine._tunnel
    assert tunnel is not None
    assert tunnel._folder.exists()
    executor.close()
    assert not tunnel._folder.exists()


def test_ssh_that_is_refused(root: Path, ssh: str, tmp_path: Path) -> None:
    """If ssh cannot connect, the error has its message, and no socket is left."""
    (tmp_path / "ssh" / "authorized").write_text("")
    executor = box(root, f"ssh://root@{ssh}")
    assert executor.poll("job.1").detail == (
        f"executor box: cannot reach the engine at ssh://root@{ssh}: "
        f"root@127.0.0.1: Permission denied (publickey,password,keyboard-interactive)."
    )


def test_far_away(root: Path, docker: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """On an engine of another host no server can start, because nothing would reach it; all inputs are copied."""
    executor = docker()
    monkeypatch.setattr(Engine, "remote_host", "engine.example")
    with pytest.raises(OSError, match=r"a job would listen on engine\.example only"):
        executor.submit(job(root, "true", port=8000), {})
    monkeypatch.setattr("evalmake.executors.docker.container.LARGE", 1)
    (root.parent / "data").write_text("rows")
    given = {"inputs": {"data": root.parent / "data"}}
    executor.submit(job(root, "cat data > out/data; echo >> data", **given), {})
    assert executor._inspect("job.1")["Mounts"] == []
    assert finished(executor, root / "job.1").status == 0
    assert (root / "job.1" / "out" / "data").read_text() == "rows"


def test_where_this_host_is(docker: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of this host is on the engine's bridge, or faces the host of a remote engine."""
    executor = docker()
    assert executor.host_address() == ADDRESS
    monkeypatch.setattr(Engine, "remote_host", "127.0.0.9")
    assert executor.host_address() == "127.0.0.1"
    monkeypatch.setattr(Engine, "remote_host", "no-such-host.invalid")
    with pytest.raises(OSError, match=r"the address at which no-such-host\.invalid reaches this host"):
        executor.host_address()


# What comes out of a container


def packed(*entries: tarfile.TarInfo) -> Iterator[bytes]:
    """A tar of entries, in small pieces."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for entry in entries:
            tar.addfile(entry, io.BytesIO(b"x" * entry.size))
    data = whole.getvalue()
    return iter([data[at : at + 700] for at in range(0, len(data), 700)])


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """One entry of a tar."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, 0
    made.size = 3 if kind == tarfile.REGTYPE else 0
    return made


def test_only_files_come_out(tmp_path: Path) -> None:
    """Only regular files are copied: no links, devices or paths outside; old files are replaced."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "before").touch()
    chunks = packed(
        entry("out", tarfile.DIRTYPE),
        entry("out/deep", tarfile.DIRTYPE),
        entry("out/deep/file"),
        entry("out/again", tarfile.LNKTYPE, "out/deep/file"),
        entry("out/link", tarfile.SYMTYPE, "/etc"),
        entry("out/link/passwd"),
        entry("out/../../above"),
        entry("/out/rooted"),
        entry("out/stolen", tarfile.LNKTYPE, "../../etc/passwd"),
        entry("out/null", tarfile.CHRTYPE),
        entry("out/pipe", tarfile.FIFOTYPE),
    )
    unpack(chunks, tmp_path / "out")
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"out/deep/file", "out/again", "out/link/passwd", "out/out/rooted"}
    assert (tmp_path / "out" / "again").read_text() == "xxx"


def test_copy_that_breaks_off(tmp_path: Path) -> None:
    """A copy that breaks off is discarded and tried again."""
    pieces = list(packed(entry("out", tarfile.DIRTYPE), entry("out/file"), entry("out/more")))
    with pytest.raises(ConnectionError, match="broke off"):
        unpack(iter(pieces[:2]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("host", "localhost:2375", "as unix:///SOCKET"),
        ("mounts", ("data:/data",), '`data:/data` is not "/SOURCE:/TARGET"'),
        ("mounts", ("/data:/data:exec",), '`/data:/data:exec` is not "/SOURCE:/TARGET"'),
        ("gpus", "first two", 'write GPUs as a count, "all", or ids'),
        ("network", "host", "'open' or 'gateway'"),
        ("pull", "often", "'missing', 'always' or 'never'"),
    ],
)
def test_settings_that_make_no_sense(key: str, value: object, said: str) -> None:
    """Settings that no engine accepts are refused when the Evalfile is loaded."""
    with pytest.raises(ValueError, match=said):
        DockerExecutor.Settings.model_validate({key: value})
