"""Builds the syntax tree: lark calls the method of a rule as soon as the rule is complete."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from lark import Token

from evalmake.language import tree

Children = list[Any]


def name(token: Token) -> tree.Name:
    """A word with its place."""
    return tree.Name(str(token), *_find_ends(token))


def literal(token: Token) -> tree.Literal:
    """A value as written; the digits of a digest in lower case."""
    text = str(token).lower() if token.type == "DIGEST" else str(token)
    return tree.Literal(token.type, text, *_find_ends(token))


def _find_ends(first: Token, last: Token | None = None) -> tuple[int, int]:
    return first.start_pos or 0, (last or first).end_pos or 0


def _drop_tokens(children: Sequence[Any]) -> tuple[Any, ...]:
    """The children without punctuation."""
    return tuple(child for child in children if type(child) is not Token)


class TreeBuilder:
    """One method for each rule, with the rule's name; the children include every token."""

    def start(self, children: Children) -> tuple[tree.Item, ...]:
        return _drop_tokens(children)

    def override(self, children: Children) -> tree.Expr:
        return children[0]  # type: ignore[no-any-return]

    def include(self, children: Children) -> tree.Include:
        keyword, maybe, path, digest = children
        end = digest or path
        return tree.Include(literal(path), bool(maybe), literal(digest) if digest else None, *_find_ends(keyword, end))

    def variable(self, children: Children) -> tree.Variable:
        word, _, value = children
        return tree.Variable(name(word), value, word.start_pos, value.end)

    def alias(self, children: Children) -> tree.Alias:
        word, *targets = children
        return tree.Alias(name(word), tuple(map(name, targets[1:])), *_find_ends(word, targets[-1]))

    def settings(self, children: Children) -> tree.SettingsBlock:
        keyword, (body, end) = children
        return tree.SettingsBlock(body, keyword.start_pos, end)

    def defaults(self, children: Children) -> tree.Defaults:
        keyword, kind, (body, end) = children
        return tree.Defaults(kind, body, keyword.start_pos, end)

    def declaration(self, children: Children) -> tree.Declaration:
        kind, word, _, parents, (body, end) = children
        return tree.Declaration(kind, name(word), parents or (), body, kind.start, end)

    def parents(self, children: Children) -> tuple[tree.Name, ...]:
        return tuple(map(name, children[::2]))

    def kind(self, children: Children) -> tree.Name:
        return name(children[0])

    key = metric = referent = tier = kind

    def body(self, children: Children) -> tuple[tuple[tree.Statement, ...], int]:
        return _drop_tokens(children), children[-1].end_pos

    def assign(self, children: Children) -> tree.Assign:
        key, _, value = children
        return tree.Assign(key, value, key.start, value.end)

    def axis(self, children: Children) -> tree.Axis:
        key, _, value = children
        return tree.Axis(key, value, key.start, value.end)

    def when(self, children: Children) -> tree.When:
        keyword, tests, (body, end) = children
        return tree.When(tests, body, keyword.start_pos, end)

    def skip(self, children: Children) -> tree.Skip:
        keyword, tests = children
        return tree.Skip(tests, keyword.start_pos, tests[-1].end)

    def require(self, children: Children) -> tree.Require:
        keyword, metric, op, value, *more = children
        tolerance, tier = _read_ending(more, "within")
        last = tier or tolerance or value
        return tree.Require(metric, str(op), value, tolerance, keyword.start_pos, last.end, None, tier)

    def relation(self, children: Children) -> tree.Require:
        keyword, metric, *rest = children  # `better` or `no worse`, `than`, a kind, a value, then as above
        end = next(place for place, child in enumerate(rest) if isinstance(child, tree.Name))
        op = " ".join(map(str, rest[:end]))
        kind, value, *more = rest[end:]
        tolerance, tier = _read_ending(more, "by")
        last = tier or tolerance or value
        return tree.Require(metric, op, value, tolerance, keyword.start_pos, last.end, kind, tier)

    def condition(self, children: Children) -> tuple[Any, ...]:
        # A tuple of tests; nodes and tokens are told apart by their type.
        return _drop_tokens(children)

    def among(self, children: Children) -> tree.Test:
        key, _, value = children
        return tree.Test(key, value, True, key.start, value.end)

    def literal(self, children: Children) -> tree.Literal:
        return literal(children[0])

    def range(self, children: Children) -> tree.Range:
        first, _, last = children
        return tree.Range(literal(first), literal(last), *_find_ends(first, last))

    def list(self, children: Children) -> tree.ListOf:
        return tree.ListOf(_drop_tokens(children), *_find_ends(children[0], children[-1]))

    def map(self, children: Children) -> tree.MapOf:
        return tree.MapOf(_drop_tokens(children), *_find_ends(children[0], children[-1]))

    def pair(self, children: Children) -> tree.Pair:
        word, _, value = children
        return tree.Pair(name(word), value, word.start_pos, value.end)

    def call(self, children: Children) -> tree.Call:
        word, bracket, *rest = children
        return tree.Call(name(word), _drop_tokens([bracket, *rest]), *_find_ends(word, rest[-1]))

    def reference(self, children: Children) -> tree.Reference:
        return tree.Reference(str(children[0]), *_find_ends(children[0]))

    def use(self, children: Children) -> tree.Use:
        return tree.Use(str(children[0]), *_find_ends(children[0]))


def _read_ending(children: Children, word: str) -> tuple[tree.Expr | None, tree.Name | None]:
    """What follows `within` or `by`, and what follows `as`; None for each that is left out."""
    found = {str(one): after for one, after in pairwise(children) if isinstance(one, Token)}
    return found.get(word), found.get("as")


def _build_is_test(self: TreeBuilder, children: Children) -> tree.Test:
    key, _, value = children
    return tree.Test(key, value, False, key.start, value.end)


setattr(TreeBuilder, "is", _build_is_test)  # `is` is a keyword of Python, so no method can have the name
