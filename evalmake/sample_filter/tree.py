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


def list_nodes(node: Node) -> Iterator[Node]:
    """An expression and every part of it, in the order of the text."""
    yield node
    inner: tuple[Node, ...] = ()
    match node:
        case Call():
            inner = (node.argument,)
        case Comparison():
            inner = (node.left, node.right)
        case Not():
            inner = (node.operand,)
        case Joined():
            inner = node.operands
        case Literal() | Field() | Values():
            pass
    for one in inner:
        yield from list_nodes(one)


def list_fields(node: Node) -> Iterator[Field]:
    """Every field of an expression, in the order of the text."""
    return (one for one in list_nodes(node) if isinstance(one, Field))


def list_patterns(node: Node) -> Iterator[Node]:
    """Every pattern of an expression, in the order of the text."""
    return (one.right for one in list_nodes(node) if isinstance(one, Comparison) and one.operator == "matches")
