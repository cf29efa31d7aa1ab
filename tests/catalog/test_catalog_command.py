"""`evalmake catalog` finds public benchmarks and shows them, anywhere, at once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evalmake.project.catalog import REQUIRES, read_entries
from tests.support.projects import Project, check_golden


def names(project: Project, *argv: str) -> list[str]:
    """The benchmarks that a command line lists."""
    return [line.split()[0] for line in project.run("catalog", *argv).stdout.splitlines()]


def test_without_a_pattern_it_lists_all(project: Project) -> None:
    """One a line, with kind of endpoint, needs and what it is; no Evalfile is needed."""
    lines = project.run("catalog").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(read_entries())
    (mtbench,) = [line for line in lines if line.startswith("mtbench.mtbench ")]
    assert re.fullmatch(r"mtbench\.mtbench +chat +judge +# MT-Bench: 80 questions .*", mtbench)


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (
            ["aime-2024"],
            ["codec.aime-2024", "simple-evals.aime-2024", "simple-evals.aa-aime-2024", "simple-evals.aime-2024-nemo"],
        ),
        (
            ["AIME_2024"],
            ["codec.aime-2024", "simple-evals.aime-2024", "simple-evals.aa-aime-2024", "simple-evals.aime-2024-nemo"],
        ),
        (["*.aime-2024"], ["codec.aime-2024", "simple-evals.aime-2024"]),
        (["gpqa", "--endpoint", "completions", "--requires", "logprobs"], ["lm-evaluation-harness.gpqa"]),
        (["--harness", "garak"], ["garak.garak", "garak.garak-completions"]),
        (
            ["--requires", "judge", "--requires", "token"],
            [
                "hle.hle",
                "hle.hle-aa-v2",
                "nemo-skills.ns-hle",
                "nemo-skills.ns-hle-aa",
                "safety-eval.aegis-v2",
                "safety-eval.aegis-v2-completions",
                "safety-eval.aegis-v2-reasoning",
                "safety-eval.wildguard",
                "safety-eval.wildguard-completions",
            ],
        ),
        (
            ["--endpoint", "vlm", "--requires", "judge"],
            [
                "vlmevalkit.ai2d-judge",
                "vlmevalkit.mathvista-mini",
                "vlmevalkit.mmmu-judge",
                "vlmevalkit.ocr-reasoning",
                "vlmevalkit.slidevqa",
            ],
        ),
    ],
)
def test_what_is_found(project: Project, argv: list[str], found: list[str]) -> None:
    """By part of a name, by the harness's own spelling, by pattern, and by every flag that is given."""
    assert names(project, *argv) == found


@pytest.mark.parametrize("word", REQUIRES)
def test_every_word_of_needs_finds_something(project: Project, word: str) -> None:
    """What `--requires` takes is what benchmarks require."""
    assert set(names(project, "--requires", word)) == {
        entry.name for entry in read_entries().values() if word in entry.requires
    }


def test_objects_for_programs(project: Project) -> None:
    """`--json` prints one object a line, the same for a list and for `show`."""
    (line,) = project.run("catalog", "hle.hle-aa", "--json").stdout.splitlines()
    told = json.loads(line)
    assert told["keys"]["task"] == "hle_aa_v2"
    assert told["include"] == 'include "catalog:hle"'
    assert told["requires"] == ["judge", "token"]
    assert json.loads(project.run("catalog", "show", "hle.hle-aa-v2", "--json").stdout) == told


def test_one_is_shown_as_it_is_declared(project: Project) -> None:
    """With all that its file's defaults say, what it needs, and how else it is to be had."""
    shown = project.run("catalog", "show", "ruler.ruler-4k-chat").stdout
    check_golden(Path(__file__).parent / "golden" / "show.evalfile", shown)
    assert project.run("catalog", "show", "simple_evals.AIME_2025").stdout.startswith("# AIME: ")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (
            ["show", "simple-evals.aime-2052"],
            "error: the catalog has no benchmark `simple-evals.aime-2052` [unknown-name]\n"
            "help: did you mean `simple-evals.aime-2025`?\n",
        ),
        (
            ["show", "aime-2025"],
            "error: the catalog has no benchmark `aime-2025` [unknown-name]\n"
            "help: did you mean `codec.aime-2025` or `simple-evals.aime-2025`?\n",
        ),
        (
            ["show", "nothing.like-it"],
            "error: the catalog has no benchmark `nothing.like-it` [unknown-name]\n"
            "help: `evalmake catalog` shows all of them\n",
        ),
        (
            ["simple-evals.mgms"],
            "error: no benchmark of the catalog matches `simple-evals.mgms` [unknown-name]\n"
            "help: did you mean `simple-evals.mgsm`?\n",
        ),
        (
            ["mgsm", "--endpoint", "vlm"],
            "error: no benchmark of the catalog matching `mgsm` is what the flags ask for [unknown-name]\n"
            "help: `evalmake catalog mgsm` shows the 6 that are not\n",
        ),
        (
            ["--endpoint", "vlm", "--requires", "token"],
            "error: no benchmark of the catalog is what the flags ask for [unknown-name]\n"
            "help: `evalmake catalog` shows the 435 that are not\n",
        ),
        (
            ["humanevl"],
            "error: no benchmark of the catalog matches `humanevl` [unknown-name]\nhelp: did you mean `humaneval`?\n",
        ),
        (
            ["show", "aime"],
            "error: the catalog has no benchmark `aime` [unknown-name]\n"
            "help: `evalmake catalog aime` lists the 11 that have this in their names\n",
        ),
        (
            ["--requires", "jugde"],
            "error: `--requires` cannot be `jugde` [unknown-word]\n"
            "note: it can be judge, user, key, token, code, logprobs, tokenizer, tools, data\n"
            "help: did you mean `judge`?\n",
        ),
        (
            ["--endpoint", "embeddings"],
            "error: `--endpoint` cannot be `embeddings` [unknown-word]\n"
            "note: it can be chat, completions, embedding, vlm\n"
            "help: did you mean `embedding`?\n",
        ),
    ],
)
def test_what_is_not_there(project: Project, argv: list[str], said: str) -> None:
    """An error, with what was probably meant."""
    result = project.run("catalog", *argv, status=2)
    assert (result.stdout, result.stderr) == ("", said)


def test_a_harness_may_be_called_as_its_image_is(project: Project) -> None:
    """The names of NVIDIA's images are suggestions too."""
    said = project.run("catalog", "--harness", "safety-harness", status=2).stderr
    assert "it can be aa-lcr, agentic-eval, bfcl," in said
    assert said.endswith("help: did you mean `safety-eval`?\n")


@pytest.mark.parametrize("argv", [["show"], ["show", "a", "b"], ["a", "b"]])
def test_how_it_is_used(project: Project, argv: list[str]) -> None:
    """One pattern, or `show` and one name."""
    assert "usage: evalmake catalog [OPTIONS] [PATTERN | show NAME]" in project.run("catalog", *argv, status=2).stderr


def test_a_list_parses_nothing(tmp_path: Path) -> None:
    """It reads the index: neither the parser nor the models of declarations are loaded."""
    probe = "import sys; from evalmake import cli; cli.run(['catalog', 'mgsm']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.stdout.startswith("lm-evaluation-harness.mgsm ")
    assert not {"lark", "pydantic", "networkx", "evalmake.workspace"} & set(done.stderr.split())
