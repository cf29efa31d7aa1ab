"""Scores the recorded replies of evidence again: offline, with no server, by the code that scored them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalmake.evidence import layout
from evalmake.evidence_checks.folder import EvidenceFolder
from evalmake.evidence_checks.records import ProvedEvaluation
from evalmake.evidence_checks.sources import open_sources
from evalmake.evidence_material import list_evaluations
from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.graph import Node
from evalmake.plugin_api.executor import Job
from evalmake.run.gateways.sessions import USAGE_FOLDERS
from evalmake.run.hub_data import find_missing_datasets
from evalmake.run.job_builder import GatewayRoute, JobBuilder
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.scoring.score import Score
from evalmake.workspace import Workspace

_PROGRAM = "evalmake.harnesses.native"
_NOWHERE = "http://127.0.0.1:9/v1"
"""The address of a model to which nothing is sent."""
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ", "SYSTEMROOT")
"""Variables that a scorer sees: no secret of whoever replays is among them."""
_NATIVE_ENDED = (0, 4)
"""With scores, or with none as no sample could be scored."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One value that is on record otherwise."""

    id: str
    what: str
    recorded: str
    found: str


@dataclass(frozen=True, slots=True)
class ReplayedEvaluation:
    """What came of one evaluation; `why_not` says why its replies were not scored again."""

    name: str
    samples: int = 0
    scores: tuple[tuple[str, float | None], ...] = ()
    differences: tuple[Disagreement, ...] = ()
    why_not: str = ""
    is_read_again: bool = False
    """Whether its harness has read the same scores in its stored files again, as verifying does."""

    @property
    def agrees(self) -> bool:
        """Whether it is known that all is as recorded."""
        return self.is_read_again or not (self.differences or self.why_not)


def replay_evaluations(
    folder: EvidenceFolder, report: str, evaluations: Sequence[ProvedEvaluation], read_again: bool, scratch: Path
) -> list[ReplayedEvaluation]:
    """Replay all evaluations of evidence; EvalmakeError where its Evalfile does not load here.

    `read_again` says whether the outputs of other harnesses than the native one were read again when it was verified.
    """
    workspace, graph = open_sources(folder.path, scratch)
    nodes = {node.name: node for node in list_evaluations(workspace, graph.reports[report])}
    return replay_nodes(folder, workspace, nodes, evaluations, read_again, scratch)


def replay_nodes(
    folder: EvidenceFolder,
    workspace: Workspace,
    nodes: Mapping[str, Node],
    evaluations: Sequence[ProvedEvaluation],
    read_again: bool,
    scratch: Path,
) -> list[ReplayedEvaluation]:
    """Replay evaluations of an Evalfile that is loaded; `nodes` are those of its plan by name."""
    found = []
    for number, one in enumerate(evaluations):
        node = nodes.get(one.signed.name)
        whole = read_again and _is_read_again(one, node)
        why_not = "the Evalfile declares no such evaluation"
        why_not = (
            why_not if node is None else _find_obstacle(folder, one, node, whole) or _find_absent_data(node, workspace)
        )
        if node is None or why_not:
            found.append(ReplayedEvaluation(one.signed.name, why_not=why_not, is_read_again=whole))
        else:
            found.append(_replay(folder, one, node, workspace, scratch / "replays" / str(number)))
    return found


def _find_obstacle(folder: EvidenceFolder, one: ProvedEvaluation, node: Node, read_again: bool) -> str:
    """Why the replies of an evaluation cannot be scored again; empty where they can."""
    if one.counting is None:
        return "it has no result"
    if not is_native(node):
        harness = node.evaluation.benchmark.block.harness
        return f"{harness} scores its replies itself; " + (
            "its stored outputs were read again"
            if read_again
            else "its outputs are left out, or could not be read here"
        )
    stated = one.signed.statement.predicate["result"].get("samples") or {}
    if redacted := stated.get("redacted"):
        return f"the evidence leaves out {', '.join(redacted)}, and without the texts nothing can be scored"
    if not folder.has(f"{one.signed.folder}/{layout.OUTPUTS}/{SAMPLES}"):
        return "the evidence has no samples of it"
    if "accepted-from" in one.counting.facts:
        return "the result was accepted for another definition than the one that it was measured with"
    return ""


def _find_absent_data(node: Node, workspace: Workspace) -> str:
    """Which data set of the hub is neither in the evidence nor in the cache of this machine."""
    missing = next(iter(find_missing_datasets([node], workspace.plugins)), None)
    return f"the data set {missing} is neither in the evidence nor in the cache here" if missing else ""


def _is_read_again(one: ProvedEvaluation, node: Node | None) -> bool:
    """Whether verifying reads its outputs again: with another harness than the native one, if all outputs are there."""
    whole = not one.signed.statement.predicate["runDetails"]["byproducts"]
    return node is not None and not is_native(node) and one.counting is not None and whole


def is_native(node: Node) -> bool:
    """Whether evalmake's own harness scores an evaluation."""
    return str(node.evaluation.benchmark.block.harness) == "native"


def _replay(
    folder: EvidenceFolder, one: ProvedEvaluation, node: Node, workspace: Workspace, place: Path
) -> ReplayedEvaluation:
    samples = folder.read(f"{one.signed.folder}/{layout.OUTPUTS}/{SAMPLES}")
    out = place / "out"
    out.mkdir(parents=True)
    (place / SAMPLES).write_bytes(samples)
    try:
        job = _build_job(workspace, node)
    except (EvalmakeError, OSError) as error:
        return ReplayedEvaluation(node.name, why_not=f"its data are not in the evidence: {_explain(error)}")
    _write_files(job, place)
    status, said = _run(job, place, out)
    if status not in _NATIVE_ENDED:
        return ReplayedEvaluation(node.name, why_not=f"it could not be scored again: {said}")
    recorded, again = _read_rows(samples), _read_rows((out / SAMPLES).read_bytes())
    harness = workspace.plugins.get("harnesses", "native")()
    outcome = harness.outcome(node.evaluation, out, status)
    scored = one.counting.scores if one.counting else ()
    differences = [*_compare_samples(recorded, again), *_compare_scores(scored, outcome.scores)]
    scores = tuple((score.metric, score.value) for score in outcome.scores)
    return ReplayedEvaluation(node.name, len(again), scores, tuple(differences))


def _build_job(workspace: Workspace, node: Node) -> Job:
    """The job as a build makes it, with models that nobody asks."""
    builder = JobBuilder(workspace.project, workspace.plugins, workspace.root)
    route = GatewayRoute(_NOWHERE, "")
    return builder.build_evaluation_job(node, "replay", dict.fromkeys(USAGE_FOLDERS, route))


def _write_files(job: Job, place: Path) -> None:
    for name, text in job.files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, source in job.inputs.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)


def _run(job: Job, place: Path, out: Path) -> tuple[int, str]:
    """Run the replay in a process of its own, as a scorer may be anybody's program; its status and what it said."""
    words = [sys.executable, "-P", "-m", f"{_PROGRAM}.replay", "task.json", SAMPLES]
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    env = {**passed, **job.env, "EVALMAKE_OUT": str(out)}
    ended = subprocess.run(words, cwd=place, env=env, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    lines = ended.stderr.decode("utf-8", "replace").splitlines()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return ended.returncode, (errors or lines[-1:] or [f"exit status {ended.returncode}"])[0]


def _read_rows(data: bytes) -> dict[object, dict[str, Any]]:
    rows = [json.loads(line) for line in data.split(b"\n") if line]
    return {row.get("index"): row for row in rows if isinstance(row, dict)}


def _compare_samples(
    recorded: Mapping[object, Mapping[str, Any]], again: Mapping[object, Mapping[str, Any]]
) -> Iterator[Disagreement]:
    """What of each sample is otherwise: what was asked, the target, the answer that was found, the scores."""
    for index, row in recorded.items():
        id = str(row.get("id"))
        if index not in again:
            yield Disagreement(id, "sample", "on record", "not asked for by the Evalfile")
            continue
        other = again[index]
        pairs = [(key, row.get(key), other.get(key)) for key in ("id", "target", "answer", "error")]
        pairs.append(("prompt", _find_prompt(row), _find_prompt(other)))
        mine, theirs = row.get("scores") or {}, other.get("scores") or {}
        pairs += [(metric, mine.get(metric), theirs.get(metric)) for metric in dict.fromkeys([*mine, *theirs])]
        for what, before, now in pairs:
            if before != now:
                yield Disagreement(id, what, _show(before), _show(now))
    for index, row in again.items():
        if index not in recorded:
            yield Disagreement(str(row.get("id")), "sample", "none", "asked for by the Evalfile")


def _find_prompt(row: Mapping[str, Any]) -> object:
    request = row.get("request")
    return [request.get(key) for key in ("messages", "prompt")] if isinstance(request, dict) else None


def _compare_scores(recorded: Sequence[Score], found: Sequence[Score]) -> Iterator[Disagreement]:
    by_metric = {score.metric: score for score in found}
    for score in recorded:
        other = by_metric.pop(score.metric, None)
        mine = (score.value, score.scored)
        if other is None or mine != (other.value, other.scored):
            told = "none" if other is None else f"{_show(other.value)} of {other.scored} samples"
            yield Disagreement("", score.metric, f"{_show(score.value)} of {score.scored} samples", told)
    for metric, other in by_metric.items():
        yield Disagreement("", metric, "none", _show(other.value))


def _show(value: object) -> str:
    text = repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _explain(error: Exception) -> str:
    return error.diagnostics[0].message if isinstance(error, EvalmakeError) else str(error)
