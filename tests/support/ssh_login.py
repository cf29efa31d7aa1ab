"""A login node of the tests' own: an sshd on a loopback port, for a Unix user of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from tests.support.daemons import Daemon, descendants, kill, port, until
from tests.support.docker_engine import listens
from tests.support.shared_folders import locked
from tests.support.ssh_proxy import Proxy

PROGRAMS = ("sshd", "ssh", "scp", "sftp", "ssh-keygen", "useradd", "userdel", "setpriv")
CLIENTS = ("ssh", "scp", "sftp")
USERS = "evalmake-"  # and the process that made one, and a number
HOST = "login"
PATH = "/usr/local/bin:/usr/bin:/bin"
LOCK = Path("/run/evalmake-test-users.lock")
"""Held while users are added or removed: of all who test on this machine, one at a time."""
_numbers = itertools.count(1)


def lacking() -> str:
    """Why no login node can be had here; empty where one can."""
    if os.geteuid() != 0:
        return "a login node is started by root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


class Login:
    """The node in a folder, which must be one that every user may enter.

    `path` is the first folder on PATH there. Clients call it by the name `login` and need `config`
    (`ssh -F`), or `bin` first on their PATH. They come through `proxy`.
    """

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder, self.home, self.work = folder, folder / "home", folder / "work"
        self.config, self.bin = folder / "config", folder / "bin"
        self.user = f"{USERS}{os.getpid()}-{next(_numbers)}"
        self.bin.mkdir(parents=True)
        remove_users(_is_left)
        add_user(self.user, self.home)
        known = pwd.getpwnam(self.user)
        self.uid, self.gid = known.pw_uid, known.pw_gid
        for place in (self.home, self.work):
            place.mkdir()
            os.chown(place, self.uid, self.gid)
        at = port()
        self.proxy = Proxy(at)
        self._write_keys()
        self._write_client()
        self._write_server(at, path)
        program = shutil.which("sshd")  # which wants its full name
        argv = [str(program), "-D", "-e", "-f", str(folder / "sshd_config")]
        self.sshd = Daemon(argv, folder / "log", folder)
        Path("/run/sshd").mkdir(exist_ok=True)
        self.sshd.start(lambda: listens(at))

    def _write_keys(self) -> None:
        for name in ("host", "key"):
            to = str(self.folder / name)
            new = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", to]
            subprocess.run(new, check=True)
        shutil.copy(self.folder / "key.pub", self.folder / "authorized")
        key = (self.folder / "host.pub").read_text()
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.proxy.port} {key}")

    def _write_client(self) -> None:
        self.config.write_text(
            f"Host {HOST}\nHostName 127.0.0.1\nPort {self.proxy.port}\nUser {self.user}\n"
            f"IdentityFile {self.folder}/key\nIdentitiesOnly yes\nBatchMode yes\n"
            f"UserKnownHostsFile {self.folder}/known\nStrictHostKeyChecking yes\n"
        )
        for name in CLIENTS:
            program = self.bin / name
            program.write_text(f'#!/bin/sh\nexec {shutil.which(name)} -F {self.config} "$@"\n')
            program.chmod(0o755)

    def _write_server(self, at: int, path: Path) -> None:
        (self.folder / "sshd_config").write_text(
            f"Port {at}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder}/authorized\nStrictModes no\nUsePAM no\n"
            f"AllowUsers {self.user}\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
            f"SetEnv PATH={path}:{PATH}\n"
        )

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a shell text there."""
        argv = [f"{self.bin}/ssh", HOST, text]
        return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def cut(self) -> None:
        """End every session, as the node would if it failed; what they began may go on."""
        assert self.sshd.process is not None
        _, *sessions = descendants([self.sshd.process.pid])
        kill([pid for pid in sessions if _name(pid).startswith("sshd")])

    @contextlib.contextmanager
    def small(self, size: str) -> Iterator[None]:
        """For a while the work folder is a new, empty one that takes so much: `4m`."""
        options = f"size={size},uid={self.uid},gid={self.gid},mode=755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.work], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", self.work], check=True)

    def close(self) -> None:
        """End it with all its sessions, and remove the user with all that it runs."""
        self.proxy.close()
        self.sshd.stop()
        remove_users(lambda user: user.pw_name == self.user)


def add_user(name: str, home: Path) -> None:
    """Add a user who can log in only with a key."""
    argv = ["useradd", "--no-create-home", "--user-group", "--shell", "/bin/bash", "--password", "*"]
    with locked(LOCK) as lock:
        _change_users([*argv, "--home-dir", str(home), name], lambda: name in _users(), lock)


def remove_users(is_unwanted: Callable[[pwd.struct_passwd], bool]) -> None:
    """Remove users of the tests and end their processes."""
    with locked(LOCK) as lock:  # before a uid is another user's
        for name, user in _users().items():
            if name.startswith(USERS) and is_unwanted(user):
                kill([int(process.name) for process in Path("/proc").glob("[0-9]*") if _owner(process) == user.pw_uid])
                _change_users(["userdel", "--force", name], lambda name=name: name not in _users(), lock)  # type: ignore[misc]


def _change_users(argv: list[str], is_done: Callable[[], bool], lock: IO[str]) -> None:
    """Run a command until it is done: it fails while a program of the system has the list of users locked.

    The command holds our lock, too, so that nobody else begins if this process is killed meanwhile.
    """

    def run() -> bool:
        nonlocal message
        message = subprocess.run(argv, capture_output=True, text=True, pass_fds=[lock.fileno()]).stderr
        return is_done()

    message = ""
    until(run, lambda: message)


def _users() -> dict[str, pwd.struct_passwd]:
    return {user.pw_name: user for user in pwd.getpwall()}


def _is_left(user: pwd.struct_passwd) -> bool:
    """Whether a user's test process is no more."""
    maker = user.pw_name.removeprefix(USERS).partition("-")[0]
    return not Path(f"/proc/{maker}").exists()


def _owner(process: Path) -> int | None:
    with contextlib.suppress(OSError):
        return process.stat().st_uid
    return None


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


@contextlib.contextmanager
def login(folder: Path, path: Path) -> Iterator[Login]:
    """A running login node; its user is gone in the end."""
    made = Login(folder, path)
    try:
        yield made
    finally:
        made.close()
