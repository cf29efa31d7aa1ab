"""The `html` report of a build: what it holds, and what it leaves out."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from evalmake.exporters.html import HtmlExporter
from evalmake.exporters.markdown import list_summary
from evalmake.scoring.result_set import ResultSet
from tests.support.projects import Project

EVALFILE = """\
deployment weak { engine = mock, args = { skill = 0.5 } }
deployment strong { engine = mock, args = { skill = 0.95 } }
model weak { deployment = weak }
model strong { deployment = strong }
benchmark sums {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "Canary phrase: {question}"
    target  = "{answer}"
    scorer  = number
}
eval grid {
    model in [weak, strong]
    benchmark = sums
    seed in 1..2
    when model = strong { require accuracy >= 60% }
}
report page { of = [grid], format = html, path = "page.html"SETTINGS }
"""


def read_data(path: Path) -> dict[str, Any]:
    """What the script of a page reads."""
    [text] = re.findall(r'<script type="application/json" id="report">(.*?)</script>', path.read_text())
    data: dict[str, Any] = json.loads(text)
    return data


def read_block(path: Path, name: str) -> Any:
    """The content of a compressed block; None if the page has none of that name."""
    found = re.findall(rf'<script type="text/plain" id="{name}">(.*?)</script>', path.read_text())
    return json.loads(zlib.decompress(b64decode(found[0]))) if found else None


def write_project(project: Project, settings: str = "") -> Path:
    """A project of four evaluations of twenty sums, with a page."""
    rows = [{"question": f"What is {n} + {n + 3}?", "answer": 2 * n + 3} for n in range(20)]
    project.write("sums.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return project.write("Evalfile", EVALFILE.replace("SETTINGS", settings)).parent / "page.html"


def test_a_build_writes_a_page(project: Project) -> None:
    """A page has the scores, comparisons, gates, stories and samples of a build; built again, nothing is written."""
    path = write_project(project)
    project.run()
    data, columns = read_data(path), read_block(path, "columns-0")
    assert [(cell["row"], cell["column"], cell["runs"]) for cell in data["table"]] == [
        ("weak", "sums", 2),
        ("strong", "sums", 2),
    ]
    assert [gate["verdict"] for gate in data["gates"]] == ["met"]
    [pair] = data["pairs"]
    one = pair["columns"][0]
    assert one["higher"] + one["lower"] + one["same"] == one["items"] == 20
    assert len(columns["cell"]) == 80
    assert [story["name"] for story in read_block(path, "stories-0")] == columns["cells"]
    assert len(read_block(path, "question-0")) == 20
    assert read_block(path, "reply-0")[0]["reply"]
    written = path.read_bytes()
    project.run("page")
    assert path.read_bytes() == written


@pytest.mark.parametrize("settings", [", samples = false", ", inline = 1KB"])
def test_texts_are_left_out(settings: str, project: Project) -> None:
    """With `samples = false`, and above `inline`, no text of a sample is in the page, and it says why."""
    path = write_project(project, settings)
    project.run()
    columns = read_block(path, "columns-0")
    assert len(columns["score"]) == 80
    assert (columns["answers"], columns["heads"]) == ([], [])
    assert read_block(path, "reply-0") is None
    assert read_block(path, "question-0") is None
    assert read_data(path)["left_out"]
    stories = read_block(path, "stories-0")
    rest = path.read_text() + json.dumps(columns)
    assert not re.search(r"What is \d", rest + json.dumps(stories))
    assert stories


@pytest.mark.parametrize("name", ["matrix", "single", "compared", "nothing", "grouped", "sectioned"])
def test_every_result_set_has_a_page(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Whatever results there are, there is a page, with the numbers that the other reports have."""
    results: ResultSet = request.getfixturevalue(name)
    HtmlExporter().export(results, tmp_path / "page.html")
    data = read_data(tmp_path / "page.html")
    assert data["summary"] == list_summary(results)
    table = results.table()
    assert {(cell["row"], cell["column"]): cell["mean"] for cell in data["table"]} == {
        place: cell.average.mean for place, cell in table.cells.items()
    }
    assert [one["name"] for one in data["missing"]] == list(results.missing)
