"""The order of tests and the number of workers: as soon as possible done on machines with few processors.

Many tests wait for clusters, time-outs and ends of processes, so there are three workers a processor, and
the tests that take longest come first. How long they take is recorded in `durations.json`.
`pytest -n auto --record-durations` records all tests anew, and `pytest --record-durations FOLDER` those of a folder.
"""

from __future__ import annotations

import gc
import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.repository import ROOT

RECORDED = Path(__file__).with_name("durations.json")
SHORTEST = 2.0  # seconds: what takes less is not recorded, and keeps its place at the end


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that records durations."""
    parser.addoption("--record-durations", action="store_true", help="record how long the long tests take")


def pytest_xdist_auto_num_workers() -> int:
    """Return the number of workers for `-n auto`."""
    processors = len(os.sched_getaffinity(0))
    return min(3 * processors, processors + 12)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, where workers share them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        recorded: dict[str, float] = json.loads(RECORDED.read_text())
        items.sort(key=lambda item: -recorded.get(item.nodeid, 0.0))


def pytest_collection(session: pytest.Session) -> None:
    """Collect tests without the garbage collector: hardly anything becomes garbage."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Turn it on again; what is there now stays to the end, and it need not look at that."""
    gc.freeze()
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    """Record durations if asked to, in the process that hears of all tests."""
    if config.getoption("record_durations") and "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(Recorder())


class Recorder:
    """Adds up how long each test takes."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a phase of a test."""
        self.seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Write those that are long, the longest first; tests of other files keep what is recorded."""
        recorded: dict[str, float] = json.loads(RECORDED.read_text())
        files = {_file_of(test) for test in self.seconds}
        kept = {
            test: seconds
            for test, seconds in recorded.items()
            if _file_of(test) not in files and (ROOT / _file_of(test)).exists()
        }
        new = {test: round(seconds, 1) for test, seconds in self.seconds.items() if seconds >= SHORTEST}
        ordered = dict(sorted((kept | new).items(), key=lambda entry: -entry[1]))
        RECORDED.write_text(json.dumps(ordered, indent=0) + "\n")


def _file_of(test: str) -> str:
    return test.partition("::")[0]
