"""The parameters of an evaluation's requests: what is sent, and which declaration says so.

A parameter may stand in `params` and in `adapter.params` of several declarations. One order holds for all of them:
the eval's word beats the benchmark's, and that the model's. In one declaration, `adapter.params` beats `params`,
because the gateway acts last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evalmake.language.source import Span
from evalmake.project.adapter import merge_adapters
from evalmake.project.declarations import Declaration
from evalmake.project.fields import Fields
from evalmake.project.matrix import Evaluation
from evalmake.project.schema import fill_templates


@dataclass(frozen=True, slots=True)
class DeclaredParameter:
    """A parameter as one declaration gives it: `owner` is "eval e", `key` is `params` or `adapter.params`."""

    name: str
    value: Any
    owner: str
    key: str
    span: Span | None
    origin: str


@dataclass(frozen=True, slots=True)
class SentParameter:
    """A parameter of requests, and those that it overrules; `dropped_by` names the adapter that takes it away."""

    name: str
    winner: DeclaredParameter
    overruled: tuple[DeclaredParameter, ...]
    dropped_by: str = ""

    @property
    def value(self) -> Any:
        """The value that is sent; maps of several declarations are merged."""
        value = self.winner.value
        for other in reversed(self.overruled):
            if isinstance(value, Mapping) and isinstance(other.value, Mapping):
                value = {**other.value, **value}
        return value


def list_sent_parameters(cell: Evaluation) -> list[SentParameter]:
    """The parameters of a cell's requests, in order of name; `none` takes a parameter away."""
    return _settle(_list_declared(cell), *_dropped_and_renamed(cell))


def list_sent_by_harness(model: Declaration, harness: str, defaults: Mapping[str, Any]) -> list[SentParameter]:
    """The parameters of a harness's own requests to a judge or an embedder, whose declaration has the last word.

    `defaults` are what the harness sends where the declaration says nothing else.
    """
    owner, block = f"model {model.name}", model.block
    declared = [DeclaredParameter(name, value, harness, "params", None, "") for name, value in defaults.items()]
    declared += _list_of(owner, "params", block.params, model.fields)
    declared += _list_of(owner, "adapter.params", block.adapter.params, model.fields)
    return _settle(declared, dict.fromkeys(block.adapter.drop or (), owner), block.adapter.rename or {})


def _settle(
    written: Iterable[DeclaredParameter], drop: Mapping[str, str], rename: Mapping[str, str]
) -> list[SentParameter]:
    """What is sent of parameters of which a later one beats an earlier one."""
    declared: dict[str, list[DeclaredParameter]] = {}
    for one in written:
        name = one.name if one.key == "adapter.params" else rename.get(one.name, one.name)
        declared.setdefault(name, []).append(one)
    found = []
    for name, (*overruled, winner) in sorted(declared.items()):
        gone = drop.get(winner.name, "") if winner.key == "params" else ""
        found.append(SentParameter(name, winner, tuple(overruled), gone))
    return [one for one in found if one.winner.value is not None]


@dataclass(frozen=True, slots=True)
class GatewayParameters:
    """What the gateway adds to the requests of a harness, and the names that it takes out of them."""

    added: dict[str, Any]
    removed: tuple[str, ...]


def find_gateway_parameters(cell: Evaluation) -> GatewayParameters:
    """`adapter.params` of all declarations, without what a declaration with a later word says in `params`."""
    _, rename = _dropped_and_renamed(cell)
    added: dict[str, Any] = {}
    for one in _list_declared(cell):
        if one.key == "adapter.params":
            added[one.name] = _merge_maps(added.get(one.name), one.value)
        elif (name := rename.get(one.name, one.name)) in added:
            rest = _subtract_map(added.pop(name), one.value)
            added |= {name: rest} if rest else {}
    removed = tuple(name for name, value in added.items() if value is None)
    return GatewayParameters({name: value for name, value in added.items() if value is not None}, removed)


def find_overruled_names(cell: Evaluation) -> tuple[str, ...]:
    """The names in `adapter.params` for which the `params` of another declaration have the last word."""
    if not any(adapter.params for adapter in _adapters(cell)[:2]):
        return ()
    before = merge_adapters(*_adapters(cell)).get("params", {})
    after = find_gateway_parameters(cell).added
    return tuple(sorted(name for name in before if name not in after or after[name] != before[name]))


def _list_declared(cell: Evaluation) -> Iterator[DeclaredParameter]:
    """Each parameter of each declaration; a later one beats an earlier one."""
    benchmark, variant = cell.benchmark, cell.variant
    axes: dict[str, object] = dict(cell.axes)
    owner = f"model {cell.model.name}"
    yield from _list_of(owner, "params", cell.model.block.params, cell.model.fields)
    yield from _list_of(owner, "adapter.params", cell.model.block.adapter.params, cell.model.fields)
    owner = f"benchmark {benchmark.name}"
    yield from _list_of(owner, "params", fill_templates(benchmark.block.params, axes), benchmark.fields)
    yield from _list_of(owner, "adapter.params", benchmark.block.adapter.params, benchmark.fields)
    owner = f"eval {cell.eval}"
    if cell.seed_span:
        yield DeclaredParameter("seed", cell.seed, owner, "params", cell.seed_span, "own")
    yield from _list_of(owner, "params", fill_templates(variant.block.params, axes), variant.fields)
    yield from _list_of(owner, "adapter.params", variant.block.adapter.params, variant.fields)


def _list_of(owner: str, key: str, values: Mapping[str, Any] | None, fields: Fields) -> Iterator[DeclaredParameter]:
    path = tuple(key.split("."))
    for name, value in (values or {}).items():
        written = fields.spans.get((*path, name)) or fields.spans.get(path) or fields.spans.get(path[:1])
        span, origin = (written.value, written.origin) if written else (None, "")
        yield DeclaredParameter(name, value, owner, key, span, origin)


def _adapters(cell: Evaluation) -> tuple[Any, ...]:
    return cell.model.block.adapter, cell.benchmark.block.adapter, cell.variant.block.adapter


def _dropped_and_renamed(cell: Evaluation) -> tuple[dict[str, str], Mapping[str, str]]:
    """The names that adapters take away, each with whose adapter does it; and the new names by the old."""
    merged = merge_adapters(*_adapters(cell))
    owners = (f"model {cell.model.name}", f"benchmark {cell.benchmark.name}", f"eval {cell.eval}")
    last = next((o for o, one in reversed([*zip(owners, _adapters(cell), strict=True)]) if one.drop is not None), "")
    rename: Mapping[str, str] = merged.get("rename", {})
    return dict.fromkeys(merged.get("drop", ()), last), rename


def _merge_maps(before: Any, value: Any) -> Any:
    return {**before, **value} if isinstance(before, Mapping) and isinstance(value, Mapping) else value


def _subtract_map(added: Any, given: Any) -> dict[str, Any] | None:
    """What of a map that the gateway adds is not given by the harness itself."""
    if not (isinstance(added, Mapping) and isinstance(given, Mapping)):
        return None
    return {key: value for key, value in added.items() if key not in given}
