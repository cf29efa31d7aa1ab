"""One virtual environment: built once, shared by all benchmarks and deployments that name its packages.

    environments/<digest>/      the environment; `.complete` is written last and holds the listing
    environments/<digest>.sha256  the digest of the listing
    environments/<digest>.seal  what tells that its files are those that were installed
    environments/<digest>.txt   the listing: what was resolved, a requirement a line, sorted
    environments/<digest>.lock  held while it is built, by the installer, too
    environments/<digest>.hashes  the hashes of the archives that were installed, where the installer told them
    environments/<digest>.log   the installer's output

The digest covers what was asked for. What that resolved to is the listing, which is part of the identity
of every evaluation that runs in the environment. An environment that is gone or was never finished is
built again from its listing. The listing in a lock takes precedence over the one found here; where they
differ, the environment is another. An environment cannot be moved, so each is built in its place.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from evalmake.language.atomic_write import write_atomic
from evalmake.pins.lock import describe_interpreter
from evalmake.run.environments.archive_hashes import combine_hashes, read_report
from evalmake.run.environments.integrity import find_damage, remove_compiled, seal_files
from evalmake.run.events import Emit, EnvironmentEnded, EnvironmentProgressed, EnvironmentStarted, StoreBusy
from evalmake.store.lock import hold_lock


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment of `packages` below `root`; `pinned` is the listing in the lock, if there is one."""

    packages: tuple[str, ...]
    root: Path
    pinned: str = ""

    @property
    def name(self) -> str:
        """What people call it: the distribution that its first requirement names."""
        match = re.match(r"[A-Za-z0-9._-]+", self.packages[0])
        return match[0] if match else self.packages[0]

    @property
    def digest(self) -> str:
        """The digest of its requirements, its pinned listing, and the kind of interpreter."""
        parts = [sorted(set(self.packages)), describe_interpreter(), self.pinned]
        return sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.root / self.digest

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def listing_path(self) -> Path:
        """The file of its listing."""
        return self._path_with(".txt")

    @property
    def log_path(self) -> Path:
        """The file of the installer's output."""
        return self._path_with(".log")

    @property
    def lock_path(self) -> Path:
        """The file of the lock that is held while it is built."""
        return self._path_with(".lock")

    @property
    def _report_path(self) -> Path:
        """The file in which pip says what it installs."""
        return self._path_with(".report")

    def _path_with(self, suffix: str) -> Path:
        return self.folder.with_name(self.digest + suffix)

    @property
    def listing_text(self) -> str:
        """The pinned listing, or else the resolved one; empty if it was never resolved."""
        return self.pinned or self._read_resolved()

    def _read_resolved(self) -> str:
        """The resolved listing, where two of three agree: the listing, that of the complete environment, its digest."""
        listing, complete = _read_listing(self.listing_path), _read_listing(self._complete_mark)
        digest = read_text(self._path_with(".sha256")).strip()
        if not digest or listing == complete or not self.listing_path.exists():  # evalmake 0.1 kept no digest
            return listing
        return next((text for text in (listing, complete) if _digest_listing(text) == digest), "")

    def _write_resolved(self, listing: str) -> None:
        write_atomic(self._path_with(".sha256"), f"{_digest_listing(listing)}\n".encode())
        write_atomic(self.listing_path, listing.encode())

    @property
    def versions(self) -> dict[str, str]:
        """The version or URL of each distribution by name; empty where they are unknown."""
        pairs = (re.split(r"==| @ ", line, maxsplit=1) for line in self.listing_text.splitlines())
        return {name: rest for name, rest in pairs}

    def package_hashes(self) -> dict[str, tuple[str, str]]:
        """The sha256 of each distribution by name, and what it is of: its archive, or the RECORD of its files."""
        return combine_hashes(read_text(self._path_with(".hashes")), self.folder, self.versions)

    @property
    def is_ready(self) -> bool:
        """Whether it is built, is what its listing says, and its files are those that were installed."""
        try:
            return self._is_complete and self._read_seal() == seal_files(self.folder)
        except OSError:
            return False

    @property
    def _is_complete(self) -> bool:
        text = self.listing_text
        return bool(text) and _read_listing(self._complete_mark) == text and self.python.exists()

    def find_damage(self) -> str:
        """How its files differ from those that were installed, if it is built; empty if they do not. Hashes them."""
        return find_damage(self.folder, self._read_seal()) if self._is_complete else ""

    def distrust(self) -> None:
        """Have it installed again when it is used next."""
        self._complete_mark.unlink(missing_ok=True)

    def _read_seal(self) -> str:
        return read_text(self._path_with(".seal"))

    def write_seal(self) -> None:
        """Take its files for whole as they are."""
        write_atomic(self._path_with(".seal"), seal_files(self.folder).encode())

    def job_variables(self, path: str | None) -> dict[str, str]:
        """The variables of a job that runs in it: its programs come before those of `path`, else of this process."""
        path = os.environ.get("PATH", os.defpath) if path is None else path
        return {"PATH": f"{self.folder / 'bin'}:{path}", "VIRTUAL_ENV": str(self.folder)}

    @property
    def _complete_mark(self) -> Path:
        return self.folder / ".complete"

    def build(self, emit: Emit) -> str:
        """Build the environment unless it is ready. Return why that failed, or ""."""
        from subprocess import SubprocessError

        try:
            with hold_lock(self.lock_path, lambda holder: emit(StoreBusy(holder))) as (handle, _):
                return "" if self.is_ready or self._prove_files() else self._build(handle, emit)
        except (OSError, SubprocessError) as error:
            return str(error)

    def _prove_files(self) -> bool:
        """Whether its files have the right hashes, whatever their times; then it has a new seal."""
        if not self._is_complete or self.find_damage():
            return False
        remove_compiled(self.folder)
        self.write_seal()
        return True

    def _build(self, lock: int, emit: Emit) -> str:
        from evalmake.run.environments.installer import list_distributions

        if not self.listing_text and self.python.exists() and (listing := _read_listing(self._complete_mark)):
            self._write_resolved(listing)  # only the listing was lost
            return ""
        wanted = self.listing_text.splitlines()
        if status := self._install(wanted, lock, emit):
            return f"the installer ended with exit status {status}"
        found = list_distributions(self.python)
        if wanted and found.splitlines() != wanted:
            source = "the lock" if self.pinned else self.listing_path
            return f"the installed packages are not those that {source} lists"
        self._write_resolved(found)
        write_atomic(self._path_with(".hashes"), json.dumps(read_report(self._report_path)).encode())
        self._report_path.unlink(missing_ok=True)
        self.write_seal()
        write_atomic(self._complete_mark, found.encode())
        return ""

    def _install(self, wanted: list[str], lock: int, emit: Emit) -> int:
        """Install the listing `wanted` as it is, or resolve the packages; the installer's exit status."""
        from evalmake.run.environments.installer import install

        emit(EnvironmentStarted(self.packages))
        shutil.rmtree(self.folder, ignore_errors=True)
        self._report_path.unlink(missing_ok=True)
        try:
            return install(
                self.folder,
                wanted or sorted(set(self.packages)),
                no_deps=bool(wanted),
                log=self.log_path,
                details=self._report_path,
                lock=lock,
                report=lambda doing, seconds: emit(EnvironmentProgressed(self.name, doing, seconds)),
            )
        finally:
            emit(EnvironmentEnded(self.name))


def read_text(path: Path) -> str:
    """A file's text; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _read_listing(path: Path) -> str:
    """The listing in a file; empty where it is none."""
    text = read_text(path)
    return text if all("==" in line or " @ " in line for line in text.splitlines()) else ""


def _digest_listing(listing: str) -> str:
    return sha256(listing.encode("utf-8", "surrogatepass")).hexdigest()
