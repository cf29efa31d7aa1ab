"""`Evalfile.lock`: what tags, branches and revisions meant when they were pinned."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.lang.diagnostic import fail


@dataclass(slots=True)
class Lock:
    """Name -> digest, kept beside its Evalfile as sorted JSON: {"version", "pins": {name: {...}}}."""

    path: Path
    pins: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, evalfile: Path) -> Lock:
        """The lock of `evalfile`; an empty one where there is no file."""
        path = evalfile.with_suffix(".lock")
        if not path.exists():
            return cls(path)
        try:
            return cls(path, dict(json.loads(path.read_text("utf-8"))["pins"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise fail(
                "bad-lock", f"{path.name} cannot be read as a lock file",
                help=["restore it from version control"],
            ) from None  # fmt: skip

    def digest(self, name: str) -> str | None:
        """What `name` is pinned to."""
        return self.pins.get(name, {}).get("digest")
