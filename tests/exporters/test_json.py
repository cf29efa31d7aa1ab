"""The JSON report, compared whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evalmake.exporters.json import JsonExporter
from evalmake.scoring.result_set import ResultSet, Score
from tests.support.projects import check_golden

GOLDEN = Path(__file__).with_name("golden")


def exported(results: ResultSet, path: Path) -> Any:
    """The document as read back."""
    JsonExporter().export(results, path)
    return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("name", ["matrix", "single", "compared", "nothing", "grouped", "sectioned"])
def test_the_json_document(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The file is as a person approved it (UPDATE_GOLDEN=1 rewrites it)."""
    path = tmp_path / "reports" / "results.json"
    JsonExporter().export(request.getfixturevalue(name), path)
    check_golden(GOLDEN / f"{name}.json", path.read_text("utf-8"))


def test_floats_are_exact(single: ResultSet, tmp_path: Path) -> None:
    """A number reads back as the same number, to the last bit."""
    value = 0.1 + 0.2
    result = replace(single.results[0], scores=(Score("accuracy", value, 1 / 3),))
    document = exported(replace(single, results=(result,)), tmp_path / "r.json")
    assert document["results"][0]["scores"][0]["value"] == value
    assert document["results"][0]["scores"][0]["stderr"] == 1 / 3


def test_reuse_writes_the_same_document(matrix: ResultSet, tmp_path: Path) -> None:
    """A build that only reuses results writes the same document."""
    again = replace(matrix, results=tuple(replace(r, reused=True) for r in matrix.results))
    assert exported(matrix, tmp_path / "a.json") == exported(again, tmp_path / "b.json")


def test_unknown_keys_are_errors() -> None:
    """An unknown key in the report's block is an error."""
    with pytest.raises(ValidationError, match="extra_forbidden"):
        JsonExporter.Settings.model_validate({"indent": 2})
