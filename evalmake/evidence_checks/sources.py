"""A portable copy of what loading an Evalfile has read, and loading from it: the same graph on any machine.

`collect_sources` names the files to copy into `sources/`: the Evalfile, its includes, its lock, and the data files of
benchmarks if they may be shown. Of all other files (weights, images, certificates, keys) it keeps digests.
`evalmake/evidence_checks/path_names.py` says where each file lies. All else is in `inputs.json`.

`open_sources` loads that again. The folder may be a stranger's: whatever it says, nothing outside of it is read, and
nothing of it is run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from evalmake import __version__
from evalmake.evidence_checks.loaded_inputs import MOST_BYTES, NAME, LoadedInputs, NewerVersion, parse_inputs
from evalmake.evidence_checks.path_names import PathNames, place_of
from evalmake.evidence_checks.recorded_inputs import (
    MOST_SOURCE_BYTES,
    SOURCES,
    RecordedBoundary,
    RecordedInputs,
    bad_evidence,
)
from evalmake.language.diagnostic import make_error
from evalmake.language.external_inputs import Question
from evalmake.language.file_hashes import hash_bytes
from evalmake.language.file_tree import read_plain_file
from evalmake.language.values import File, Files
from evalmake.planner.digest import Part
from evalmake.planner.graph import Graph, Node, additions_of_harness
from evalmake.plugins import InstalledPlugins
from evalmake.project.command_words import Words
from evalmake.project.declarations import Declaration
from evalmake.project.loader import load_project_from
from evalmake.project.matrix import expand_matrix
from evalmake.project.named_files import list_input_files
from evalmake.project.overrides import mention_overrides
from evalmake.project.relations import check_relations
from evalmake.project.targets import Selection
from evalmake.run.hub_data import find_selections
from evalmake.workspace import Workspace

RESOLVED = "resolved."
NO_DIGEST = "0" * 64
"""In place of the digest of a private key."""
ABSENT = "absent"
"""The folder in which files that were not copied are said to lie."""
_TEXT = "str:"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to copy: its text, or the path where it lies, whose content may have changed since it was hashed."""

    sha256: str
    content: bytes | Path

    def write(self, path: Path) -> None:
        """Write a copy; EvalmakeError if the file is no longer what was loaded."""
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = sha256()
        try:
            with path.open("xb") as copy:
                for piece in self._pieces():
                    digest.update(piece)
                    copy.write(piece)
        except OSError as error:
            raise make_error("report-failed", f"cannot copy to {path}: {error.strerror}") from None
        if digest.hexdigest() != self.sha256:
            path.unlink()
            message = f"the file for {path.name} has changed since it was loaded"
            raise make_error("input-changed", message, help=["run evalmake again: it will plan with the new content"])

    def _pieces(self) -> Iterable[bytes]:
        if isinstance(self.content, bytes):
            yield self.content
            return
        with self.content.open("rb") as stream:
            while piece := stream.read(1 << 20):
                yield piece


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of `sources/` by their paths in it, and what `inputs.json` says."""

    files: Mapping[str, SourceFile]
    inputs: LoadedInputs

    def write(self, folder: Path) -> None:
        """Write `sources/` and `inputs.json` into a folder that has neither."""
        for place, file in self.files.items():
            file.write(folder / SOURCES / place)
        (folder / NAME).write_bytes(self.inputs.to_json())


def collect_sources(workspace: Workspace, graph: Graph, with_data: bool) -> Sources:
    """What loading read for `graph`; `with_data`, the data files of its benchmarks are among the files to copy."""
    project, external = workspace.project, workspace.project.external
    root = project.files.files[-1]
    names = PathNames(os.path.normpath(root.source.folder))
    texts = {names.name_of(path): data for path, data in external.texts.items()}
    evalfile = project.path.name
    texts.setdefault(evalfile, root.source.text.encode())  # of a call from Python, there is no file
    files = {name: SourceFile(hash_bytes(data), data) for name, data in texts.items()}
    if with_data:
        left = MOST_SOURCE_BYTES - sum(map(len, texts.values()))
        for path, digest in _data_files(graph):
            left -= path.stat().st_size if path.exists() else 0
            if left >= 0:
                files.setdefault(names.name_of(path.absolute()), SourceFile(digest, path))
    keys = {
        key.files[0].path.absolute()
        for one in project.reports.values()
        for key in one.block.sign
        if isinstance(key, Files)
    }
    hashed = {names.name_of(path): NO_DIGEST if path in keys else digest for path, digest in external.digests.items()}
    inputs = LoadedInputs(
        __version__,
        names.folder,
        evalfile,
        tuple(graph.nodes),
        tuple(graph.reports),
        project.overrides,
        external.variables_read,
        hashed | {name: file.sha256 for name, file in files.items()},
        {_rename(question, names): answer for question, answer in external.answers.items()},
        _find_packages(graph),
        _find_additions(graph, workspace.plugins),
        _find_plugins(workspace),
        _find_datasets(graph, workspace.plugins, names, files),
    )
    return Sources({place_of(name): file for name, file in files.items()}, inputs)


def open_sources(folder: Path, scratch: Path) -> tuple[Workspace, Graph]:
    """Load the Evalfile of an evidence folder and build its graph; EvalmakeError where that cannot be.

    The workspace has its store, and the files of its reports, below `scratch`, an empty folder. Files that were not
    copied are said to lie there, too, so that nothing reads those of this machine.
    """
    folder, scratch = folder.absolute(), scratch.absolute()
    inputs = read_inputs(folder)
    plugins = InstalledPlugins()
    _check_plugins(inputs, plugins)
    home = scratch / "project"
    external = RecordedInputs(inputs, folder / SOURCES, home, scratch / ABSENT)
    path = Path(inputs.folder) / inputs.evalfile
    overrides = Words.of([f"{name}={text}" for name, text in inputs.overrides.items()]).overrides
    with mention_overrides(overrides):
        boundary = RecordedBoundary(path.parent)
        project = load_project_from(path, overrides, plugins, external, boundary)
        cells = expand_matrix(project)
        check_relations(project, cells, boundary)
    project.path = home / inputs.evalfile
    project.lock.path = project.path.with_suffix(".lock")
    workspace = Workspace(project, plugins, cells, scratch / ".evalmake", scratch / "store")

    def find_versions(declaration: Declaration, plugin: object) -> Mapping[str, str]:
        return inputs.packages.get(_about(declaration), {})

    def find_additions(benchmark: Declaration, harness: object) -> Mapping[str, Any]:
        return {**additions_of_harness(benchmark, harness), **inputs.additions.get(benchmark.name, {})}

    workspace.find_versions, workspace.find_additions = find_versions, find_additions
    graph = workspace.unchecked_graph_of(_select(workspace, inputs))
    _attach_copies(graph, plugins, inputs, external)
    return workspace, graph


def list_unread_sources(workspace: Workspace) -> list[str]:
    """The files of `sources/` that the Evalfile of evidence does not read, after `open_sources`."""
    external = workspace.project.external
    return external.list_unread() if isinstance(external, RecordedInputs) else []


def read_inputs(folder: Path) -> LoadedInputs:
    """What `inputs.json` of an evidence folder says; EvalmakeError where it is not what evalmake writes."""
    try:
        return parse_inputs(read_plain_file(folder / NAME, MOST_BYTES))
    except OSError as error:
        raise bad_evidence(f"cannot read {folder / NAME}: {error.strerror or error}") from None
    except NewerVersion as error:
        message = f"{folder / NAME} was written by another version of evalmake"
        raise make_error("bad-evidence", message, notes=[str(error)], help=["pip install --upgrade evalmake"]) from None
    except ValueError as error:
        raise bad_evidence(f"{folder / NAME} is not what evalmake writes", str(error)) from None


def _check_plugins(inputs: LoadedInputs, plugins: InstalledPlugins) -> None:
    for group, used in inputs.plugins.items():
        for name, one in used.items():
            if name not in plugins.names(group):
                known = one["distribution"]
                help_ = [f"install {known} {one['version']}"] if known else []
                raise make_error(
                    "bad-evidence", f"the evidence needs the plugin `{name}` of {group}, which is not here", help=help_
                )


def _select(workspace: Workspace, inputs: LoadedInputs) -> Selection:
    """The recorded targets."""
    evaluations = {cell.name: cell for cells in workspace.cells.values() for cell in cells}
    reports = workspace.project.reports
    for names, known in ((inputs.evaluations, evaluations), (inputs.reports, reports)):
        if missing := [name for name in names if name not in known]:
            raise bad_evidence(f"{NAME} names `{missing[0]}`, which the Evalfile of the evidence does not have")
    return Selection(
        {name: evaluations[name] for name in inputs.evaluations}, {name: reports[name] for name in inputs.reports}
    )


def _find_datasets(
    graph: Graph, plugins: InstalledPlugins, names: PathNames, copied: Mapping[str, SourceFile]
) -> dict[str, tuple[tuple[str, str], ...]]:
    """The files of data sets of the hub that are copied, by the key of the selection."""
    found = {}
    for benchmark, selection in find_selections(_nodes(graph), plugins):
        files = benchmark.fetched.files if benchmark.fetched else ()
        pairs = tuple((file.name, names.name_of(file.path.absolute())) for file in files)
        if pairs and all(name in copied for _, name in pairs):
            found[selection.key] = pairs
    return found


def _attach_copies(graph: Graph, plugins: InstalledPlugins, inputs: LoadedInputs, external: RecordedInputs) -> None:
    """Give benchmarks the files of their data sets that are in the evidence, and no others of this machine."""
    for benchmark, selection in find_selections(_nodes(graph), plugins):
        pairs = inputs.datasets.get(selection.key, ())
        copies = [(name, inputs.files[known], external.copy_of(known)) for name, known in pairs]
        files = [File(name, digest, path) for name, digest, path in copies if path is not None]
        if files and len(files) == len(pairs):
            benchmark.fetched = Files(tuple(files))


def _nodes(graph: Graph) -> list[Node]:
    return [*graph.nodes.values(), *(node for report in graph.reports.values() for node in report.nodes)]


def _data_files(graph: Graph) -> Iterable[tuple[Path, str]]:
    """The files that the benchmarks of a graph read, with their digests, each once."""
    found = {file.path: file.sha256 for benchmark, _ in _benchmarks(graph) for file in list_input_files(benchmark)}
    return found.items()


def _benchmarks(graph: Graph) -> Iterable[tuple[Declaration, Node]]:
    """The benchmarks of a graph, each with a node that has it."""
    return {node.evaluation.benchmark.name: (node.evaluation.benchmark, node) for node in _nodes(graph)}.values()


def _find_plugins(workspace: Workspace) -> dict[str, dict[str, dict[str, str]]]:
    """The plugins that the Evalfile names, whatever else this process has loaded."""
    project = workspace.project
    declared = {
        "executors": project.executors,
        "engines": project.deployments,
        "harnesses": project.benchmarks,
        "exporters": project.reports,
    }
    named = {group: {one.plugin for one in found.values()} for group, found in declared.items()}
    return {
        group: {name: one for name, one in used.items() if name in named.get(group, used)}
        for group, used in workspace.plugins.used().items()
    }


def _find_packages(graph: Graph) -> dict[str, dict[str, str]]:
    """The versions that the identities of the graph have."""
    found = {_about(benchmark): _texts_of(_part(node, "benchmark"), RESOLVED) for benchmark, node in _benchmarks(graph)}
    for name, action in graph.services.items():
        found[f"deployment {name}"] = _texts_of(dict(action.parts)["deployment"], RESOLVED)
    return {about: versions for about, versions in found.items() if versions}


def _find_additions(graph: Graph, plugins: InstalledPlugins) -> dict[str, dict[str, str]]:
    """The texts that harnesses added to the identities of the graph: versions of packages of this installation."""
    found = {}
    for benchmark, node in _benchmarks(graph):
        keys = additions_of_harness(benchmark, plugins.get("harnesses", benchmark.block.harness))
        texts = _texts_of(_part(node, "benchmark"), "")
        found[benchmark.name] = {key: texts[key] for key in keys if key in texts}
    return {name: texts for name, texts in found.items() if texts}


def _texts_of(part: Part, start: str) -> dict[str, str]:
    """The texts of a walk whose paths begin with `start`, by the rest of their paths."""
    return {
        path.removeprefix(start): text.removeprefix(_TEXT)
        for path, text in part.pairs
        if path.startswith(start) and text.startswith(_TEXT)
    }


def _part(node: Node, name: str) -> Part:
    return dict(node.action.parts)[name]


def _about(declaration: Declaration) -> str:
    return f"{declaration.kind} {declaration.name}"


def _rename(question: Question, names: PathNames) -> Question:
    kind, path, *more = question
    return kind, names.name_of(path), *more
