"""The `junit` report: evaluations and gates as test cases, for the pages that a CI shows of tests.

A suite is an eval. A gate that is not met is a failure. An evaluation without a result and a gate that cannot be judged
are errors: nothing that is missing passes. The form is the one of pytest and Maven, which Jenkins and GitLab read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from xml.etree import ElementTree

from pydantic import BaseModel

from evalmake.language.atomic_write import write_atomic
from evalmake.project.key_types import Block
from evalmake.scoring.numbers import format_estimate, format_percent
from evalmake.scoring.result_set import GateResult, Result, ResultSet, Score

if TYPE_CHECKING:
    from junitparser import SystemOut, xunit2

_NOT_IN_XML = re.compile(r"[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CODES = {"failed": "evaluation-failed", "fell-short": "evaluation-failed"}


class JUnitExporter:
    """Writes one XML document; it has no settings of its own."""

    Settings: ClassVar[type[BaseModel]] = Block
    tells_failures: ClassVar[bool] = True
    needs: ClassVar[str] = "" if find_spec("junitparser") else "it needs junitparser: pip install 'evalmake[junit]'"

    def export(self, results: ResultSet, path: Path) -> None:
        """Write the report to `path` atomically."""
        write_atomic(path, _results_to_xml(results))


def _results_to_xml(results: ResultSet) -> bytes:
    from junitparser import xunit2

    whole = xunit2.JUnitXml(make_legal(results.title))
    for suite in _make_suites(results):
        whole.add_testsuite(suite)
    whole.update_statistics()
    # Read again and written by Python alone: junitparser's own text depends on whether lxml is installed.
    tree = ElementTree.fromstring(whole.tostring())
    ElementTree.indent(tree)
    text: bytes = ElementTree.tostring(tree, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _make_suites(results: ResultSet) -> Iterator[xunit2.TestSuite]:
    """A suite for each eval, in the order of the results."""
    from junitparser import xunit2

    told = [result.name for result in results.results]
    for eval in dict.fromkeys(name.partition("/")[0] for name in [*told, *results.missing]):
        suite = xunit2.TestSuite(eval)
        mine = [result for result in results.results if result.eval == eval]
        if mine:
            suite.timestamp = min(result.started for result in mine)[:19]
        suite.add_property("plan", results.plan)
        names = Counter[str]()
        for case in _make_cases(results, eval, mine):
            names[case.name] += 1
            if names[case.name] > 1:  # a CI takes test cases of one name for one
                case.name += f" ({names[case.name]})"
            suite.add_testcase(case)
        yield suite


def _make_cases(results: ResultSet, eval: str, mine: list[Result]) -> Iterator[xunit2.TestCase]:
    yield from (_make_result_case(results, result) for result in mine)
    yield from (_make_missing_case(results, name) for name in results.missing if name.partition("/")[0] == eval)
    yield from (_make_gate_case(results, gate) for gate in results.gates if gate.address.partition("/")[0] == eval)


def _make_result_case(results: ResultSet, result: Result) -> xunit2.TestCase:
    """An evaluation with a result; its scores stand in its properties, and for people in its output."""
    from junitparser import xunit2

    case = xunit2.TestCase(make_legal(result.name), result.eval, round(result.seconds, 3))
    scores = sorted(results.estimate_scores(result), key=lambda score: score.metric != result.metric)
    for score in scores:
        if score.metric == result.metric:
            known = {name: getattr(score, name) for name in ("metric", "value", "stderr", "low", "high")}
            known |= {"n": _count_samples(score), "unscored": score.unscored}
            _add_properties(case, known | {"confidence": results.confidence_of([result])})
    _add_properties(case, {"action": result.action, "attempt": result.attempt})
    case.append(_make_output("\n".join(map(_render_score, scores))))
    return case


def _render_score(score: Score) -> str:
    count = _count_samples(score)
    n = "" if count is None else f", n {count}"
    unscored = f", {score.unscored} unscored" if score.unscored else ""
    return f"{score.metric} {format_estimate(score.value, score.low, score.high)}{n}{unscored}"


def _count_samples(score: Score) -> int | None:
    """The scored samples; None where the harness did not count them."""
    return None if score.value is not None and not score.scored else score.scored


def _make_missing_case(results: ResultSet, name: str) -> xunit2.TestCase:
    """An evaluation without a result: an error with the end of its log."""
    from junitparser import Error, xunit2

    lack = results.read_lack(name)
    case = xunit2.TestCase(make_legal(name), name.partition("/")[0], round(lack.seconds, 3))
    error = Error(make_legal(lack.reason), _CODES.get(lack.kind, lack.kind))
    if lack.log:
        error.text = make_legal("\n".join(["the last lines of its log:", *lack.log]))
    case.result = error
    return case


def _make_gate_case(results: ResultSet, gate: GateResult) -> xunit2.TestCase:
    """A gate: passed, a failure with what was wanted and what there was, or an error; skipped if it is advisory."""
    from junitparser import Error, Failure, Skipped, xunit2

    wanted = describe_requirement(gate)
    case = xunit2.TestCase(make_legal(f"{gate.address}: require {wanted}"), gate.address.partition("/")[0], 0.0)
    fields = ("metric", "op", "bound", "value", "low", "high", "confidence", "reference", "difference")
    known = {name: getattr(gate, name) for name in fields} | {"than": gate.than or None}
    known |= {} if gate.tier == "critical" else {"tier": gate.tier}
    _add_properties(case, known | {"n": sum(gate.samples) or None})
    if gate.met:
        case.append(_make_output(f"{gate.message} ({gate.detail})"))
        return case
    kind, code = (Failure, "gate-not-met") if gate.met is False else (Error, "gate-unjudged")
    kind = kind if gate.matters else Skipped
    outcome = kind(make_legal(gate.message), code)
    lines = [f"wanted: {wanted}", f"there was: {gate.message}"]
    outcome.text = make_legal("\n".join([*lines, gate.detail] if gate.parts or gate.benchmarks else lines))
    case.result = outcome
    return case


def describe_requirement(gate: GateResult) -> str:
    """What a gate asks: "accuracy >= 0.7 within 0.05, at 95% confidence"."""
    sure = f", at {format_percent(gate.confidence)} confidence" if gate.confidence is not None else ""
    return f"{gate.requirement}{sure}"


def _add_properties(case: xunit2.TestCase, values: dict[str, object]) -> None:
    """Add what is known; floats have the shortest text that reads back as the same number."""
    for name, value in values.items():
        if value is not None:
            case.add_property(name, make_legal(str(value)))


def _make_output(text: str) -> SystemOut:
    from junitparser import SystemOut

    return SystemOut(make_legal(text))


def make_legal(text: str) -> str:
    """A text without characters that XML 1.0 forbids, or advises against: each becomes one that says so."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))
