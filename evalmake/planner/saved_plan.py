"""A plan as JSON: `-n -o FILE` saves it, a reviewer approves it, and `--plan FILE` runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import make_error
from evalmake.planner.plan import Plan
from evalmake.project.command_words import Words

VERSION = 1
_SHOWN = 10


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


def read_saved_plan(path: Path) -> Any:
    """Return the JSON of a saved plan, before any check; EvalmakeError if the file cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise make_error("bad-plan", f"cannot read the plan {path}: {error.strerror}") from None
    except ValueError:
        raise make_error("bad-plan", f"{path} is not JSON") from None


def words_of_saved_plan(words: Words, saved: Any) -> Words:
    """Return `words`. Take targets or overrides from the plan if the command line has none."""
    try:
        overrides = [f"{name}={text}" for name, text in saved["overrides"].items()]
        targets = [e["name"] for e in (*saved["evaluations"], *saved["reports"])]
    except (KeyError, TypeError, AttributeError):
        return words  # `check_saved_plan` reports that it is no plan
    planned = Words.of([*targets, *overrides])
    return Words(words.targets or planned.targets, words.overrides or planned.overrides)


def check_saved_plan(plan: Plan, saved: Any, name: str) -> None:
    """Raise EvalmakeError if `plan` would run anything that the saved plan does not. It may run less."""
    try:
        before = {e["name"]: (e["action"], bool(e["run"])) for e in saved["evaluations"]}
        digest = saved["digest"]
    except (KeyError, TypeError):
        raise make_error("bad-plan", f"{name} is not a plan that `evalmake -n -o` wrote") from None
    changes = _find_changes(plan, before)
    if changes or plan.digest != digest:
        shown = changes[:_SHOWN] + ([f"and {len(changes) - _SHOWN} more"] if len(changes) > _SHOWN else [])
        raise make_error(
            "plan-moved",
            f"the plan has changed since {name} was saved",
            notes=shown or ["a gate or a report has changed"],
            help=[f"save it again, and look at what changed: evalmake -n -o {name}"],
        )


def _find_changes(plan: Plan, before: dict[str, tuple[str, bool]]) -> list[str]:
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
