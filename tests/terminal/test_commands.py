"""The list of commands, and what comes from it: files, reserved names, help and completion."""

from __future__ import annotations

import errno
import json
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

import evalmake
from evalmake import cli
from evalmake.command_registry import COMMAND_NAMES, REGISTRY
from tests.support.projects import Project
from tests.support.workspaces import Bench

COMMANDS = Path(evalmake.__file__).parent / "commands"
EVALFILE = """\
model m {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}

benchmark b {
    harness = command
    run     = "true"
}

eval first {
    model     = m
    benchmark = b
}
"""

ODD = "model   m {  }\n"


def complete(project: Project, line: str) -> list[str]:
    """What bash offers for the last word of a command line."""
    words = shlex.split(line) + [""] * line.endswith(" ")
    env = {"_EVALMAKE_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    ended = Bench(project.root).run(env=env)
    assert ended.status == 0
    return [row.partition(",")[2] for row in ended.out.splitlines()]


def test_each_command_has_a_file() -> None:
    """The command `gc` is `command` in `commands/gc.py`, under the registry's summary; no other file is a command."""
    files = {path.stem for path in COMMANDS.glob("*.py")}
    assert files - {"__init__"} == set(COMMAND_NAMES)
    for entry in REGISTRY:
        command = import_module(f"evalmake.commands.{entry.name}").command
        assert isinstance(command, click.Command)
        assert (command.name, command.get_short_help_str(200)) == (entry.name, entry.summary)


MATRIX = """\
model a {
    endpoint = "http://a/v1"
    name     = "a"
}
model b from a {}
benchmark x {
    harness = command
    run     = "true"
}
eval grid {
    model in [a, b]
    benchmark = x
    seed in 1..3
}
eval one {
    model     = a
    benchmark = x
}
eval two from one { limit = 1 }
"""


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_no_target_has_the_name_of_a_command(project: Project, name: str) -> None:
    """On a command line the name would mean the command, so the Evalfile is refused."""
    project.write("Evalfile", EVALFILE.replace("eval first", f"eval {name}"))
    assert f"`{name}`" in project.run("-n", status=2).stderr


def test_help_is_complete_and_the_same_by_every_flag(project: Project) -> None:
    """Every command with its line, every flag of a build, examples, exit statuses, and where to read on."""
    text = project.run("--help").stdout
    assert text == project.run("-h").stdout == project.run("-n", "first", "-h").stdout
    flat = " ".join(text.split())
    assert all(f"{entry.name} {entry.summary}" in flat for entry in REGISTRY)
    build = import_module("evalmake.commands.build").command
    assert all(flag in text for param in build.params if isinstance(param, click.Option) for flag in param.opts)
    for title in ("Usage:", "Options:", "Examples:", "Exit status:", "Read on:"):
        assert title in text
    assert "evalmake help" in text
    assert max(map(len, text.splitlines())) <= 110


def test_a_command_has_help_of_its_own(project: Project) -> None:
    """`evalmake gc -h` is about gc."""
    text = project.run("gc", "-h").stdout
    assert "Delete stored data that no result refers to." in text
    assert "--dry-run" in text


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("evalmake l", {"list", "logs"}),
        ("evalmake f", {"fmt", "first"}),
        ("evalmake -n f", {"fmt", "first"}),
        ("evalmake first f", {"first"}),
        ("evalmake build f", {"first"}),
        ("evalmake why f", {"first"}),
        ("evalmake logs f", {"first"}),
        ("evalmake show b", {"b"}),
        ("evalmake replies e", {"export"}),
        ("evalmake graph --format m", {"mermaid"}),
        ("evalmake explain gate-n", {"gate-not-met"}),
        ("evalmake help tut", {"tutorial"}),
        ("evalmake help ev", {"eval", "eval.adapter", "eval.resources", "evidence"}),
        ("evalmake catalog sh", {"show"}),
        ("evalmake gc --dry", {"--dry-run"}),
        ("evalmake --keep", {"--keep-going"}),
    ],
)
def test_completion(project: Project, line: str, offered: set[str]) -> None:
    """The shell offers commands beside targets, and what the command takes."""
    project.write("Evalfile", EVALFILE)
    assert set(complete(project, line)) == offered


def test_completion_where_nothing_is_to_do(project: Project) -> None:
    """The output of a null build is not taken for an answer to the shell."""
    project.write("job.sh", "echo '{\"accuracy\": 1.0}' > $EVALMAKE_OUT/scores.json\n")
    project.write("Evalfile", EVALFILE.replace('"true"', '"sh ../../../job.sh"'))
    for _ in range(3):
        assert Bench(project.root).run().status == 0
    assert set(complete(project, "evalmake l")) == {"list", "logs"}


@pytest.mark.parametrize(
    ("words", "message", "help_"),
    [
        (["--dryrun"], "there is no option `--dryrun`", "help: did you mean `--dry-run`?"),
        (["show"], "missing argument 'TARGET'", "help: `evalmake show -h` shows its options"),
        (["-j", "0"], "invalid value for '-j'", "help: `evalmake -h` shows its options"),
    ],
)
def test_usage_errors_look_like_others(project: Project, words: list[str], message: str, help_: str) -> None:
    """A wrong option is a diagnostic with a code and a help, also as JSON."""
    said = project.run(*words, status=2).stderr
    assert said.startswith(f"error: {message}")
    assert "[usage]\n" in said
    assert help_ in said
    assert json.loads(project.run(*words, "--json", status=2).stderr)["code"] == "usage"


@pytest.mark.parametrize(
    ("words", "cells"),
    [
        (["grid/{a,b}/1"], ["grid/a/1", "grid/b/1"]),
        (["grid/a/1..3"], ["grid/a/1", "grid/a/2", "grid/a/3"]),
        (["grid/{a,b}/2..3"], ["grid/a/2", "grid/a/3", "grid/b/2", "grid/b/3"]),
        (["grid/*/{1,3}"], ["grid/a/1", "grid/b/1", "grid/a/3", "grid/b/3"]),
        (["{one,two}"], ["one", "two"]),
    ],
)
def test_printed_names_are_targets(project: Project, words: list[str], cells: list[str]) -> None:
    """What `-n` prints for several cells can be pasted, and means just these."""
    project.write("Evalfile", MATRIX)
    shown = json.loads(project.run("-n", "--json", *words).stdout)
    assert {one["name"] for one in shown["evaluations"]} == set(cells)
    first = project.run("-n", *words).stdout.splitlines()
    pasted = [line.split()[1] for line in first if line.startswith("  + ")]
    again = json.loads(project.run("-n", "--json", *pasted).stdout)
    assert {one["name"] for one in again["evaluations"]} == set(cells)
    assert project.run("show", words[0]).stdout.count("requests of ") == len(cells)


def test_many_names_are_a_pattern(project: Project) -> None:
    """All values of a long axis are shown as `*`, which is a target too."""
    names = [f"m{number}" for number in range(12)]
    models = "".join(f"model {name} from a {{}}\n" for name in names)
    project.write("Evalfile", f"{MATRIX}{models}eval long {{\n model in [{', '.join(names)}]\n benchmark = x\n}}\n")
    assert "  + long/*   never run\n" in project.run("-n", "long").stdout
    assert "  + long/*   never run\n" in project.run("-n", "long/*").stdout
    some = project.run("-n", *(f"long/{name}" for name in names[1:])).stdout
    assert "  + long/{m1,m2,m3,m4,m5,m6,m7,... 11 in all}   never run\n" in some


def test_a_part_that_names_nothing(project: Project) -> None:
    """A name in braces that is no target is an error."""
    project.write("Evalfile", MATRIX)
    assert "no target is named `grid/c/1`" in project.run("-n", "grid/{a,c}/1", status=2).stderr


def test_question_asks_for_work_and_not_for_gates(project: Project) -> None:
    """As in Make, `-q` has status 0 where nothing is to do, also with a gate that is not met; the help says so."""
    project.write("job.sh", "echo '{\"accuracy\": 0.1}' > $EVALMAKE_OUT/scores.json\n")
    text = EVALFILE.replace('"true"', '"sh ../../../job.sh"')
    project.write("Evalfile", text.replace("benchmark = b\n", "benchmark = b\n    require accuracy >= 50%\n"))
    project.run("-q", status=1)
    project.run(status=1)
    project.run("-q", status=0)
    project.run(status=1)
    assert "with -q, gates do not count" in " ".join(project.run("-h").stdout.split())


def test_completion_without_an_evalfile(project: Project) -> None:
    """Commands are offered all the same, and nothing is printed."""
    assert set(complete(project, "evalmake l")) == {"list", "logs"}


def test_explain_alone_lists_the_codes(project: Project) -> None:
    """A line each: the code, and the beginning of its page."""
    lines = project.run("explain").stdout.splitlines()
    pages = {path.stem for path in (COMMANDS.parent / "explanations").glob("*.md")}
    listed = {line.split()[0]: line for line in lines[: len(pages)]}
    assert set(listed) == pages
    assert listed["gate-not-met"].split(maxsplit=1)[1]
    assert max(map(len, lines)) <= 100


def test_help_lists_the_topics(project: Project) -> None:
    """Every page of the manual by its topic, with its title."""
    text = project.run("help").stdout
    manual = COMMANDS.parent / "manual"
    for path in manual.rglob("*.md"):
        topic = str(path.relative_to(manual)).removesuffix(".md")
        title = path.read_text().splitlines()[0].lstrip("# ")
        assert any(line.split(maxsplit=1) == [topic, title] for line in text.splitlines()), topic


def test_help_shows_a_page_as_it_is_written(project: Project) -> None:
    """In a pipe a page is its Markdown; several words name one topic."""
    page = (COMMANDS.parent / "manual/targets-and-overrides.md").read_text()
    assert project.run("help", "targets-and-overrides").stdout == page
    assert project.run("help", "targets", "and", "overrides").stdout == page


@pytest.mark.parametrize(("topic", "meant"), [("tut", "tutorial"), ("languge", "language")])
def test_help_names_the_closest_topic(project: Project, topic: str, meant: str) -> None:
    """For a topic that does not exist."""
    assert f"did you mean `{meant}`?" in project.run("help", topic, status=2).stderr


@pytest.mark.parametrize(
    ("words", "key"),
    [(["keys"], "endpoint"), (["eval"], "seed"), (["model.adapter"], "drop"), (["executor", "slurm"], "partition")],
)
def test_help_shows_keys(project: Project, words: list[str], key: str) -> None:
    """The key reference of a kind, a map or a plugin, whichever way round its words are."""
    text = project.run("help", *words).stdout
    assert f"\n{key}\n" in text
    assert text == project.run("help", " ".join(words)).stdout
    assert project.run("help", "slurm", "executor").stdout == project.run("help", "executor slurm").stdout


def test_another_folder(project: Project) -> None:
    """-C works in another folder however it is written, and says if it cannot."""
    project.write("below/Evalfile", EVALFILE)
    for words in (("-C", "below"), ("-Cbelow",), ("--directory=below",)):
        assert project.run("list", *words).stdout.startswith("first")
    said = project.run("-n", "-C", "nowhere", status=2).stderr
    assert said == "error: cannot work in nowhere: No such file or directory\n"


def test_paths_are_shown_as_written(project: Project) -> None:
    """`show` repeats the call of `file` or `glob`; of a variable it shows the file's path from here."""
    project.write("data/x.jsonl", "{}\n")
    for written, shown in {
        'file("data/x.jsonl")': 'file("data/x.jsonl")',
        'glob("data/*.jsonl")': 'glob("data/*.jsonl")',
        "DATA": 'file("data/x.jsonl")',
    }.items():
        text = EVALFILE.replace('"true"', f'"true"\n    files   = {written}')
        project.write("Evalfile", 'DATA = file("data/x.jsonl")\n' + text)
        assert f"    files   = {shown}  Evalfile:" in project.run("show", "b").stdout


@pytest.mark.parametrize("words", [(), ("-n",), ("-q",), ("all",), ("why",)])
def test_an_evalfile_without_evals_builds_nothing(project: Project, words: tuple[str, ...]) -> None:
    """As Make does for a file without targets, a build ends with an error and the status 2."""
    project.write("Evalfile", EVALFILE.partition("eval first")[0])
    said = project.run(*words, status=2).stderr
    assert said == (
        "error: `Evalfile` declares no eval, so there is nothing to build [no-targets]\n"
        "help: declare one: `eval first { model = m, benchmark = b }`\n"
    )


@pytest.mark.parametrize("command", ["list", "graph", "status", "verify", "cancel", "clean", "gc", "pin"])
def test_other_commands_need_no_eval(project: Project, command: str) -> None:
    """What looks after models, jobs and stored data works on an Evalfile that has no eval any more."""
    project.write("Evalfile", EVALFILE.partition("eval first")[0])
    assert project.run(command).status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "cannot use {root}/.evalmake/store: File too large [store-failed]"),
        (["-n", "-o", "plan.json"], "cannot write the plan to plan.json: File too large [bad-plan]"),
        (["fmt", "odd.evalfile"], "cannot write odd.evalfile: File too large"),
        (["-f", "new.evalfile", "init"], "cannot write new.evalfile: File too large"),
    ],
)
def test_a_limit_on_the_size_of_files(project: Project, words: list[str], said: str) -> None:
    """What cannot be written is named, with the limit to raise, and the old file is as it was."""
    project.write("Evalfile", EVALFILE)
    project.write("odd.evalfile", ODD)
    command = ["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-m", "evalmake", *words]
    ended = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    first, help = ended.stderr.splitlines()
    assert (ended.returncode, first) == (2, f"error: {said.format(root=project.root)}")
    assert help.startswith("help: raise the limit on the size of files: `ulimit -f unlimited`")
    assert (project.root / "odd.evalfile").read_text() == ODD
    assert not (project.root / "new.evalfile").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EDQUOT, "Disk quota exceeded", "a.md"), "error: cannot write a.md: Disk quota exceeded\nhelp: "),
        (OSError(errno.ENOSPC, "No space left on device"), "error: cannot write: No space left on device\nhelp: free"),
        (PermissionError(errno.EACCES, "Permission denied", b"a"), "error: cannot use a: Permission denied\nhelp: see"),
        (PermissionError(errno.EPERM, "Operation not permitted"), ""),
        (RuntimeError("x"), ""),
    ],
)
def test_what_the_surroundings_refuse_is_no_defect(error: Exception, said: str) -> None:
    """A place that takes no more, and a file that this user may not use, are told without a traceback."""
    found = cli._describe_surroundings(error)
    assert found.startswith(said)
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("mkdir gone; cd gone; rmdir ../gone", "error: the current folder is gone"),
        ("ulimit -n 8", "too many files are open"),
        ("ulimit -f 0; export HOME=/nonexistent XDG_CACHE_HOME= TMPDIR=/nonexistent", "error: "),
    ],
)
def test_a_place_where_nothing_works(project: Project, before: str, said: str) -> None:
    """No folder, too few descriptors and no place for temporary files are told, without a traceback."""
    project.write("Evalfile", EVALFILE)
    command = ["/bin/sh", "-c", f'{before}; exec "$@"', "sh", sys.executable, "-m", "evalmake"]
    ended = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert "Traceback" not in ended.stderr
    assert said in ended.stderr
    assert ended.returncode == 2
