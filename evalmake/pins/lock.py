"""`Evalfile.lock`: what tags, branches and sets of packages meant when they were pinned."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import make_error

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
VERSION = 1


@dataclass(frozen=True, slots=True)
class Pin:
    """What a name meant on a date: an image's digest, a commit, or a listing of packages.

    `platforms` are an image's manifests by platform; a `local` image is known to one engine alone,
    by its id.
    """

    date: str
    digest: str = ""
    commit: str = ""
    platforms: Mapping[str, str] = field(default_factory=dict)
    local: bool = False
    packages: tuple[str, ...] = ()

    @property
    def meaning(self) -> tuple[str, ...]:
        """What must be the same for a name not to have moved."""
        return self.packages or (self.digest or self.commit,)

    def applied(self, text: str) -> str:
        """An image or revision by its digest or commit: `name:tag` is `name@sha256:...`."""
        if self.digest:
            return self.digest if self.local else f"{re.sub(r':[^/:]*$', '', text)}@{self.digest}"
        return f"{text.partition('@')[0]}@{self.commit}"


@dataclass(slots=True)
class Lock:
    """Name -> pin, kept beside its Evalfile as sorted JSON: {"version", "pins": {name: {...}}}."""

    path: Path
    pins: dict[str, Pin] = field(default_factory=dict)

    @classmethod
    def read(cls, evalfile: Path) -> Lock:
        """The lock of `evalfile`; an empty one where there is no file."""
        path = evalfile.with_suffix(".lock")
        if not path.exists():
            return cls(path)
        try:
            told = json.loads(path.read_text("utf-8"))
            if told["version"] != VERSION:
                raise ValueError
            return cls(path, {name: _pin(entry) for name, entry in told["pins"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise make_error(
                "bad-lock",
                f"{path.name} cannot be read as a lock file",
                help=["restore it from version control"],
            ) from None

    def write(self) -> None:
        """Write it, a line for each thing that may differ."""
        pins = {name: _entry(pin) for name, pin in self.pins.items()}
        text = json.dumps({"version": VERSION, "pins": pins}, indent=2, sort_keys=True, ensure_ascii=False)
        try:
            write_atomic(self.path, f"{text}\n".encode())
        except OSError as error:
            raise make_error("pin-failed", f"{self.path.name} cannot be written: {error.strerror}") from None


def name_package_set(packages: Iterable[str]) -> str:
    """What a lock calls a set of packages: which versions fit is a matter of Python and platform."""
    return f"{' '.join(sorted(set(packages)))} ({describe_interpreter()})"


def describe_interpreter() -> str:
    """The interpreter's kind and version, and the platform: `cpython-3.11 linux-x86_64`."""
    version = f"{sys.implementation.name}-{sys.version_info[0]}.{sys.version_info[1]}"
    return f"{version} {sys.platform}-{platform.machine()}"


def _pin(entry: Mapping[str, Any]) -> Pin:
    """An entry as it was written; ValueError, KeyError or TypeError for any other."""
    pin = Pin(**{**entry, "packages": tuple(entry.get("packages", ()))})
    sound = (
        _DIGEST.fullmatch(pin.digest)
        if pin.digest
        else _COMMIT.fullmatch(pin.commit)
        if pin.commit
        else pin.packages and all(isinstance(line, str) for line in pin.packages)
    )
    if not sound or not isinstance(pin.date, str):
        raise ValueError
    return pin


def _entry(pin: Pin) -> dict[str, object]:
    values = {name: getattr(pin, name) for name in Pin.__slots__}
    return {name: value for name, value in values.items() if value}
