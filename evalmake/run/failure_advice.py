"""What helps where a model's server refuses every request of an evaluation: another key, another address."""

from __future__ import annotations

from typing import NamedTuple

from evalmake.planner.graph import Node
from evalmake.project.declarations import Declaration
from evalmake.project.project import Project
from evalmake.run.gateways.sessions import models_of


class Refusal(NamedTuple):
    """What a model's server answered that ends an evaluation, as its gateway tells it."""

    role: str = "model"
    """What the model is to the evaluation."""
    status: str = ""
    """The status of HTTP, where that is why the gateway ended it."""
    redirect: str = ""
    """The address that the server sends requests on to."""


NO_REFUSAL = Refusal()


def advise_on_failure(project: Project, node: Node, refusal: Refusal) -> str:
    """What to do about an evaluation that its model's server refused; empty where that is not known."""
    model = dict(models_of(project, node)).get(refusal.role, node.evaluation.model)
    if refusal.status in ("401", "403"):
        return _advise_on_key(model, refusal.status)
    if refusal.redirect:
        return f"the server sends requests for model {model.name} on to {refusal.redirect}: let its `endpoint` be there"
    return ""


def _advise_on_key(model: Declaration, status: str) -> str:
    key = model.block.api_key
    if key is None:
        return f'model {model.name} has no `api_key`: write `api_key = secret("NAME")`, and set the variable NAME'
    doubt = "or may not use this model" if status == "403" else "or is of another server"
    return f"see the secret {key.name}, which `api_key` of model {model.name} names: it is wrong, out of date, {doubt}"
