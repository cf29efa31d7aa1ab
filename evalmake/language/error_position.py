"""Where the parser stood when it could not go on: what a syntax error has to tell."""

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

_VALUES = {
    *("STRING", "RAW", "NUMBER", "DURATION", "SIZE", "PERCENT", "DIGEST", "TRUE", "FALSE", "NONE"),
    *("LSQB",),
}
_WORDS = {
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
    """The offending token, `token` its terminal or empty where no token could be made."""

    source: Source
    error: UnexpectedInput
    token: str
    start: int
    end: int

    @classmethod
    def of(cls, source: Source, error: UnexpectedInput) -> ErrorPosition:
        """Made from lark's error, its offsets kept inside the text."""
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
        """Whether the text ends too early."""
        return self.token == "$END"

    @property
    def span(self) -> Span:
        """The place to point at: the token, or the last character before a line break."""
        if self.token == "_NL":
            return self.source.span(max(self.previous.end - 1, 0))
        return self.source.span(self.start, max(self.end, self.start + 1))

    @property
    def word(self) -> str:
        """The offending word."""
        return self.source.text[self.start : self.end]

    @property
    def shown(self) -> str:
        """The offending word as a message may print it."""
        if self.ended:
            return "the end of the file"
        char = self.word
        if len(char) == 1 and not char.isprintable():
            return f"the character U+{ord(char):04X}"
        return f"`{char.splitlines()[0]}`"

    @cached_property
    def line_start(self) -> int:
        """The offset of the line of the error."""
        return self.source.text.rfind("\n", 0, self.start) + 1

    @cached_property
    def line(self) -> str:
        """The text of that line."""
        return self.source.line(self.source.position(self.start)[0])

    @property
    def lines_above(self) -> list[str]:
        """The lines before it that are not blank."""
        return [line for line in self.source.text[: self.line_start].split("\n") if line.strip()]

    @cached_property
    def _stack(self) -> list[object]:
        return list(self.error.interactive_parser.parser_state.value_stack)

    @cached_property
    def open(self) -> list[tuple[int, str]]:
        """The brackets that are open, outermost first: offset, and the head if it is a block."""
        found = []
        for before, value in zip([None, *self._stack], self._stack, strict=False):
            if isinstance(value, Token) and value.type in ("LBRACE", "LSQB", "LPAR"):
                found.append((value.start_pos or 0, self._head(before, value)))
            elif isinstance(value, Token) and value.type in ("RBRACE", "RSQB", "RPAR"):
                found.pop()  # closed, and not yet made a node
        return found

    def _head(self, before: object, brace: Token) -> str:
        block = isinstance(before, tree.Name) or type(before) is tuple
        if brace.type != "LBRACE" or not (block or (isinstance(before, Token) and before.type in ("NAME", "SETTINGS"))):
            return ""
        text = re.split(r"[{\n]", self.source.text[: brace.start_pos])[-1]
        return text.partition(" from ")[0].strip()

    @cached_property
    def previous(self) -> Span:
        """The place of what the parser took last; the error's own where that was nothing."""
        start, end = _extent(self._stack[-1]) if self._stack else (self.start, self.end)
        return self.source.span(start, max(end, start + 1))

    @property
    def adjacent(self) -> bool:
        """Whether nothing, not even a blank, stands between the error and what is before it."""
        return bool(self._stack) and self.previous.end == self.start


def _extent(value: object) -> tuple[int, int]:
    """Where a value of the parser's stack stands: a token, a node, or a sequence of them."""
    match value:
        case Token():
            return value.start_pos or 0, value.end_pos or 0
        case Tree():
            return _extent(value.children[-1]) if value.children else (0, 0)
        case (tuple(), int(end)):  # the body of a declaration
            return end - 1, end
    if type(value) is tuple:
        return _extent(value[-1])
    return value.start, value.end  # type: ignore[attr-defined]


def describe_expected_tokens(at: ErrorPosition) -> str:
    """The terminals that would have been taken, in words."""
    accepted = set(at.error.interactive_parser.accepts())  # type: ignore[no-untyped-call]
    words = []
    if accepted >= _VALUES:
        words.append("a value")
        accepted -= _VALUES | {"NAME", "VARIABLE", "LBRACE"}
    if {kind.upper() for kind in KINDS} <= accepted:
        words.append("a kind of declaration" if "NAME" not in accepted else "a declaration")
        accepted -= {kind.upper() for kind in KINDS} | {"SETTINGS", "DEFAULTS", "INCLUDE", "NAME"}
        accepted -= {"VARIABLE", "_NL", "$END"}
    words += sorted(_WORDS.get(terminal, f"`{terminal.lower()}`") for terminal in accepted)
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
