"""The folders of jobs. Where the cluster has another file system, they are copied there and back."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import tarfile
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evalmake.executors.job_inputs import place_inputs, write_files
from evalmake.executors.remote.folder_layout import INPUTS, QUEUE, REPLIES, SECRETS, SIDECAR_SECRETS, STARTED, STATUS
from evalmake.executors.remote.shell import CommandFailed, Shell
from evalmake.executors.secret_exports import export_lines
from evalmake.executors.tar_archive import unpack
from evalmake.language.file_tree import remove_tree
from evalmake.plugin_api.executor import Job

_LAST = ".last"  # of an archive that is sent: a connection may be cut where the archive seems to end
_INPUT_IS_READ = "do the files of its login shell, such as ~/.bashrc, read what is sent to commands?"
_SMALL = 512  # KiB: a larger file is copied only when its job is over


@dataclass(frozen=True, slots=True)
class FolderState:
    """What the folder of a job tells: its exit status, and which job of the cluster ran it."""

    status: int | None = None
    cluster_job: str = ""


class JobFolders:
    """The folders of one workspace's jobs, on this host and on the cluster.

    `root` holds them on this host. `work` is where the cluster has them, if it does not see this host's files.
    `key` tells this workspace from others there.
    """

    def __init__(self, root: Path, shell: Shell, work: str | None, key: str) -> None:
        self.root = root
        self.shell = shell
        self._work = f"{work or '.evalmake/jobs'}/{key}"
        self._remote_root = "" if shell.host else os.path.realpath(root)
        self._fetching = threading.Lock()

    @property
    def is_shared(self) -> bool:
        """Whether the cluster sees this host's files, so that nothing is copied."""
        return self.shell.host is None

    @property
    def remote_root(self) -> str:
        """The absolute path on the cluster of the folder of jobs, which is made if need be."""
        if not self._remote_root:
            work = shlex.quote(self._work)
            text = f"cd && umask 077 && mkdir -p {work}/{INPUTS} && cd {work} && pwd -P"
            self._remote_root = self.shell.run(text).decode().splitlines()[-1]  # a login profile may print, too
        return self._remote_root

    def remote_folder(self, id: str) -> str:
        """Return the absolute path on the cluster of a job's folder."""
        return f"{self.remote_root}/{id}"

    # To the cluster -------------------------------------------------------------------------------

    def write(self, job: Job, script: str, secrets: Mapping[str, str]) -> None:
        """Make the folder of a job on this host. Secrets go into it only if the job runs in that very folder."""
        _make_folder(job, self.is_shared)
        path = str(job.workdir)
        write_files(job.workdir, {n: text.replace(path, self.remote_folder(job.id)) for n, text in job.files.items()})
        (job.workdir / "job.sh").write_text(script)
        if self.is_shared:
            for name, data in _secret_files(job, secrets).items():
                file = job.workdir / name
                file.touch(0o600)
                file.write_bytes(data)

    def send(self, batch: Path | None, jobs: Collection[tuple[Job, Mapping[str, str]]]) -> None:
        """Copy jobs to the cluster, and the folder of their batch; if it breaks off, nothing there counts."""
        if self.is_shared:
            return
        self._send_inputs(job for job, _ in jobs)
        batches = [batch] if batch else []
        new = f".new-{batch.name if batch else next(iter(jobs))[0].id}"
        with tempfile.TemporaryFile() as spool:
            with tarfile.open(fileobj=spool, mode="w") as tar:
                for folder in batches:
                    tar.add(folder, folder.name)
                for job, secrets in jobs:
                    self._pack(tar, job, secrets)
                tar.addfile(tarfile.TarInfo(_LAST))
            spool.seek(0)
            names = " ".join(shlex.quote(name) for name in (*(j.id for j, _ in jobs), *(b.name for b in batches)))
            self.shell.run(
                f"cd {shlex.quote(self.remote_root)} && umask 077 && rm -rf {new} && mkdir {new} && tar -x -p -C {new}"
                f" && rm {new}/{_LAST} && rm -rf {names} && (cd {new} && mv {names} ..) && rmdir {new}",
                spool,
            )

    def replace_files(self, id: str, files: Mapping[str, str]) -> None:
        """Replace files of a running job, each as a whole, unless the folder is shared."""
        folder = self.remote_folder(id)
        for name, text in {} if self.is_shared else files.items():
            content = text.replace(str(self.root / id), folder).encode()
            receive = _receive(f"{name}.tmp", name, len(content), "600")
            self.shell.run(f"cd {shlex.quote(folder)} && umask 077 && {receive}", content)

    def _send_inputs(self, jobs: Iterable[Job]) -> None:
        """Copy the inputs that the cluster lacks, once for all jobs: their names come from their content."""
        wanted = {path.name: path for job in jobs for path in job.inputs.values()}
        if not wanted:
            return
        folder = shlex.quote(f"{self.remote_root}/{INPUTS}")
        lines = "".join(f"{name}\n" for name in wanted).encode()
        text = f'cd {folder} && while read -r f; do [ ! -f "$f" ] || echo "$f" $(wc -c < "$f"); done'
        there = dict(line.split(" ", 1) for line in self.shell.run(text, lines).decode().splitlines())
        for name, path in wanted.items():
            if there.get(name) != str(size := path.stat().st_size):
                with path.open("rb") as content:
                    self.shell.run(f"cd {folder} && {_receive(f'.{name}', name, size, '444')}", content)

    def _pack(self, tar: tarfile.TarFile, job: Job, secrets: Mapping[str, str]) -> None:
        tar.add(job.workdir, job.id)
        for name, path in job.inputs.items():
            link = tarfile.TarInfo(f"{job.id}/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, f"{self.remote_root}/{INPUTS}/{path.name}"
            for parent in reversed([*Path(name).parents][:-1]):
                folder = tarfile.TarInfo(f"{job.id}/{parent}")
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(folder)
            tar.addfile(link)
        for name, text in _secret_files(job, secrets).items():
            entry = tarfile.TarInfo(f"{job.id}/{name}")
            entry.size, entry.mode, entry.mtime = len(text), 0o600, int(time.time())
            tar.addfile(entry, io.BytesIO(text))

    # From the cluster -----------------------------------------------------------------------------

    def read_tail(self, folder: str, name: str, size: int) -> bytes:
        """Return the last `size` bytes of a file in one of the folders; nothing if there is no such file."""
        if self.is_shared:
            path = self.root / folder / name
            return path.read_bytes()[-size:] if path.exists() else b""
        return self.shell.run(f"tail -c {size} {shlex.quote(self.remote_folder(folder))}/{name} 2>/dev/null || true")

    def read_states(self, ids: Collection[str]) -> dict[str, FolderState]:
        """Return what the folders of these jobs tell, each job in the result."""
        if not ids:
            return {}
        listed = "".join(f"{id}\n" for id in ids).encode()
        text = (
            f"cd {shlex.quote(self.remote_root)} && while read -r j; do s= b=;"
            f" [ ! -f $j/{STATUS} ] || read -r s < $j/{STATUS};"
            f' [ ! -f $j/{STARTED}/by ] || read -r b < $j/{STARTED}/by; echo "$j|$s|$b"; done'
        )
        found = {}
        for line in self.shell.run(text, listed).decode(errors="replace").splitlines():
            id, status, cluster_job = line.split("|")
            found[id] = FolderState(int(status) if status.isdigit() else None, cluster_job)
        if len(found) < len(set(ids)):
            raise ConnectionError(f"{self.shell.place} does not tell of each job: {_INPUT_IS_READ}")
        return found

    def copy_small_files(self, ids: Collection[str], names: Iterable[str]) -> None:
        """Copy these files of running jobs here, as far as they exist and are small."""
        if self.is_shared or not ids:
            return
        listed = " ".join(f"{id}/{name}" for id in ids for name in names)
        data = self.shell.run(
            f"cd {shlex.quote(self.remote_root)} && tar -c $(find {listed} -type f -size -{_SMALL}k 2>/dev/null)"
            " 2>/dev/null || true"
        )
        for name, content in _regular_files(data):
            self._replace_here(name, content)

    def fetch(self, ids: Collection[str]) -> None:
        """Copy whole folders of jobs here, as far as they exist. A kill may leave some in part, but none missing.

        The next build finds a job by its folder, and copies it again unless it has an end record.
        """
        if self.is_shared or not ids:
            return
        above, _, last = self.remote_root.rpartition("/")
        secret = " ".join(f"{last}/{id}/{name}" for id in ids for name in (SECRETS, SIDECAR_SECRETS))
        listed = " ".join(f"{last}/{id}" for id in ids)
        arrived = self.root / ".brought"
        text = (
            f"cd {shlex.quote(above)} && rm -f {secret}"
            f" && tar -c --no-recursion {last} --recursion $(ls -d {listed} 2>/dev/null)"
        )
        with self._fetching:
            unpack(self.shell.stream(text), arrived)
            for folder in arrived.iterdir():
                if (self.root / folder.name).exists():  # otherwise it has been collected
                    _replace_content(self.root / folder.name, folder)
            remove_tree(arrived)

    def _replace_here(self, name: str, content: bytes) -> None:
        path = self.root / name
        job_folder = self.root / PurePosixPath(name).parts[0]
        is_collected = not job_folder.exists()  # another build was faster
        if is_collected or not path.parent.resolve().is_relative_to(self.root.resolve()):
            return
        path.parent.mkdir(exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=path.parent)  # two builds may follow one job; for its user alone
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(unfinished, path)

    # On the cluster -------------------------------------------------------------------------------

    def merge_replies(self, ids: Iterable[str], python: str) -> None:
        """Give later jobs there the replies that these jobs got; a failure costs time and nothing else."""
        if not self.is_shared:
            sources = " ".join(f"{id}/{REPLIES}" for id in ids)
            merge = f"{shlex.quote(python)} -P -m evalmake.gateway.reply_cache.merge {REPLIES}"
            text = f"cd {shlex.quote(self.remote_root)} && {merge}"
            with contextlib.suppress(CommandFailed):
                self.shell.run(f"{text} $(ls -d {sources} 2>/dev/null)")

    def remove(self, names: Iterable[str]) -> None:
        """Remove folders on the cluster, unless they are shared with this host."""
        listed = " ".join(shlex.quote(name) for name in names)
        if listed and not self.is_shared:
            self.shell.run(f"cd {shlex.quote(self.remote_root)} && rm -rf {listed}")

    def remove_all(self) -> None:
        """Remove everything of this workspace on the cluster, unless it is shared with this host."""
        if not self.is_shared:
            self.shell.run(f"rm -rf {shlex.quote(self.remote_root)}")
            self._remote_root = ""

    def remove_secrets(self, id: str) -> None:
        """Remove the files of secrets from a job's folder on this host."""
        for name in (SECRETS, SIDECAR_SECRETS):
            (self.root / id / name).unlink(missing_ok=True)


def _receive(new: str, name: str, size: int, mode: str) -> str:
    """The command that makes a file of its input: of the whole of it, also if the connection is cut, or not at all."""
    new, name = shlex.quote(new), shlex.quote(name)
    return (
        f'cat > {new} && if [ "$(wc -c < {new})" -eq {size} ]; then chmod {mode} {new} && mv -f {new} {name};'
        f" else rm -f {new}; echo {shlex.quote(f'a file arrived incomplete: {_INPUT_IS_READ}')} >&2; exit 1; fi"
    )


def _make_folder(job: Job, is_shared: bool) -> None:
    """Make a job's folder, with its inputs if nodes see this host's files; other users see nothing in it."""
    remove_tree(job.workdir)
    job.workdir.mkdir(0o700, parents=True)
    (job.workdir / "out").mkdir()
    if job.colocation_slots is not None:
        (job.workdir / QUEUE).mkdir()
    if is_shared:
        place_inputs(job.workdir, job.inputs)


def _replace_content(folder: Path, new: Path) -> None:
    """Replace what is in a folder by what is in a new one. The folder itself stays there."""
    for path in list(folder.iterdir()):
        _remove(path)
    for path in list(new.iterdir()):
        _remove(folder / path.name)  # another build may follow the job, and show how far it is
        path.rename(folder / path.name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)


def _secret_files(job: Job, secrets: Mapping[str, str]) -> dict[str, bytes]:
    for_sidecar = job.sidecar.secrets if job.sidecar else ()
    parts = {
        SECRETS: {k: v for k, v in secrets.items() if k not in for_sidecar},
        SIDECAR_SECRETS: {k: v for k, v in secrets.items() if k in for_sidecar},
    }
    return {name: export_lines(part) for name, part in parts.items() if part}


def _regular_files(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files in a tar; none if it is empty."""
    if not archive:
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for entry in tar:
            if entry.isreg() and (content := tar.extractfile(entry)) is not None:
                yield entry.name, content.read()
