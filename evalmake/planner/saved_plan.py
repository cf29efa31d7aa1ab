"""A plan as JSON: `-n -o FILE` saves it, a reviewer approves it, and `--plan FILE` runs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from evalmake.language.diagnostic import make_error
from evalmake.language.json_file import read_json
from evalmake.planner.plan import Plan
from evalmake.project.command_words import Words

T = TypeVar("T")
VERSION = 1
_SHOWN = 10
_MAX_BYTES = 256 << 20
_HELP = ["save the plan again: `evalmake -n -o FILE`"]
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_KINDS: dict[type, str] = {str: "text", bool: "`true` or `false`", list: "list", dict: "object"}


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a build needs of a saved plan; `evaluations` have their action's digest, and whether they would run."""

    name: str
    digest: str
    overrides: Mapping[str, str]
    evaluations: Mapping[str, tuple[str, bool]]
    reports: Mapping[str, bool]


def plan_to_json(plan: Plan, evalfile: str, version: str) -> dict[str, Any]:
    """The JSON object of a plan."""
    return {
        "v": VERSION,
        "evalmake": version,
        "evalfile": evalfile,
        "digest": plan.digest,
        "overrides": dict(plan.overrides),
        "evaluations": [
            {
                "name": d.name,
                "action": d.action.digest,
                "run": d.stale,
                "reasons": [
                    {"kind": r.kind, "subject": r.subject, "before": r.before, "now": r.now} for r in d.reasons
                ],
            }
            for d in plan.decisions.values()
        ],
        "reports": [{"name": r.name, "write": r.must_write} for r in plan.reports.values()],
    }


def read_saved_plan(path: Path) -> SavedPlan:
    """Return a saved plan; EvalmakeError if the file is none, or of another version."""
    try:
        saved = read_json(path, _MAX_BYTES)
    except OSError as error:
        raise make_error("bad-plan", f"cannot read the plan {path}: {error.strerror}") from None
    except ValueError as error:
        raise make_error("bad-plan", f"{path} is not JSON: {error}", help=_HELP) from None
    version = saved.get("v") if isinstance(saved, dict) else None
    if type(version) is int and version != VERSION:
        message = f"{path} is a plan of version {version}, and this evalmake reads version {VERSION}"
        raise make_error("bad-plan", message, help=_HELP)
    try:
        if type(version) is not int:
            raise TypeError("`v` is not a version")
        return _parse_plan(str(path), saved)
    except (KeyError, TypeError) as error:
        what = f"it has no `{error.args[0]}`" if isinstance(error, KeyError) else str(error)
        message = f"{path} is not a plan that `evalmake -n -o` wrote"
        raise make_error("bad-plan", message, notes=[what], help=_HELP) from None


def words_of_saved_plan(words: Words, saved: SavedPlan) -> Words:
    """Return `words`. Take targets or overrides from the plan if the command line has none."""
    overrides = [f"{name}={text}" for name, text in saved.overrides.items()]
    planned = Words.of([*saved.evaluations, *saved.reports, *overrides])
    return Words(words.targets or planned.targets, words.overrides or planned.overrides)


def check_saved_plan(plan: Plan, saved: SavedPlan) -> None:
    """Raise EvalmakeError if `plan` would run anything that the saved plan does not. It may run less."""
    changes = _find_changes(plan, saved.evaluations)
    if changes or plan.digest != saved.digest:
        shown = changes[:_SHOWN] + ([f"and {len(changes) - _SHOWN} more"] if len(changes) > _SHOWN else [])
        raise make_error(
            "plan-moved",
            f"the plan has changed since {saved.name} was saved",
            notes=shown or ["a gate or a report has changed"],
            help=[f"save it again, and look at what changed: evalmake -n -o {saved.name}"],
        )


def _parse_plan(name: str, saved: dict[str, Any]) -> SavedPlan:
    """Read the keys that a build needs; KeyError or TypeError, which say what is wrong, for anything else."""
    evaluations: dict[str, tuple[str, bool]] = {}
    reports: dict[str, bool] = {}
    for entry in _typed(saved, "evaluations", list):
        key = _typed(entry, "name", str)
        if key in evaluations:
            raise TypeError(f"{key} is in it twice")
        evaluations[key] = (_typed(entry, "action", str), _typed(entry, "run", bool))
    for entry in _typed(saved, "reports", list):
        reports[_typed(entry, "name", str)] = _typed(entry, "write", bool)
    overrides = _typed(saved, "overrides", dict)
    for variable in overrides:
        if not _VARIABLE.fullmatch(variable):
            raise TypeError(f"`overrides` has `{variable}`, which is no name of a variable")
        _typed(overrides, variable, str)
    return SavedPlan(name, _typed(saved, "digest", str), overrides, evaluations, reports)


def _typed(entry: Any, key: str, kind: type[T]) -> T:
    """The value of a key; TypeError if it has another type."""
    if not isinstance(entry, dict):
        raise TypeError(f"something that should have a `{key}` is no object")
    value = entry[key]
    if type(value) is not kind:
        raise TypeError(f"a `{key}` is no {_KINDS[kind]}")
    return value


def _find_changes(plan: Plan, before: Mapping[str, tuple[str, bool]]) -> list[str]:
    changes = [f"{name} is no longer selected" for name in before if name not in plan.decisions]
    for decision in plan.decisions.values():
        name, digest = decision.name, decision.action.digest
        if name not in before:
            changes.append(f"{name} was not in the plan")
            continue
        old, ran = before[name]
        if old != digest:
            changes.append(f"{name} has changed: {_shorten(old)} -> {_shorten(digest)}")
        elif decision.stale and not ran:
            changes.append(f"{name} was up to date, but must run now")
    return changes


def _shorten(digest: str) -> str:
    return digest[:15]
