"""Debian's releases in folders: a newcomer's machine, and what containers are made of.

A release is fetched once (`debootstrap`, about a minute), from the mirror that apt of this machine uses, and stays
in HOME between runs.
"""

from __future__ import annotations

import ast
import contextlib
import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HOME = Path(os.environ.get("EVALMAKE_TEST_SERVICES") or Path(tempfile.gettempdir()) / "evalmake-test-services")
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
"""The releases that evalmake is tried on, and the Python of each."""
PYTHON = "{}.{}".format(*sys.version_info)
IMAGE_RELEASE = next((release for release, version in PYTHONS.items() if version == PYTHON), "trixie")
"""That of containers: its Python is the one that runs the tests, so that packages installed here run there."""
PROGRAMS = ("apt-get", "debootstrap", "unshare")
_UNWANTED = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/lib/apt/lists")
_NETWORK_VARIABLES = re.compile(r"(?i)(http|https|ftp|all|no)_proxy|SSL_CERT_FILE|(REQUESTS|CURL)_CA_BUNDLE")
_FILES_OF_NETWORK = ("etc/hosts", "etc/resolv.conf", "usr/local/share/ca-certificates")
_ENTER = """\
root=$1 command=$2; shift 2
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for path; do
    mkdir -p "$root$path"
    mount --bind "$path" "$root$path"
    mount -o remount,bind,ro "$root$path"
done
exec chroot "$root" sh -euc "$command"
"""


def lacking() -> str:
    """Why no release can be had here; empty where it can."""
    if os.geteuid() != 0:
        return "only root may enter it"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return "" if _sources() else "apt knows no mirror of Debian; `apt-get update` may help"


def fetch_all() -> None:
    """Fetch every release, that of containers first."""
    for release in sorted(PYTHONS, key=lambda release: release != IMAGE_RELEASE):
        tar_of(release)


def tar_of(release: str) -> Path:
    """Return a tar of a small Debian with Python; the first caller makes it."""
    HOME.mkdir(parents=True, exist_ok=True)
    tar = HOME / f"debian-{release}.tar"
    with tar.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tar.exists():
            _make_tar(release, tar)
    return tar


def _make_tar(release: str, tar: Path) -> None:
    mirror = next(uri for uri, suite in _sources() if "-" not in suite)
    with tempfile.TemporaryDirectory(dir=HOME) as folder:
        root = Path(folder) / "root"
        argv = ["debootstrap", "--variant=minbase", "--include=python3", release, str(root), mirror]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["chroot", root, "apt-get", "clean"], check=True)
        for name in _UNWANTED:
            shutil.rmtree(root / name, ignore_errors=True)
        unfinished = Path(folder) / "tar"
        subprocess.run(["tar", "-C", root, "-cf", unfinished, "."], check=True)
        unfinished.rename(tar)


@contextlib.contextmanager
def new_machine(release: str) -> Iterator[Path]:
    """The root of a machine whose apt and network are set up like this one's."""
    tar = tar_of(release)
    with tempfile.TemporaryDirectory(dir=HOME) as folder:
        root = Path(folder)
        subprocess.run(["tar", "-C", root, "-xf", tar], check=True)
        lines = [f"deb {uri} {suite.replace(_machine(), release)} main\n" for uri, suite in _sources()]
        (root / "etc/apt/sources.list").write_text("".join(lines))
        (root / "etc/apt/apt.conf.d/machine").write_text(_settings_of_apt())
        for name in _FILES_OF_NETWORK:
            _copy(Path("/", name), root / name)
        yield root


def run(root: Path, command: str) -> str:
    """What a shell command prints inside, whose pip is set up like this machine's; nothing of it stays mounted."""
    variables = {name: value for name, value in os.environ.items() if _NETWORK_VARIABLES.fullmatch(name)}
    variables |= _settings_of_pip()
    folders = []
    for path in _paths_in(variables):
        if path.is_dir():
            folders.append(str(path))
        else:
            _copy(path, root / path.relative_to("/"))
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", _ENTER, "sh", root, command, *folders],
        env=variables | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


def _machine() -> str:
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


def _sources() -> list[tuple[str, str]]:
    """Each address and suite by which apt knows this machine's release."""
    argv = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(CODENAME)", "Created-By: Packages"]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    known = [line.split(" ") for line in dict.fromkeys(lines) if line.startswith("Debian ")]
    return [(uri, suite) for _, uri, suite in known if suite.partition("-")[0] == _machine()]


def _settings_of_apt() -> str:
    """How apt of this machine reaches its mirror."""
    lines = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout.splitlines()
    return "".join(f"{line}\n" for line in lines if line.startswith("Acquire::"))


def _settings_of_pip() -> dict[str, str]:
    """What pip's files and variables of this machine say, as variables; these overrule those."""
    argv = [sys.executable, "-m", "pip", "config", "list"]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    settings = [re.fullmatch(r"(?:(:env:)|\w+)\.([\w-]+)=(.*)", line) for line in lines]
    ordered = sorted(filter(None, settings), key=lambda found: found[1] is not None)
    return {f"PIP_{found[2].upper().replace('-', '_')}": ast.literal_eval(found[3]) for found in ordered}


def _paths_in(variables: dict[str, str]) -> list[Path]:
    """What lies on this machine, of what variables name."""
    words = {word for value in variables.values() for word in value.split()}
    paths = [Path(word) for word in words if word.startswith("/")]
    paths += [Path(word.removeprefix("file://")).parent for word in words if word.startswith("file:///")]
    return sorted({path for path in paths if path.exists()})  # an index refers to files beside its folder


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        shutil.copyfile(source, target)
