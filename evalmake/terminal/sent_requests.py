"""What a cell's requests hold, to its model and to those that grade for it, each value with its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from evalmake.language.values import format_value
from evalmake.plugin_api.harness import SetsJudgeParameters
from evalmake.project.declarations import Declaration
from evalmake.project.matrix import Evaluation
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.project import Project
from evalmake.project.references import find_further_models
from evalmake.project.request_parameters import SentParameter, list_sent_by_harness, list_sent_parameters
from evalmake.project.system_messages import find_sent_system


class Row(NamedTuple):
    """A value: its name, its text, where it is written, and what else is to say of it."""

    key: str
    value: str
    place: str
    note: str


class Requests(NamedTuple):
    """What the requests to one model hold."""

    title: str
    rows: Sequence[Row]


def list_requests(project: Project, plugins: PluginRegistry, cell: Evaluation) -> Iterator[Requests]:
    """Those to the model, if one is asked, then those to the judge and the embedder."""
    if not cell.benchmark.unasked:
        yield Requests(f"requests of {cell.name}", _list_rows(project, cell))
    harness = plugins.get("harnesses", cell.benchmark.plugin)
    for role, model in find_further_models(project, cell.benchmark).items():
        defaults: Mapping[str, Any] = {}
        if role == "judge" and isinstance(harness, SetsJudgeParameters):
            defaults = harness.judge_parameters(cell.benchmark, model)
        rows = [*_describe_model(project, model), *_describe_system(model)]
        sent = list_sent_by_harness(model, f"harness {cell.benchmark.plugin}", defaults)
        yield Requests(f"requests to the {role} of {cell.name}", rows + [_describe_parameter(one) for one in sent])


def _list_rows(project: Project, cell: Evaluation) -> list[Row]:
    """Model, system message, tools and parameters."""
    rows = [*_describe_model(project, cell.model), *_find_system_message(cell), *_find_tools(cell)]
    sent = list_sent_parameters(cell)
    if not any(one.name == "seed" for one in sent):
        rows.append(Row("seed", str(cell.seed), "", "default"))
    return rows + [_describe_parameter(one) for one in sent]


def _describe_model(project: Project, model: Declaration) -> Iterator[Row]:
    """The name of a model in requests."""
    deployment = project.deployments.get(model.block.deployment)
    name = model.block.name or (deployment.block.served_name if deployment else None) or model.block.deployment
    at = model.fields.spans.get(("name",)) or model.fields.spans["deployment",]
    yield Row("model", format_value(name), at.value.location, f"model {model.name}")


def _find_system_message(cell: Evaluation) -> Iterator[Row]:
    """The system message that is sent, and those that are not."""
    sent = find_sent_system(cell)
    if sent is None:
        return
    note = sent.winner.owner + (f", with that of {sent.beside.owner}" if sent.beside else "")
    others = [*sent.overruled, *([sent.replaced] if sent.replaced else [])]
    over = [f"{format_value(one.text)} of {one.owner.removeprefix('adapter of ')}" for one in others]
    note += f", over {' and '.join(over)}" if over else ""
    yield Row("system", format_value(sent.text), sent.winner.span.location, note)


def _describe_system(model: Declaration) -> Iterator[Row]:
    """The system message that the adapter of a judge adds."""
    if (text := model.block.adapter.system) is not None:
        at = model.fields.spans.get(("adapter", "system")) or model.fields.spans["adapter",]
        yield Row("system", format_value(text), at.value.location, f"adapter of model {model.name}")


def _find_tools(cell: Evaluation) -> Iterator[Row]:
    """The tools of the benchmark's key, which only some harnesses have."""
    tools, written = getattr(cell.benchmark.settings, "tools", None), cell.benchmark.fields.spans.get(("tools",))
    if tools is not None and written is not None:
        yield Row("tools", format_value(tools), written.value.location, f"benchmark {cell.benchmark.name}")


def _describe_parameter(sent: SentParameter) -> Row:
    winner = sent.winner
    note = winner.owner if winner.key == "params" else f"adapter of {winner.owner}"
    others = [f"{format_value(one.value)} of {one.owner}" for one in sent.overruled if one.value != winner.value]
    note += f", over {' and '.join(others)}" if others else ""
    place = winner.span.location if winner.span else ""
    if sent.dropped_by:
        return Row(sent.name, "(dropped)", place, f"{note}, by the adapter of {sent.dropped_by}")
    return Row(sent.name, format_value(sent.value), place, note)
