"""Checks JSON by a schema, with jsonschema, which is imported where it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from evalmake.harnesses.native.errors import Mistake, TaskError
from evalmake.harnesses.native.time_limit import limit_time

PACKAGE = "jsonschema"
CURE = "pip install 'evalmake[schema]'"
_SECONDS = 1.0


class SchemaFailure(Exception):
    """A schema that cannot be used."""


def find_schema_mistake(schema: object) -> str:
    """What is wrong with a schema; empty if nothing is. TaskError without the package."""
    if not isinstance(schema, dict | bool):
        return "a schema is an object"
    if find_spec(PACKAGE) is None:
        raise TaskError(Mistake(f"checks by a JSON schema need {PACKAGE}", "checks", CURE))
    from jsonschema.exceptions import SchemaError

    if outside := next((name for name in _list_references(schema) if not name.startswith("#")), None):
        return f"the schema refers to {outside[:60]!r}, which is not in it"
    try:
        with limit_time(_SECONDS, "reading the schema"):
            _make_validator(schema).check_schema(schema)
    except SchemaError as error:
        return f"not a JSON schema: {error.message[:100]}"
    except RecursionError:
        return "the schema is nested too deep"
    return ""


def fits_schema(value: object, schema: Any) -> bool:
    """Whether a value fits a schema; SchemaFailure if that cannot be told, TooSlow after a second."""
    from referencing.exceptions import Unresolvable

    try:
        with limit_time(_SECONDS, "the check by a JSON schema"):
            return bool(_make_validator(schema).is_valid(value))
    except (Unresolvable, RecursionError) as error:
        why = "it refers to itself without end" if isinstance(error, RecursionError) else f"it has no {error}"
        raise SchemaFailure(f"the JSON schema cannot be used: {why[:120]}") from None


def _make_validator(schema: Any) -> Any:
    """A validator that fetches nothing from elsewhere."""
    from jsonschema import validators
    from referencing.jsonschema import EMPTY_REGISTRY

    kind = validators.validator_for(schema, default=validators.Draft202012Validator)
    return kind(schema, registry=EMPTY_REGISTRY)


def _list_references(schema: object) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from (one[key] for key in ("$ref", "$dynamicRef") if isinstance(one.get(key), str))
            waiting += [value for key, value in one.items() if key not in ("enum", "const", "default", "examples")]
        elif isinstance(one, list):
            waiting += one
