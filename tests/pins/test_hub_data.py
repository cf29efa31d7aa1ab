"""Data sets of the hub in native benchmarks: pinned, downloaded once, checked, and used without a network."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tests.support.projects import Project
from tests.support.stand_in_hub import COMMIT, StandInHub, serve_hub

EVALFILE = """\
deployment steady { engine = mock, args = { skill = 1 } }
model m { deployment = steady }
benchmark sums {
    harness = native
    dataset = "hf://acme/sums@main"
    split   = "test"
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = number
}
eval e { model = m, benchmark = sums }
"""
ROWS = [{"question": f"What is {n} + 2?", "answer": n + 2, "level": n} for n in range(4)]
NOWHERE = {"HF_ENDPOINT": "http://127.0.0.1:9"}


def parquet(rows: list[dict[str, object]]) -> bytes:
    """A file of Parquet with these rows."""
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), stream)
    return stream.getvalue()


def lines(rows: list[dict[str, object]]) -> bytes:
    """A file of JSON Lines with these rows."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


FILES = {
    "README.md": b"# Sums\n",
    ".gitattributes": b"",
    "dataset_infos.json": b"{}",
    "data/test-00000-of-00002.parquet": parquet(ROWS[:2]),
    "data/test-00001-of-00002.parquet": parquet(ROWS[2:]),
    "data/train-00000-of-00001.parquet": parquet(ROWS[:1]),
}


@pytest.fixture(autouse=True)
def _home(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache, a token and a hub of the test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    project.write("Evalfile", EVALFILE)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    """A hub with a data set of two splits in Parquet."""
    with serve_hub(StandInHub(dict(FILES))) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def asked(project: Project) -> list[str]:
    """The prompts of all samples of the last build."""
    project.run("outputs", "e", "--copy", "copies")
    text = (project.root / "copies" / "e" / "samples.jsonl").read_text()
    return sorted(json.loads(line)["input"]["question"] for line in text.splitlines())


def pin(project: Project, **changes: str) -> None:
    """Write the Evalfile with changed lines and a pinned commit."""
    text = EVALFILE.replace("@main", f"@{COMMIT}")
    for old, new in changes.items():
        text = text.replace({"split": '    split   = "test"\n'}[old], new)
    project.write("Evalfile", text)


def test_a_branch_is_pinned_and_read(project: Project, hub: StandInHub) -> None:
    """`-n` names what is downloaded and asks nobody; `pin` finds the commit; a build downloads and asks its rows."""
    assert "to download: acme/sums@main (split test), from http" in project.run("-n").stdout
    assert hub.asked == []
    refused = project.run(status=2).stderr
    assert "the data set acme/sums@main (split test) is not pinned to a commit [unpinned-input]" in refused
    assert "help: `evalmake pin` writes its commit to Evalfile.lock" in refused
    project.run("pin")
    planned = json.loads(project.run("-n", "--json").stdout)["digest"]
    assert hub.asked == ["/api/datasets/acme/sums/revision/main"]
    said = project.run()
    assert f"downloading the data set acme/sums@{COMMIT[:12]} (split test) from {hub.url}" in said.stderr
    assert "1.0" in said.stdout
    assert asked(project) == sorted(str(row["question"]) for row in ROWS)
    assert not any("train" in path for path in hub.asked)
    pin(project)
    assert "up to date" in project.run("-n").stdout
    assert json.loads(project.run("-n", "-B", "--json").stdout)["digest"] == planned


def test_what_is_cached_needs_no_network(project: Project, hub: StandInHub) -> None:
    """A second project reads the cache while the hub is gone, also where only part of the records is asked."""
    pin(project)
    project.run()
    requests = len(hub.asked)
    project.write("Evalfile", project.root.joinpath("Evalfile").read_text().replace("sums }", "sums, limit = 2 }"))
    assert "to download" not in project.run("-n", env=NOWHERE).stdout
    project.run(env=NOWHERE)
    assert len(hub.asked) == requests


def test_an_unreachable_hub_is_told(project: Project) -> None:
    """Without a network and a cache, a build says so with what to do, before anything starts."""
    pin(project)
    project.run("-n", env=NOWHERE)
    said = project.run(env=NOWHERE, status=2).stderr
    assert f"the data set acme/sums@{COMMIT[:12]} (split test) cannot be downloaded: 127.0.0.1:9 cannot be" in said
    assert "[download-failed]" in said
    assert "help: try again with a network; what is downloaded once is used from the cache" in said
    assert "Evalfile:5:" in said


@pytest.mark.parametrize("name", ["data/test-00001-of-00002.parquet", "README.md"])
def test_a_content_is_checked(project: Project, hub: StandInHub, name: str) -> None:
    """A file without the digest on record is refused, and nothing of it stays in the cache."""
    hub.files["README.md"] = b"# Sums and more\n"
    hub.damaged.add(name)
    pin(project)
    assert f"sent another content for {name} than it has on record" in project.run(status=2).stderr
    hub.damaged.clear()
    project.run()


def test_a_damaged_cache_is_mended(project: Project, hub: StandInHub, tmp_path: Path) -> None:
    """A cached file with another content of the same size is downloaded again before a build."""
    pin(project)
    project.run()
    for path in (tmp_path / "caches" / "evalmake" / "hub" / "files").glob("*.parquet"):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[::-1])
    project.run("-B")


def test_a_gated_data_set_needs_a_token(project: Project, hub: StandInHub) -> None:
    """The token goes to the hub, and without it the message says what to set."""
    hub.token = "hf_secret"
    pin(project)
    assert "help: set HF_TOKEN, or accept the terms of a gated repository" in project.run(status=2).stderr
    said = project.run(env={"HF_TOKEN": "hf_secret"})
    assert "hf_secret" not in said.stdout + said.stderr


@pytest.mark.parametrize(
    ("line", "message", "cure"),
    [
        ('    split = "tset"\n', "it has no split `tset`", "its splits are test, train"),
        ("", "it has several splits", 'write `split = "NAME"`: test, train'),
        (
            '    split = "test"\n    config = "main"\n',
            "it has no configuration `main`",
            "it names no configurations: leave the key out",
        ),
        ('    split = "more/*.csv"\n', "it has no file `more/*.csv`", "its data files are data/test-00000"),
    ],
)
def test_what_is_not_there_is_told(project: Project, hub: StandInHub, line: str, message: str, cure: str) -> None:
    """A split, a configuration or a path that the data set does not have is answered by those that it has."""
    pin(project, split=line)
    said = " ".join(project.run(status=2).stderr.split())
    assert message in said
    assert cure in said


LAYOUTS = {
    "folders": ({"main/test-00000-of-00001.parquet": parquet(ROWS), "other/test.parquet": parquet(ROWS[:1])}, "main"),
    "lines": ({"grade/test.jsonl": lines(ROWS), "grade/train.jsonl": lines(ROWS[:1])}, ""),
    "names": ({"easy-test.csv": b"question,answer,level\nWhat is 9?,9,1\n", "hard-test.csv": b"question\nq\n"}, "easy"),
    "card": (
        {
            "README.md": b"---\nconfigs:\n- config_name: a\n  data_files:\n  - split: test\n    path: x/*.jsonl\n---\n",
            "x/part.jsonl": lines(ROWS),
            "y/part.jsonl": lines(ROWS[:1]),
        },
        "a",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(project: Project, hub: StandInHub, layout: str) -> None:
    """Configurations and splits are found by folders, by names, and by what the card says."""
    hub.files, config = LAYOUTS[layout]
    pin(project, split='    split = "test"\n' + (f'    config = "{config}"\n' if config else ""))
    project.run()
    assert len(asked(project)) == (1 if layout == "names" else len(ROWS))


def test_a_split_may_be_a_path(project: Project, hub: StandInHub) -> None:
    """A path names files that no convention finds."""
    hub.files["odd/place.jsonl"] = lines(ROWS[:3])
    pin(project, split='    split = "odd/*.jsonl"\n')
    project.run()
    assert len(asked(project)) == 3


def test_messages_name_the_file_in_the_data_set(project: Project, hub: StandInHub) -> None:
    """Errors of downloaded data have the path in the data set, not that in the cache, and nothing has started."""
    pin(project)
    project.write("Evalfile", (project.root / "Evalfile").read_text().replace("{answer}", "{solution}"))
    said = project.run(status=2).stderr
    assert "data/test-00000-of-00002.parquet: row 1: the record has no field 'solution'" in said
    assert not list((project.root / ".evalmake").rglob("samples.jsonl"))
    assert "has no field 'solution'" in project.run("-n", status=2, env=NOWHERE).stderr


def test_evidence_of_cached_data_loads(project: Project, hub: StandInHub) -> None:
    """What a report of evidence keeps of a downloaded data set verifies, and its plan is the same."""
    pin(project)
    text = (project.root / "Evalfile").read_text()
    project.run("key", "new", "audit")
    report = 'report r { of = [e], format = in-toto, path = "evidence", sign = file("audit.key") }\n'
    project.write("Evalfile", text + report)
    project.run()
    assert any(path.suffix == ".parquet" for path in (project.root / "evidence" / "sources").rglob("*"))
    project.run("verify", "evidence", "--key", "audit.pub", env=NOWHERE)


def test_a_query_of_a_data_set(project: Project, hub: StandInHub) -> None:
    """`sql` queries the files of a data set as one table; before they are here, its own mistakes are told."""
    pytest.importorskip("duckdb")
    sql = '    split   = "test"\n    sql     = "select * from data where level >= 1 order by level limit 2"\n'
    pin(project, split=sql)
    assert "to download" in project.run("-n").stdout
    project.run()
    assert asked(project) == ["What is 1 + 2?", "What is 2 + 2?"]
    pin(project, split=sql.replace("where level", "where stage"))
    assert 'Referenced column "stage" not found' in project.run("-n", status=2).stderr
    hub.files.clear()
    pin(project, split=sql.replace("test", "train").replace("where level", "where random()"))
    assert "`random()` gives something else each time" in project.run("-n", status=2).stderr


def write_evidence(project: Project) -> None:
    """Build a benchmark of the hub, and its evidence."""
    pin(project)
    text = (project.root / "Evalfile").read_text()
    project.run("key", "new", "audit")
    report = 'report r { of = [e], format = in-toto, path = "evidence", sign = file("audit.key") }\n'
    project.write("Evalfile", text + report)
    project.run()


def test_evidence_is_replayed_without_the_cache(
    project: Project, hub: StandInHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Evidence holds the records that were asked: another machine scores the replies again, without hub and cache."""
    write_evidence(project)
    requests = len(hub.asked)
    for cache in (tmp_path / "caches", tmp_path / "empty"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        said = project.run("reproduce", "evidence", "--key", "audit.pub", "--replay", env=NOWHERE).stdout
        assert "1 of 1 evaluations scored again: the same" in said
        assert "cannot be read here" not in said
        project.run("verify", "evidence", "--key", "audit.pub", env=NOWHERE)
    assert len(hub.asked) == requests
    names = [path.relative_to(project.root / "evidence") for path in (project.root / "evidence").rglob("*.parquet")]
    assert {str(name.parent) for name in names} == {"sources/@hub"}
    assert str(tmp_path / "caches") not in (project.root / "evidence" / "inputs.json").read_text()


def test_evidence_without_its_data_is_not_replayed(
    project: Project, hub: StandInHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where evidence of a data set lacks its records, and the cache does, too, a replay names the data set."""
    monkeypatch.setattr("evalmake.evidence_checks.sources.MOST_SOURCE_BYTES", 1000)
    write_evidence(project)
    assert not list((project.root / "evidence").rglob("*.parquet"))
    words = ("reproduce", "evidence", "--key", "audit.pub", "--replay")
    assert "1 of 1 evaluations scored again: the same" in project.run(*words, env=NOWHERE).stdout
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    said = " ".join(project.run(*words, env=NOWHERE, status=1).stdout.split())
    missing = f"the data set acme/sums@{COMMIT[:12]} (split test) is neither in the evidence nor in the cache here"
    assert f"e: {missing}" in said


def test_a_project_of_evidence_asks_the_hub(
    project: Project, hub: StandInHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A written project says that a run downloads its data; offline, nothing of it starts."""
    write_evidence(project)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    words = ("reproduce", "evidence", "--key", "audit.pub", "--into")
    said = project.run(*words, str(tmp_path / "new"), env=NOWHERE, status=None)
    assert f"a run downloads the data set acme/sums@{COMMIT[:12]} (split test) from http://127.0.0.1:9" in said.stdout
    assert (tmp_path / "new" / "Evalfile").is_file()
    offline = project.run(*words, str(tmp_path / "newer"), "--ask", env=NOWHERE, status=2)
    assert "cannot be downloaded" in offline.stderr
    assert not list((tmp_path / "newer").rglob("samples.jsonl"))
    project.run(*words, str(tmp_path / "newest"), "--ask")
