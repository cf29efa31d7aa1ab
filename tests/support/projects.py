"""A temporary project: write an Evalfile, run a command line, look at what was said."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from evalmake import cli


@dataclass(frozen=True, slots=True)
class Result:
    """What a command line printed, and its exit status."""

    stdout: str
    stderr: str
    status: int


def check_golden(path: Path, said: str) -> None:
    """Assert that `said` is what the file holds; with UPDATE_GOLDEN=1 write it there."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(said)
    assert said == path.read_text()


class Project:
    """A folder with Evalfiles; the test's working folder, variables and terminal are fixed."""

    def __init__(
        self,
        root: Path,
        monkeypatch: pytest.MonkeyPatch,
        capture: pytest.CaptureFixture[str],
    ) -> None:
        self.root = root
        self._monkeypatch = monkeypatch
        self._capture = capture

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file below the folder, making the folders it needs."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def run(self, *argv: str, env: Mapping[str, str] | None = None, status: int | None = 0) -> Result:
        """Run a command line in process, in the folder; `status=None` accepts any exit status."""
        self._capture.readouterr()
        with self._monkeypatch.context() as patched:
            patched.chdir(self.root)
            for name, value in (env or {}).items():
                patched.setenv(name, value)
            code = cli.run(list(argv))
        said = self._capture.readouterr()
        result = Result(said.out, said.err, code)
        assert status in (None, code), f"status {code}\n{said.out}\n{said.err}"
        return result

    def spawn(self, *argv: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command line as a process of its own, its output in pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "evalmake", *argv],
            cwd=self.root,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
