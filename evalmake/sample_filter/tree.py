"""The parts of an expression; each knows where it stands in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Scalar = str | float | bool | None
"""What a literal is."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a quoted text, `true`, `false` or `none`."""

    value: Scalar
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a sample: `reply`, `record.level`, `scores["exact match"]`."""

    path: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Values:
    """A list of literals, for `in`."""

    items: tuple[Literal, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Call:
    """`lower(X)` or `len(X)`."""

    function: str
    argument: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """`LEFT OPERATOR RIGHT`; `=` has become `==`."""

    operator: str
    left: Node
    right: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Not:
    """`not X`."""

    operand: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Joined:
    """`X and Y and Z`, or the same with `or`: all operands of one operator."""

    operator: str
    operands: tuple[Node, ...]
    start: int
    end: int


Node = Literal | Field | Values | Call | Comparison | Not | Joined


def list_fields(node: Node) -> Iterator[Field]:
    """Every field of an expression, in the order of the text."""
    match node:
        case Field():
            yield node
        case Call():
            yield from list_fields(node.argument)
        case Comparison():
            yield from list_fields(node.left)
            yield from list_fields(node.right)
        case Not():
            yield from list_fields(node.operand)
        case Joined():
            for operand in node.operands:
                yield from list_fields(operand)
        case Literal() | Values():
            pass
