"""Explains syntax errors: finds the mistake by comparing the parser's state with that of malformed examples."""

from __future__ import annotations

import re
from functools import cache

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from evalmake.language.amount_mistakes import explain_amount
from evalmake.language.diagnostic import Diagnostic, EvalmakeError, make_diagnostic
from evalmake.language.error_position import CLOSERS, KINDS, ErrorPosition, describe_expected_tokens
from evalmake.language.malformed_examples import EXAMPLES
from evalmake.language.mistake_explanations import EXPLANATIONS, NO_VARIABLES
from evalmake.language.relation_mistakes import explain_relation
from evalmake.language.source import Source

# The beginning of a declaration or include: inside a block it means that the block before is not closed.
_DECLARATION = re.compile(
    rf"((?:{'|'.join(KINDS)})[ \t]+\S+|defaults[ \t]+[a-z]+|settings)[^\n]*\{{|include\??[ \t]*\""
)
_FOREIGN_RANGE = re.compile(r"\bin[ \t]+((\d+)[ \t]*(?:-|:|\.\.\.|to\b)[ \t]*(\d+))")
_IN_NAME = re.compile(rf"(\b({'|'.join(KINDS)}|from)[ \t]+|[a-z_][\w.]*-?)$")
_NUMBER = r"(-?\d+(?:\.\d+)?%?)"
_BOUNDS = re.compile(
    rf"\brequire[ \t]+(?:([\w.-]+)[ \t]+(?:between|in)[ \t]*\[?[ \t]*{_NUMBER}[ \t]*(?:and|,|\.\.|to|-)[ \t]*{_NUMBER}"
    rf"|{_NUMBER}[ \t]*<=?[ \t]*([\w.-]+)[ \t]*<=?[ \t]*{_NUMBER})"
)
"""A metric between two bounds, as other languages say it."""
_MAKE_VARIABLE = re.compile(r"\$[({]?([A-Z_][A-Z0-9_]*)")


def explain_syntax_error(source: Source, error: UnexpectedInput, parser: Lark) -> EvalmakeError:
    """The error for `source`, with one diagnostic: the most specific that applies."""
    at = ErrorPosition.of(source, error)
    for mistake in (
        explain_amount,
        _explain_range,
        _explain_foreign_comment,
        _explain_unterminated_text,
        _explain_recipe,
        explain_relation,
        _explain_unclosed_block,
        _explain_brackets,
    ):
        if found := mistake(at):
            return EvalmakeError([found])
    for code in _learn_codes(parser).get(_error_key(error), ()):
        if found := EXPLANATIONS[code](at):
            return EvalmakeError([found])
    return EvalmakeError([_explain_unexpected(at)])


def _error_key(error: UnexpectedInput) -> tuple[int, str]:
    """The parser's state and the unexpected token: the same for all mistakes of one sort."""
    state = error.interactive_parser.parser_state.position
    if isinstance(error, UnexpectedToken):
        return state, error.token.type
    return state, error.char if isinstance(error, UnexpectedCharacters) else ""


@cache
def _learn_codes(parser: Lark) -> dict[tuple[int, str], list[str]]:
    """Parse every malformed example: (state, token) -> the mistakes that it may mean, in the order of the table."""
    found: dict[tuple[int, str], list[str]] = {}
    for code, examples in EXAMPLES.items():
        for example in examples:
            try:
                parser.parse(example + "\n", "start")
            except UnexpectedInput as error:
                codes = found.setdefault(_error_key(error), [])
                codes += [code] if code not in codes else []
    return found


def _explain_unexpected(at: ErrorPosition) -> Diagnostic:
    ends = at.token == "_NL"
    message = "this line is not complete" if ends else f"{at.shown} was not expected here"
    expected = f"expected {describe_expected_tokens(at)}"
    return make_diagnostic("syntax", message, at.span, expected, help=_suggest_by_habit(at))


def _suggest_by_habit(at: ErrorPosition) -> list[str]:
    """What to write for what other languages have here."""
    before = at.line[: at.start - at.line_start]
    if re.match(r"\s*(if|unless|else|elif)\b", at.line):
        return ["a condition is `when AXIS = VALUE { ... }`, and `skip AXIS = VALUE` leaves cells out"]
    if re.match(r"\s*for\b", at.line):
        return ["an axis makes one cell for each value: `model in [a, b]`"]
    if re.search(r"\b(when|skip|and)\s*$", before) and at.word.isupper():
        return ["a condition compares an axis of the eval, such as `model`; a variable is none"]
    if (re.search(r"\bin[ \t]+$", before) and at.word == "(") or re.search(r"\bin[ \t]+[^\s\[\]{}]+,[ \t]*$", before):
        return ["several values stand in brackets: `AXIS in [A, B]`"]
    if bounds := _BOUNDS.search(at.line):
        metric, low, high = (bounds[1] or bounds[5]), (bounds[2] or bounds[4]), (bounds[3] or bounds[6])
        return [f"write two requirements: `require {metric} >= {low}` and `require {metric} <= {high}`"]
    if re.match(rf"({'|'.join(KINDS)})\b[^{{]*\bfrom[ \t]", before) and at.word != "{":
        return ["a declaration inherits from one, or from several with commas between: `from a, b`"]
    if re.match(r"[\w.-]*\$\{", at.source.text[at.start :]) and _IN_NAME.search(before):
        return [NO_VARIABLES]
    if re.search(r"\b(when|skip)[ \t]+not[ \t]+$", before):
        return ["name the other values with `in [a, b]`"]
    if help_ := _suggest_requirement(at, before):
        return help_
    if at.source.text.startswith(".", at.start) and re.search(r"[A-Z0-9_]$", before):
        return ["an entry of a map cannot be taken out; give it a variable of its own"]
    if variable := _MAKE_VARIABLE.match(at.source.text, at.start):
        name = variable[1]
        return [f'write `{name}` for a variable of the Evalfile, and `env("{name}")` for one of the environment']
    return []


def _suggest_requirement(at: ErrorPosition, before: str) -> list[str]:
    """What to write for what is no part of a requirement; empty outside of one."""
    if not re.search(r"\brequire\b", before):
        return []
    rest = at.source.text[at.start :]
    if re.search(r"\bas[ \t]*$", before):
        return ["`as supporting` and `as advisory` say what a requirement that is not met does to the exit status"]
    if at.word == "within":
        return ["`within` stands behind the bound: `require METRIC >= 0.892 within 8%`"]
    if re.match(r"±|\+-|\+/-", rest):
        return ["a tolerance stands behind the bound: `require METRIC == 0.892 within 0.02`, or `within 8%` of it"]
    if at.source.text.startswith("=", at.start) and (split := re.search(r"([<>!=])[ \t]+$", before)):
        return [f"write `{split[1]}=`, without a blank"]
    if at.word == "by":
        return ["`by` goes with `better than` and `no worse than`; a tolerance of a bound is `within 8%`"]
    if at.word == "and":
        return ["write a requirement for each, on lines of their own"]
    if at.word in ("of", "over", "in", "for"):
        return ["`require average >= 70%` takes the benchmarks of an eval together; `when benchmark in [a, b]` chooses"]
    if rest.startswith(".") and re.search(r"[A-Z0-9_]$", before):
        return [
            "an entry of a map cannot be taken out; give it a variable of its own",
            "for a bound of its own for each model, write `when model = NAME { require METRIC >= 0.8 }`",
        ]
    if re.match(r"[-+*/]", rest):
        return [
            "a requirement compares one metric with one number, without arithmetic: for the spread of the seeds, give"
            " the eval a `confidence`; for a tolerance, write `within 8%`"
        ]
    if re.match(r"[\[(]", rest):
        return [
            "`when AXIS = VALUE { require METRIC >= 0.8 }` requires it of some cells only",
            "for some records only, write a benchmark of them: `benchmark NAME from ... { where = { ... } }`",
        ]
    return []


def _explain_range(at: ErrorPosition) -> Diagnostic | None:
    """Explain a range of another language after `in`: `1-3`, `1:3`, `1...3`, `1 to 3`."""
    column = at.start - at.line_start
    for found in _FOREIGN_RANGE.finditer(at.line):
        if found.start(1) <= column <= found.end(1):
            span = at.source.span(at.line_start + found.start(1), at.line_start + found.end(1))
            first, last = found[2], found[3]
            return make_diagnostic("syntax", f"`{found[1]}` is no range", span, help=[f"write `{first}..{last}`"])
    return None


def _explain_foreign_comment(at: ErrorPosition) -> Diagnostic | None:
    """Explain a comment of another language, at the beginning of a line or after white space."""
    start = at.line_start + len(at.line) - len(at.line.lstrip())
    found = re.match(r"//|/\*|--|;", at.source.text[start:])
    if not found:
        start = at.start
        found = re.match(r"//|/\*|;", at.source.text[start:]) if at.source.text[start - 1 : start].isspace() else None
    if not found:
        return None
    span = at.source.span(start, start + len(found[0]))
    return make_diagnostic("syntax", f"`{found[0]}` begins no comment", span, help=["a comment begins with `#`"])


def _explain_unterminated_text(at: ErrorPosition) -> Diagnostic | None:
    quote = re.match(r"\"\"\"|'''|[\"']", at.source.text[at.start :])
    begin = at.start
    if at.token or not quote:
        return None
    if at.source.text[begin - 2 : begin] == quote[0] * 2:  # lark took `""` for an empty text
        begin -= 2
    long = at.source.text.startswith(quote[0] * 3, begin)
    end = at.source.text.find("\n", begin)
    mark = quote[0] * 3 if long else quote[0]
    return make_diagnostic(
        "unterminated-string",
        f"this text has no closing {mark}",
        at.source.span(begin, len(at.source.text) if end < 0 else end),
        "the text begins here" if long else "close it on the same line",
        help=[] if long else [f"write a text of several lines between {mark * 3} and {mark * 3}"],
    )


def _explain_recipe(at: ErrorPosition) -> Diagnostic | None:
    indented = at.line[:1] in (" ", "\t")
    above = next((line for line in reversed(at.lines_above) if line[:1] not in " \t#"), "")
    if at.open or not indented or not re.match(r"[a-z_][\w.-]*[ \t]*:", above):
        return None
    text = at.line.strip()
    return make_diagnostic(
        "alias-recipe",
        f"`{above.partition(':')[0].strip()}` is an alias, and an alias has no recipe",
        at.source.span(at.line_start + at.line.index(text), at.line_start + len(at.line.rstrip())),
        "this line is indented as a recipe",
        help=["to run a program, write a benchmark with `harness = command`"],
    )


def _explain_unclosed_block(at: ErrorPosition) -> Diagnostic | None:
    blocks = [(brace, head) for brace, head in at.open if head]
    here = _DECLARATION.match(at.line.lstrip())
    top = re.match(r"[A-Z][A-Z0-9_]*[ \t]*=|[a-z_][\w.-]*[ \t]*:", at.line)
    if not blocks or not (at.ended or ((here or top) and blocks[0][0] < at.line_start)):
        return None
    brace, head = blocks[0]
    opened = [(at.source.span(brace), "opened here")]
    if at.ended:
        return make_diagnostic(
            "unclosed-block",
            f"the block of `{head}` is never closed",
            at.span,
            "the file ends inside it",
            also=opened,
            help=["add `}` on a line of its own at the end"],
        )
    line = at.source.position(at.start)[0]
    start = at.line_start + len(at.line) - len(at.line.lstrip())
    text = at.line.strip().partition("{")[0].rstrip()
    return make_diagnostic(
        "unclosed-block",
        f"the block of `{head}` is never closed",
        at.source.span(start, start + len(text)),
        "a new declaration cannot begin inside a block",
        also=opened,
        help=[f"add `}}` on a line of its own before line {line}"],
    )


def _explain_brackets(at: ErrorPosition) -> Diagnostic | None:
    """Explain a closing bracket that closes nothing, or a bracket that is never closed."""
    mark = at.source.text[at.start : at.end]
    if mark in CLOSERS and not at.open:
        return make_diagnostic("extra-bracket", f"this `{mark}` closes nothing", at.span)
    if not at.open:
        return None
    place, _ = at.open[-1]
    opener = at.source.text[place]
    wrong = mark in CLOSERS and CLOSERS[mark] != opener
    statement = opener in "[(" and at.token in ("EQUAL", "IN")
    if not (at.ended or wrong or statement):
        return None
    closer = next(close for close, begin in CLOSERS.items() if begin == opener)
    label = "a statement cannot begin here" if statement else f"`{closer}` must stand before this"
    return make_diagnostic(
        "unclosed-bracket",
        f"this `{opener}` is never closed",
        at.source.span(place),
        "opened here",
        also=[(at.previous if statement else at.span, "the file ends here" if at.ended else label)],
        help=[f"add `{closer}`"],
    )
