"""The names of paths in `inputs.json`, and their places below `sources/`.

A path has one name, whatever machine it was on:

- in evalmake's own catalog: `catalog:` and the path from there (`catalog:garak.evalfile`);
- in the project's folder: the path from there (`data/sums.jsonl`; `./catalog:x` where it begins with `catalog:`);
- in the cache of the hub's data: `hub:` and its name there, which is its sha256;
- elsewhere: the absolute path.

A name has one place below `sources/`, which is computed from it and written nowhere, so that no evidence can choose it:

- in the project's folder: the name (with one more `@` before it where it begins with `@`);
- elsewhere: `@outside/DIGITS/NAME`: 16 digits of the sha256 of the name, then its last part;
- in the catalog: `@catalog/` and the path from there;
- of the hub's data: `@hub/` and the name.

So no two names have one place, and none leads out of `sources/`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from evalmake.pins.hub_cache import HubCache
from evalmake.project.catalog import PREFIX, catalog_folder

_HERE = "./"
HUB = "hub:"


@dataclass(frozen=True, slots=True)
class PathNames:
    """Names of paths of a project whose folder is `folder`."""

    folder: str

    def name_of(self, path: str | Path) -> str:
        """The name of an absolute path."""
        plain = os.path.normpath(path)
        if (inner := _below(plain, str(catalog_folder()))) is not None:
            return PREFIX + inner
        if (inner := _below(plain, os.path.abspath(HubCache().contents))) is not None:
            return HUB + inner
        inner = _below(plain, self.folder)
        if inner is None:
            return plain
        return _HERE + inner if inner.startswith((PREFIX, HUB)) else inner


def place_of(name: str) -> str:
    """The place of a name below `sources/`; ValueError where no path has such a name."""
    if name.startswith("/"):
        if os.path.normpath(name) != name or "\0" in name or name.strip("/") == "":
            raise ValueError(f"no file is called {name!r}")
        digits = sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return f"@outside/{digits}/{os.path.basename(name)}"
    if name.startswith(PREFIX):
        return f"@catalog/{_inner_path(name.removeprefix(PREFIX), name)}"
    if name.startswith(HUB):
        return f"@hub/{_inner_path(name.removeprefix(HUB), name)}"
    inner = _inner_path(name.removeprefix(_HERE) if name.startswith((_HERE + PREFIX, _HERE + HUB)) else name, name)
    return f"@{inner}" if inner.startswith("@") else inner


def is_inner_path(path: str) -> bool:
    """Whether a relative path leads to something below where it begins."""
    parts = path.split("/")
    return "\0" not in path and all(part not in ("", ".", "..") for part in parts)


def _inner_path(path: str, name: str) -> str:
    if not is_inner_path(path):
        raise ValueError(f"no file is called {name!r}")
    return path


def _below(path: str, folder: str) -> str | None:
    """The path from a folder to what is in it."""
    if path == folder:
        return "."
    start = folder.rstrip("/") + "/"
    return path[len(start) :] if path.startswith(start) else None
