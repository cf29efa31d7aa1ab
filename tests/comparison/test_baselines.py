"""Baselines: small files beside the Evalfile, set, shown, updated with a reason, and compared with."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.comparison.baseline_file import (
    Baseline,
    BaselineResult,
    BaselineScore,
    format_baseline,
    parse_baseline,
)
from evalmake.language.diagnostic import EvalmakeError
from evalmake.language.source import Source
from tests.support.projects import Project

texts = st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace").decode())
names = texts.filter(bool)
scores = st.builds(
    BaselineScore,
    st.none() | st.floats(-1e6, 1e6).map(lambda value: float(f"{value:.12g}")),
    st.none() | st.floats(0, 1e6).map(lambda value: float(f"{value:.12g}")),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)


def compare(compared: Project, *words: str, status: int = 0) -> dict[str, Any]:
    """What `compare` says as JSON."""
    found: dict[str, Any] = json.loads(compared.run("compare", *words, "--json", status=status).stdout)
    return found


def point_grid_at(compared: Project, model: str) -> None:
    """Let the model `good` be another: what a pull request does that changes the server."""
    text = (compared.root / "Evalfile").read_text()
    compared.write(
        "Evalfile", text.replace("model good { deployment = good }", f"model good {{ deployment = {model} }}")
    )
    compared.run("grid", "-s")


def lose_store(compared: Project) -> None:
    """As on another machine: the results are gone, and those of the Evalfile now are made there."""
    shutil.rmtree(compared.root / ".evalmake")
    compared.run("grid", "-s")


def test_a_baseline_is_one_line_for_each_result(compared: Project) -> None:
    """The file has the score first in each line, the targets, the reason, and no full digest."""
    said = compared.run("baseline", "set", "main", "grid").stdout
    assert said == "wrote baselines/main.toml: 3 results; check it in\n"
    text = (compared.root / "baselines/main.toml").read_text()
    lines = [line for line in text.splitlines() if line.startswith('"grid/')]
    assert lines[0].partition(",")[0] == '"grid/good" = { score = 0.785'
    assert len(lines) == 3
    assert not re.search(r'"[0-9a-f]{13,}"', text)
    found = tomllib.loads(text)
    assert found["targets"] == ["grid"]
    assert found["because"][0].endswith(": set")


def test_a_change_is_paired_with_the_baseline_where_the_store_has_its_items(compared: Project) -> None:
    """A worse server is a regression against the baseline, item by item, and in the words of why."""
    compared.run("baseline", "set", "main", "grid/good")
    point_grid_at(compared, "worse")
    found = compare(compared, "baseline:main", "grid/good", status=1)
    [one] = found["benchmarks"]
    assert (one["paired"], one["items"], one["verdict"]) == (True, 400, "REGRESSION")
    assert {change["path"] for change in found["differences"]} >= {"model.deployment.args.skill"}
    assert compare(compared, "main", status=1)["benchmarks"] == [one]  # by its name, and with its own targets


def test_without_its_items_a_baseline_is_not_paired(compared: Project) -> None:
    """Elsewhere, score, error and n of the file are compared as unrelated, which is said; digests tell what differs."""
    compared.run("baseline", "set", "main", "grid/good")
    paired = compare(compared, "main", "grid/worse", status=1)["benchmarks"][0]
    point_grid_at(compared, "worse")
    lose_store(compared)
    found = compare(compared, "main", "grid/good", status=1)
    [one] = found["benchmarks"]
    assert (one["paired"], one["test"], one["difference"]) == (False, "Newcombe", pytest.approx(paired["difference"]))
    assert one["note"] == "the items of the baseline are not in this store"
    assert [change["path"] for change in found["differences"]] == ["model"]
    said = compared.run("compare", "main", "grid/good", status=1).stdout
    assert "A: as reported by the baseline" in said
    assert "1 of 1 result not paired: their items are not in this store" in said
    assert "not paired, by Newcombe" in said


def test_the_same_scores_are_the_same_anywhere(compared: Project) -> None:
    """A baseline whose items scored the same passes where the store has them not: their digest tells."""
    compared.run("baseline", "set", "main", "grid/good")
    text = (compared.root / "baselines/main.toml").read_text()
    compared.write("baselines/main.toml", re.sub(r'action = "\w+"', 'action = "000000000000"', text))
    [one] = compare(compared, "main", "grid/good", "--strict")["benchmarks"]
    assert one["reason"] == "both sides are the same result"


def test_an_update_shows_the_difference_and_keeps_the_reason(compared: Project) -> None:
    """`update` needs a reason, prints the comparison, and adds the reason to the file; nothing new writes nothing."""
    compared.run("baseline", "set", "main", "grid", "--because", "first\nof all")
    assert "say why" in compared.run("baseline", "update", "main", status=2).stderr
    said = compared.run("baseline", "update", "main", "--because", "nothing").stdout
    assert said.startswith("nothing has changed")
    point_grid_at(compared, "worse")
    said = compared.run("baseline", "update", "main", "--because", "half the price").stdout
    assert "REGRESSION: 1 benchmark worse" in said
    assert said.endswith("wrote baselines/main.toml: check it in\n")
    found = tomllib.loads((compared.root / "baselines/main.toml").read_text())
    assert [text.partition(": ")[2] for text in found["because"]] == ["first of all", "half the price"]
    assert found["results"]["grid/good"]["score"] == 0.715
    assert compare(compared, "main", "--strict")["verdict"] == "PASS"


def test_baselines_are_listed_and_shown(compared: Project) -> None:
    """`show` lists all, and tells of one which items the store has; both as JSON, too."""
    assert "no baselines" in compared.run("baseline", "show").stdout
    compared.run("baseline", "set", "main", "grid")
    compared.run("baseline", "set", "v1.2", "wide")
    assert [line.split()[:2] for line in compared.run("baseline", "show").stdout.splitlines()[1:]] == [
        ["main", "3"],
        ["v1.2", "4"],
    ]
    assert "grid/good   accuracy  0.785  400  in the store" in compared.run("baseline", "show", "main").stdout
    assert len(json.loads(compared.run("baseline", "show", "--json").stdout)) == 2
    assert json.loads(compared.run("baseline", "show", "main", "--json").stdout)["results"][0]["items_in_store"]


def test_other_items_are_told(compared: Project) -> None:
    """A baseline of other questions is compared as unrelated, and that is said, whether or not its items are there."""
    compared.run("baseline", "set", "main", "grid/worse")
    found = compare(compared, "main", "elsewhere")["benchmarks"][0]
    assert (found["paired"], found["note"]) == (False, "the two have no scored item in common")
    text = (compared.root / "baselines/main.toml").read_text()
    compared.write("baselines/main.toml", re.sub(r'action = "\w+"', 'action = "000000000000"', text))
    assert "the baseline is of other items" in compare(compared, "main", "elsewhere")["benchmarks"][0]["notes"]


def test_what_cannot_be_a_baseline_is_refused(compared: Project) -> None:
    """A name that exists or cannot be one, a target without a result, and words that are none, write nothing."""
    compared.run("baseline", "set", "main", "grid")
    assert "exists already [exists]" in compared.run("baseline", "set", "main", "grid", status=2).stderr
    assert "[bad-name]" in compared.run("baseline", "set", "../main", "grid", status=2).stderr
    text = (compared.root / "Evalfile").read_text()
    compared.write("Evalfile", f"{text}eval unrun from grid {{ limit = 5 }}\n")
    said = compared.run("baseline", "set", "new", "unrun", status=2).stderr
    assert "3 of 3 evaluations lack a result" in said
    assert "unrun/good: it has not run" in said
    assert "no target is named `grod`" in compared.run("baseline", "set", "new", "grod", status=2).stderr
    assert "write `evalmake baseline set NAME" in compared.run("baseline", "forget", "main", status=2).stderr
    assert [path.name for path in (compared.root / "baselines").iterdir()] == ["main.toml"]


def test_unknown_baselines_are_told(compared: Project) -> None:
    """A misspelt name is corrected, others are listed, and where there is none, how to write one."""
    assert "baseline set main TARGET" in compared.run("compare", "baseline:main", "grid", status=2).stderr
    compared.run("baseline", "set", "main", "grid")
    said = compared.run("compare", "baseline:mian", "grid", status=2).stderr
    assert "no baseline is named `mian` [unknown-baseline]" in said
    assert "did you mean `main`?" in said
    assert "there are main" in compared.run("baseline", "show", "release", status=2).stderr
    assert "did you mean `main`?" in compared.run("compare", "maim", "grid", status=2).stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version = 1", "version = 2", "is a baseline of version 2"),
        ("version = 1", "", "it has no `version`"),
        ("[results]", "<<<<<<< ours\n[results]", "git left both sides of a conflict"),
        ("score = 0.785", 'score = "high"', "`score` has another type"),
        ("score = 0.785", "score = nan", "a score is nan"),
        ('metric = "accuracy", ', "", "it has no `metric`"),
        ("n = 400", "n = -1", "below 0"),
        ("[results]", f"[results]\nx = {'[' * 5000}", "baselines/main.toml"),
    ],
)
def test_files_that_are_no_baseline(old: str, new: str, message: str, compared: Project) -> None:
    """A file that was changed by hand or by a merge is refused with the place and what to do."""
    compared.run("baseline", "set", "main", "grid/good")
    text = (compared.root / "baselines/main.toml").read_text()
    compared.write("baselines/main.toml", text.replace(old, new, 1))
    said = compared.run("compare", "main", "grid", status=2).stderr
    assert "[bad-baseline]" in said
    assert message in said
    assert "Traceback" not in said


def test_a_baseline_does_not_leave_the_project(compared: Project) -> None:
    """A link to a folder elsewhere is neither read nor written to."""
    (compared.root.parent / "elsewhere").mkdir()
    (compared.root / ".git").mkdir()
    (compared.root / "baselines").symlink_to(compared.root.parent / "elsewhere")
    assert "[outside-project]" in compared.run("baseline", "set", "main", "grid", status=2).stderr
    assert not list((compared.root.parent / "elsewhere").iterdir())


@given(
    st.builds(
        BaselineResult,
        names,
        st.just("accuracy"),
        st.fixed_dictionaries({"accuracy": scores}, optional={"f1": scores, "a b": scores}),
        names,
        names,
        st.integers(-(2**63), 2**63 - 1),
        st.dictionaries(names, texts, max_size=2),
        st.dictionaries(st.sampled_from(["", "model", "benchmark"]), texts),
        texts,
        st.integers(0, 9),
        st.just("0a"),
        st.just("0b"),
    ),
    st.lists(texts, max_size=3),
)
def test_what_is_written_is_read(result: BaselineResult, because: list[str]) -> None:
    """Whatever texts and numbers a baseline has, its file gives them back."""
    written = Baseline("main", ("grid",), tuple(because), (result,))
    assert parse_baseline("main", Source("main.toml", format_baseline(written))) == written


def test_a_text_that_is_no_baseline_is_an_error() -> None:
    """Other TOML is refused."""
    with pytest.raises(EvalmakeError, match="it has no `version`"):
        parse_baseline("main", Source("main.toml", "[tool]\nname = 1\n"))
