"""The JUnit report: compared whole, read back by junitparser, and checked by the rules of its schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml, xunit2

from evalmake.exporters.junit import JUnitExporter, make_legal
from evalmake.scoring.lack import Lack
from evalmake.scoring.result_set import ResultSet
from tests.exporters.junit_schema import find_faults
from tests.support.projects import Project, check_golden

GOLDEN = Path(__file__).with_name("golden")
LACK = Lack("failed", "exit status 1", 2.5, ("Traceback", "no \x1b[31msuch\x00 model \ud800\ufffe <&>]]>"))

EVALFILE = """\
model m {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
    api_key  = secret("MODELS_KEY")
}

benchmark b {
    harness = command
    run     = "sh ../../../job.sh"
    env     = { KEY = secret("MODELS_KEY") }
}

eval good {
    model     = m
    benchmark = b
    seed      = 1
    require accuracy >= 90%
    require precision >= 10%
}

eval bad {
    model     = m
    benchmark = b
    seed      = 2
    require accuracy >= 50%
}

report ci {
    of     = [good, bad]
    format = junit
    path   = "reports/junit.xml"
}
"""
JOB = """\
if test $EVALMAKE_SEED = 2; then
    printf 'first\\n\\033[31mkey %s\\033[0m \\001 <b> & ]]>\\n' $KEY
    exit 3
fi
echo '{"accuracy": {"value": 0.68, "stderr": 0.0122, "n": 500}}' > $EVALMAKE_OUT/scores.json
"""
KEY = "sk-abcDEF123456xyz789"


def read(path: Path) -> dict[str, xunit2.TestCase]:
    """The test cases of a document by name, as junitparser reads them."""
    assert find_faults(path.read_bytes()) == []
    return {case.name: case for suite in xunit2.JUnitXml.fromfile(str(path)) for case in suite}


def properties(case: xunit2.TestCase) -> dict[str, str]:
    """The properties of a test case."""
    return {one.name: one.value for one in case.properties()}


@pytest.mark.parametrize("name", ["matrix", "single", "compared", "nothing", "grouped", "sectioned"])
def test_the_junit_document(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The file is as a person approved it (UPDATE_GOLDEN=1 rewrites it), keeps the rules, and can be read back."""
    path = tmp_path / "reports" / "junit.xml"
    JUnitExporter().export(request.getfixturevalue(name), path)
    check_golden(GOLDEN / f"{name}.junit.xml", path.read_text("utf-8"))
    assert find_faults(path.read_bytes()) == []
    assert JUnitXml.fromfile(str(path)).tests == len(read(path))


def test_what_is_missing_fails(matrix: ResultSet, tmp_path: Path) -> None:
    """A failed evaluation is an error with the end of its log, legal in XML; one that never ran is an error, too."""
    path = tmp_path / "junit.xml"
    JUnitExporter().export(replace(matrix, read_lack=lambda name: LACK), path)
    [error] = read(path)["grid/master/gsm8k/3"].result
    assert (type(error), error.type, error.message) == (Error, "evaluation-failed", "exit status 1")
    assert error.text.splitlines()[1:] == ["Traceback", "no \ufffd[31msuch\ufffd model \ufffd\ufffd <&>]]>"]
    JUnitExporter().export(matrix, path)
    [error] = read(path)["grid/master/gsm8k/3"].result
    assert (type(error), error.type, error.message) == (Error, "never-run", "it has not run")


def test_gates_are_test_cases(matrix: ResultSet, tmp_path: Path) -> None:
    """One that is not met is a failure with what was wanted and what there was, one that is not judged an error."""
    path = tmp_path / "junit.xml"
    again = replace(matrix, gates=(*matrix.gates, matrix.gates[0]))
    JUnitExporter().export(again, path)
    cases = read(path)
    unmet = "grid/qwen/gsm8k: require exact_match >= 0.7"
    unjudged = "grid/qwen/bleu: require accuracy >= 0.55"
    assert f"{unmet} (2)" in cases
    [failure] = cases[unmet].result
    assert (type(failure), failure.type) == (Failure, "gate-not-met")
    assert "wanted: exact_match >= 0.7\nthere was: exact_match is 0.686, below 0.70" in failure.text
    [error] = cases[unjudged].result
    assert (type(error), error.type) == (Error, "gate-unjudged")


def test_numbers_are_properties(matrix: ResultSet, tmp_path: Path) -> None:
    """Items, interval and the digest of the plan stand there for programs, and unscored samples beside the score."""
    path = tmp_path / "junit.xml"
    JUnitExporter().export(matrix, path)
    case = read(path)["grid/master/gsm8k/1"]
    told = properties(case)
    assert (told["n"], told["unscored"], told["metric"]) == ("490", "10", "exact_match")
    assert float(told["low"]) < float(told["value"]) < float(told["high"])
    assert "n 490, 10 unscored" in case.system_out
    [suite] = JUnitXml.fromfile(str(path))
    assert [(one.name, one.value) for one in suite.properties()] == [("plan", matrix.plan)]


def test_reuse_writes_the_same_document(matrix: ResultSet, tmp_path: Path) -> None:
    """A build that only reuses results writes the same document."""
    again = replace(matrix, results=tuple(replace(r, reused=True) for r in matrix.results))
    JUnitExporter().export(matrix, tmp_path / "a.xml")
    JUnitExporter().export(again, tmp_path / "b.xml")
    assert (tmp_path / "a.xml").read_bytes() == (tmp_path / "b.xml").read_bytes()


def test_every_character_is_legal() -> None:
    """Whatever a program prints, the document can be read."""
    everything = "".join(map(chr, [*range(0x100), *range(0xD7F0, 0xE010), *range(0xFFF0, 0x10010)]))
    legal = make_legal(everything)
    assert set(legal) & set(map(chr, range(0x20))) == {"\t", "\n"}
    assert not set(legal) & {*map(chr, range(0xD800, 0xE000)), "\ufffe", "\uffff"}


def test_a_build_writes_failures(project: Project) -> None:
    """Of a build with a failed evaluation, the report has its error, the end of its log without secrets, and gates."""
    project.write("Evalfile", EVALFILE)
    project.write("job.sh", JOB)
    project.run("-k", "ci", env={"MODELS_KEY": KEY}, status=2)
    path = project.root / "reports/junit.xml"
    assert KEY not in path.read_text()
    cases = read(path)
    assert [(case.name, [type(one).__name__ for one in case.result]) for case in cases.values()] == [
        ("good", []),
        ("good: require accuracy >= 0.9", ["Failure"]),
        ("good: require precision >= 0.1", ["Error"]),
        ("bad", ["Error"]),
        ("bad: require accuracy >= 0.5", ["Error"]),
    ]
    [error] = cases["bad"].result
    assert "[secret MODELS_KEY] \ufffd <b> & ]]>" in error.text
    assert "\x1b" not in error.text


def test_a_build_without_any_result_writes_it(project: Project) -> None:
    """Where everything failed, a CI must not find a report that lacks, or none."""
    project.write("Evalfile", EVALFILE)
    project.write("job.sh", "exit 1")
    project.run("-k", "ci", env={"MODELS_KEY": KEY}, status=2)
    cases = read(project.root / "reports/junit.xml")
    assert all(case.is_error for case in cases.values())
    assert len(cases) == 5


def test_without_junitparser_the_extra_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything runs, with the command that installs it."""
    monkeypatch.setattr(JUnitExporter, "needs", "it needs junitparser: pip install 'evalmake[junit]'")
    project.write("Evalfile", EVALFILE)
    said = project.run("-n", "ci", env={"MODELS_KEY": KEY}, status=2).stderr
    assert "pip install 'evalmake[junit]'" in said
