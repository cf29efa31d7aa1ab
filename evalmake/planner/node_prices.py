"""The prices of an evaluation: of the models that it asks, and of the machines of its job and its servers."""

from __future__ import annotations

from evalmake.language.money import Price
from evalmake.planner.graph import Graph, Node
from evalmake.project.prices import GPU
from evalmake.project.project import Project
from evalmake.project.references import find_further_models
from evalmake.scoring.cost import Prices


def find_prices(project: Project | Graph, node: Node) -> Prices:
    """The prices that the Evalfile declares now."""
    cell = node.evaluation
    asked = {"model": cell.model} if node.asks_model else {}
    asked |= find_further_models(project, cell.benchmark)
    executors = dict.fromkeys([node.executor, *(project.deployments[name].block.executor for name in node.services)])
    gpus, shapes = dict[str, Price](), dict[str, Price]()
    for name in executors:
        price = project.executors[name].block.price
        gpus |= {name: price[GPU]} if GPU in price else {}
        shapes |= {shape: one for shape, one in price.items() if shape != GPU}
    return Prices({role: model.block.price for role, model in asked.items() if model.block.price}, gpus, shapes)
