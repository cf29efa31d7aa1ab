"""What a plan says about each cause that makes an evaluation stale, compared as a whole."""

from __future__ import annotations

import ast
import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from evalmake.planner import staleness
from tests.support.projects import Project, check_golden
from tests.support.shared_folders import make_once
from tests.support.workspaces import Bench, end, wait_for

GOLDEN = Path(__file__).with_name("reasons")
EVALFILE = """
    deployment served {
        engine  = mock
        weights = "hf://acme/small@main"
        args    = { skill = 0.8 }
        env     = { THREADS = "4" }
    }
    deployment grader { engine = mock }
    model own { deployment = served }
    model hosted {
        endpoint = "http://127.0.0.1:9/v1"
        name     = "hosted-7b"
    }
    model examiner { deployment = grader }

    benchmark sums {
        harness = native
        files   = glob("data/*.jsonl")
        prompt  = "{question}"
        target  = "{answer}"
        scorer  = number
    }
    benchmark graded {
        harness = native
        files   = file("data/sums.jsonl")
        prompt  = "{question}"
        target  = "{answer}"
        scorer  = judge
        judge   = examiner
    }
    benchmark scripted {
        harness = command
        files   = file("job.sh")
        run     = "sh data/job.sh", coverage = 75%
    }

    eval asked {
        model     = own
        benchmark = sums
        seed      in 1..2
        params    = { temperature = 0.5, stop = ["a", "b"] }
        require accuracy >= 10%
    }
    eval judged {
        model     = own
        benchmark = graded
        seed      = 1
        limit     = 2
    }
    eval tried {
        model     = hosted
        benchmark = scripted
        seed      in 1..3
    }

    report card {
        of   = [asked]
        path = "card.md"
    }
"""
JOB = """
    test ! -e ../../../broken || exit 3
    test ! -e ../../../slow || touch ../../../started
    test ! -e ../../../slow || sleep 1000
    head -c 100000 /dev/zero > $EVALMAKE_OUT/samples.bin
    echo '{"accuracy": {"value": 0.5, "n": 3, "unscored": 1}}' > $EVALMAKE_OUT/scores.json
"""


class Case(NamedTuple):
    """A change, the kind of reason that a cell then has to run, that cell or a report, words for `-n`."""

    change: Callable[[Bench], object]
    kind: str = "changed"
    why: str = "asked/1"
    words: tuple[str, ...] = ()


def edit(*pairs: str) -> Callable[[Bench], object]:
    """Replace each first text of two by the second in the Evalfile."""

    def change(bench: Bench) -> None:
        for old, new in zip(pairs[::2], pairs[1::2], strict=True):
            bench.edit(old, dedent(new))

    return change


def write(name: str, text: str) -> Callable[[Bench], object]:
    """Write a file."""
    return lambda bench: (bench.root / name).write_text(text)


def failed(bench: Bench) -> None:
    """Another job, which fails."""
    bench.edit('run     = "sh', 'run     = "exec sh')
    (bench.root / "broken").touch()
    assert bench.run("tried", "-j", "1").status == 2


def failed_then_edited(bench: Bench) -> None:
    """A job that fails, and yet another."""
    failed(bench)
    bench.edit("exec sh", "exec -- sh")


def failed_undone_then_edited(bench: Bench) -> None:
    """A job that fails, undone without a build; then a change of something else."""
    failed(bench)
    (bench.root / "broken").unlink()
    bench.edit("exec sh", "sh")
    bench.edit("hosted-7b", "hosted-8b")


def built_undone_then_edited(bench: Bench) -> None:
    """Another job, which succeeds; undone, which a build finds to be up to date; then a change of something else."""
    bench.edit('run     = "sh', 'run     = "exec sh')
    assert bench.run("tried").status == 0
    bench.edit("exec sh", "sh")
    assert "nothing to do" in bench.run().out
    bench.edit("hosted-7b", "hosted-8b")


def failed_after_success(bench: Bench) -> None:
    """One more attempt of what has a result, which fails."""
    (bench.root / "broken").touch()
    assert bench.run("-B", "tried/1").status == 2


def cancelled(bench: Bench) -> None:
    """Another job, which is interrupted."""
    bench.edit('run     = "sh', 'run     = "exec sh')
    (bench.root / "slow").touch()
    process = bench.start("tried/1")
    wait_for((bench.root / "started").exists)
    process.send_signal(signal.SIGINT)
    assert end(process).status == 130


def lose_outputs(bench: Bench) -> None:
    """Outputs are gone from the store."""
    for path in (bench.root / ".evalmake/store").glob("??/??/*.val"):
        path.unlink()


LOCK = json.dumps({"version": 1, "pins": {"hf://acme/small@main": {"commit": "ab" * 20, "date": "2026-08-21"}}})
RULES = '"{question}\\nThink step by step, write down each step, and then answer with a number."'
ONE = '{"question": "What is 1 + 1?", "answer": 2}\n'
CASES = {
    "nothing": Case(lambda bench: None, kind=""),
    "never-run-seed": Case(edit("1..2", "1..4"), kind="never-run", why="asked/3"),
    "never-run-model": Case(
        edit("model     = own\n    benchmark = sums", "model in [own, hosted]\n    benchmark = sums"),
        kind="never-run",
        why="asked/hosted/1",
    ),
    "params": Case(edit("temperature = 0.5", "temperature = 0.25")),
    "params-added": Case(edit("{ temperature", "{ top_p = 0.9, temperature")),
    "params-removed": Case(edit("temperature = 0.5, ", "")),
    "params-list": Case(edit('["a", "b"]', '["a", "c", "d"]')),
    "params-many": Case(edit('0.5, stop = ["a", "b"]', "1, top_k = 5, greedy = true, none_of = 2")),
    "params-type": Case(edit("0.5", "1"), why="asked/2"),
    "adapter": Case(edit("seed      in 1..2", 'seed in 1..2\nadapter   = { system = "Be brief." }')),
    "seed": Case(edit("seed      = 1", "seed      = 2"), why="judged"),
    "limit": Case(edit("limit     = 2", "limit     = 1"), why="judged"),
    "limit-removed": Case(edit("limit     = 2", ""), why="judged"),
    "model-name": Case(edit("hosted-7b", "hosted-8b"), why="tried/2"),
    "model-endpoint": Case(edit("127.0.0.1:9", "127.0.0.1:99"), why="tried/2"),
    "model-revision": Case(edit('"hosted-7b"', '"hosted-7b"\nrevision = "2026-08"'), why="tried/2"),
    "model-deployed": Case(edit('endpoint = "http://127.0.0.1:9/v1"', "deployment = grader"), why="tried/2"),
    "engine-argument": Case(edit("skill = 0.8", "skill = 0.9")),
    "engine-environment": Case(edit('"4"', '"8"')),
    "engine-weights": Case(edit("@main", "@v2")),
    "engine-weights-pinned": Case(write("Evalfile.lock", LOCK)),
    "judge": Case(
        edit("grader { engine = mock }", "grader { engine = mock, args = { seed = 7 } }"),
        why="judged",
    ),
    "prompt": Case(edit('"{question}"', RULES)),
    "harness": Case(
        edit(
            "harness = command",
            "harness = native",
            'run     = "sh data/job.sh"',
            'prompt = "{question}"\n target = "{answer}"',
            "job.sh",
            "data/sums.jsonl",
        ),
        why="tried/1",
    ),
    "command": Case(edit("sh data/job.sh", "sh -e data/job.sh"), why="tried/1"),
    "file-changed": Case(write("data/sums.jsonl", ONE)),
    "file-added": Case(write("data/more.jsonl", ONE)),
    "output-missing": Case(lose_outputs, kind="output-missing", why="tried/1"),
    "too-old": Case(edit('"hosted-7b"', '"hosted-7b"\nmax_age = 0s'), kind="too-old", why="tried/1"),
    "fell-short": Case(edit("coverage = 75%", "coverage = 90%"), kind="fell-short", why="tried/1"),
    "failed": Case(failed, kind="failed", why="tried/1"),
    "failed-then-edited": Case(failed_then_edited, why="tried/1"),
    "failed-undone-then-edited": Case(failed_undone_then_edited, why="tried/1"),
    "built-undone-then-edited": Case(built_undone_then_edited, why="tried/1"),
    "failed-after-success": Case(failed_after_success, kind="rerun", why="tried/1"),
    "cancelled": Case(cancelled, kind="cancelled", why="tried/1"),
    "forced": Case(lambda bench: None, kind="forced", why="tried/1", words=("-B", "tried")),
    "several": Case(
        edit(
            "temperature = 0.5",
            "temperature = 0.25",
            "skill = 0.8",
            "skill = 0.9",
            "scorer  = number",
            "scorer  = exact",
        )
    ),
    "renamed": Case(edit("eval tried", "eval probed"), kind="", why="probed/1"),
    "report-new": Case(
        lambda bench: bench.evalfile(EVALFILE, 'report other { of = [tried], path = "other.md" }\n'),
        kind="",
        why="other",
    ),
    "report-missing": Case(lambda bench: (bench.root / "card.md").unlink(), kind="", why="card"),
    "report-edited": Case(write("card.md", "All is well.\n"), kind="", why="card"),
    "report-gate-moved": Case(edit(">= 10%", ">= 20%"), kind="", why="card"),
    "report-one-result": Case(edit("1..2", "2..3"), kind="never-run", why="asked/3"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all is up to date."""

    def make(folder: Path) -> None:
        bench = Bench(folder)
        bench.evalfile(EVALFILE)
        bench.job(JOB)
        (bench.root / "data").mkdir()
        bench.sums(4, "data/sums.jsonl")
        ended = bench.run()
        assert ended.status == 0, ended.text

    return make_once(tmp_path_factory, "reasons", make)


def said(text: str) -> str:
    """The text with placeholders for moments, durations and digests."""
    text = re.sub(r"\b(sha256|xxh128):[0-9a-f]+", r"\1:[DIGEST]", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "[MOMENT]", text)
    return re.sub(r"about [\d.ms]+ of work(, \d+ tokens)?", "about [WORK]", text)


@pytest.mark.parametrize("name", CASES)
def test_what_is_said(name: str, built: Path, project: Project) -> None:
    """`-n` and `why` print what the golden file of the change holds (UPDATE_GOLDEN=1 rewrites it)."""
    case = CASES[name]
    shutil.copytree(built, project.root, dirs_exist_ok=True)
    case.change(Bench(project.root))
    plan = json.loads(project.run("-n", "--json", *case.words).stdout)
    reasons = [r for one in plan["evaluations"] if one["name"] == case.why for r in one["reasons"]]
    assert {reason["kind"] for reason in reasons} == ({case.kind} if case.kind else set())
    texts = []
    for words in (["-n", *case.words], ["why", case.why]):
        texts.append(f"$ evalmake {' '.join(words)}\n{project.run(*words).stdout}")
    check_golden(GOLDEN / f"{name}.txt", said("\n".join(texts)))


def test_every_kind_is_shown() -> None:
    """Each kind of reason has a case, and each golden file, too."""
    calls = [n for n in ast.walk(ast.parse(Path(staleness.__file__).read_text())) if isinstance(n, ast.Call)]
    named = [c.args[0] for c in calls if getattr(c.func, "id", "") == "Reason"]
    kinds = {arg.value for arg in named if isinstance(arg, ast.Constant)} | {"failed", "cancelled"}
    assert len(kinds) > 5
    assert kinds == {case.kind for case in CASES.values() if case.kind}
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)


def changed_keys(bench: Bench, *words: str) -> list[str]:
    """What `-n` says has changed for the cell `tried/1`."""
    plan = json.loads(bench.run("-n", "--json", *words).out)
    [reasons] = [one["reasons"] for one in plan["evaluations"] if one["name"] == "tried/1"]
    return [reason["subject"] for reason in reasons]


def test_each_evalfile_has_its_own_baseline(built: Path, project: Project) -> None:
    """Two Evalfiles that share a store and names of cells: each is compared with its own last result."""
    shutil.copytree(built, project.root, dirs_exist_ok=True)
    bench = Bench(project.root)
    text = (bench.root / "Evalfile").read_text()
    (bench.root / "other.evalfile").write_text(
        text.replace("hosted-7b", "hosted-9b").replace("sh data/", "sh -e data/")
    )
    other = ("-f", "other.evalfile")
    assert changed_keys(bench, *other) == [""]  # never run: the first Evalfile's results are not its baseline
    assert bench.run(*other, "tried").status == 0

    bench.edit("hosted-7b", "hosted-8b")
    name_changed = changed_keys(bench)
    assert len(name_changed) == 1
    other_text = (bench.root / "other.evalfile").read_text()
    (bench.root / "other.evalfile").write_text(other_text.replace("hosted-9b", "hosted-8b"))
    assert changed_keys(bench, *other) == name_changed
