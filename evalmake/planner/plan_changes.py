"""Says what has moved between a saved plan and the plan of now, key by key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.planner.digest import Part, describe_change, find_changes
from evalmake.planner.graph import Graph, Node
from evalmake.planner.plan import Plan
from evalmake.planner.plan_parts import EXECUTION, find_parts_of_plan
from evalmake.planner.saved_plan import SavedPlan

_SHOWN = 30
_PACKAGE = re.compile(r"(^|\.)packages\[")
RESULTS = "results"
"""In the part of a report: what its evaluations are, which their own parts say, too."""
CELLS = {"names": "it shows other evaluations", RESULTS: "an evaluation that it shows has changed"}


def check_saved_plan(plan: Plan, saved: SavedPlan) -> None:
    """Raise EvalmakeError if `plan` would run anything that the saved plan does not. It may run less.

    Where signatures were demanded, executors must be those that were signed, too. Else they may differ from machine to
    machine.
    """
    changes = fold_changes(_find_changes(plan, saved))
    if changes or plan.digest != saved.digest:
        raise _make_moved_error(changes, saved)


def check_saved_packages(graph: Graph, saved: SavedPlan) -> None:
    """Raise EvalmakeError for packages that the saved plan does not have: to install one is to run its code."""
    changes = fold_changes(line for node in graph.nodes.values() for line in _find_package_changes(node, saved))
    if changes:
        raise _make_moved_error(changes, saved)


def _find_package_changes(node: Node, saved: SavedPlan) -> Iterator[str]:
    planned = saved.evaluations.get(node.name)
    if planned is None:
        yield f"{node.name} was not in the plan"
    if planned is None or saved.walks is None:  # a plan of version 1 does not tell packages
        return
    for name, part in node.action.parts:
        walk = saved.walks.get(planned.parts.get(name, ""), {})
        for change in find_changes(_choose_packages(walk), _choose_packages(dict(part.pairs))):
            yield f"{node.name}: {': '.join(describe_change(change.path, change.before, change.now))}"


def _choose_packages(walk: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in walk.items() if _PACKAGE.search(path)}


def _make_moved_error(changes: Sequence[str], saved: SavedPlan) -> EvalmakeError:
    more = [f"and {len(changes) - _SHOWN} more"] if len(changes) > _SHOWN else []
    return make_error(
        "plan-moved",
        f"the plan has changed since {saved.name} was saved",
        notes=[*changes[:_SHOWN], *more] or ["a gate or a report has changed"],
        help=[f"save it again, and look at what changed: evalmake -n -o {saved.name}"],
    )


def fold_changes(changes: Iterable[str]) -> list[str]:
    """The changes, of which one that many evaluations share is told once: `grid/1 and 11 more: limit: 10 -> 20`."""
    names: dict[str, list[str]] = {}
    for line in changes:
        name, found, change = line.partition(": ")
        is_shared = found and not name.startswith("report ")
        names.setdefault(change if is_shared else line, []).append(name if is_shared else "")
    return [
        f"{first}{f' and {len(more)} more' if more else ''}: {change}" if first else change
        for change, (first, *more) in names.items()
    ]


def _find_changes(plan: Plan, saved: SavedPlan) -> Iterator[str]:
    found = False
    comparison = _Comparison(plan, saved)
    for line in comparison.evaluations():
        found = True
        yield line
    yield from comparison.reports(also_results=not found)


class _Comparison:
    """Compares the parts of two plans, each pair of parts once."""

    def __init__(self, plan: Plan, saved: SavedPlan) -> None:
        self._plan, self._saved = plan, saved
        self._parts = find_parts_of_plan(plan) if saved.walks is not None else None
        self._compared: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def evaluations(self) -> Iterator[str]:
        """What has moved in evaluations."""
        plan, before = self._plan, self._saved.evaluations
        yield from (f"{name} is no longer selected" for name in before if name not in plan.decisions)
        for decision in plan.decisions.values():
            name, now = decision.name, decision.action.digest
            if name not in before:
                yield f"{name} was not in the plan"
                continue
            changes = self._changes_of(name)
            yield from changes
            old = before[name].action
            if old != now and not changes:
                yield f"{name} has changed: {_shorten(old)} -> {_shorten(now)}"
            elif old == now and decision.stale and not before[name].run:
                yield f"{name} was up to date, but must run now"

    def reports(self, also_results: bool) -> Iterator[str]:
        """What has moved in reports; `also_results` if no evaluation has moved that would explain it."""
        plan, before = self._plan, self._saved.reports
        yield from (f"report {name} is no longer selected" for name in before if name not in plan.reports)
        for name in plan.reports:
            if name not in before:
                yield f"report {name} was not in the plan"
            elif self._parts is not None:
                for path, change in self._compare(before[name], self._parts.reports[name]):
                    if path not in CELLS:
                        yield f"report {name}: {path}: {change}"
                    elif also_results:
                        yield f"report {name}: {CELLS[path]}"

    def _changes_of(self, name: str) -> list[str]:
        """What has moved in the parts of an evaluation."""
        if self._parts is None:
            return []
        before, now = self._saved.evaluations[name].parts, self._parts.evaluations[name]
        lines = []
        for part in sorted({*before, *now} - (set() if self._saved.signed_by else {EXECUTION})):
            lines += [f"{name}: {path}: {change}" for path, change in self._compare(before.get(part), now.get(part))]
        return lines

    def _compare(self, before: str | None, now: Part | None) -> list[tuple[str, str]]:
        """The changed paths of a part. Their texts are compared, as a digest of xxh128 resists no adversary."""
        key = (before or "", now.digest if now else "")
        if key not in self._compared:
            assert self._saved.walks is not None
            old: Mapping[str, str] = self._saved.walks[before] if before else {}
            changes = find_changes(old, dict(now.pairs) if now else {})
            self._compared[key] = [describe_change(each.path, each.before, each.now) for each in changes]
        return self._compared[key]


def _shorten(digest: str) -> str:
    return digest[:15]
