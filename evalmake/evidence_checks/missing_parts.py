"""Names all that a project written from evidence lacks here, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.evidence_checks.loaded_inputs import LoadedInputs
from evalmake.evidence_checks.path_names import HUB, place_of
from evalmake.evidence_checks.project_copy import ProjectLayout, hash_of
from evalmake.evidence_checks.recorded_inputs import SOURCES
from evalmake.evidence_checks.sources import ABSENT, NO_DIGEST, RESOLVED, open_sources
from evalmake.language.diagnostic import Diagnostic, EvalmakeError
from evalmake.pins.hub_address import hub_address
from evalmake.planner.digest import describe_text
from evalmake.planner.graph import Graph
from evalmake.planning import find_problems, is_error, make_plan
from evalmake.project.boundary import ALLOW_VARIABLE
from evalmake.project.catalog import PREFIX, catalog_folder
from evalmake.project.command_words import Words
from evalmake.project.named_files import list_input_files
from evalmake.project.targets import Selection
from evalmake.run.hub_data import find_missing_datasets
from evalmake.signatures.keys import make_key_pair
from evalmake.workspace import Workspace


@dataclass(frozen=True, slots=True)
class MissingPart:
    """One thing that is not here, and what to do about it."""

    what: str
    todo: str = ""


@dataclass(slots=True)
class Readiness:
    """Whether a project can run here: its workspace, if it loads, and the evaluations that can be asked again."""

    missing: list[MissingPart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    workspace: Workspace | None = None
    targets: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    """Evaluations of the evidence that the overrides leave none of."""


def environment_of(inputs: LoadedInputs) -> dict[str, str]:
    """What `env()` reads: the environment here, and where that lacks a variable, what is on record of it."""
    recorded = {name: value for name, value in inputs.variables.items() if value is not None}
    return recorded | os.environ


def words_of(inputs: LoadedInputs, overrides: Sequence[str], targets: Sequence[str] = ()) -> Words:
    """The words of a command: targets, and the recorded overrides, of which those given here replace some."""
    given = {word.partition("=")[0] for word in overrides}
    kept = [f"{name}={text}" for name, text in inputs.overrides.items() if name not in given]
    return Words.of([*targets, *kept, *overrides])


@contextmanager
def allowing(folder: Path) -> Iterator[None]:
    """Let an Evalfile include what lies in a folder, and nothing that lies elsewhere."""
    before = os.environ.get(ALLOW_VARIABLE)
    os.environ[ALLOW_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[ALLOW_VARIABLE]
        else:
            os.environ[ALLOW_VARIABLE] = before


def check_readiness(
    evidence: Path,
    inputs: LoadedInputs,
    layout: ProjectLayout,
    evaluations: Sequence[str],
    overrides: Sequence[str],
    scratch: Path,
) -> Readiness:
    """Plan the project, and find what is missing of what the evaluations need."""
    found = Readiness()
    recorded = complete_project(evidence, inputs, layout, scratch, found)
    _describe_surroundings(inputs, found)
    with allowing(layout.root):
        try:
            workspace = Workspace.open(
                layout.path, words_of(inputs, overrides).overrides, environment=environment_of(inputs), own_store=True
            )
            graph = _plan(workspace, evaluations, found)
        except EvalmakeError as error:
            _add_problems((one for one in error.diagnostics if not _is_told(one, found)), found)
            _point_at_copies(inputs, layout, found)
            if recorded is not None:
                _check_recorded_plan(*recorded, scratch, found)
            return found
        found.workspace = workspace
        if recorded is not None and not overrides:
            _describe_changes(graph, recorded[1], found)
        _add_problems(_find_problems(workspace, graph), found)
        for selection in find_missing_datasets(graph.nodes.values(), workspace.plugins):
            found.notes.append(
                f"a run downloads the data set {selection} from {hub_address()}: it is not in the cache here"
            )
    return found


def complete_project(
    evidence: Path, inputs: LoadedInputs, layout: ProjectLayout, scratch: Path, found: Readiness
) -> tuple[Workspace, Graph] | None:
    """Write what stands for files that no evidence has, and name those that must be put there.

    Return the plan of the sources as they were recorded, if they can be planned.
    """
    try:
        recorded = open_sources(evidence, scratch)
    except EvalmakeError as error:
        _add_problems(error.diagnostics, found)
        recorded = None
    unread = _find_unread(recorded, inputs, scratch) if recorded else set()
    _check_files(evidence, inputs, layout, unread, found)
    return recorded


def _check_files(
    evidence: Path, inputs: LoadedInputs, layout: ProjectLayout, unread: Collection[str], found: Readiness
) -> None:
    """Files of which the evidence has digests alone: data that were left out, weights, certificates, keys."""
    for name, digest in inputs.files.items():
        if name.startswith(PREFIX):
            _check_catalog(name, digest, found)
            continue
        if name.startswith(HUB):
            continue  # a run asks the hub for its data, or the cache here
        path = layout.path_of(name)
        if digest == NO_DIGEST:
            _make_key(path, found)
        elif name in unread:
            if not os.path.lexists(path):
                _write(path, "")
                found.notes.append(f"{path.name} is empty: no evaluation of the evidence reads it")
        elif not os.path.lexists(path):
            what = f"the file {path} is not in the evidence"
            found.missing.append(MissingPart(what, f"put the one with the sha256 {digest} there"))
        elif not (evidence / SOURCES / place_of(name)).exists() and (not path.is_file() or hash_of(path) != digest):
            what = f"{path} is another file than the one that was measured with"
            found.missing.append(MissingPart(what, f"put the one with the sha256 {digest} there"))


def _check_catalog(name: str, digest: str, found: Readiness) -> None:
    path = catalog_folder() / name.removeprefix(PREFIX)
    if not path.is_file() or hash_of(path) != digest:
        found.notes.append(f"the catalog of this evalmake has another `{name}` than the one that was measured with")


def _make_key(path: Path, found: Readiness) -> None:
    """A private key is in no evidence; without a file of its name the Evalfile does not load."""
    if not os.path.lexists(path):
        _write(path, make_key_pair().private)
        found.notes.append(f"{path.name} is a new key: the private key that signed is in no evidence")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _describe_surroundings(inputs: LoadedInputs, found: Readiness) -> None:
    for name, value in inputs.variables.items():
        here = os.environ.get(name)
        if value is not None and here is None:
            found.notes.append(f'env("{name}") is `{value}`, as on record: to run evalmake yourself, export it')
        elif value != here:
            then = "unset" if value is None else f"`{value}`"
            found.notes.append(f'env("{name}") is `{here}` here, and was {then}: that may make another evaluation')
    for about, versions in inputs.packages.items():
        listed = ", ".join(f"{name} {version}" for name, version in list(versions.items())[:5])
        more = f" and {len(versions) - 5} more" if len(versions) > 5 else ""
        found.notes.append(f"packages of {about}: {listed}{more}; a run installs what the Evalfile asks for")


def _plan(workspace: Workspace, evaluations: Sequence[str], found: Readiness) -> Graph:
    cells = {cell.name: cell for cells in workspace.cells.values() for cell in cells}
    found.targets = tuple(name for name in evaluations if name in cells)
    found.gone = tuple(name for name in evaluations if name not in cells)
    return workspace.graph_of(Selection({name: cells[name] for name in found.targets}, {}))


def _check_recorded_plan(workspace: Workspace, graph: Graph, scratch: Path, found: Readiness) -> None:
    """Without its files the project does not load: what else its plan needs, the recorded plan tells."""
    try:
        problems = _find_problems(workspace, graph)
    except EvalmakeError as error:
        problems = error.diagnostics
    _add_problems((one for one in problems if str(scratch) not in f"{one.message} {one.notes}"), found)


def _describe_changes(graph: Graph, recorded: Graph, found: Readiness) -> None:
    """Say what is planned here otherwise than it was measured, as for an absolute path with another file behind it."""
    told = set[str]()
    for name, node in graph.nodes.items():
        if name not in recorded.nodes:
            continue
        before, now = (
            {(part, path): text for part, walk in one.action.parts for path, text in walk.pairs}
            for one in (recorded.nodes[name], node)
        )
        for key in sorted(before.keys() | now.keys()):
            about = f"{key[0]} {key[1]}".strip()
            if before.get(key) != now.get(key) and about not in told and not key[1].startswith(RESOLVED):
                told.add(about)
                values = (describe_text(side[key]) if key in side else "none" for side in (now, before))
                found.notes.append("{} of {} is {} here, and was {}".format(about, name, *values))


def _find_unread(recorded: tuple[Workspace, Graph], inputs: LoadedInputs, scratch: Path) -> set[str]:
    """The names of files that the Evalfile names, and no evaluation of the evidence reads."""
    workspace, graph = recorded
    shown = (node for report in graph.reports.values() for node in report.nodes)
    used = {node.evaluation.benchmark.name for node in (*graph.nodes.values(), *shown)}
    read, others = set[Path](), set[Path]()
    for name, benchmark in workspace.project.benchmarks.items():
        (read if name in used else others).update(file.path for file in list_input_files(benchmark))
    absent = {scratch / ABSENT / place_of(name): name for name in inputs.files}
    return {absent[path] for path in others - read if path in absent}


def _find_problems(workspace: Workspace, graph: Graph) -> Sequence[Diagnostic]:
    graph = workspace.graph_of(Selection({name: node.evaluation for name, node in graph.nodes.items()}, {}))
    with workspace.read_store() as store:
        plan = make_plan(workspace, graph, store)
    return find_problems(workspace, plan, detach=False, dry_run=False)


def _add_problems(problems: Iterable[Diagnostic], found: Readiness) -> None:
    """Add errors, each once."""
    told = {one.what for one in found.missing}
    for one in problems:
        if is_error(one) and one.message not in told:
            told.add(one.message)
            found.missing.append(MissingPart(one.message, one.help[0] if one.help else ""))


def _is_told(problem: Diagnostic, found: Readiness) -> bool:
    """Whether a missing file is one of those that the evidence does not have; absolute paths lead elsewhere."""
    return problem.code == "missing-file" and bool(found.missing) and "`/" not in problem.message


def _point_at_copies(inputs: LoadedInputs, layout: ProjectLayout, found: Readiness) -> None:
    """A file that the Evalfile names by an absolute path is in the folder, and not where the Evalfile looks for it."""
    outside = [name for name in inputs.files if name.startswith("/")]
    for position, one in enumerate(found.missing):
        for name in outside:
            if f"`{name}`" in one.what and layout.path_of(name).is_file():
                found.missing[position] = MissingPart(one.what, f"copy {layout.path_of(name)} there")
