"""Requests to the build that holds a workspace, to end some of its jobs: files beside the journal.

Whoever holds the lock answers. A request names its holder, so that a later build does not take an old one for its own.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evalmake.language.atomic_write import write_atomic

_REQUEST, _ANSWER = ".cancel", ".cancelled"


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Evaluations to cancel, by their names and by the ids of their jobs; `holder` is the process that is asked."""

    id: str
    holder: str
    names: tuple[str, ...]
    jobs: tuple[str, ...]

    def means(self, name: str, job: str) -> bool:
        """Whether an evaluation is meant; `job` is empty for one that has not started."""
        return name in self.names or job in self.jobs


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """What was cancelled: running evaluations with their executors, and those that had not started."""

    ended: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()


class CancelRequests:
    """The requests in the folder of a journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def open(self, holder: str, names: tuple[str, ...], jobs: tuple[str, ...]) -> Iterator[CancelRequest]:
        """Ask a process; the request and its answer are removed in the end."""
        request = CancelRequest(uuid.uuid4().hex, holder, names, jobs)
        try:
            write_atomic(self._folder / f"{request.id}{_REQUEST}", json.dumps(asdict(request)).encode())
            yield request
        finally:
            for end in (_REQUEST, _ANSWER):
                (self._folder / f"{request.id}{end}").unlink(missing_ok=True)

    def is_open(self, request: CancelRequest) -> bool:
        """Whether nobody has answered or removed a request yet."""
        return (self._folder / f"{request.id}{_REQUEST}").exists()

    def find_answer(self, request: CancelRequest) -> CancelAnswer | None:
        """The answer to a request, once there is one."""
        found = _read(self._folder / f"{request.id}{_ANSWER}")
        try:
            ended = tuple((str(name), str(executor)) for name, executor in found["ended"])
            return CancelAnswer(ended, tuple(map(str, found["dropped"])))
        except (KeyError, TypeError, ValueError):
            return None

    def requests_to(self, holder: str) -> Iterator[CancelRequest]:
        """The requests to this process; those to an earlier one are removed."""
        for path in sorted(self._folder.glob(f"*{_REQUEST}")):
            found = _read(path)
            if found.get("holder") != holder:
                path.unlink(missing_ok=True)
                continue
            with contextlib.suppress(KeyError, TypeError):
                names, jobs = tuple(map(str, found["names"])), tuple(map(str, found["jobs"]))
                yield CancelRequest(path.name.removesuffix(_REQUEST), holder, names, jobs)

    def answer(self, request: CancelRequest, answer: CancelAnswer) -> None:
        """Say what was cancelled, unless nobody waits for it any more."""
        path = self._folder / f"{request.id}{_REQUEST}"
        if path.exists():
            write_atomic(self._folder / f"{request.id}{_ANSWER}", json.dumps(asdict(answer)).encode())
            path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
