"""The last arithmetic expression of a text, and its value.

Knows numbers, `+ - * /`, brackets, `×`, `÷`, the words of `_OPERATORS` and `sum of A and B`.
The parser below computes the value; `eval` is never used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

TAIL = 4000
"""How many of a text's last characters are searched, which bounds the work."""
_DEEPEST = 20

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])|\d+(?:\.\d+)?"
_OPERATORS = {
    "plus": "+",
    "added to": "+",
    "minus": "-",
    "times": "*",
    "cdot": "*",
    "multiplied by": "*",
    "divided by": "/",
    "div": "/",
    "×": "*",
    "x": "*",
    "·": "*",
    "−": "-",
    "÷": "/",
}
_OPERATOR = re.compile(
    r"([\d)]\s*)\\?(?:(plus|added to|minus|times|cdot|multiplied by|divided by|div)\b"
    r"|([×·−÷x])(?=\s*[-(\d]))"
)
_OF = re.compile(
    rf"(sum|difference|product|quotient) (?:of|between) "
    rf"((?:{_NUMBER})(?:(?:, and |, | and )(?:{_NUMBER}))+)"
)
_OF_OPERATORS = {"sum": " + ", "difference": " - ", "product": " * ", "quotient": " / "}
_SPAN = re.compile(r"\d+-\d+(?= (?:word|sentence|line|letter|character|digit|paragraph|step|point|example)s?\b)")
_RUN = re.compile(r"[-(\d][-\d ,.()\t+*/]+")
_TOKEN = re.compile(rf"{_NUMBER}|-[ \t]|[-+*/()]|[,.]")


def evaluate_last_expression(text: str) -> int | float | None:
    """The value of the last expression with an operator; None if there is none, or if it divides by zero."""
    for run in reversed(_RUN.findall(_normalize_operators(text[-TAIL:].replace("$", "")))):
        try:
            value = _Parser(_TOKEN.findall(run)).evaluate_last()
            if value is not None:
                return _round_value(value)
        except (ZeroDivisionError, OverflowError):
            return None
    return None


def parse_number(text: str) -> int | float | None:
    """The number that a short text consists of (`1,024`, `-3`, `$ 7.50`, `7.`), or None."""
    bare = text.strip().strip("$. ").replace(",", "")
    return _round_value(_parse_literal(bare)) if re.fullmatch(r"-?\d{1,400}(\.\d+)?", bare) else None


def format_number(value: int | float) -> str:
    """A value in decimals, never with an exponent."""
    return str(value) if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")


def _normalize_operators(text: str) -> str:
    """A lower-case text in which operators that are words or other signs are `+ - * /`."""
    text = _OPERATOR.sub(lambda match: match[1] + _OPERATORS[match[2] or match[3]], text.lower())
    text = _OF.sub(_spell_out, text)
    return _SPAN.sub("", text) if "-" in text else text


def _spell_out(match: re.Match[str]) -> str:
    return f"({_OF_OPERATORS[match[1]].join(re.findall(_NUMBER, match[2]))})"


def _parse_literal(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _round_value(value: int | float) -> int | float:
    """The value with six decimals, as an integer if it is one."""
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        raise OverflowError
    value = round(value, 6)
    return int(value) if value.is_integer() else value


def _apply(operator: str, left: int | float, right: int | float) -> int | float:
    if operator == "+":
        return left + right
    if operator == "*":
        return left * right
    if operator == "/":
        whole = isinstance(left, int) and isinstance(right, int) and left % right == 0
        return left // right if whole else left / right
    return left - right


class _Parser:
    """A recursive descent parser: takes the longest expression at a place and leaves the rest."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = [*tokens, ""]
        self.position = 0
        self.operations = 0

    def evaluate_last(self) -> int | float | None:
        """The value of the last expression that has at least one operator."""
        found = None
        start = 0
        while start < len(self.tokens):
            self.position, self.operations = start, 0
            value = self._sum(0)
            if value is not None and self.operations:
                found = value
            start = max(start + 1, self.position)
        return found

    def _sum(self, depth: int) -> int | float | None:
        return self._chain(depth, ("+", "-", "- ", "-\t"), self._product)

    def _product(self, depth: int) -> int | float | None:
        return self._chain(depth, ("*", "/"), self._operand)

    def _chain(
        self,
        depth: int,
        operators: tuple[str, ...],
        operand: Callable[[int], int | float | None],
    ) -> int | float | None:
        left = operand(depth)
        while left is not None and self.tokens[self.position] in operators:
            start_position = self.position
            self.position += 1
            right = operand(depth)
            if right is None:
                self.position = start_position
                break
            left = _apply(self.tokens[start_position], left, right)
            self.operations += 1
        return left

    def _operand(self, depth: int) -> int | float | None:
        """A number, a bracket, or either with a minus right before it; None consumes nothing."""
        start_position = self.position
        token = self.tokens[start_position]
        self.position += 1
        value: int | float | None = None
        if token[:1].isdigit():
            return _parse_literal(token.replace(",", ""))
        if depth < _DEEPEST and token == "-":
            value = self._operand(depth + 1)
            value = None if value is None else -value
        elif depth < _DEEPEST and token == "(":
            value = self._sum(depth + 1)
            if value is not None and self.tokens[self.position] == ")":
                self.position += 1
            else:
                value = None
        if value is None:
            self.position = start_position
        return value
