"""Which changes make evaluations stale, which do not, and what is said about it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.shared_folders import make_once
from tests.support.workspaces import Bench

EVALFILE = """
    deployment one { engine = mock, args = { skill = 0.6 } }
    deployment two { engine = mock, args = { skill = 0.9 } }
    model one { deployment = one }
    model two { deployment = two }

    defaults benchmark {
        harness = native
        prompt  = "{question}"
        target  = "{answer}"
        scorer  = number
    }
    benchmark sums { files = file("sums.jsonl") }
    benchmark more { files = file("more.jsonl") }

    # The whole grid.
    eval grid {
        model     in [one, two]
        benchmark in [sums, more]
        seed      in 1..2
        params    = { temperature = 0.5 }
        when benchmark = more { params = { top_p = 0.9 } }
        when model = two { require accuracy >= 10% }
    }

    report card { of = [grid], path = "out/card.md" }
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose eight cells are up to date."""

    def make(folder: Path) -> None:
        bench = Bench(folder)
        bench.evalfile(EVALFILE)
        bench.sums(10)
        bench.sums(12, "more.jsonl")
        ended = bench.run()
        assert ended.status == 0, ended.text
        assert "8 ran" in ended.out
        assert (bench.root / "out/card.md").exists()

    return make_once(tmp_path_factory, "staleness", make)


@pytest.fixture
def built(bench: Bench, original: Path) -> Bench:
    """A workspace whose eight cells are up to date."""
    shutil.copytree(original, bench.root, dirs_exist_ok=True)
    return bench


def test_nothing_to_do_is_one_line(built: Bench) -> None:
    """A second and a third build run nothing, say so in one line, and exit with 0."""
    for _ in range(3):
        ended = built.run()
        assert (ended.status, ended.text) == (0, "nothing to do: 8 evaluations up to date\n")
    assert built.run("-q").status == 0


def test_one_value_of_one_when(built: Bench) -> None:
    """An edit under one `when` makes exactly its cells stale, shows old and new value, and runs only those."""
    built.edit("top_p = 0.9", "top_p = 0.8")
    plan = built.run("-n").out
    assert "~ grid/one/more/1..2   params.top_p: 0.9 -> 0.8" in plan
    assert "~ grid/two/more/1..2   params.top_p: 0.9 -> 0.8" in plan
    assert "= 4 up to date" in plan
    assert built.run("-q").status == 1
    why = built.run("why", "grid/two/more/1").out
    assert "params.top_p   0.9 -> 0.8   Evalfile:" in why
    assert "4 ran, 4 reused" in built.run().out
    built.edit("top_p = 0.8", "top_p = 0.9")
    assert "to run" not in built.run("-n").out.replace("nothing to run", ""), "old results count again"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# The whole grid.", "# The whole grid, as ever."),
        ('file("sums.jsonl")', 'file("elsewhere/sums.jsonl")'),
        ("    # The whole", "settings { replies = none, seeds = [] }\n    # The whole"),
        ("params    = {", "executor  = here\n        params    = {"),
        ("seed      in 1..2", "timeout   = 5m\n        retries   = 2\n        seed      in 1..2"),
    ],
)
def test_what_is_no_identity_reruns_nothing(built: Bench, old: str, new: str) -> None:
    """Comments, paths, executors, timeouts and cached replies make no evaluation run again."""
    (built.root / "elsewhere").mkdir()
    (built.root / "elsewhere/sums.jsonl").write_bytes((built.root / "sums.jsonl").read_bytes())
    built.edit("# The whole", "executor here { backend = process, slots = 1 }\n    # The whole")
    built.edit(old, new)
    assert built.run("-n").out.startswith("  = 8 up to date\n\nnothing to run")


def test_a_moved_gate_is_judged_anew(built: Bench) -> None:
    """A changed `require` runs nothing, rewrites the report, and decides the exit status."""
    built.edit("accuracy >= 10%", "accuracy >= 100%")
    ended = built.run()
    assert ended.status == 1
    assert "grid/two/sums: accuracy is" in ended.err
    assert "0 ran, 8 reused" in ended.out
    assert "NOT met" in (built.root / "out/card.md").read_text()


def test_a_gate_is_judged_over_all_seeds(built: Bench) -> None:
    """A gate counts the results of all seeds, also when only one is selected, and names missing ones."""
    built.edit("accuracy >= 10%", "accuracy >= 100%")

    def gate(target: str) -> tuple[int, int, str]:
        """The exit status, the seeds that the gate judged, and the message."""
        ended = built.run("--json", target)
        [one] = json.loads(ended.out)["gates"]
        return ended.status, len(one["parts"]), one["message"]

    status, seeds, message = gate("grid/two/sums/1")
    assert (status, seeds) == (1, 2)
    assert message.endswith("below 1.00")
    built.edit("in 1..2", "in 1..3")
    assert gate("grid/two/sums/1") == (1, 2, f"{message} (2 of 3 seeds)")
    status, seeds, message = gate("grid/two/sums/3")
    assert (status, seeds) == (1, 3)
    assert "seeds)" not in message


def test_files_count_by_content(built: Bench) -> None:
    """A touched file changes nothing; one changed byte makes exactly its users stale."""
    os.utime(built.root / "sums.jsonl")
    assert "8 evaluations up to date" in built.run().out
    path = built.root / "sums.jsonl"
    path.write_text(path.read_text().replace("What is 3 +", "What's 3 +"))
    plan = built.run("-n").out
    assert "grid/one/sums/1..2   benchmark.files.sha256:" in plan
    assert "grid/two/sums/1..2" in plan
    assert "= 4 up to date" in plan


def test_a_deleted_report_is_written_again(built: Bench) -> None:
    """A deleted report is written again, byte for byte, and nothing else runs."""
    card = built.root / "out/card.md"
    before = card.read_bytes()
    card.unlink()
    assert "out/card.md is missing" in built.run("-n").out
    assert "0 ran, 8 reused\nwrote out/card.md" in built.run().out
    assert card.read_bytes() == before


def test_a_saved_plan_runs_exactly_or_names_what_moved(built: Bench) -> None:
    """`--plan` runs the saved plan; after an edit it refuses and says what is different."""
    built.edit("temperature = 0.5", "temperature = 0.25")
    assert built.run("-n", "-o", "plan.json").status == 0
    saved = json.loads((built.root / "plan.json").read_text())
    assert sum(e["run"] for e in saved["evaluations"]) == 8
    built.edit("top_p = 0.9", "top_p = 0.7")
    refused = built.run("--plan", "plan.json")
    assert refused.status == 2
    assert "[plan-moved]" in refused.err
    assert "note: grid/one/more/1 and 3 more: params.top_p: 0.9 -> 0.7\n" in refused.err
    built.edit("top_p = 0.7", "top_p = 0.9")
    assert "8 ran" in built.run("--plan", "plan.json").out


@pytest.mark.parametrize(
    ("old", "new", "moved"),
    [
        (
            "seed      in 1..2",
            "confidence = 90%\n        seed      in 1..2",
            "grid/two/sums/1 and 3 more: confidence: none -> 0.9",
        ),
        ("# The whole grid.", "settings { confidence = 90% }", "report card: confidence: none -> 0.9"),
        ('"out/card.md"', '"out/other.md"', "report card: path: out/card.md -> out/other.md"),
        ('"out/card.md"', '"out/card.md", rows = eval', "report card: rows: model -> eval"),
        ('"out/card.md"', '"out/card.md", column = seed', "report card: column: benchmark -> seed"),
        ('"out/card.md"', '"out/card.md", compare = one', "report card: compare: none -> one"),
        ('"out/card.md"', '"out/card.md", average = true', "report card: average: false -> true"),
        ('"out/card.md"', '"out/card.md", sign = secret("KEY")', 'report card: sign[0]: (none) -> secret("KEY")'),
    ],
)
def test_a_saved_plan_covers_what_it_judges_and_tells(built: Bench, old: str, new: str, moved: str) -> None:
    """A saved plan refuses a changed confidence or report, although neither reruns anything, and names it."""
    assert built.run("-n", "-o", "plan.json").status == 0
    built.edit(old, new)
    refused = built.run("--plan", "plan.json")
    assert refused.status == 2
    assert "[plan-moved]" in refused.err
    assert f"note: {moved}\n" in refused.err


def test_a_saved_plan_brings_its_overrides_and_targets(built: Bench) -> None:
    """A saved plan brings its overrides and targets along."""
    built.edit("eval grid {", "LIMIT = 10\neval grid {\n    limit = LIMIT")
    assert built.run("-n", "-o", "plan.json", "grid/one/sums/1", "LIMIT=3").status == 0
    assert "1 ran" in built.run("--plan", "plan.json").out


def test_a_report_never_overwrites_an_input(built: Bench) -> None:
    """A report whose path is the Evalfile or an input is an error when the Evalfile is loaded."""
    before = (built.root / "Evalfile").read_text()
    built.edit('"out/card.md"', '"Evalfile"')
    refused = built.run()
    assert refused.status == 2
    assert "Evalfile is an input [same-path]" in refused.err
    assert (built.root / "Evalfile").read_text() == before.replace('"out/card.md"', '"Evalfile"')


def test_b_adds_an_attempt(built: Bench) -> None:
    """`-B` runs up-to-date targets again and keeps both attempts."""
    assert "1 ran" in built.run("-B", "grid/one/sums/1").out
    assert "attempt 2" in built.run("why", "grid/one/sums/1").out


def test_accept_lets_an_old_result_count(built: Bench) -> None:
    """An accepted difference runs nothing, and the reason stays visible."""
    built.edit("skill = 0.9", "skill = 0.91")
    said = built.run("accept", "grid/two/*/*", "--because", "the same weights, renamed").out
    assert said.count("the same weights, renamed") == 4
    assert "8 up to date" in built.run("-n").out
    assert "accepted because the same weights, renamed" in built.run("why", "grid/two/sums/1").out


def test_selection_by_glob_and_override(built: Bench) -> None:
    """Globs select cells; an unknown word gets a suggestion."""
    assert "4 up to date" in built.run("-n", "grid/two/*/*").out
    ended = built.run("grid/tow/sums/1")
    assert ended.status == 2
    assert "did you mean `grid/two/sums/1`?" in ended.err


def test_telling_commands(built: Bench) -> None:
    """list, show, graph and logs print what is declared and what has run."""
    assert "grid  eval: 8 cells  # The whole grid." in built.run("list").out
    assert "top_p" in built.run("show", "grid/one/more/1").out
    shown = built.run("show", "grid").out
    assert "model in [one, two]" in shown
    assert "require accuracy >= 0.1 when model = two" in shown
    assert "card is up to date: out/card.md" in built.run("why", "card").out
    (built.root / "out/card.md").unlink()
    assert "card is stale: out/card.md is missing" in built.run("why", "card").out
    assert '"grid/one/more/1" -> "card";' in built.run("graph").out
    assert built.run("graph", "--format", "mermaid").out.startswith("flowchart LR")
    assert "succeeded" in built.run("logs", "grid/one/more/1").out
    assert "all match" in built.run("verify").out
    assert "0 entries" in built.run("gc").out


def test_plain_files_of_the_workspace_stay_few(built: Bench) -> None:
    """A finished job leaves no work folder and no journal entry."""
    root: Path = built.root / ".evalmake"
    assert list((root / "work").iterdir()) == []
    assert list((root / "journal").iterdir()) == []
