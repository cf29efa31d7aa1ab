"""Where the file of a baseline lies: `baselines/NAME.toml`, beside the Evalfile."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER, ENDING = "baselines", ".toml"
MOST_BASELINE_BYTES = 64 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def find_path(folder: Path, name: str) -> Path:
    """The file of a baseline beside an Evalfile in `folder`."""
    return folder / FOLDER / f"{name}{ENDING}"


def is_name(name: str) -> bool:
    """Whether a baseline can have this name."""
    return _NAME.fullmatch(name) is not None


def list_baselines(folder: Path) -> list[str]:
    """The names of all baselines beside an Evalfile."""
    try:
        return sorted(path.stem for path in (folder / FOLDER).glob(f"*{ENDING}") if is_name(path.stem))
    except OSError:
        return []
