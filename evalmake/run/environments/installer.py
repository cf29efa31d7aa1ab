"""The installer of an environment, uv or pip: its commands, its run, and what it installed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from evalmake.run.log_tail import last_lines, read_tail

_REPORT_PAUSE = 2.0  # seconds between two looks at what the installer does
_GRACE = 3.0  # seconds between SIGINT and SIGKILL
_FOREIGN_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")
_SHOWN_PACKAGES = 3
_STEPS = (
    ("resolving", re.compile(r"Collecting ([^\s(]+)")),
    ("downloading", re.compile(r"Downloading ([^\s(]+)")),
    ("building", re.compile(r"(?:Building wheel for|Building) ([^\s(]+)")),
    ("installing", re.compile(r"Installing collected packages: (.+)")),
)
"""What the lines of pip and uv mean."""

# An environment's own interpreter runs this. A distribution that came from a URL is listed by the URL.
_LIST_DISTRIBUTIONS = r"""
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

Report = Callable[[str, float], None]
"""Hears every few seconds what the installer does, and how many seconds it has taken."""


def install(
    folder: Path, requirements: Iterable[str], no_deps: bool, log: Path, details: Path, lock: int, report: Report
) -> int:
    """Create the environment in `folder` and install into it; the exit status of the step that failed, or 0.

    pip writes to `details` what it installs, with the hashes of the archives; uv cannot.

    The installer holds the descriptor `lock`, too: where evalmake is killed, nobody else builds the
    environment before the installer has ended.
    """
    began = time.monotonic()
    options = (["--no-deps"] if no_deps else []) + ["--", *requirements]
    with log.open("wb") as output:
        for argv in _commands(folder, details, options):
            process = subprocess.Popen(
                argv,
                cwd=folder.parent,
                env=_clean_environ(),
                pass_fds=(lock,),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            status = _wait(process, lambda: report(describe_step(log), time.monotonic() - began))
            if status:
                return status
    return 0


def _commands(folder: Path, details: Path, options: list[str]) -> list[list[str]]:
    """The commands: by uv where there is one, else by pip; evalmake's own pip, else the environment's."""
    python = str(folder / "bin" / "python")
    if uv := shutil.which("uv"):
        return [
            [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--python", python, *options],
        ]
    create = [sys.executable, "-m", "venv", str(folder)]
    install_words = ["install", "--no-input", "--disable-pip-version-check", "--report", str(details), *options]
    if find_spec("pip") is None:
        return [create, [python, "-m", "pip", *install_words]]
    return [
        [*create, "--without-pip"],
        [sys.executable, "-m", "pip", "--python", python, *install_words],
    ]


def _clean_environ() -> dict[str, str]:
    """This process's variables, without those that point an installer at another environment."""
    return {k: v for k, v in os.environ.items() if k not in _FOREIGN_VARIABLES}


def _wait(process: subprocess.Popen[bytes], report: Callable[[], None]) -> int:
    """Wait for a process, and report every few seconds; its exit status."""
    with process:
        try:
            while True:
                try:
                    return process.wait(_REPORT_PAUSE)
                except subprocess.TimeoutExpired:
                    report()
        except BaseException:
            _end_group(process)
            raise


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End an installer and what it started, such as a compiler; it may remove its temporary files first."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def describe_step(log: Path) -> str:
    """Describe the current step from the last line of the log: `downloading torch-2.6.0.whl`."""
    lines = last_lines(read_tail(log))
    line = lines[-1].strip() if lines else ""
    for verb, pattern in _STEPS:
        if match := pattern.match(line):
            packages = match[1].split(", ")
            more = len(packages) - _SHOWN_PACKAGES
            return f"{verb} {', '.join(packages[:_SHOWN_PACKAGES])}" + (f" and {more} more" if more > 0 else "")
    return line


def list_distributions(python: Path) -> str:
    """The distributions of an environment, a requirement a line, sorted."""
    argv = [str(python), "-I", "-c", _LIST_DISTRIBUTIONS]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
