"""A folder to be put first on PATH, whose Slurm commands count their calls and misbehave when told to."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMMANDS = ("sbatch", "squeue", "sacct", "scontrol", "scancel", "sinfo", "srun", "sacctmgr")
# One print a call, so that calls at the same time do not mix; the separators are ones no argument has.
_SCRIPT = """#!/bin/sh
line=$(printf '%s\\037' {name} "$@")
printf '%s\\036' "$line" >>'{folder}/calls'
export SLURM_CONF='{conf}'
orders='{folder}/orders/{name}'
if tenths=$(cat "$orders.slow" 2>/dev/null); then
    while [ "$tenths" -gt 0 ] && [ -e "$orders.slow" ]; do
        sleep 0.1 >/dev/null 2>&1
        tenths=$((tenths - 1))
    done
fi
if [ -e "$orders.fail" ]; then cat "$orders.fail" >&2; exit 1; fi
if mv "$orders.lose" "$orders.lost" 2>/dev/null; then
    '{real}' "$@" >/dev/null 2>&1
    cat "$orders.lost" >&2
    exit 1
fi
exec '{real}' "$@"
"""


@dataclass
class Wrappers:
    """The commands in `folder`/bin for a configuration; any user may call them."""

    folder: Path
    conf: Path

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir(parents=True)
        (self.folder / "orders").mkdir()
        (self.folder / "orders").chmod(0o777)
        (self.folder / "calls").touch()
        (self.folder / "calls").chmod(0o666)
        for name in COMMANDS:
            script = self.bin / name
            script.write_text(_SCRIPT.format(name=name, folder=self.folder, conf=self.conf, real=shutil.which(name)))
            script.chmod(0o755)

    @property
    def bin(self) -> Path:
        """The folder of commands."""
        return self.folder / "bin"

    def calls(self, name: str = "") -> list[list[str]]:
        """What was called, in that order, with the arguments; of one command or of all."""
        lines = (self.folder / "calls").read_text().split("\036")[:-1]
        words = [line.split("\037")[:-1] for line in lines]
        return [call for call in words if name in ("", call[0])]

    def forget(self) -> None:
        """Count from nothing."""
        (self.folder / "calls").write_text("")

    @contextlib.contextmanager
    def failing(self, name: str, message: str) -> Iterator[None]:
        """For a while each call of a command does nothing but fail with a message."""
        with self._order(f"{name}.fail", message + "\n"):
            yield

    @contextlib.contextmanager
    def slow(self, name: str, seconds: float) -> Iterator[None]:
        """For a while each call of a command waits before it starts, at most until that while ends."""
        with self._order(f"{name}.slow", str(round(seconds * 10))):
            yield

    @contextlib.contextmanager
    def losing(self, name: str, message: str) -> Iterator[None]:
        """The next call of a command does its work and then fails with a message, its reply lost."""
        with self._order(f"{name}.lose", message + "\n"):
            yield

    @contextlib.contextmanager
    def _order(self, name: str, text: str) -> Iterator[None]:
        order = self.folder / "orders" / name
        made = order.with_name(f"{name}.new")
        made.write_text(text)
        made.chmod(0o644)
        made.rename(order)
        try:
            yield
        finally:
            order.unlink(missing_ok=True)
