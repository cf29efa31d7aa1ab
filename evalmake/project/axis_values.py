"""The values of an axis over parameters or keys of the benchmark: what each is called in the paths of cells.

A number, `true`, `false`, `none` and a name are called as they are, and so is a text in quotes that a path can hold.
Anything else is called by the variable that holds it: `prompt in [BRIEF, LONG]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from evalmake.language import tree
from evalmake.language.expressions import Scope
from evalmake.language.values import Duration, Size, Symbol, Value

_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_+-]|\.(?!\.))*")
_LONGEST_PART = 64
PART_HELP = "ASCII letters, digits and `._+-`"


def call_value(value: Value, variable: str) -> str | int | float | bool | None:
    """What a value is called in a path; None for one that needs a variable and has none."""
    match value:
        case bool() | int() | float():
            return value
        case None:
            return "none"
        case Symbol() | Duration() | Size():
            return str(value)
        case str() if not variable and len(value) <= _LONGEST_PART and _PART.fullmatch(value):
            return str(value)
    return variable or None


def is_same_value(one: Value, other: Value) -> bool:
    """Whether two values are the same setting: 1 and 1.0 are, 1 and `true` are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    return type(one) is type(other) and one == other


def find_variables(node: tree.Expr, scope: Scope, declared: bool, count: int) -> Sequence[str]:
    """The variable that holds each of the `count` items of an axis; empty for an item that is written out."""
    while isinstance(node, tree.Use):
        node = scope.bindings[node.text].value_node(declared)
    if isinstance(node, tree.ListOf) and len(node.items) == count:
        return [item.text if isinstance(item, tree.Use) else "" for item in node.items]
    return [""] * count
