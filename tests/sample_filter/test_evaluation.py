"""Expressions hold of samples as the manual's table says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from evalmake.sample_filter.evaluation import make_filter
from evalmake.sample_filter.fields import FIELDS, KnownNames, find_meanings
from evalmake.sample_filter.parser import parse_filter
from tests.support.manual_pages import PAGES, blocks

PAGE = PAGES["results"]
SAMPLE: dict[str, Any] = json.loads(next(block.text for block in blocks(PAGE) if block.language == "json"))
ROWS = [
    (expression.replace("\\|", "|"), holds == "yes")
    for expression, holds in re.findall(r"^\| `(.+)` \| (yes|no) \|$", PAGE, re.MULTILINE)
]
KNOWN = KnownNames(("accuracy", "f1"))


def holds(expression: str, sample: dict[str, Any]) -> bool:
    """Whether an expression is true of a row of samples.jsonl whose headline is `accuracy`, on seed 2."""
    source, node = parse_filter(expression)
    meanings = find_meanings(source, node, KNOWN)

    def read(name: Any) -> Any:
        meaning = meanings[name]

        def value(row: dict[str, Any]) -> Any:
            if meaning.kind == "score":
                return row["scores"].get(meaning.name)
            found: Any = row["input"] if meaning.kind == "record" else {**row, "score": row["scores"]["accuracy"]}
            found = {**found, "seed": 2}
            for step in meaning.path:
                found = found.get(step) if isinstance(found, dict) else None
            return found

        return value

    return make_filter(node, read)(sample)


@pytest.mark.parametrize(("expression", "expected"), ROWS, ids=[expression for expression, _ in ROWS])
def test_examples_of_the_manual(expression: str, expected: bool) -> None:
    """Each row of the table is true."""
    assert holds(expression, SAMPLE) is expected


def test_the_manual_has_examples_and_all_fields() -> None:
    """A row that the pattern above does not find would not be tested; a field that is not told would not be found."""
    assert len(ROWS) == PAGE.count("| yes |") + PAGE.count("| no |") > 25
    table = PAGE.partition("## Fields")[2].partition("## Expressions")[0]
    assert {name for name in FIELDS if f"`{name}`" not in table} == set()


@pytest.mark.parametrize("value", [None, True, 10**400, float("nan"), [], {"a": [1]}, "x" * 100, "1e999", "1_0", "٣"])
def test_odd_values_are_compared_with_anything(value: object) -> None:
    """No value of a record makes an expression fail."""
    sample = {**SAMPLE, "target": value}
    for right in ("3", '"a"', "none", "true", "reply", "target", "tags"):
        for operator in ("==", "!=", "<", "in", "not in"):
            if operator in ("in", "not in") and right in ("3", "none", "true"):
                continue
            if operator == "<" and right in ('"a"', "none", "true"):
                continue
            assert holds(f"target {operator} {right}", sample) in (True, False)
    assert holds('target matches "." or lower(target) or len(target) > 3', sample) in (True, False)


EXAMPLES = json.loads((Path(__file__).parent / "examples.json").read_text())


@pytest.mark.parametrize(("expression", "expected"), EXAMPLES["examples"])
def test_examples_that_every_implementation_runs(expression: str, expected: bool) -> None:
    """The examples hold that the script of pages runs, too (tests/web/test_filter.py)."""
    assert holds(expression, EXAMPLES["sample"]) is expected
