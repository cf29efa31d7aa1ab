"""A browser for all tests of a worker, and pages with samples of all kinds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalmake.exporters.html import HtmlExporter, HtmlSettings
from evalmake.scoring.item import Item
from evalmake.scoring.result_set import Requirement, Result, ResultSet, Run, Score, judge_gate
from evalmake.web.material import PageMaterial, PageSample
from tests.support.browser import CHROMEDRIVER, CHROMIUM, Browser, start_browser
from tests.support.results import make_result

Row = dict[str, Any]


@pytest.fixture(scope="session")
def session_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of a worker."""
    if not (CHROMIUM and CHROMEDRIVER) and "CI" not in os.environ:
        pytest.skip("there is no Chromium: apt-get install chromium chromium-driver")
    with start_browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(session_browser: Browser) -> Iterator[Browser]:
    """The browser; at the end nothing was wrong by its console, and nothing was asked of any server."""
    session_browser.resize(1280, 800)
    session_browser.set_theme("light")
    session_browser.errors()
    yield session_browser
    assert session_browser.errors() == []
    assert session_browser.requests() == []
    session_browser.open("about:blank")


def make_row(id: str, score: float | None, text: str, **others: Any) -> Row:
    """A line of samples.jsonl as the native harness writes it."""
    row = {
        "id": id,
        "item": f"hash of {id}",
        "index": 1,
        "input": {"question": f"What is {id}?", "level": 3},
        "request": {"model": "m", "seed": 1, "messages": [{"role": "user", "content": f"What is {id}?"}]},
        "reply": text,
        "answer": text,
        "target": "42",
        "scores": {} if score is None else {"accuracy": score},
        "error": None,
        "tokens_in": 12,
        "tokens_out": 3,
        "latency": 0.25,
        "finish_reason": "stop",
    }
    return row | others


def make_sample(cell: str, row: Row) -> PageSample:
    """The sample of a row, as the store gives it to pages."""
    score = row["scores"].get("accuracy")
    messages = [(one["role"], one["content"]) for one in row["request"]["messages"]]
    return PageSample(cell, row, score, score == 0, messages, row.get("reasoning"), None)


def write_page(
    path: Path,
    rows: dict[tuple[str, str, int], Sequence[Row]],
    title: str = "Page",
    settings: HtmlSettings | None = None,
) -> None:
    """Write the page of evaluations with these rows, by model, benchmark and seed."""
    results = [_make_result(place, found) for place, found in rows.items()]
    items = {
        result.name: [Item(row["id"], str(row["item"]), row["scores"]) for row in found]
        for result, found in zip(results, rows.values(), strict=True)
    }
    by_seed = {result.seed: Run(result.scores) for result in results[:1]}
    address = results[0].name.rpartition("/")[0]
    gates = [judge_gate(address, Requirement("accuracy", ">=", bound), by_seed) for bound in (0.1, 0.99)]

    def read_items(result: Result) -> list[Item]:
        return items[result.name]

    found = ResultSet(title, tuple(results), tuple(gates), ("grid/gone/sums/1",), "sha256:00", read_items=read_items)
    stories = [
        {
            "name": result.name,
            "address": address,
            "sections": [
                [result.name, [["", f"The number is {result.name}."]]],
                ["Who answered", [["", result.model]]],
            ],
            "identity": {"evaluation": [["seed", str(result.seed)]], "model": [["name", result.model]]},
            "attempts": [],
        }
        for result in results
    ]
    samples = [make_sample(one.name, row) for one, own in zip(results, rows.values(), strict=True) for row in own]
    material = PageMaterial(found, stories, lambda: iter(samples))
    HtmlExporter().export_page(material, settings or HtmlSettings(), path)


def _make_result(place: tuple[str, str, int], rows: Sequence[Row]) -> Result:
    model, benchmark, seed = place
    scores = [row["scores"]["accuracy"] for row in rows if row["scores"]]
    value = sum(scores) / len(scores) if scores else None
    score = Score("accuracy", value, scored=len(scores), unscored=len(rows) - len(scores))
    return make_result({"model": model, "benchmark": benchmark, "seed": seed}, score)


@pytest.fixture
def open_page(browser: Browser) -> Callable[[Path, str], Browser]:
    """Open a page at an address of its own, and wait until its samples are there."""

    def open(path: Path, address: str = "#/") -> Browser:
        browser.open("about:blank")
        browser.open(f"file://{path}{address}")
        browser.wait_for("document.documentElement.dataset.samples")
        return browser

    return open
