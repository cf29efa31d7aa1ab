"""Reads and writes `Evalfile.lock`: tags, branches and sets of packages, and what they meant when pinned."""

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
from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.json_file import parse_json

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
VERSION = 1
_MAX_BYTES = 64 << 20
_SHOWN = 120  # characters of a damaged entry


@dataclass(frozen=True, slots=True)
class Pin:
    """What a name meant on a date: an image's digest, a commit, or a list of packages.

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
        """The part that is compared to see whether a name has moved."""
        return self.packages or (self.digest or self.commit,)

    def applied(self, text: str) -> str:
        """An image or revision by its digest or commit: `name:tag` becomes `name@sha256:...`."""
        if self.digest:
            return self.digest if self.local else f"{re.sub(r':[^/:]*$', '', text)}@{self.digest}"
        return f"{text.partition('@')[0]}@{self.commit}"


@dataclass(slots=True)
class Lock:
    """Pins by name, in a file beside the Evalfile: sorted JSON, {"version", "pins": {name: {...}}}."""

    path: Path
    pins: dict[str, Pin] = field(default_factory=dict)

    @classmethod
    def read(cls, evalfile: Path, external: ExternalInputs) -> Lock:
        """The lock of `evalfile`; an empty one if there is no file."""
        path = evalfile.with_suffix(".lock")
        if not external.exists(path):
            return cls(path)
        try:
            data = parse_json(external.read(path, _MAX_BYTES))
            if data["version"] != VERSION:
                raise _unreadable(path, f"it has the version {data['version']!r}, and this evalmake reads {VERSION}")
            return cls(path, {name: _read_pin(entry) for name, entry in data["pins"].items()})
        except OSError as error:
            raise _unreadable(path, error.strerror or "it cannot be opened") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unreadable(path, str(error) if type(error) is ValueError else "") from None

    def write(self) -> None:
        """Write the lock, one line for each value, so that version control shows what moved."""
        pins = {name: _write_pin(pin) for name, pin in self.pins.items()}
        text = json.dumps({"version": VERSION, "pins": pins}, indent=2, sort_keys=True, ensure_ascii=False)
        try:
            write_atomic(self.path, f"{text}\n".encode())
        except OSError as error:
            raise make_error("pin-failed", f"{self.path.name} cannot be written: {error.strerror}") from None


def _unreadable(path: Path, reason: str) -> EvalmakeError:
    """The error for a lock that is damaged; `reason` may be empty."""
    return make_error(
        "bad-lock",
        f"{path.name} cannot be read as a lock file",
        notes=[reason] if reason else [],
        help=["restore it from version control"],
    )


def name_package_set(packages: Iterable[str]) -> str:
    """The name of a set of packages in the lock; it holds Python and platform, which decide what versions fit."""
    return f"{' '.join(sorted(set(packages)))} ({describe_interpreter()})"


def describe_interpreter() -> str:
    """The interpreter's kind and version, and the platform: `cpython-3.11 linux-x86_64`."""
    version = f"{sys.implementation.name}-{sys.version_info[0]}.{sys.version_info[1]}"
    return f"{version} {sys.platform}-{platform.machine()}"


def _read_pin(entry: Mapping[str, Any]) -> Pin:
    """Read one entry; ValueError, KeyError or TypeError if it is damaged."""
    pin = Pin(**{**entry, "packages": tuple(entry.get("packages", ()))})
    known = (
        _DIGEST.fullmatch(pin.digest) if pin.digest else _COMMIT.fullmatch(pin.commit) if pin.commit else pin.packages
    )
    texts = (pin.date, *pin.packages, *pin.platforms.values())
    if not known or not all(isinstance(text, str) for text in texts) or not isinstance(pin.local, bool):
        raise ValueError(f"a pin is damaged: {json.dumps(entry)[:_SHOWN]}")
    if isinstance(entry.get("packages"), str) or not all(map(_DIGEST.fullmatch, pin.platforms.values())):
        raise ValueError(f"a pin is damaged: {json.dumps(entry)[:_SHOWN]}")
    return pin


def _write_pin(pin: Pin) -> dict[str, object]:
    values = {name: getattr(pin, name) for name in Pin.__slots__}
    return {name: value for name, value in values.items() if value}
