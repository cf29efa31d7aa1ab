"""Evidence as an RO-Crate: valid by roc-validator, signed whole, and brought into another store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import requests
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

from tests.evidence_checks.conftest import Made, failures
from tests.support.shared_folders import make_once
from tests.support.workspaces import Bench, end_processes

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


EVALFILE = """\
deployment d {
    engine = mock
    args   = { skill = 0.8 }
}
model m { deployment = d }
benchmark sums {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = number
}
eval grid {
    model     = m
    benchmark = sums
    seed      in 1..2
}
report evidence {
    of     = [grid]
    format = ro-crate
    path   = "evidence"
    sign   = secret("AUDIT_KEY")
}
"""


@pytest.fixture
def crate(made: Made, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Made]:
    """A copy of a workspace with a crate and the same keys."""

    def make(root: Path) -> None:
        bench = Bench(root)
        for name in ("audit", "second"):
            (root / f"{name}.pub").write_text(made.keys[name].public)
        bench.env |= {"AUDIT_KEY": made.keys["audit"].private}
        bench.sums(5)
        bench.evalfile(EVALFILE)
        ended = bench.run("grid", "evidence")
        assert ended.status == 0, ended.text

    bench = Bench(Path(shutil.copytree(make_once(tmp_path_factory, "crate", make), tmp_path / "work")))
    bench.env |= {"AUDIT_KEY": made.keys["audit"].private}
    yield Made(bench, made.keys)
    end_processes(bench, tmp_path)


def read_context(url: str, **kwargs: Any) -> requests.Response:
    """The answer of the web to the validator's one question, from the copy that the library `rocrate` has."""
    assert url == CONTEXT
    answer = requests.Response()
    answer.status_code, answer.url = 200, url
    answer.headers["Content-Type"] = "application/ld+json"
    answer._content = (files("rocrate") / "data/ro-crate.jsonld").read_bytes()
    return answer


def test_the_crate_is_valid(crate: Made) -> None:
    """roc-validator finds nothing that RO-Crate 1.1 requires to be missing."""
    settings = services.ValidationSettings(
        rocrate_uri=str(crate.bench.root / "evidence"),
        profile_identifier="ro-crate-1.1",
        requirement_severity=models.Severity.REQUIRED,
    )
    with patch.object(HttpRequester, "get", lambda self, url, **kwargs: read_context(url), create=True):
        found = services.validate(settings)
    assert [(issue.check.identifier, issue.message) for issue in found.get_issues()] == []


def test_the_crate_is_evidence(crate: Made) -> None:
    """`verify` takes a crate as any evidence, and its metadata is one of the signed files."""
    folder = crate.bench.root / "evidence"
    assert failures(crate.verify(folder, "audit")) == {}
    path = folder / "ro-crate-metadata.json"
    path.write_text(path.read_text().replace("grid/1", "grid/9"))
    assert "ro-crate-metadata.json" in failures(crate.verify(folder, "audit"))["files"]


def test_the_crate_says_what_was_run(crate: Made) -> None:
    """Each evaluation is an action with its times, its sources and its results, and each file is described."""
    folder = crate.bench.root / "evidence"
    graph = {one["@id"]: one for one in json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there - {"ro-crate-metadata.json"} == {name for name, one in graph.items() if one["@type"] == "File"}
    actions = [one for one in graph.values() if one["@type"] == "CreateAction"]
    assert [one["name"] for one in actions] == ["grid/1", "grid/2"]
    for one in actions:
        assert one["startTime"] <= one["endTime"] <= graph["./"]["datePublished"]
        assert {"@id": "sources/Evalfile"} in one["object"]
        assert any(file["@id"].endswith("outputs/samples.jsonl") for file in one["result"])


def test_the_same_results_give_the_same_crate(crate: Made) -> None:
    """A crate that is written again has the same bytes."""
    path, written = crate.bench.root / "evidence" / "build.json", []
    for _ in range(2):
        path.write_bytes(b"")
        assert crate.bench.run("evidence").status == 0
        written.append(path.read_bytes())
    assert written[0] == written[1] != b""


@pytest.fixture
def other(tmp_path: Path) -> Bench:
    """An empty folder elsewhere."""
    bench = Bench(tmp_path / "other")
    bench.root.mkdir()
    return bench


def test_a_crate_becomes_results_elsewhere(crate: Made, other: Bench) -> None:
    """In an empty folder, a crate brings its Evalfile and its results: nothing runs, and a second import adds none."""
    folder, key = str(crate.bench.root / "evidence"), str(crate.bench.root / "audit.pub")
    done = other.run("import", folder, "--key", key)
    assert done.status == 0, done.text
    assert "2 evaluations imported" in done.out
    built = other.run("grid")
    assert built.out.startswith("nothing to do: 2 evaluations up to date"), built.text
    assert other.run("verify").status == 0
    assert "grid/1" in other.run("history").out
    assert "0 evaluations imported, 2 were there" in other.run("import", folder, "--key", key).out


def test_keys_in_files_and_data_that_nothing_reads(made: Made, other: Bench) -> None:
    """Evidence that a key in a file has signed comes with a stand-in for it, and so the Evalfile loads elsewhere."""
    folder, key = str(made.bench.root / "evidence"), str(made.bench.root / "audit.pub")
    done = other.run("import", folder, "--key", key)
    assert done.status == 0, done.text
    assert "audit.key is a new key: the private key that signed is in no evidence" in done.err
    assert "3 evaluations imported" in done.out
    assert "nothing to do: 3 evaluations up to date" in other.run("grid", "once").out
    assert (other.root / "audit.key").read_text() != made.keys["audit"].private
    story = other.run("audit", "grid/1").out
    assert "temperature: 0.1 -> 0.7" in story
    assert "missing or damaged" not in story


def test_a_wrong_crate_is_not_imported(crate: Made, other: Bench) -> None:
    """A crate that does not hold, or that another key should have signed, leaves the folder as it was."""
    folder = crate.bench.root / "evidence"
    wrong_key = other.run("import", str(folder), "--key", str(crate.bench.root / "second.pub"))
    assert (wrong_key.status, "[bad-evidence]" in wrong_key.err) == (2, True)
    (folder / "report.md").write_text("better")
    changed = other.run("import", str(folder))
    assert (changed.status, "report.md is not what was signed" in changed.err) == (2, True)
    assert [*other.root.iterdir()] == []


def test_other_attempts_stay(crate: Made, other: Bench) -> None:
    """Attempts that the store has of its own are not replaced."""
    folder = str(crate.bench.root / "evidence")
    assert other.run("import", folder).status == 0
    before = other.attempts()
    assert crate.bench.run("-B", "grid").status == 0
    assert other.run("-B", "grid").status == 0
    assert crate.bench.run("evidence").status == 0
    again = other.run("import", folder)
    assert (again.status, "the store has other attempts of it, which stay" in again.err) == (2, True)
    assert len(other.attempts()) == 2 * len(before)
