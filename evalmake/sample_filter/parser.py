"""Parses an expression: `or` binds weakest, then `and`, `not`, comparisons, values."""

from __future__ import annotations

import re
import warnings

from evalmake.language.diagnostic import EvalmakeError, closest_name
from evalmake.language.source import Source
from evalmake.sample_filter.tokens import (
    NAME,
    Token,
    make_filter_error,
    read_number,
    read_text,
    split_tokens,
)
from evalmake.sample_filter.tree import Call, Comparison, Field, Joined, Literal, Node, Not, Values

MOST_DEPTH = 50
MOST_PATTERN = 1000  # characters
FUNCTIONS = ("len", "lower")
ORDERS = ("<", "<=", ">", ">=")
_SIGNS = {"=": "==", "==": "==", "!=": "!=", **{sign: sign for sign in ORDERS}}
_WORDS = {"true": True, "false": False, "none": None}
_KEYWORDS = ("and", "or", "not", "in", "matches")
FOREIGN_WORDS = {
    **dict.fromkeys(("null", "None", "nil", "undefined"), "`none`"),
    **dict.fromkeys(("True", "yes"), "`true`"),
    **dict.fromkeys(("False", "no"), "`false`"),
    **{word: f"`{word.lower()}`" for word in ("AND", "OR", "NOT", "IN", "MATCHES")},
}
"""Words of other languages -> what is written here."""
_FOREIGN_OPERATORS = {
    "is": "`==`, as in `score == none`",
    "contains": '`in`, the other way round: `"TEXT" in FIELD`',
    "has": '`in`, the other way round: `"TEXT" in FIELD`',
    "like": '`in` or `matches`: `"TEXT" in FIELD`, `FIELD matches "PATTERN"`',
    "match": "`matches`",
    "equals": "`==`",
}


def parse_filter(text: str, name: str = NAME) -> tuple[Source, Node]:
    """The expression and the source that its places are in; EvalmakeError with a place for a mistake."""
    source = Source(name, text)
    return source, _Parser(source).parse()


def parse_field(text: str) -> tuple[str, ...] | None:
    """The path of a text that is one field, `record.level`; None for anything else."""
    try:
        _, node = parse_filter(text)
    except EvalmakeError:
        return None
    return node.path if isinstance(node, Field) else None


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = split_tokens(source)
        self.at = 0
        self.depth = 0

    def parse(self) -> Node:
        """The whole expression."""
        if len(self.tokens) == 1:
            raise self._error("the expression is empty", self._token, help="write one such as `score < 0.5`")
        node = self._parse_joined("or")
        if self._token.kind != "end":
            raise self._explain_rest()
        return node

    # Conditions ---------------------------------------------------------------------------------

    def _parse_joined(self, operator: str) -> Node:
        """Operands of `or`, whose operands are those of `and`."""
        operands = [self._parse_operand(operator)]
        while self._is_word(operator):
            self._next()
            operands.append(self._parse_operand(operator))
        if len(operands) == 1:
            return operands[0]
        return Joined(operator, tuple(operands), operands[0].start, operands[-1].end)

    def _parse_operand(self, operator: str) -> Node:
        return self._parse_joined("and") if operator == "or" else self._parse_condition()

    def _parse_condition(self) -> Node:
        """`not` before a condition, a comparison, or a value alone."""
        first = self._token
        if self._is_word("not"):
            self._next()
            self._enter(first)
            operand = self._parse_condition()
            self.depth -= 1
            return Not(operand, first.start, operand.end)
        return self._check_condition(self._parse_comparison())

    def _parse_comparison(self) -> Node:
        left = self._parse_value()
        operator = self._find_operator()
        if operator is None:
            return left
        sign = self._token
        self._next()
        if operator == "not in":
            self._next()
        right = self._parse_value(is_list=operator in ("in", "not in"))
        found = self._check_comparison(Comparison(operator, left, right, left.start, right.end), sign)
        if self._find_operator() is not None:
            message = "comparisons are not chained"
            raise self._error(message, self._token, help="write `and` between two: `0.2 < score and score < 0.5`")
        return found

    def _find_operator(self) -> str | None:
        token = self._token
        if token.kind == "sign":
            return _SIGNS.get(token.text)
        if token.kind != "name":
            return None
        if token.text in ("in", "matches"):
            return token.text
        return "not in" if token.text == "not" and self._peek().text == "in" else None

    # Values -------------------------------------------------------------------------------------

    def _parse_value(self, is_list: bool = False) -> Node:
        token = self._token
        match token.kind, token.text:
            case "number", _:
                self._next()
                return Literal(read_number(self.source, token), token.start, token.end)
            case "text", _:
                self._next()
                return Literal(read_text(token), token.start, token.end)
            case "sign", "(":
                return self._parse_parentheses()
            case "sign", "[" if is_list:
                return self._parse_list()
            case "sign", "[":
                raise self._error("a list stands after `in` only", token, help='write `id in ["a", "b"]`')
            case "name", word if word in _WORDS:
                self._next()
                return Literal(_WORDS[word], token.start, token.end)
            case "name", word if word not in _KEYWORDS:
                return self._parse_call() if self._peek().text == "(" else self._parse_field()
        raise self._expected("a value")

    def _parse_parentheses(self) -> Node:
        opening = self._token
        self._next()
        self._enter(opening)
        node = self._parse_joined("or")
        self.depth -= 1
        if self._token.text != ")" or self._token.kind != "sign":
            if self._token.kind == "end":
                raise self._error("the parenthesis is not closed", opening)
            raise self._explain_rest()
        self._next()
        return node

    def _parse_list(self) -> Values:
        opening, items = self._token, list[Literal]()
        self._next()
        while not self._is_sign("]"):
            token = self._token
            if token.kind == "end":
                raise self._error("the list is not closed", opening)
            value = self._parse_value()
            if not isinstance(value, Literal):
                help = f'write a text in quotes, "{token.text}"' if isinstance(value, Field) else ""
                message = "a list has numbers, texts, `true`, `false` and `none`"
                raise make_filter_error(self.source, message, value.start, value.end, help=help)
            items.append(value)
            if self._is_sign(","):
                self._next()
            elif not self._is_sign("]"):
                raise self._expected("`,` or `]`")
        closing = self._token
        self._next()
        return Values(tuple(items), opening.start, closing.end)

    def _parse_call(self) -> Call:
        name = self._token
        if name.text not in FUNCTIONS:
            meant = closest_name(name.text.lower(), FUNCTIONS)
            help = f"did you mean `{meant}`?" if meant else "there are `lower(X)` and `len(X)`"
            raise self._error(f"there is no function `{name.text}`", name, help=help)
        self._next()
        self._next()
        self._enter(name)
        argument = self._parse_value()
        self.depth -= 1
        if not self._is_sign(")"):
            raise self._expected(f"`)` after the value of `{name.text}`")
        closing = self._token
        self._next()
        return Call(name.text, argument, name.start, closing.end)

    def _parse_field(self) -> Field:
        """A name, and what follows it: `.NAME` or `["NAME"]`."""
        first = last = self._token
        path = [first.text]
        self._next()
        while self._is_sign(".") or self._is_sign("["):
            bracket = self._token.text == "["
            self._next()
            last = self._token
            if last.kind != ("text" if bracket else "name"):
                raise self._expected("a name in quotes" if bracket else "a name")
            path.append(read_text(last) if bracket else last.text)
            self._next()
            if bracket:
                if not self._is_sign("]"):
                    raise self._expected("`]`")
                last = self._token
                self._next()
        return Field(tuple(path), first.start, last.end)

    # Checks -------------------------------------------------------------------------------------

    def _check_condition(self, node: Node) -> Node:
        """Refuse a number or text alone, which is no condition: mostly a comparison was meant."""
        if isinstance(node, Literal) and not isinstance(node.value, bool):
            help = 'write what it is compared with: `"Paris" in reply`, `target == "Paris"`'
            raise make_filter_error(self.source, "a value alone is no condition", node.start, node.end, help=help)
        return node

    def _check_comparison(self, found: Comparison, sign: Token) -> Comparison:
        operator, right = found.operator, found.right
        for side in (found.left, right) if operator in ORDERS else ():
            if isinstance(side, Literal) and (isinstance(side.value, bool) or not isinstance(side.value, float)):
                message = f"`{operator}` compares numbers"
                raise make_filter_error(self.source, message, side.start, side.end, "this is no number")
        if operator in ("in", "not in") and isinstance(right, Literal) and not isinstance(right.value, str):
            message = f"`{operator}` looks into a text, a list or a field"
            raise make_filter_error(self.source, message, right.start, right.end)
        if operator == "matches":
            self._check_pattern(right)
        return found

    def _check_pattern(self, right: Node) -> None:
        if not isinstance(right, Literal) or not isinstance(right.value, str):
            help = 'write `reply matches "[0-9]+"`'
            raise make_filter_error(
                self.source, "`matches` takes a pattern in quotes", right.start, right.end, help=help
            )
        try:
            compile_pattern(right.value)
        except ValueError as error:
            message = f"the pattern is no regular expression: {error}"
            raise make_filter_error(self.source, message, right.start, right.end) from None

    # Tokens -------------------------------------------------------------------------------------

    @property
    def _token(self) -> Token:
        return self.tokens[self.at]

    def _peek(self) -> Token:
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)]

    def _next(self) -> None:
        self.at = min(self.at + 1, len(self.tokens) - 1)

    def _is_word(self, word: str) -> bool:
        return self._token.kind == "name" and self._token.text == word

    def _is_sign(self, sign: str) -> bool:
        return self._token.kind == "sign" and self._token.text == sign

    def _enter(self, token: Token) -> None:
        """Go one level deeper, if there may be one."""
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise self._error(f"the expression is nested deeper than {MOST_DEPTH} levels", token)

    # Errors -------------------------------------------------------------------------------------

    def _error(self, message: str, token: Token, label: str = "", help: str = "") -> EvalmakeError:
        return make_filter_error(self.source, message, token.start, token.end, label, help)

    def _expected(self, what: str) -> EvalmakeError:
        token = self._token
        if token.kind == "end":
            return self._error(f"expected {what}, and the expression ends", token)
        return self._error(f"expected {what}, found `{token.text[:40]}`", token)

    def _explain_rest(self) -> EvalmakeError:
        """The error for what follows a whole condition."""
        token = self._token
        if token.kind == "name":
            word = token.text
            if word in _FOREIGN_OPERATORS or word.lower() in _FOREIGN_OPERATORS:
                help = f"write {_FOREIGN_OPERATORS[word.lower()]}"
                return self._error(f"there is no `{word}`", token, help=help)
            if word in FOREIGN_WORDS:
                return self._error(f"there is no `{word}`", token, help=f"write {FOREIGN_WORDS[word]}")
            if meant := closest_name(word, _KEYWORDS):
                return self._error(f"there is no operator `{word}`", token, help=f"did you mean `{meant}`?")
        if token.text == ")":
            return self._error("there is no parenthesis to close", token)
        return self._expected("`and`, `or`, a comparison or the end")


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern of `matches`; ValueError for one that is none, or too long."""
    if len(pattern) > MOST_PATTERN:
        raise ValueError(f"it has {len(pattern):,} characters, and may have {MOST_PATTERN:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that may mean something else one day
            return re.compile(pattern)
    except re.error as error:
        raise ValueError(str(error)) from None
    except (RecursionError, OverflowError, MemoryError):
        raise ValueError("it is too complicated") from None
