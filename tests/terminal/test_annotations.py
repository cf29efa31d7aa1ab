"""`--annotations github`: lines that GitHub shows at the Evalfile, and the summary of a step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalmake.language.diagnostic import Severity, make_diagnostic
from evalmake.language.source import Source
from evalmake.terminal.annotations import render_annotation, render_summary
from tests.support.evalfiles import PROGRAM
from tests.support.projects import Project, check_golden

GOLDEN = Path(__file__).with_name("golden")
ON = ("--annotations", "github")
_DECODED = {"%0A": "\n", "%0D": "\r", "%3A": ":", "%2C": ",", "%25": "%"}


def job(accuracy: float) -> str:
    """A program with a score."""
    return f'echo \'{{"accuracy": {{"value": {accuracy}, "stderr": 0.01, "n": 500}}}}\' > $EVALMAKE_OUT/scores.json\n'


def read_commands(stdout: str) -> list[tuple[str, dict[str, str], str]]:
    """The commands in an output as GitHub's runner reads them: name, properties, message."""
    found = []
    for line in stdout.splitlines():
        if match := re.fullmatch(r"::(\w+) ?(.*?)::(.*)", line):
            pairs = (pair.partition("=") for pair in match[2].split(",") if pair)
            found.append((match[1], {name: _decode(value) for name, _, value in pairs}, _decode(match[3])))
    return found


def _decode(text: str) -> str:
    return re.sub("%0A|%0D|%3A|%2C|%25", lambda code: _DECODED[code[0]], text)


@pytest.fixture
def small(project: Project) -> Project:
    """A project in a folder of the repository, whose gate is not met."""
    project.write("Evalfile", PROGRAM)
    project.write("data/job.sh", job(0.68))
    project.write("job.sh", job(0.68))
    project.write("Evalfile", PROGRAM.replace("sh data/job.sh", "sh ../../../job.sh"))
    return project


def test_a_gate_is_an_annotation(small: Project) -> None:
    """After the normal output, at its line, with the path from the root of the repository; in each build again."""
    env = {"GITHUB_WORKSPACE": str(small.root.parent)}
    first = small.run(*ON, env=env, status=1)
    [(name, properties, message)] = read_commands(first.stdout)
    place = {"file": f"{small.root.name}/Evalfile", "line": "13", "col": "5", "title": "gate: gate-not-met"}
    assert (name, properties) == ("error", place)
    assert message.startswith("e: accuracy is 0.680, below 0.80\nnote: one seed: 0.68; 500 samples")
    assert first.stdout.splitlines()[-1].startswith("::error ")
    assert "0 gates met, 1 not met" in first.stdout.splitlines()[-3]
    again = small.run(*ON, env=env, status=1)
    assert read_commands(again.stdout) == read_commands(first.stdout)


def test_mistakes_in_the_evalfile_are_annotations(small: Project) -> None:
    """Errors of loading, of words and of options, though they end the build before it begins."""
    small.write("Evalfile", PROGRAM.replace("run  ", "runn "))
    *_, (_, properties, message) = read_commands(small.run(*ON, status=2).stdout)
    assert (properties["file"], properties["line"], properties["title"]) == ("Evalfile", "8", "error: unknown-key")
    assert "did you mean `run`" in message
    [(_, properties, _)] = read_commands(small.run("--annotations=github", "--no-such", status=2).stdout)
    assert properties == {"title": "error: usage"}
    [(_, properties, _), *_] = read_commands(small.run("-n", *ON, status=2).stdout)
    assert properties["file"] == "Evalfile"


def test_a_failed_evaluation_is_an_annotation(small: Project) -> None:
    """At its eval; a gate that cannot be judged for it, at the gate."""
    small.write("job.sh", "exit 3")
    said = read_commands(small.run(*ON, status=2).stdout)
    assert [(name, properties["title"]) for name, properties, _ in said] == [
        ("error", "error: evaluation-failed"),
        ("error", "gate: gate-unjudged"),
    ]
    assert [properties["line"] for _, properties, _ in said] == ["10", "13"]


def test_without_the_option_nothing_is_added(small: Project) -> None:
    """Not on GitHub either: what a build prints does not depend on where it runs."""
    summary = small.root / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(small.root)}
    assert read_commands(small.run(env=env, status=1).stdout) == []
    assert not summary.exists()


def test_what_prints_nothing_takes_no_annotations(small: Project) -> None:
    """They would break what `--json` prints, and `-q` prints nothing."""
    for option in ("--json", "-q"):
        assert f"where `{option}` prints none" in small.run(*ON, option, status=2).stderr
    assert "'gitlab' is not" in small.run("--annotations", "gitlab", status=2).stderr


def test_the_summary_of_a_step(small: Project) -> None:
    """It is appended as Markdown: verdict, what is wrong, scores, gates; also where the Evalfile is wrong."""
    summary = small.write("summary.md", "before\n")
    small.run(*ON, env={"GITHUB_STEP_SUMMARY": str(summary)}, status=1)
    small.write("Evalfile", PROGRAM.replace("run  ", "runn "))
    small.run(*ON, env={"GITHUB_STEP_SUMMARY": str(summary)}, status=2)
    check_golden(GOLDEN / "github-summary.md", summary.read_text())


def test_a_summary_that_cannot_be_written_is_told(small: Project) -> None:
    """It changes no status: gates decide."""
    for path in ("/dev/full", str(small.root)):
        said = small.run(*ON, env={"GITHUB_STEP_SUMMARY": path}, status=1)
        assert f"warning: cannot write the summary to {path}: " in said.stderr
        assert "Traceback" not in said.stderr


def test_texts_of_others_stay_in_their_annotation() -> None:
    """No message or path can end its line, begin another command, or add a property."""
    source = Source("a,b:c%.evalfile", "x\n")
    text = "50% of\r\n::error file=x::y\n##[add-mask]z \x1b[31m\u202e"
    line = render_annotation(make_diagnostic("bad-value", text, source.span(0), notes=["::warning::n"]))
    assert line.count("\n") == 0
    assert not {"\x1b", "\u202e", "\r"} & set(line)
    [(name, properties, message)] = read_commands(line)
    assert (name, properties) == ("error", {"title": "error: bad-value"})
    assert message.startswith("50% of")
    assert message.splitlines()[-1] == "note: ::warning::n"


def test_paths_are_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comma or colon of a path is no new property; one outside the repository stays as it is."""
    monkeypatch.chdir(tmp_path)
    Path("a,b:c%.evalfile").write_text("x\n")
    problem = make_diagnostic("bad-value", "wrong", Source("a,b:c%.evalfile", "x\n").span(0), severity=Severity.WARNING)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "repository"))
    line = render_annotation(problem)
    assert line == "::warning file=a%2Cb%3Ac%25.evalfile,line=1,col=1,title=warning%3A bad-value::wrong"


def test_a_long_summary_is_cut() -> None:
    """GitHub refuses a step's whole summary that is longer than 1 MiB."""
    from evalmake.terminal.annotations import _cut

    problems = [make_diagnostic("bad-value", "ä" * 900)] * 2000
    data = _cut(render_summary(problems, None))
    assert len(data) < 2**19
    assert data.decode().endswith("\n\n(cut: GitHub takes no more)\n\n")
