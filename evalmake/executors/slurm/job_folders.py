"""The folders of jobs: written here, and where the cluster has another file system, copied there and back."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import tarfile
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from evalmake.executors.slurm.containers import COPIED, INPUTS, SECRETS
from evalmake.executors.slurm.job_script import KEYS, STARTED, spoken
from evalmake.executors.slurm.login_shell import Refused, Shell
from evalmake.executors.tar_archive import unpack
from evalmake.plugin_api.executor import Job

_SMALL = 512  # KiB: a larger file comes when its job is over
REPLIES = "replies"
"""In a job's folder, and for all of them beside it: what models replied."""
QUEUE = "queue"
"""In the folder of a job that takes guests: which these are."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a job's folder says of it: its exit status, and the job of Slurm that ran it."""

    status: int | None = None
    by: str = ""


class Folders:
    """`root` is on this host; `there` is the same folder, or its like on the login node."""

    def __init__(self, root: Path, shell: Shell, work: str | None, key: str) -> None:
        self.root = root
        self.shell = shell
        self._work = f"{work or '.evalmake/jobs'}/{key}"
        self._there = "" if shell.host else os.path.realpath(root)
        self._bringing = threading.Lock()

    @property
    def near(self) -> bool:
        """Whether the cluster sees this host's files."""
        return self.shell.host is None

    @property
    def there(self) -> str:
        """The absolute path of the folder of jobs on the cluster."""
        if not self._there:
            work = shlex.quote(self._work)
            text = f"cd && umask 077 && mkdir -p {work}/{INPUTS} && cd {work} && pwd -P"
            self._there = self.shell.run(text).decode().splitlines()[-1]  # a profile may print
        return self._there

    def of(self, id: str) -> str:
        """A job's own, on the cluster."""
        return f"{self.there}/{id}"

    def write(self, job: Job, script: str, secrets: Mapping[str, str]) -> None:
        """Make a job's folder here; secrets are written only where it is the job's very own."""
        _make(job, self.near)
        for name, text in job.files.items():
            path = job.workdir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(str(job.workdir), self.of(job.id)), encoding="utf-8")
        (job.workdir / "job.sh").write_text(script)
        if self.near:
            for name, data in _secret_files(job, secrets).items():
                path = job.workdir / name
                path.touch(0o600)
                path.write_bytes(data)

    def send(self, batch: Path | None, jobs: Collection[tuple[Job, Mapping[str, str]]]) -> None:
        """Copy jobs to the cluster, and what says that they are a batch: all, or nothing that counts."""
        if self.near:
            return
        self._send_inputs(job for job, _ in jobs)
        own = [batch] if batch else []
        new = f".new-{batch.name if batch else next(iter(jobs))[0].id}"
        with tempfile.TemporaryFile() as spool:
            with tarfile.open(fileobj=spool, mode="w") as tar:
                for folder in own:
                    tar.add(folder, folder.name)
                for job, secrets in jobs:
                    self._pack(tar, job, secrets)
            spool.seek(0)
            names = " ".join(shlex.quote(name) for name in (*(j.id for j, _ in jobs), *(b.name for b in own)))
            self.shell.run(
                f"cd {shlex.quote(self.there)} && umask 077 && rm -rf {new} && mkdir {new} && tar -x -p -C {new}"
                f" && rm -rf {names} && (cd {new} && mv {names} ..) && rmdir {new}",
                spool,
            )

    def replace(self, id: str, files: Mapping[str, str]) -> None:
        """Replace files of a running job, each whole or not at all, where they are not also here."""
        for name, text in {} if self.near else files.items():
            said, path = text.replace(str(self.root / id), self.of(id)), shlex.quote(name)
            command = f"cd {shlex.quote(self.of(id))} && umask 077 && cat > {path}.tmp && mv {path}.tmp {path}"
            self.shell.run(command, said.encode())

    def tail(self, folder: str, name: str, size: int) -> bytes:
        """The end of a file in one of the folders; nothing where there is none."""
        if self.near:
            path = self.root / folder / name
            return path.read_bytes()[-size:] if path.exists() else b""
        return self.shell.run(f"tail -c {size} {shlex.quote(self.of(folder))}/{name} 2>/dev/null || true")

    def ended(self, ids: Collection[str]) -> dict[str, Ended]:
        """What their folders say of jobs."""
        if not ids:
            return {}
        listed = "".join(f"{id}\n" for id in ids).encode()
        text = (
            f"cd {shlex.quote(self.there)} && while read -r j; do s= b=; [ ! -f $j/status ] || read -r s < $j/status;"
            f' [ ! -f $j/{STARTED}/by ] || read -r b < $j/{STARTED}/by; echo "$j|$s|$b"; done'
        )
        found = {}
        for line in self.shell.run(text, listed).decode(errors="replace").splitlines():
            id, status, by = line.split("|")
            found[id] = Ended(int(status) if status.isdigit() else None, by)
        return found

    def look(self, ids: Collection[str], names: Iterable[str]) -> None:
        """Bring these files of running jobs, as far as there are any and they are small, where they are not here."""
        if self.near or not ids:
            return
        listed = " ".join(f"{id}/{name}" for id in ids for name in names)
        data = self.shell.run(
            f"cd {shlex.quote(self.there)} && tar -c $(find {listed} -type f -size -{_SMALL}k 2>/dev/null)"
            " 2>/dev/null || true"
        )
        with tarfile.open(fileobj=io.BytesIO(data)) if data else _nothing() as tar:
            for entry in tar:
                if entry.isreg() and (content := tar.extractfile(entry)) is not None:
                    path = self.root / entry.name
                    own = self.root / PurePosixPath(entry.name).parts[0]  # gone, where a build has collected it
                    if own.exists() and path.parent.resolve().is_relative_to(self.root.resolve()):
                        path.parent.mkdir(exist_ok=True)
                        unfinished = path.with_name(f".{path.name}.new")
                        unfinished.write_bytes(content.read())
                        unfinished.replace(path)

    def bring(self, ids: Collection[str]) -> None:
        """The folders of jobs, outputs and log and all, whole or not at all; not those that are not there."""
        if self.near or not ids:
            return
        above, _, last = self.there.rpartition("/")
        secret = " ".join(f"{last}/{id}/{name}" for id in ids for name in (SECRETS, KEYS))
        listed = " ".join(f"{last}/{id}" for id in ids)
        brought = self.root / ".brought"
        text = (
            f"cd {shlex.quote(above)} && rm -f {secret}"
            f" && tar -c --no-recursion {last} --recursion $(ls -d {listed} 2>/dev/null)"
        )
        with self._bringing:
            unpack(self.shell.read(text), brought)
            for folder in list(brought.iterdir()):
                shutil.rmtree(self.root / folder.name, ignore_errors=True)
                folder.rename(self.root / folder.name)
            shutil.rmtree(brought)

    def gather(self, ids: Iterable[str], python: str) -> None:
        """Let later jobs there begin with the replies that these were given; it is a kindness."""
        if not self.near:
            sources = " ".join(f"{id}/{REPLIES}" for id in ids)
            merge = f"{shlex.quote(python)} -P -m evalmake.gateway.reply_cache.merge {REPLIES}"
            text = f"cd {shlex.quote(self.there)} && {merge}"
            with contextlib.suppress(Refused):
                self.shell.run(f"{text} $(ls -d {sources} 2>/dev/null)")

    def remove_all(self) -> None:
        """Remove all that the workspace has on the cluster, where it is not also here."""
        if not self.near:
            self.shell.run(f"rm -rf {shlex.quote(self.there)}")
            self._there = ""

    def remove(self, names: Iterable[str]) -> None:
        """Remove folders on the cluster, where they are not also here."""
        listed = " ".join(shlex.quote(name) for name in names)
        if listed and not self.near:
            self.shell.run(f"cd {shlex.quote(self.there)} && rm -rf {listed}")

    def forget(self, id: str) -> None:
        """Remove what a job has left of its secrets."""
        for name in (SECRETS, KEYS):
            (self.root / id / name).unlink(missing_ok=True)

    def _send_inputs(self, jobs: Iterable[Job]) -> None:
        """Copy the inputs that are not there, once for all jobs; they are named by their content."""
        wanted = {path.name: path for job in jobs for path in job.inputs.values()}
        if not wanted:
            return
        folder = shlex.quote(f"{self.there}/{INPUTS}")
        lines = "".join(f"{name}\n" for name in wanted).encode()
        text = f'cd {folder} && while read -r f; do [ -f "$f" ] || echo "$f"; done'
        for name in self.shell.run(text, lines).decode().splitlines():
            with wanted[name].open("rb") as content:
                self.shell.run(
                    f"cd {folder} && cat > .{name} && chmod 444 .{name} && mv .{name} {name}",
                    content,
                )

    def _pack(self, tar: tarfile.TarFile, job: Job, secrets: Mapping[str, str]) -> None:
        tar.add(job.workdir, job.id)
        for name, path in job.inputs.items():
            link = tarfile.TarInfo(f"{job.id}/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, f"{self.there}/{INPUTS}/{path.name}"
            for parent in reversed([*Path(name).parents][:-1]):
                folder = tarfile.TarInfo(f"{job.id}/{parent}")
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(folder)
            tar.addfile(link)
        for name, text in _secret_files(job, secrets).items():
            entry = tarfile.TarInfo(f"{job.id}/{name}")
            entry.size, entry.mode, entry.mtime = len(text), 0o600, int(time.time())
            tar.addfile(entry, io.BytesIO(text))


def _make(job: Job, near: bool) -> None:
    """A job's folder with its inputs, where nodes see this host's files; other users see nothing in it."""
    shutil.rmtree(job.workdir, ignore_errors=True)
    job.workdir.mkdir(0o700, parents=True)
    (job.workdir / "out").mkdir()
    if job.colocation_slots is not None:
        (job.workdir / QUEUE).mkdir()
    for name, source in job.inputs.items() if near else ():
        path = job.workdir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.stat().st_size <= COPIED:
            shutil.copyfile(source, path)
        else:
            path.symlink_to(source.resolve())


def _secret_files(job: Job, secrets: Mapping[str, str]) -> dict[str, bytes]:
    keys = job.sidecar.secrets if job.sidecar else ()
    parts = {
        SECRETS: {k: v for k, v in secrets.items() if k not in keys},
        KEYS: {k: v for k, v in secrets.items() if k in keys},
    }
    return {name: spoken(part) for name, part in parts.items() if part}


def _nothing() -> tarfile.TarFile:
    spool: IO[bytes] = io.BytesIO()
    with tarfile.open(fileobj=spool, mode="w"):
        pass
    spool.seek(0)
    return tarfile.open(fileobj=spool)
