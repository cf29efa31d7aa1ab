"""The place and the parser's state of a syntax error."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from lark import Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from evalmake.language import tree
from evalmake.language.source import Source, Span

KINDS = ("model", "deployment", "benchmark", "eval", "executor", "report")
CLOSERS = {"}": "{", "]": "[", ")": "("}

_VALUE_TERMINALS = {
    *("STRING", "RAW", "NUMBER", "DURATION", "SIZE", "PERCENT", "DIGEST", "TRUE", "FALSE", "NONE"),
    *("MONEY", "PRICE", "LSQB"),
}
_TERMINAL_NAMES = {
    "NAME": "a name",
    "VARIABLE": "a variable",
    "TARGET": "a target",
    "_NL": "a line break",
    "$END": "the end of the file",
    "EQUAL": "`=`",
    "COLON": "`:`",
    "COMMA": "a comma",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "__ANON_0": "`..`",
    "COMPARE": "a comparison (>= <= == > <)",
    "STRING": "a text",
    "NUMBER": "a number",
    "DIGEST": "a digest",
    "MAYBE": "`?`",
}


@dataclass
class ErrorPosition:
    """The unexpected token; `token` is its terminal, or empty if the text there is no token."""

    source: Source
    error: UnexpectedInput
    token: str
    start: int
    end: int

    @classmethod
    def of(cls, source: Source, error: UnexpectedInput) -> ErrorPosition:
        """Make it from lark's error, with offsets inside the text."""
        if not isinstance(error, UnexpectedToken):
            offset = error.pos_in_stream or 0
            return cls(source, error, "", offset, offset + 1)
        token = error.token
        if token.type == "$END":
            last = max(len(source.text.rstrip()), 1)
            return cls(source, error, token.type, last - 1, last)
        end = min(token.end_pos or 0, len(source.text))
        return cls(source, error, token.type, token.start_pos or 0, end)

    @property
    def ended(self) -> bool:
        """Whether the error is at the end of the text."""
        return self.token == "$END"

    @property
    def span(self) -> Span:
        """The place to point at: the token, or the last character before a line break."""
        if self.token == "_NL":
            return self.source.span(max(self.previous.end - 1, 0))
        return self.source.span(self.start, max(self.end, self.start + 1))

    @property
    def word(self) -> str:
        """The unexpected word."""
        return self.source.text[self.start : self.end]

    @property
    def shown(self) -> str:
        """The unexpected word as messages print it."""
        if self.ended:
            return "the end of the file"
        char = self.word
        if len(char) == 1 and not char.isprintable():
            return f"the character U+{ord(char):04X}"
        return f"`{char.splitlines()[0]}`"

    @cached_property
    def line_start(self) -> int:
        """The offset at which the line of the error begins."""
        return self.source.text.rfind("\n", 0, self.start) + 1

    @cached_property
    def line(self) -> str:
        """The text of that line."""
        return self.source.line(self.source.position(self.start)[0])

    @property
    def lines_above(self) -> list[str]:
        """The lines before it, without blank ones."""
        return [line for line in self.source.text[: self.line_start].split("\n") if line.strip()]

    @cached_property
    def _stack(self) -> list[object]:
        return list(self.error.interactive_parser.parser_state.value_stack)

    @cached_property
    def open(self) -> list[tuple[int, str]]:
        """The open brackets, outermost first: the offset, and the head of the block if it opens one."""
        found = []
        for before, value in zip([None, *self._stack], self._stack, strict=False):
            if isinstance(value, Token) and value.type in ("LBRACE", "LSQB", "LPAR"):
                found.append((value.start_pos or 0, self._block_head(before, value)))
            elif isinstance(value, Token) and value.type in ("RBRACE", "RSQB", "RPAR"):
                found.pop()  # the bracket is closed, and the parser has not built its node yet
        return found

    def _block_head(self, before: object, brace: Token) -> str:
        block = isinstance(before, tree.Name) or type(before) is tuple
        if brace.type != "LBRACE" or not (block or (isinstance(before, Token) and before.type in ("NAME", "SETTINGS"))):
            return ""
        text = re.split(r"[{\n]", self.source.text[: brace.start_pos])[-1]
        return text.partition(" from ")[0].strip()

    @cached_property
    def previous(self) -> Span:
        """The span of the last item that the parser accepted; the error's own if there is none."""
        start, end = _find_extent(self._stack[-1]) if self._stack else (self.start, self.end)
        return self.source.span(start, max(end, start + 1))

    @property
    def adjacent(self) -> bool:
        """Whether the error follows the item before it without a space."""
        return bool(self._stack) and self.previous.end == self.start


def _find_extent(value: object) -> tuple[int, int]:
    """The start and end of a value on the parser's stack: a token, a node, or a sequence of them."""
    match value:
        case Token():
            return value.start_pos or 0, value.end_pos or 0
        case Tree():
            return _find_extent(value.children[-1]) if value.children else (0, 0)
        case (tuple(), int(end)):  # the body of a declaration
            return end - 1, end
    if type(value) is tuple:
        return _find_extent(value[-1])
    return value.start, value.end  # type: ignore[attr-defined]


def describe_expected_tokens(at: ErrorPosition) -> str:
    """The terminals that the parser would accept, in words."""
    accepted = set(at.error.interactive_parser.accepts())  # type: ignore[no-untyped-call]
    words = []
    if accepted >= _VALUE_TERMINALS:
        words.append("a value")
        accepted -= _VALUE_TERMINALS | {"NAME", "VARIABLE", "LBRACE"}
    if {kind.upper() for kind in KINDS} <= accepted:
        words.append("a kind of declaration" if "NAME" not in accepted else "a declaration")
        accepted -= {kind.upper() for kind in KINDS} | {"SETTINGS", "DEFAULTS", "INCLUDE", "NAME"}
        accepted -= {"VARIABLE", "_NL", "$END"}
    words += sorted(_TERMINAL_NAMES.get(terminal, f"`{terminal.lower()}`") for terminal in accepted)
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
