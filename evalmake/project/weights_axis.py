"""The axis `weights`: each folder stands in for the weights of the model's deployment.

For each folder there is one more deployment and one more model, called `MODEL@FOLDER`. All that follows sees
ordinary models: servers, gateways, identities and reports.
"""

from __future__ import annotations

import re
from dataclasses import replace

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.source import Span
from evalmake.language.values import Folder
from evalmake.project.axes import Axis
from evalmake.project.declarations import Declaration
from evalmake.project.fields import ValueOrigin
from evalmake.project.project import Project
from evalmake.project.references import names_given

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]*")


def name_model(model: str, folder: object) -> str:
    """The name of a model that is served with the weights of a folder."""
    return f"{model}@{folder}"


def add_models_of_folders(project: Project, diagnostics: Diagnostics) -> None:
    """Add a model and a deployment to the project for each model and folder of an eval."""
    for declaration in project.evals.values():
        axis = next((axis for axis in declaration.axes if axis.key == "weights"), None)
        if axis is None:
            continue
        about = f"eval {declaration.name}"
        if not _check_names(axis, diagnostics, about):
            continue
        for name, span in dict(names_given(declaration, "model")).items():
            _add_models(project, project.models[name], axis, span, diagnostics, about)


def _check_names(axis: Axis, diagnostics: Diagnostics, about: str) -> bool:
    """Whether the name of each folder can be a part of a path."""
    wrong = next((folder.name for folder in axis.folders if not _NAME.fullmatch(folder.name)), None)
    if wrong is not None:
        diagnostics.error(
            "bad-value",
            f"the folder `{wrong}` cannot be a part of the path of a cell",
            axis.spans[0],
            about=about,
            help=["rename it to ASCII letters, digits and `._+=-`, or narrow the pattern"],
        )
    return wrong is None


def _add_models(
    project: Project, model: Declaration, axis: Axis, span: Span, diagnostics: Diagnostics, about: str
) -> None:
    if not model.block.deployment:
        diagnostics.error(
            "bad-value",
            f"the model `{model.name}` has an endpoint: evalmake cannot change its weights",
            span,
            about=about,
            also=[(axis.span, "the axis")],
            help=["give the model a `deployment`"],
        )
        return
    deployment = project.deployments[model.block.deployment]
    for folder in axis.folders:
        name = name_model(model.name, folder.name)
        known = project.deployments.get(name)
        if known is not None and known.block.weights != folder.files:
            diagnostics.error(
                "duplicate-value",
                f"two folders for `{model.name}` are called `{folder.name}`",
                axis.span,
                about=about,
                also=[(known.fields.spans["weights",].value, "the other")],
                help=["name another model, or rename one of the folders"],
            )
            return
        project.deployments[name] = _with_weights(deployment, name, folder, axis)
        block = model.block.model_copy(update={"deployment": name})
        project.models[name] = replace(model, name=name, block=block)


def _with_weights(deployment: Declaration, name: str, folder: Folder, axis: Axis) -> Declaration:
    fields = deployment.fields.copy()
    fields.put("weights", folder.files, ValueOrigin(axis.span, axis.spans[0], "own"), {})
    block = deployment.block.model_copy(update={"weights": folder.files})
    return replace(deployment, name=name, block=block, fields=fields)
