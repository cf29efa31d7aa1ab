"""The secrets that evaluations need, and the check that each has a value."""

from __future__ import annotations

from collections.abc import Iterable

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.source import Span
from evalmake.language.values import Files, SecretRef
from evalmake.planner.graph import Node
from evalmake.preflight.context import BuildContext, distinct_cells
from evalmake.project.declarations import Declaration
from evalmake.project.project import Project
from evalmake.project.references import find_further_models
from evalmake.run.secrets import KEYRING_SERVICE


def check_secrets(context: BuildContext, diagnostics: Diagnostics) -> None:
    """Each secret is in the environment or in the keyring."""
    signing = signing_secrets(context.reports)
    needed = {**required_secrets(context.project, context.nodes), **signing}
    for name in context.secrets.missing_names(needed):
        diagnostics.error(
            "missing-secret",
            f"the secret `{name}` is neither in the environment nor in the keyring",
            needed[name],
            notes=[context.secrets.keyring_error] if context.secrets.keyring_error else [],
            help=[
                f"set it for this command: export {name}=" + ('"$(cat FILE.key)"' if name in signing else "..."),
                f"or store it in the keyring: keyring set {KEYRING_SERVICE} {name}",
            ],
        )


def required_secrets(project: Project, nodes: Iterable[Node]) -> dict[str, Span]:
    """The secrets of evaluations, their servers, their judges and `notify`, each with a place that names it."""
    found: dict[str, Span] = {}
    cells = list(distinct_cells(nodes))
    for node in cells:
        for name, span in _secrets_of(project, node).items():
            found.setdefault(name, span)
    notify = project.settings.notify
    if cells and isinstance(notify, SecretRef):
        found.setdefault(notify.name, project.settings_fields.spans["notify",].value)
    return found


def signing_secrets(reports: Iterable[Declaration]) -> dict[str, Span]:
    """The secrets that hold the keys of reports, each with a place that names it."""
    found: dict[str, Span] = {}
    for report in reports:
        for key in report.block.sign:
            if isinstance(key, SecretRef):
                found.setdefault(key.name, find_span_of_key(report, key))
    return found


def find_span_of_key(report: Declaration, key: SecretRef | Files) -> Span:
    """The place of one of the keys that sign a report."""
    spans = report.fields.spans
    position = str(report.block.sign.index(key))
    return (spans.get(("sign", position)) or spans["sign",]).value


def _secrets_of(project: Project, node: Node) -> dict[str, Span]:
    cell = node.evaluation
    executors, found = [cell.variant.block.executor], {}
    asked = [cell.model] if node.asks_model else []
    for model in (*asked, *find_further_models(project, cell.benchmark).values()):
        if model.block.api_key:
            found[model.block.api_key.name] = model.fields.spans["api_key",].value
        found |= _secrets_in_map(model, "headers")
        if model.block.deployment:
            deployment = project.deployments[model.block.deployment]
            executors.append(deployment.block.executor)
            found |= _secrets_in_map(deployment, "env")
    for name in executors:
        found |= _secrets_of_executor(project.executors[name])
    found |= _secrets_in_map(cell.benchmark, "env")
    return found


def _secrets_of_executor(executor: Declaration) -> dict[str, Span]:
    """Those in its `env`, and those that are a setting of their own, as the key of a cluster."""
    found = _secrets_in_map(executor, "env")
    for key in type(executor.settings).model_fields if executor.settings else ():
        if isinstance(value := getattr(executor.settings, key), SecretRef):
            found[value.name] = executor.fields.spans[key,].value
    return found


def _secrets_in_map(declaration: Declaration, field: str) -> dict[str, Span]:
    spans = declaration.fields.spans
    return {
        value.name: spans.get((field, key), spans[field,]).value
        for key, value in getattr(declaration.block, field).items()
        if isinstance(value, SecretRef)
    }
