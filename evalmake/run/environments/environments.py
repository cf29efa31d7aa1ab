"""A virtual environment for each set of packages, built once and shared by all who name it.

    environments/<digest>/      the environment; `.complete` is written last and holds the listing
    environments/<digest>.txt   the listing: what was resolved, a requirement a line, sorted
    environments/<digest>.lock  held while it is built, by the installer too
    environments/<digest>.log   what the installer said

The digest is of what was asked for. What that was resolved to is the listing, which is part of the
identity of every evaluation that runs in it; an environment that is gone, or was never finished, is
built again from its listing. A listing that a lock has stands before the one that was found here,
and where they differ, the environment is another. None can be moved, so each is built in its place.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import Diagnostic, EvalmakeError, make_diagnostic
from evalmake.language.source import Span
from evalmake.pins.lock import Lock, describe_interpreter, name_package_set
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.pinned_inputs import packages_of
from evalmake.run.events import Emit, EnvironmentStarted, StoreBusy
from evalmake.store.lock import hold_lock

ELSEWHERE = "EVALMAKE_ENVIRONMENTS"  # a folder to keep environments in, in place of the store's
_UNWANTED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")
_TAIL = 12

# Run by an environment's own interpreter. A distribution that came from a URL is known by it.
_LIST = r"""
import json, re
from importlib.metadata import distributions
found = set()
for d in distributions():
    name = re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower()
    origin = json.loads(d.read_text("direct_url.json") or "null")
    if name == "pip":
        continue
    if not origin:
        found.add(name + "==" + d.version)
    elif "vcs_info" in origin:
        vcs = origin["vcs_info"]
        found.add(name + " @ " + vcs["vcs"] + "+" + origin["url"] + "@" + vcs["commit_id"])
    else:
        sha = (origin.get("archive_info") or {}).get("hashes", {}).get("sha256", "")
        found.add(name + " @ " + origin["url"] + ("#sha256=" + sha if sha else ""))
print("\n".join(sorted(found)))
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """What `packages` name, below `root`; `pinned` is the listing that a lock has."""

    packages: tuple[str, ...]
    root: Path
    pinned: str = ""

    @property
    def digest(self) -> str:
        """Of the requirements, the listing they are pinned to, and the kind of interpreter."""
        parts = [sorted(set(self.packages)), describe_interpreter(), self.pinned]
        return sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Where it stands."""
        return self.root / self.digest

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def listing(self) -> Path:
        """The file of what was resolved."""
        return self._beside(".txt")

    @property
    def log(self) -> Path:
        """What the installer said."""
        return self._beside(".log")

    def _beside(self, suffix: str) -> Path:
        return self.folder.with_name(self.digest + suffix)

    @property
    def text(self) -> str:
        """What was pinned or resolved; empty where it never was."""
        return self.pinned or _read(self.listing)

    @property
    def resolved(self) -> dict[str, str]:
        """Name -> version or URL, of every distribution; empty where it is not known."""
        pairs = (re.split(r"==| @ ", line, maxsplit=1) for line in self.text.splitlines())
        return {name: rest for name, rest in pairs}

    @property
    def ready(self) -> bool:
        """Whether it stands as its listing says."""
        return bool(self.text) and _read(self._mark) == self.text and self.python.exists()

    def variables(self, path: str | None) -> dict[str, str]:
        """What tells a job of it, its programs before those of `path` (else of this process)."""
        path = os.environ.get("PATH", os.defpath) if path is None else path
        return {"PATH": f"{self.folder / 'bin'}:{path}", "VIRTUAL_ENV": str(self.folder)}

    @property
    def _mark(self) -> Path:
        return self.folder / ".complete"

    def make(self, emit: Emit) -> str:
        """Build it unless it is ready; what went wrong, or ""."""
        from subprocess import SubprocessError

        try:
            with hold_lock(self._beside(".lock"), lambda holder: emit(StoreBusy(holder))) as (handle, _):
                return "" if self.ready else self._build(handle, emit)
        except (OSError, SubprocessError) as error:
            return str(error)

    def _build(self, lock: int, emit: Emit) -> str:
        import subprocess

        if not self.text and self.python.exists() and (told := _read(self._mark)):
            write_atomic(self.listing, told.encode())  # only the listing was lost
            return ""
        emit(EnvironmentStarted(self.packages))
        shutil.rmtree(self.folder, ignore_errors=True)
        wanted = self.text.splitlines()
        environment = {k: v for k, v in os.environ.items() if k not in _UNWANTED}
        with self.log.open("wb") as log:
            for argv in self._steps(wanted):
                done = subprocess.run(
                    argv,
                    cwd=self.root,
                    env=environment,
                    pass_fds=(lock,),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
                if done.returncode:
                    return f"the installer ended with exit status {done.returncode}"
        listed = self._listed()
        if wanted and listed.splitlines() != wanted:
            source = "the lock" if self.pinned else self.listing
            return f"what was installed is not what {source} lists"
        write_atomic(self.listing, listed.encode())
        write_atomic(self._mark, listed.encode())
        return ""

    def _steps(self, wanted: list[str]) -> list[list[str]]:
        """The commands: by uv where there is one, else by pip, evalmake's own or the environment's."""
        what = ["--no-deps", "--", *wanted] if wanted else ["--", *sorted(set(self.packages))]
        folder, python = str(self.folder), str(self.python)
        if uv := shutil.which("uv"):
            return [
                [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, folder],
                [uv, "pip", "install", "--python", python, *what],
            ]
        make = [sys.executable, "-m", "venv", folder]
        options = ["install", "--no-input", "--disable-pip-version-check", *what]
        if find_spec("pip") is None:
            return [make, [python, "-m", "pip", *options]]
        return [
            [*make, "--without-pip"],
            [sys.executable, "-m", "pip", "--python", python, *options],
        ]

    def _listed(self) -> str:
        import subprocess

        argv = [str(self.python), "-I", "-c", _LIST]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


class Environments:
    """The environments of a workspace's benchmarks and deployments."""

    def __init__(self, store: Path, lock: Lock) -> None:
        self.lock = lock
        self.root = Path(os.environ.get(ELSEWHERE) or store / "environments").absolute()

    def environment_of(self, declared: Declaration) -> Environment | None:
        """Its environment; None where it names no packages, or an image that has them."""
        packages = packages_of(declared)
        if not packages or declared.block.image:
            return None
        free = Environment(packages, self.root)
        pin = self.lock.pins.get(name_package_set(packages))
        if pin is None or free.text == (pinned := "".join(f"{p}\n" for p in pin.packages)):
            return free
        return Environment(packages, self.root, pinned)

    def resolved_versions(self, declared: Declaration, plugin: object) -> dict[str, str]:
        """What it is known to run with: its environment, or a harness's program installed here."""
        if (environment := self.environment_of(declared)) is not None:
            return environment.resolved
        program: Program | None = getattr(plugin, "program", None)
        if program is None or program.command or declared.block.image:
            return {}
        try:
            return {program.distribution: version(program.distribution)}
        except PackageNotFoundError:
            return {}

    def watched_inputs(self, declared: Iterable[Declaration]) -> tuple[set[str], dict[str, str | None]]:
        """The files and variables, with their values, that what is resolved rests on."""
        listings = {str(e.listing) for one in declared if (e := self.environment_of(one)) is not None}
        return listings, {ELSEWHERE: os.environ.get(ELSEWHERE)} if listings else {}

    def resolve_unknown(self, declared: Iterable[Declaration], emit: Emit) -> bool:
        """Build the environments that never were, which says what their packages are; whether any."""
        unknown = [one for one in declared if (e := self.environment_of(one)) is not None and not e.text]
        self.build(unknown, emit)
        return bool(unknown)

    def build(self, declared: Iterable[Declaration], emit: Emit) -> None:
        """Build what is not ready; EvalmakeError with what could not be."""
        told: dict[str, Diagnostic] = {}
        for one in declared:
            environment = self.environment_of(one)
            if environment is None or environment.digest in told or environment.ready:
                continue
            if why := environment.make(emit):
                told[environment.digest] = _failed(one, environment, why)
        if told:
            raise EvalmakeError(told.values())

    def resolve_again(self, declared: Declaration, emit: Emit) -> tuple[str, ...]:
        """What its packages would be resolved to now; what stands is left alone."""
        self.root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.root, prefix="anew-") as folder:
            trial = Environment(packages_of(declared), Path(folder))
            if why := trial.make(emit):
                raise EvalmakeError([_failed(declared, trial, why)])
            return tuple(trial.text.splitlines())

    def missing_program(self, declared: Declaration, plugin: object, path: str | None = None) -> Diagnostic | None:
        """What to tell where a program of someone else's is neither among the packages nor here.

        `path` is where an engine's program is looked for.
        """
        program: Program | None = getattr(plugin, "program", None)
        environment = self.environment_of(declared)
        if program is None or declared.block.image:
            return None
        if environment is None and _is_here(program, path):
            return None
        if environment is not None and program.distribution in environment.resolved:
            return None
        lacking = f"there is no {program.distribution} among them" if environment else ""
        needed = ", ".join(f'"{one}"' for one in (program.requirement, *program.others))
        return make_diagnostic(
            "missing-harness",
            f"{declared.name} runs {program.distribution}, which is not installed",
            _span(declared) if environment else declared.span,
            lacking,
            about=f"{declared.kind} {declared.name}",
            help=[f"add to {'them' if environment else f'the {declared.kind}'}: packages = [{needed}]"],
        )


def _is_here(program: Program, path: str | None) -> bool:
    """Whether a program is installed: an engine's is a command, a harness's a module beside evalmake."""
    if program.command:
        return shutil.which(program.command, path=path) is not None
    return find_spec(program.module) is not None


def _failed(declared: Declaration, environment: Environment, why: str) -> Diagnostic:
    tail = _read(environment.log).splitlines()[-_TAIL:]
    help_ = [f"the whole log: {environment.log}"]
    if environment.pinned:
        help_.append("they are pinned: `evalmake pin --update` resolves them anew")
    elif environment.text:
        help_.append(f"to have the packages resolved anew, remove {environment.listing}")
    return make_diagnostic(
        "environment-failed",
        f"the packages of {declared.name} could not be installed: {why}",
        _span(declared),
        about=f"{declared.kind} {declared.name}",
        notes=["\n".join(["the last lines of its log were", *tail])] if tail else [],
        help=help_,
    )


def _span(declared: Declaration) -> Span:
    span: Span = declared.fields.spans["packages",].value
    return span


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
