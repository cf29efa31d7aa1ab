"""A Docker engine of the tests' own, from Debian's packages.

What they keep lies in $EVALMAKE_TEST_SERVICES, by default in the temporary folder, between runs, too. One
engine is shared by all who test on this machine: whoever comes first starts it, whoever leaves last stops it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from tests.support import debian
from tests.support.daemons import until
from tests.support.debian import HOME, IMAGE_RELEASE
from tests.support.shared_folders import locked

BASE = f"evalmake-test/base:{IMAGE_RELEASE}"
BRIDGE, ADDRESS = "evalmake-test", "10.213.255.1"
PROGRAMS = ("dockerd", "containerd", "docker-init", "iptables", "ip", "docker-registry")
_KEYS = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
_CLIENT = f"{_KEYS}basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n"
_SERVER = f"{_KEYS}subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"


def lacking() -> str:
    """Why no engine can be had here; empty where one can."""
    if os.geteuid() != 0:
        return "an engine is started by root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    with contextlib.suppress(OSError, ValueError):
        other = int(Path("/var/run/docker.pid").read_text())
        if Path(f"/proc/{other}").exists():
            return "this machine has an engine, whose firewall rules another would replace"
    return debian.lacking()


@dataclass
class Dockerd:
    """An engine, its data in `folder`, its socket in a short path of its own."""

    folder: Path
    options: tuple[str, ...] = ()
    run: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run = self.folder / "run"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix://{self.run}/docker.sock"

    def api(self) -> Any:
        """A client of it."""
        return docker.APIClient(base_url=self.url, version="auto", timeout=600)

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            self.api().close()
        except docker.errors.DockerException:
            return False
        return True

    def pid(self) -> int | None:
        """Its process."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.run / "pid").read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes()  # empty once it has ended
            return pid if words.startswith(b"dockerd\0") else None
        return None

    def start(self) -> None:
        """Start it, as a process that outlives this one, and wait until it answers."""
        self.run.mkdir(exist_ok=True)
        if self.pid() is None:
            (self.run / "pid").unlink(missing_ok=True)  # of one that ended without a word
        argv = ["dockerd", "--data-root", f"{self.folder}/data", "--exec-root", f"{self.run}/exec"]
        argv += ["--pidfile", f"{self.run}/pid", "-H", self.url, "--shutdown-timeout", "2"]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*argv, *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until(lambda: self.answers() or process.poll() is not None)
        said = (self.folder / "log").read_text(errors="replace")[-2000:]
        assert process.poll() is None, f"dockerd ended: {said}"

    def stop(self) -> None:
        """End it; its containers end with it, unless it leaves them alive."""
        if (pid := self.pid()) is None:
            return
        os.kill(pid, signal.SIGTERM)
        until(lambda: self.pid() is None)

    def tidy(self) -> None:
        """Remove what earlier tests left, and see to it that the base image is there."""
        api = self.api()
        for one in api.containers(all=True):
            api.remove_container(one["Id"], force=True, v=True)
        api.prune_networks()
        for one in api.images():
            for name in one["RepoTags"] or []:
                if name.startswith("127.0.0.1:"):  # a registry that has ended
                    api.remove_image(name)
        api.prune_images()
        if not api.images(BASE):
            with debian.tar_of(IMAGE_RELEASE).open("rb") as tar:
                api.import_image_from_data(tar, *BASE.split(":"))


def push(engine: Dockerd, image: str, name: str) -> str:
    """Push an image under a name, and let the engine forget it by that name; its digest."""
    api = engine.api()
    repository, tag = name.rsplit(":", 1)
    api.tag(image, repository, tag)
    said = [json.loads(line) for line in api.push(repository, tag).splitlines()]
    (digest,) = [line["aux"]["Digest"] for line in said if "aux" in line]
    api.remove_image(name)
    return str(digest)


@contextlib.contextmanager
def shared_engine() -> Iterator[Dockerd]:
    """The engine that everybody shares, for as long as it is needed; by TCP it wants `certificates`."""
    HOME.mkdir(parents=True, exist_ok=True)
    tls = certificates()
    options = ["-H", f"tcp://127.0.0.1:{tcp_port()}", "--bridge", BRIDGE]
    options += ["--default-address-pool", "base=10.213.0.0/17,size=24", "--tlsverify"]
    options += [
        f"--tls{name}={tls}/{file}.pem" for name, file in (("cacert", "ca"), ("cert", "server"), ("key", "server-key"))
    ]
    engine = Dockerd(HOME / "engine", tuple(options))
    with (HOME / "users").open("a") as users:
        with locked(HOME / "starting"):
            is_first = False
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_first = True
            fcntl.flock(users, fcntl.LOCK_SH)
            if not engine.answers():
                make_bridge()
                engine.start()
            if is_first:  # also of an engine that a killed test process left, with its containers
                engine.tidy()
        try:
            yield engine
        finally:
            with locked(HOME / "starting"), contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                engine.stop()
                subprocess.run(["ip", "link", "del", BRIDGE], check=True)


def make_bridge() -> None:
    """A bridge of the shared engine's own: one that has none, as others have here, removes docker0."""
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
        subprocess.run(["ip", "addr", "add", f"{ADDRESS}/24", "dev", BRIDGE], check=True)
        subprocess.run(["ip", "link", "set", BRIDGE, "up"], check=True)


def tcp_port() -> int:
    """Where the shared engine listens too."""
    return 23_756


def certificates() -> Path:
    """A folder with `ca`, `server`, `cert` (a client's) and their keys, made once."""
    folder = HOME / "certificates"
    if folder.exists():
        return folder
    made = Path(tempfile.mkdtemp(dir=HOME))

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=made, check=True, capture_output=True)

    new = ("-newkey", "rsa:2048", "-nodes", "-days", "3650")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")  # which Python wants since 3.13
    openssl("req", "-x509", *new, *usage, "-subj", "/CN=ca", "-keyout", "ca-key.pem", "-out", "ca.pem")
    for name, key, extensions in (
        ("server", "server-key", _SERVER),
        ("cert", "key", _CLIENT),
    ):
        (made / "extensions").write_text(extensions)
        openssl("req", *new[:3], "-subj", f"/CN={name}", "-keyout", f"{key}.pem", "-out", "request")
        openssl(
            "x509",
            "-req",
            "-in",
            "request",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca-key.pem",
            "-days",
            "3650",
            "-CAcreateserial",
            "-extfile",
            "extensions",
            "-out",
            f"{name}.pem",
        )
    with contextlib.suppress(OSError):
        made.rename(folder)
    return folder


@contextlib.contextmanager
def running(*argv: str, log: Path) -> Iterator[None]:
    """A program, ended in the end."""
    with log.open("wb") as said:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    """Whether anything does, on this host."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
