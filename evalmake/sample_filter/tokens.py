"""Divides the text of an expression into words, texts, numbers and signs."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.source import Source

MOST_CHARACTERS = 10_000
NAME = "--where"
"""The name of the source that messages point into."""
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<name>[^\W\d][\w-]*)
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<sign>==|!=|<=|>=|[=<>()\[\],.])""",
    re.VERBOSE | re.DOTALL,
)
_FOREIGN = {
    "&&": "write `and`",
    "&": "write `and`",
    "||": "write `or`",
    "|": "write `or`",
    "=~": 'write `FIELD matches "PATTERN"`',
    "~": 'write `FIELD matches "PATTERN"`',
    "!~": 'write `not FIELD matches "PATTERN"`',
    "===": "write `==`",
    "!==": "write `!=`",
    "<>": "write `!=`",
    "=<": "write `<=`",
    "=>": "write `>=`",
    "!": "write `not`",
    **dict.fromkeys("+-*/%^", "there is no arithmetic: compute the number first"),
    **dict.fromkeys("{}", "write a list in brackets, `[1, 2]`"),
    ";": "write `and` or `or` between conditions",
}
"""Signs of other languages -> what to write here; the longest first where one begins another."""
_SIGNS = sorted(_FOREIGN, key=len, reverse=True)
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "'": "'", "\\": "\\"}


class Token(NamedTuple):
    """One token: `kind` is name, number, text, sign or end."""

    kind: str
    text: str
    start: int
    end: int


def make_filter_error(
    source: Source, message: str, start: int, end: int, label: str = "", help: str = "", is_name: bool = False
) -> EvalmakeError:
    """The error of a mistake at a place of an expression; `is_name` for a name that is unknown."""
    span, helps = source.span(start, max(end, start + 1)), [help] if help else []
    return make_error("unknown-field" if is_name else "bad-filter", message, span, label, help=helps)


def split_tokens(source: Source) -> list[Token]:
    """The tokens of an expression, then one of the kind `end`; EvalmakeError for what is none."""
    text = source.text
    if len(text) > MOST_CHARACTERS:
        message = f"the expression has {len(text):,} characters, and may have {MOST_CHARACTERS:,}"
        raise make_filter_error(source, message, MOST_CHARACTERS, MOST_CHARACTERS + 1)
    tokens, at = [], 0
    while at < len(text):
        if sign := _find_foreign(text, at):
            raise make_filter_error(source, f"there is no `{sign}`", at, at + len(sign), help=_FOREIGN[sign])
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise _explain_character(source, at)
        if found.lastgroup != "space":
            tokens.append(Token(found.lastgroup, found[0], at, found.end()))
        at = found.end()
    return [*tokens, Token("end", "", len(text), len(text))]


def _find_foreign(text: str, at: int) -> str:
    """The sign of another language that stands at a place; empty if there is none."""
    if text[at] == "-" and re.match(r"-[\d.]", text[at : at + 2]):
        return ""
    return next((sign for sign in _SIGNS if text.startswith(sign, at) and not text.startswith("!=", at)), "")


def _explain_character(source: Source, at: int) -> EvalmakeError:
    text = source.text
    if text[at] in "\"'":
        return make_filter_error(source, "the text has no end", at, len(text), help=f"close it with {text[at]}")
    if text[at].isdigit():
        end = at + len(re.match(r"[\w.]+", text[at:])[0])  # type: ignore[index]
        word = text[at:end]
        return make_filter_error(source, f"`{word}` is no number", at, end, help=f'write a text in quotes, "{word}"')
    return make_filter_error(source, f"an expression has no `{text[at]}`", at, at + 1)


def read_number(source: Source, token: Token) -> float:
    """The value of a number; EvalmakeError for one that is too large."""
    value = float(token.text)
    if not math.isfinite(value):
        raise make_filter_error(source, f"`{token.text[:40]}` is too large", token.start, token.end)
    return value


def read_text(token: Token) -> str:
    r"""What a quoted text stands for: `\"`, `\'`, `\\`, `\n`, `\t`; before anything else a backslash is itself."""
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), token.text[1:-1], flags=re.DOTALL)
