"""Reads the outputs that say how an attempt was made. Older attempts have none of them; any may be damaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalmake.language.diagnostic import EvalmakeError
from evalmake.language.json_file import parse_json
from evalmake.planner.action import ActionResult
from evalmake.run.gateways.sessions import USAGE_FOLDERS
from evalmake.store.store import Store

USAGES = {role: f"{folder}/usage.json" for role, folder in USAGE_FOLDERS.items()}
"""By role: the output in which the gateway of that model summed up."""
_LARGEST = 16 << 20  # bytes; evalmake writes far less

Object = Mapping[str, Any]


@dataclass(slots=True)
class OutputReader:
    """Reads outputs as JSON objects. All attempts of a build share one text, which is read once."""

    store: Store
    _known: dict[str, tuple[Object | None, str]] = field(default_factory=dict)

    def read(self, record: ActionResult, name: str) -> tuple[Object | None, str]:
        """The object, and what is wrong with it; None and no words where the attempt has no such output."""
        output = next((one for one in record.outputs if one.name == name), None)
        if output is None:
            return None, ""
        if output.sha256 not in self._known:
            self._known[output.sha256] = self._parse(record, name, output.size)
        return self._known[output.sha256]

    def _parse(self, record: ActionResult, name: str, size: int) -> tuple[Object | None, str]:
        if size > _LARGEST:
            return None, f"{name} is larger than what evalmake writes"
        try:
            found = parse_json(self.store.output(record, name) or b"")
        except EvalmakeError:
            return None, f"{name} is missing or damaged"
        except ValueError:
            return None, f"{name} is not what evalmake writes"
        return (found, "") if isinstance(found, dict) else (None, f"{name} is not what evalmake writes")


def find(value: object, *path: str) -> Any:
    """What stands at a path in nested objects; None where there is nothing, or something else on the way."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def find_text(value: object, *path: str) -> str:
    """The text or number at a path, as text; empty where there is none."""
    found = find(value, *path)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def find_list(value: object, *path: str) -> list[Any]:
    """The list at a path; empty where there is none."""
    found = find(value, *path)
    return found if isinstance(found, list) else []


def find_map(value: object, *path: str) -> Object:
    """The object at a path; empty where there is none."""
    found = find(value, *path)
    return found if isinstance(found, Mapping) else {}


def find_counts(value: object, *path: str) -> dict[str, int]:
    """The counts at a path: numbers by name; empty where there are none."""
    return {str(name): count for name, count in find_map(value, *path).items() if type(count) is int}
