"""A plan as JSON: `-n -o FILE` saves it, a reviewer approves it, and `--plan FILE` runs it.

A plan has the walks of all that it rests on, each once: what a reviewer reads there is what the digests stand for. One
of version 1 has the digests alone, and one of version 2 does not have the executors.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from evalmake.language.diagnostic import make_error
from evalmake.language.json_file import parse_json
from evalmake.planner.action import digest_of_action
from evalmake.planner.digest import digest
from evalmake.planner.plan import Plan
from evalmake.planner.plan_parts import EXECUTION, REQUIRES, find_parts_of_plan
from evalmake.project.command_words import Words

T = TypeVar("T")
VERSION = 3
_WITH_PARTS, _WITH_EXECUTION = 2, 3
"""The versions from which on a plan has parts, and the part of executors."""
MAX_BYTES = 256 << 20
_HELP = ["save the plan again: `evalmake -n -o FILE`"]
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_KINDS: dict[type, str] = {str: "text", bool: "`true` or `false`", list: "list", dict: "object"}


@dataclass(frozen=True, slots=True)
class SavedEvaluation:
    """What a plan says of an evaluation: its action's digest, whether it would run, the digests of its parts."""

    action: str
    run: bool
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a build needs of a saved plan. `walks` has the parts by their digests; None in a plan of version 1.

    `signed_by` has the ids of the keys whose signatures were demanded, and are valid.
    """

    name: str
    digest: str
    overrides: Mapping[str, str]
    evaluations: Mapping[str, SavedEvaluation]
    reports: Mapping[str, str]
    walks: Mapping[str, Mapping[str, str]] | None = None
    signed_by: tuple[str, ...] = ()
    covers_executors: bool = True


def plan_to_json(plan: Plan, evalfile: str, version: str) -> dict[str, Any]:
    """The JSON object of a plan."""
    parts = find_parts_of_plan(plan)
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
                "parts": {name: part.digest for name, part in parts.evaluations[d.name].items()},
            }
            for d in plan.decisions.values()
        ],
        "reports": [
            {"name": r.name, "write": r.must_write, "part": parts.reports[r.name].digest} for r in plan.reports.values()
        ],
        "parts": {part.digest: dict(part.pairs) for part in parts.distinct()},
    }


def read_saved_plan(path: Path) -> SavedPlan:
    """Return a saved plan; EvalmakeError if the file is none, or of another version."""
    return parse_saved_plan(path, read_plan_bytes(path))


def read_plan_bytes(path: Path) -> bytes:
    """Return the bytes of a plan's file; EvalmakeError if it cannot be read, or is too large for a plan."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise make_error("bad-plan", f"cannot read the plan {path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        message = f"{path} is not a plan: it is larger than {MAX_BYTES >> 20} MB"
        raise make_error("bad-plan", message, help=_HELP)
    return data


def parse_saved_plan(path: Path, data: bytes) -> SavedPlan:
    """Return the plan in the bytes of a file; EvalmakeError if it is none, or of another version."""
    try:
        saved = parse_json(data, unique=True)
    except ValueError as error:
        raise make_error("bad-plan", f"{path} is not JSON: {error}", help=_HELP) from None
    version = saved.get("v") if isinstance(saved, dict) else None
    if type(version) is int and not 1 <= version <= VERSION:
        message = f"{path} is a plan of version {version}, and this evalmake reads versions 1 to {VERSION}"
        raise make_error("bad-plan", message, help=_HELP)
    try:
        if type(version) is not int:
            raise TypeError("`v` is not a version")
        return _parse_plan(str(path), saved, version)
    except (KeyError, TypeError) as error:
        what = f"it has no `{error.args[0]}`" if isinstance(error, KeyError) else str(error)
        message = f"{path} is not a plan that `evalmake -n -o` wrote"
        raise make_error("bad-plan", message, notes=[what], help=_HELP) from None


def refuse_without_executors(saved: SavedPlan) -> None:
    """EvalmakeError for a plan of an earlier version, to which a signature would not bind the executors."""
    if not saved.covers_executors:
        message = f"{saved.name} does not cover executors, and neither would a signature of it"
        notes = ["an earlier evalmake saved it: whoever changes `env` of an executor changes what its jobs do"]
        help = [f"save and sign it again: evalmake -n -o {saved.name} --sign FILE.key"]
        raise make_error("bad-plan", message, notes=notes, help=help)


def words_of_saved_plan(words: Words, saved: SavedPlan) -> Words:
    """Return `words`. Take targets or overrides from the plan if the command line has none."""
    overrides = [f"{name}={text}" for name, text in saved.overrides.items()]
    planned = Words.of([*saved.evaluations, *saved.reports, *overrides])
    return Words(words.targets or planned.targets, words.overrides or planned.overrides)


def _parse_plan(name: str, saved: dict[str, Any], version: int) -> SavedPlan:
    """Read the keys that a build needs; KeyError or TypeError, which say what is wrong, for anything else."""
    evaluations: dict[str, SavedEvaluation] = {}
    reports: dict[str, str] = {}
    walks = _parse_walks(_typed(saved, "parts", dict)) if version >= _WITH_PARTS else None
    further = {REQUIRES, EXECUTION} if version >= _WITH_EXECUTION else {REQUIRES}
    for entry in _typed(saved, "evaluations", list):
        key = _typed(entry, "name", str)
        if key in evaluations:
            raise TypeError(f"{key} is in it twice")
        parts = _typed(entry, "parts", dict) if walks is not None else {}
        evaluations[key] = SavedEvaluation(_typed(entry, "action", str), _typed(entry, "run", bool), parts)
        if walks is not None:
            _check_parts(key, evaluations[key], walks, further)
    for entry in _typed(saved, "reports", list):
        key, _ = _typed(entry, "name", str), _typed(entry, "write", bool)
        reports[key] = _typed(entry, "part", str) if walks is not None else ""
        if walks is not None and reports[key] not in walks:
            raise KeyError(reports[key])
    overrides = _typed(saved, "overrides", dict)
    for variable in overrides:
        if not _VARIABLE.fullmatch(variable):
            raise TypeError(f"`overrides` has `{variable}`, which is no name of a variable")
        _typed(overrides, variable, str)
    plan = SavedPlan(name, _typed(saved, "digest", str), overrides, evaluations, reports, walks)
    return replace(plan, covers_executors=version >= _WITH_EXECUTION)


def _parse_walks(parts: dict[str, Any]) -> Mapping[str, Mapping[str, str]]:
    """The walks of a plan's parts. TypeError for one that its digest does not stand for: it would deceive a reader."""
    for key in parts:
        walk = _typed(parts, key, dict)
        if not all(type(text) is str for text in walk.values()):
            raise TypeError(f"the part `{key}` has a value that is no text")
        if digest(walk.items()) != key:
            raise TypeError(f"the part `{key}` has another digest: it was changed")
    return parts


def _check_parts(
    name: str, saved: SavedEvaluation, walks: Mapping[str, Mapping[str, str]], further: Collection[str]
) -> None:
    """Refuse parts that are not those of the action and the `further` ones: what they show would not be what runs."""
    for part in saved.parts:
        if _typed(saved.parts, part, str) not in walks:
            raise KeyError(saved.parts[part])
    own = {part: key for part, key in saved.parts.items() if part not in further}
    if digest_of_action("evaluate", own) != saved.action or not all(part in saved.parts for part in further):
        raise TypeError(f"the parts of {name} are not those of its action: they were changed")


def _typed(entry: Any, key: str, kind: type[T]) -> T:
    """The value of a key; TypeError if it has another type."""
    if not isinstance(entry, dict | Mapping):
        raise TypeError(f"something that should have a `{key}` is no object")
    value = entry[key]
    if type(value) is not kind:
        raise TypeError(f"a `{key}` is no {_KINDS[kind]}")
    return value
