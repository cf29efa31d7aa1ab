"""One real task of each of NVIDIA's harnesses that have a wheel, and the manual's table of them.

`EVALMAKE_ROWS=all` runs those whose environments take long to install, too, and `EVALMAKE_ROWS=NAME` one of them.
"""

from __future__ import annotations

import json
import os
import re

import pytest

from evalmake.project.catalog import read_entries
from tests.harnesses.nemo_rows.data import PUT
from tests.harnesses.nemo_rows.rows import HEAD, ROWS, Row, table
from tests.support.http_replies import chat_completion, http_reply
from tests.support.manual_pages import FOLDER, PAGES
from tests.support.scripted_upstream import ReceivedRequest, Step, Upstream
from tests.support.workspaces import Bench

EVALFILE = """
include "catalog:wheels/{row.harness}"

model m {{ endpoint = "{url}", name = "{row.name}", api = {row.model} }}
model grader {{ endpoint = "{url}", name = "grader" }}

benchmark mine from {row.benchmark} {{
    packages = [{packages}]
{keys}
}}

eval e {{
    model     = m
    benchmark = mine
    limit     = {row.limit}
}}
"""
WANTED = os.environ.get("EVALMAKE_ROWS", "")


def test_the_table_of_the_manual_is_that_of_the_rows() -> None:
    """Each harness of NVIDIA's in the catalog has a line; `UPDATE_GOLDEN=1` writes them."""
    nvidias = {entry.harness for entry in read_entries().values() if entry.is_nvidias}
    assert sorted(row.harness for row in ROWS) == sorted(nvidias)
    before, _, after = PAGES["nemo"].partition(HEAD)
    shown = re.match(r"(.+\n)+", HEAD + after)
    assert shown
    if os.environ.get("UPDATE_GOLDEN"):
        (FOLDER / "nemo.md").write_text(before + table() + (HEAD + after)[shown.end() :])
    else:
        assert shown[0] == table()


@pytest.mark.parametrize("row", [row for row in ROWS if row.benchmark], ids=str)
def test_a_task_of_a_row(bench: Bench, request: pytest.FixtureRequest, row: Row) -> None:
    """The benchmark of the catalog runs as it is, and its headline is that of the endpoint's replies."""
    if row.light:
        request.getfixturevalue("simple_evals")
    elif WANTED not in ("all", row.harness):
        pytest.skip("takes long to install: EVALMAKE_ROWS=all")
    if row.put:
        PUT[row.put](bench.root)
    server = Upstream(lambda seen: reply(row, seen))
    keys = row.keys.replace("{url}", server.url).replace("{root}", str(bench.root))
    packages = ", ".join(map(json.dumps, row.packages))
    bench.evalfile(EVALFILE.format(row=row, url=server.url, packages=packages, keys=keys))
    ended = bench.run()
    assert ended.status == 0, ended.text + bench.run("logs", "e").out[-8000:]
    (attempt,) = bench.attempts()
    (score,) = [score for score in attempt.scores if score.metric == attempt.metric]
    assert score.value == pytest.approx(row.score, abs=1e-4), (attempt.scores, bench.run("logs", "e").out[-8000:])


def reply(row: Row, seen: ReceivedRequest) -> list[Step]:
    """What the row has the model or the judge say."""
    asked = json.loads(seen.body or b"{}")
    text = row.verdict if asked.get("model") == "grader" else row.answer
    body = chat_completion(text)
    if not seen.target.endswith(b"/chat/completions"):
        body = {**body, "object": "text_completion", "choices": [{"index": 0, "text": text, "finish_reason": "stop"}]}
    return [http_reply({**body, "model": asked.get("model"), "choices": body["choices"] * (asked.get("n") or 1)})]
