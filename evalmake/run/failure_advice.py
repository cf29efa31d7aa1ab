"""What helps where a model's server refuses every request of an evaluation: another key, another address."""

from __future__ import annotations

import re

from evalmake.planner.graph import Node
from evalmake.project.declarations import Declaration
from evalmake.project.project import Project
from evalmake.run.gateways.sessions import models_of

_KEY_REFUSED = re.compile(r"HTTP (?:\d{3}, with an error )?(401|403)\b")
_REDIRECTED = re.compile(r"HTTP 3\d\d, to (\S+): ")


def advise_on_failure(project: Project, node: Node, role: str, error: str) -> str:
    """What to do about the error of an evaluation that its model's server ended; empty where that is not known."""
    role = "judge" if error.startswith("judge: ") else role  # the native harness says whose reply it was
    model = dict(models_of(project, node)).get(role, node.evaluation.model)
    if refused := _KEY_REFUSED.search(error):
        return _advise_on_key(model, refused[1])
    if moved := _REDIRECTED.search(error):
        return f"the server sends requests for model {model.name} on to {moved[1]}: let its `endpoint` be there"
    return ""


def _advise_on_key(model: Declaration, status: str) -> str:
    key = model.block.api_key
    if key is None:
        return f'model {model.name} has no `api_key`: write `api_key = secret("NAME")`, and set the variable NAME'
    doubt = "or may not use this model" if status == "403" else "or is of another server"
    return f"see the secret {key.name}, which `api_key` of model {model.name} names: it is wrong, out of date, {doubt}"
