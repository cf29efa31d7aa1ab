"""Requirements that compare with a model or a baseline: what they name, and the cells that it is compared with."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.project.baseline_path import ENDING, FOLDER, MOST_BASELINE_BYTES, find_path, is_name
from evalmake.project.boundary import Boundary, allow_help
from evalmake.project.matrix import Evaluation
from evalmake.project.project import Project
from evalmake.project.requirements import Gate, Referent

_POOLED = ("model", "weights", "seed")


def find_counterparts(cell: Evaluation, than: Referent, cells: Sequence[Evaluation]) -> list[Evaluation]:
    """The cells of the model that a requirement names which differ from a cell in their model and seed alone."""
    place = _place_of(cell)
    return [other for other in cells if other.model.name == than.name and _place_of(other) == place]


def _place_of(cell: Evaluation) -> Hashable:
    return cell.benchmark.name, tuple((key, value) for key, value in cell.axes if key not in _POOLED)


def check_relations(
    project: Project, cells: Mapping[str, Sequence[Evaluation]], boundary: Boundary | None = None
) -> None:
    """Check that what is compared with is there, and another; EvalmakeError with all that is wrong.

    The file of a baseline may be missing: it is made of results. It is read here, so that it counts as an input.
    """
    diagnostics, boundary = Diagnostics(), boundary or Boundary(project.path)
    for group in cells.values():
        compared: dict[Gate, list[Evaluation]] = {}
        for cell in group:
            for gate in cell.gates:
                if gate.than is not None:
                    compared.setdefault(gate, []).append(cell)
        for gate, members in compared.items():
            assert gate.than is not None
            if gate.than.kind == "model":
                _check_model(gate, gate.than, members, group, project, diagnostics)
            else:
                _check_baseline(gate.than, members[0].eval, project, boundary, diagnostics)
    diagnostics.check()


def _check_model(
    gate: Gate,
    than: Referent,
    members: Sequence[Evaluation],
    cells: Sequence[Evaluation],
    project: Project,
    diagnostics: Diagnostics,
) -> None:
    about = f"eval {cells[0].eval}"
    models = list(dict.fromkeys(cell.model.name for cell in cells))
    if than.name not in models:
        known = [*models, *project.models]
        meant = closest_name(than.name, known)
        if than.name in project.models:
            message = f"`{than.name}` is no model of this eval, so there is nothing to compare with"
            help = [f"add it: `model in [{', '.join([than.name, *models[:3]])}]`", _choose(gate, models)]
            diagnostics.error("bad-value", message, than.span, about=about, help=help)
            return
        help = [f"did you mean `{meant}`?"] if meant else [f"its models are {', '.join(models[:10])}"]
        diagnostics.error("unknown-name", f"no model is named `{than.name}`", than.span, about=about, help=help)
        return
    if any(cell.model.name == than.name for cell in members):
        others = [name for name in models if name != than.name]
        help = [_choose(gate, others)] if others else ["add another model to the eval"]
        message = f"`{than.name}` would be compared with itself"
        diagnostics.error("bad-value", message, than.span, about=about, help=help)
        return
    for cell in members:
        if not find_counterparts(cell, than, cells):
            message = f"{cell.name} has nothing to be compared with: that cell of `{than.name}` is skipped"
            help = ["narrow the `skip`, or require it of fewer cells: `when AXIS = VALUE { require ... }`"]
            diagnostics.error("bad-value", message, than.span, about=about, help=help)
            return


def _choose(gate: Gate, models: Sequence[str]) -> str:
    """How to require it of other models only."""
    test = f"model = {models[0]}" if len(models) == 1 else f"model in [{', '.join(models[:5])}]"
    return f"require it of the others alone: `when {test} {{ {' '.join(gate.span.text.split())} }}`"


def _check_baseline(than: Referent, eval: str, project: Project, boundary: Boundary, diagnostics: Diagnostics) -> None:
    about = f"eval {eval}"
    if not is_name(than.name):
        help = ["use up to 64 letters, digits, `.`, `-` and `_`, and begin with a letter or digit"]
        diagnostics.error("bad-name", f"a baseline cannot be called `{than.name}`", than.span, about=about, help=help)
        return
    path = find_path(project.folder, than.name)
    shown = f"{FOLDER}/{path.name}"
    project.external.watched.add(str(path))
    if not project.external.exists(path):
        found = project.external.find_files(project.folder, f"{FOLDER}/*{ENDING}", than.span)
        known = [os.path.basename(name).removesuffix(ENDING) for name in found]
        project.missing_baselines[than.name] = closest_name(than.name, known) or ""
        return
    if not boundary.holds(path):
        message = f"`{shown}` is a link out of the project"
        diagnostics.error("outside-project", message, than.span, about=about, help=allow_help(path))
        return
    try:
        project.baselines[than.name] = project.external.read(path, MOST_BASELINE_BYTES)
    except OSError as error:
        message = f"cannot read {shown}: {error.strerror}"
        diagnostics.error("bad-baseline", message, than.span, about=about)
