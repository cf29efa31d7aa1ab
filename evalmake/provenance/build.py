"""`provenance/build.json`: what is known of a build, the same for all its attempts.

git may take seconds, so it is asked in a thread of its own while the build goes on.
"""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from evalmake import __version__
from evalmake.planner.plan import Plan
from evalmake.project.catalog import PREFIX
from evalmake.project.includes import LoadedFile
from evalmake.project.project import Project
from evalmake.provenance.host import describe_host
from evalmake.provenance.repository import describe_repository

BUILD = "provenance/build.json"
"""The name of the output."""
VERSION = 1
_MOST_TARGETS = 1000
_PATIENCE = 10.0  # seconds for what is asked of git; it has less


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What was asked for, and by whom."""

    targets: tuple[str, ...]
    forced: bool
    because: str
    user: str
    host: str
    plan_signed_by: tuple[str, ...] = ()


class BuildProvenance:
    """What is known of one build, as a JSON text."""

    def __init__(
        self,
        project: Project,
        plan: Plan,
        request: BuildRequest,
        redact: Callable[[bytes], bytes],
        keep: Callable[[bytes], None] = lambda text: None,
    ) -> None:
        """`redact` removes secrets. `keep` gets the text as soon as it is known, in a thread of its own."""
        self._known = _describe_build(project, plan, request)
        self._redact, self._keep = redact, keep
        self._text = b""
        self._lock = threading.Lock()
        self._repository: dict[str, object] | None = None
        self._folder = project.folder
        self._thread = threading.Thread(target=self._complete, name="evalmake-git", daemon=True)
        with suppress(RuntimeError):  # this user may have no more threads
            self._thread.start()

    def _complete(self) -> None:
        try:
            self._repository = describe_repository(self._folder)
            self._keep(self._freeze())
        except OSError:  # a disk that is full will be told by the attempts
            return

    @property
    def text(self) -> bytes:
        """The text. Where git still runs, wait for it."""
        if not self._text:
            self.close()
        return self._text or self._freeze()

    def _freeze(self) -> bytes:
        """The text with what is known now; from then on it is the same."""
        with self._lock:
            if not self._text:
                found = {**self._known, "git": self._repository}
                self._text = self._redact(to_json(found))
            return self._text

    def close(self) -> None:
        """Wait for git, and until the text is kept."""
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)


def _describe_build(project: Project, plan: Plan, request: BuildRequest) -> dict[str, object]:
    *included, evalfile = project.files.files
    return {
        "version": VERSION,
        "evalmake": __version__,
        "python": platform.python_version(),
        "evalfile": {"name": project.path.name, "sha256": _digest_text(evalfile)},
        "includes": [{"name": _name_file(file, project.folder), "sha256": _digest_text(file)} for file in included],
        "lock": _describe_lock(project.lock.path),
        "overrides": dict(plan.overrides),
        "targets": _cut(request.targets),
        "plan": plan.digest,
        "plan_signed_by": [*request.plan_signed_by],
        "forced": request.forced,
        "because": request.because,
        "user": request.user,
        "host": describe_host(request.host),
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _digest_text(file: LoadedFile) -> str:
    """The sha256 of a file as it was loaded: its lines end with LF, and it has no byte order mark."""
    return sha256(file.source.text.encode("utf-8", "surrogatepass")).hexdigest()


def _name_file(file: LoadedFile, folder: Path) -> str:
    """The path of an included file from the Evalfile, or its name in the catalog."""
    name = file.source.name
    return name if name.startswith(PREFIX) else os.path.relpath(file.path, folder)


def _describe_lock(path: Path) -> dict[str, str] | None:
    try:
        return {"name": path.name, "sha256": sha256(path.read_bytes()).hexdigest()}
    except OSError:
        return None


def _cut(targets: Iterable[str]) -> list[str]:
    """The targets, unless somebody named thousands of them."""
    names = [*targets]
    return names if len(names) <= _MOST_TARGETS else [*names[:_MOST_TARGETS], "..."]


def to_json(values: Mapping[str, object]) -> bytes:
    """Values as a line of JSON."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str)
    return f"{text}\n".encode("utf-8", "backslashreplace")
