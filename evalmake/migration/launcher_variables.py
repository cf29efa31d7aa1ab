"""Variables of the environment in a launcher's configuration: their values, secrets, and other names."""

from __future__ import annotations

from typing import Any

from evalmake.language.values import SecretRef
from evalmake.migration.configuration import Configuration
from evalmake.migration.draft import Draft, Expression, Item, guard_secret
from evalmake.migration.run_settings import read_variable
from evalmake.migration.yaml_file import Node

VARIABLES = ("env_vars", "execution.env_vars.evaluation", "evaluation.env_vars")
"""Where variables of all evaluations are given; the later wins, and those of a task win over all."""


def find_own_variable(configuration: Configuration, path: str, name: str) -> str:
    """The variable of this machine that jobs of a task know by a name: `env_vars` may rename it."""
    for place in (f"{path}.env_vars", *reversed(VARIABLES)):
        raw = configuration.get(f"{place}.{name}") if name else None
        if isinstance(raw, str):
            value = read_variable(name, raw)
            return value.name if isinstance(value, SecretRef) else name
    return name


def read_lepton_variables(
    configuration: Configuration, draft: Draft, path: str
) -> tuple[dict[str, Item], dict[str, Item]]:
    """The plain variables at a path, and those whose values the workspace holds, with the names of its secrets."""
    plain: dict[str, Item] = {}
    secrets: dict[str, Item] = {}
    for name, node in configuration.items(path):
        value = configuration.read(node, f"{path}.{name}")
        if isinstance(value, dict):
            source = value.get("value_from")
            secrets[name] = Item(str(source.get("secret_name_ref", name)) if isinstance(source, dict) else name, node)
        else:
            plain[name] = Item(_withhold(draft, f"{path}.{name}", name, draft.resolve(value), node, False), node)
    return plain, secrets


def _withhold(draft: Draft, path: str, name: str, value: Any, node: Node, may_be_name: bool = True) -> Any:
    """The value of a variable; a secret, with a note, in place of one."""
    secret = guard_secret(name, value, may_be_name) if isinstance(value, str) else None
    if secret is None:
        return value
    draft.note(path, f"a secret is not copied: set {secret.name} before you run evalmake", node)
    return secret


def read_variables(configuration: Configuration, draft: Draft, path: str) -> dict[str, Any]:
    """A map of variables at a path; a value that is a secret itself is not copied."""
    found: dict[str, Any] = {}
    for name, node in configuration.items(path):
        raw = configuration.read(node, f"{path}.{name}")
        value = read_variable(name, raw) if isinstance(raw, str | int | float) else draft.resolve(raw)
        if isinstance(value, Expression):
            value = SecretRef(name)
        if str(raw).startswith("runtime:") and isinstance(value, SecretRef):
            why = f"evalmake reads {value.name} here, not where the job runs: `setup` of a benchmark can export that"
            draft.note(f"{path}.{name}", why, node)
        found[name] = Item(_withhold(draft, f"{path}.{name}", name, value, node), node)
    return found
