"""The syntax tree: named tuples with offsets, cheap to make, to compare and to pickle."""

from __future__ import annotations

from typing import NamedTuple


class Name(NamedTuple):
    """A word with its place: a key, a metric, a declared name, a kind."""

    text: str
    start: int
    end: int


class Literal(NamedTuple):
    """A value as written; `kind` is its terminal: STRING RAW NUMBER DURATION SIZE PERCENT ..."""

    kind: str
    text: str
    start: int
    end: int


class Range(NamedTuple):
    """`1..5`, both ends included."""

    first: Literal
    last: Literal
    start: int
    end: int


class ListOf(NamedTuple):
    """`[a, b]`."""

    items: tuple[Expr, ...]
    start: int
    end: int


class Pair(NamedTuple):
    """`key = value` inside a map."""

    key: Name
    value: Expr
    start: int
    end: int


class MapOf(NamedTuple):
    """`{ a = 1, b = 2 }`."""

    pairs: tuple[Pair, ...]
    start: int
    end: int


class Call(NamedTuple):
    """`file("p")`."""

    name: Name
    arguments: tuple[Expr, ...]
    start: int
    end: int


class Reference(NamedTuple):
    """A bare word; its key decides what it names."""

    text: str
    start: int
    end: int


class Use(NamedTuple):
    """A variable in an expression."""

    text: str
    start: int
    end: int


Expr = Literal | Range | ListOf | MapOf | Call | Reference | Use


class Assign(NamedTuple):
    """`key = value`."""

    key: Name
    value: Expr
    start: int
    end: int


class Axis(NamedTuple):
    """`key in values`."""

    key: Name
    value: Expr
    start: int
    end: int


class Test(NamedTuple):
    """One comparison of a condition: `key = value`, or `key in values` when `among`."""

    key: Name
    value: Expr
    among: bool
    start: int
    end: int


class When(NamedTuple):
    """`when condition { ... }`."""

    tests: tuple[Test, ...]
    body: tuple[Statement, ...]
    start: int
    end: int


class Skip(NamedTuple):
    """`skip condition`."""

    tests: tuple[Test, ...]
    start: int
    end: int


class Require(NamedTuple):
    """`require metric >= value`, perhaps `within tolerance`; or `require metric better than model value by tolerance`.

    Of the second, `op` is `better than` or `no worse than`, and `than` the kind of what is compared with. Both may end
    in `as tier`.
    """

    metric: Name
    op: str
    value: Expr
    tolerance: Expr | None
    start: int
    end: int
    than: Name | None = None
    tier: Name | None = None


Statement = Assign | Axis | When | Skip | Require


class Include(NamedTuple):
    """`include "path" digest`, optional with `?`."""

    path: Literal
    maybe: bool
    digest: Literal | None
    start: int
    end: int


class Variable(NamedTuple):
    """`NAME = value`."""

    name: Name
    value: Expr
    start: int
    end: int


class Alias(NamedTuple):
    """`name: targets`."""

    name: Name
    targets: tuple[Name, ...]
    start: int
    end: int


class SettingsBlock(NamedTuple):
    """`settings { ... }`."""

    body: tuple[Statement, ...]
    start: int
    end: int


class Defaults(NamedTuple):
    """`defaults kind { ... }`."""

    kind: Name
    body: tuple[Statement, ...]
    start: int
    end: int


class Declaration(NamedTuple):
    """`kind name from parent, parent { ... }`."""

    kind: Name
    name: Name
    parents: tuple[Name, ...]
    body: tuple[Statement, ...]
    start: int
    end: int

    @property
    def head_end(self) -> int:
        """Where its head ends: kind, name and parents."""
        return (self.name, *self.parents)[-1].end


Item = Include | Variable | Alias | SettingsBlock | Defaults | Declaration


class Tree(NamedTuple):
    """One file: its items, and its comments as offsets (start, end)."""

    items: tuple[Item, ...]
    comments: tuple[tuple[int, int], ...]
