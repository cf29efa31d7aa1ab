"""What is said of each mistake that `malformed_examples.py` has examples of; None where it is another mistake."""

from __future__ import annotations

import re
from collections.abc import Callable

from evalmake.language.diagnostic import Diagnostic, closest_name, make_diagnostic
from evalmake.language.error_position import KINDS, ErrorPosition

NO_VARIABLES = (
    "a name is written out, so that an override cannot change what a target is; an axis makes a cell for each value,"
    " such as `model in MODELS`"
)
"""Help for a name that holds a variable."""
_VALUE = r"[^\s,{}\[\]#]+"
TOP_LEVEL_WORDS = (*KINDS, "defaults", "settings", "include")


def _explain_unknown_kind(at: ErrorPosition) -> Diagnostic | None:
    word = at.line.split()[0]
    span = at.source.span(at.line_start + at.line.index(word), None)
    if word == "defaults":
        word, span = at.word, at.span
    if at.token == "EQUAL" or re.match(r"[A-Z][A-Z0-9_]*$", word) or word in KINDS:
        return None
    meant = closest_name(word.lower(), KINDS if at.word == word else TOP_LEVEL_WORDS)
    return make_diagnostic(
        "unknown-kind",
        f"there is no kind `{word}`",
        at.source.span(span.start, span.start + len(word)),
        help=_suggest_kind(word, meant),
    )


def _suggest_kind(word: str, meant: str | None) -> list[str]:
    if word in ("require", "when", "skip"):
        return [f"`{word}` stands in the block of an eval"]
    return [f"did you mean `{meant}`?"] if meant else [f"the kinds are {', '.join(KINDS)}"]


def _explain_variable_case(at: ErrorPosition) -> Diagnostic | None:
    found = re.match(r"\s*([A-Za-z_][\w.-]*)[ \t]*=", at.line)
    if not found or at.open:
        return None
    upper = re.sub(r"[.-]|(?<=[a-z])(?=[A-Z])", "_", found[1].lstrip("_")).upper()
    value = at.line[found.end() :].partition("#")[0].strip()
    return make_diagnostic(
        "variable-case",
        f"a variable is UPPER_CASE: `{upper} = {value}`",
        at.source.span(at.line_start + found.start(1), at.line_start + found.end(1)),
    )


def _explain_assignment(at: ErrorPosition) -> Diagnostic | None:
    found = re.search(r"[?:+!=]=|\?", at.line[max(0, at.start - at.line_start - 1) :])
    if not found or _stands_in_comparison(at):
        return None
    start = at.line_start + max(0, at.start - at.line_start - 1) + found.start()
    knob = "" if at.open else "; every UPPER_CASE name can be overridden on the command line"
    return make_diagnostic(
        "one-assignment",
        f"an Evalfile has one assignment, `=`{knob}",
        at.source.span(start, start + len(found[0])),
        "write `=`",
    )


def _explain_missing_equals(at: ErrorPosition) -> Diagnostic | None:
    key = at.previous.text
    if at.token == "COLON":
        return make_diagnostic("use-equals", f"`{key}` is assigned with `=`", at.span, "use `=`")
    if at.word == "not" and _stands_in_comparison(at):
        return _explain_or(at)
    return make_diagnostic(
        "use-equals",
        f"there is no `=` after `{key}`",
        at.span,
        "use `=` between a key and its value",
        help=[f"write `{key} = {at.source.text[at.start : at.end]}`"],
    )


def _explain_bad_name(at: ErrorPosition) -> Diagnostic | None:
    start = at.start
    if at.adjacent and at.previous.text[:1].isupper():
        start = at.previous.start
    if with_variable := re.match(r"[\"']?[\w.-]*\$\{?[A-Za-z]", at.source.text[start:]):
        bare = with_variable[0][0] not in "\"'"
        begin = at.previous.start if bare and at.adjacent else start
        found = re.match(r"[\"']?[\w.$-]+(\{[^}\n]*\}[\w.$-]*)*[\"']?", at.source.text[begin:])
        text = found[0] if found else with_variable[0]
        span = at.source.span(begin, begin + len(text))
        return make_diagnostic("bad-name", "a name holds no variables", span, help=[NO_VARIABLES])
    word = re.match(r"\"[^\"\n]*\"|'[^'\n]*'|[\w.-]*", at.source.text[start:])
    text = word[0] if word else ""
    if not text or (text.isupper() and start != at.start):
        return None
    better = re.sub(r"[^a-z0-9_.-]+", "-", text.lower()).strip("-.")
    quoted = text[0] in "\"'"
    valid = re.fullmatch(r"_?[a-z][a-z0-9_]*([.-][a-z0-9_]+)*", better)
    return make_diagnostic(
        "bad-name",
        "a name is not quoted"
        if quoted
        else f"names are lower-case: `{better}`"
        if valid and text != better
        else f"`{text}` is not a name",
        at.source.span(start, start + len(text)),
        f"write `{better}`" if valid and better != text else "",
        notes=["a name begins with a lower-case letter; digits, `_`, `-` and `.` may follow"],
    )


def _explain_unquoted_text(at: ErrorPosition) -> Diagnostic | None:
    if not at.adjacent or at.token in ("_NL", "$END"):
        return None
    rest = re.match(r"[^\s,\[\]{}()#\"']+", at.source.text[at.previous.start :])
    if not rest or "=" in rest[0] or at.source.text[at.previous.start] in "\"'":
        return None
    if re.match(r"(sha256|xxh128):", rest[0]):
        return make_diagnostic(
            "bad-digest",
            "the digits of a digest are 0 to 9 and a to f",
            at.source.span(at.previous.start, at.previous.start + len(rest[0])),
        )
    return make_diagnostic(
        "unquoted-text",
        "a text needs quotes",
        at.source.span(at.previous.start, at.previous.start + len(rest[0])),
        help=[f'write `"{rest[0]}"`'],
    )


def _explain_unquoted_key(at: ErrorPosition) -> Diagnostic | None:
    """Explain a key of a map that needs quotes: `{ X-Key = "v" }`."""
    if not at.open or at.open[-1][1] or at.source.text[at.open[-1][0]] != "{":
        return None
    start = at.previous.start if at.adjacent and at.previous.text[:1].isalnum() else at.start
    key = re.match(r"[^\s=,{}\[\]()\"'#]+(?=[ \t]*=(?!=))", at.source.text[start:])
    if not key:
        return None
    return make_diagnostic(
        "unquoted-key",
        f"the key `{key[0]}` of a map is not a name, so it needs quotes",
        at.source.span(start, start + len(key[0])),
        notes=["a key without quotes is a name such as `max-len`, or an UPPER_CASE word such as `HF_TOKEN`"],
        help=[f'quote the key: `"{key[0]}"`'],
    )


def _explain_missing_value(at: ErrorPosition) -> Diagnostic:
    mark = at.previous.text
    return make_diagnostic("missing-value", f"no value follows `{mark}`", at.previous, "a value goes here")


def _explain_missing_comma(at: ErrorPosition) -> Diagnostic | None:
    if at.adjacent or not at.open:
        return None
    place, head = at.open[-1]
    inside = {"[": "a list", "(": "a call"}.get(at.source.text[place], "a block" if head else "a map")
    return make_diagnostic(
        "missing-comma",
        "a comma is missing",
        at.span,
        f"put a comma or a line break before this, inside {inside}",
    )


def _stands_in_comparison(at: ErrorPosition) -> bool:
    return bool(re.search(r"\b(when|skip|require)\b", at.line[: at.start - at.line_start]))


def _explain_comparison(at: ErrorPosition) -> Diagnostic | None:
    if at.previous.text == "require":
        return make_diagnostic(
            "bad-comparison",
            "a requirement begins with the name of a metric",
            at.span,
            help=["write `require METRIC >= 0.8`, or `<=`, `==`, `>`, `<`"],
        )
    start = at.start - (at.source.text[at.start - 1] == "=")  # `==` is two tokens
    found = re.match(r"[=<>!≥≤≠~]+", at.source.text[start:])
    condition = re.search(r"\b(when|skip)\b", at.line[: at.start - at.line_start])
    if not found:
        return None
    span = at.source.span(start, start + len(found[0]))
    if condition:
        message, advice = "a condition compares with `=` or `in`", _suggest_condition(at, condition[1], found[0])
        return make_diagnostic("bad-comparison", message, span, help=[advice])
    meant = {"=>": ">=", "=<": "<=", "=": "==", "≥": ">=", "≤": "<="}.get(found[0])
    return make_diagnostic(
        "bad-comparison",
        f"there is no comparison `{found[0]}`",
        span,
        help=[f"did you mean `{meant}`?" if meant else "the comparisons are >= <= == > <"],
    )


def _suggest_condition(at: ErrorPosition, word: str, comparison: str) -> str:
    """What to write for a condition with another comparison: of `!=`, the values that are meant are the others."""
    sides = re.search(rf"([\w.-]+)\s*{re.escape(comparison)}\s*({_VALUE})", at.line)
    key, value = (sides[1], sides[2]) if sides else ("AXIS", "VALUE")
    cells = "to skip" if word == "skip" else "to change"
    if comparison in ("!=", "<>", "≠"):
        return f"name the values {cells}, all but `{value}`: `{word} {key} in [...]`"
    if set(comparison) & set("<>≤≥"):
        return f"name the values {cells}: `{word} {key} in [...]`, or a range of whole numbers"
    return f"write `{word} {key} = {value}`"


def _explain_or(at: ErrorPosition) -> Diagnostic | None:
    if at.word not in ("or", "not"):
        return None
    return make_diagnostic(
        "no-or",
        f"there is no `{at.word}` in a condition",
        at.span,
        help=[
            "name the other values with `in [a, b]`"
            if at.word == "not"
            else "name the values with `in [a, b]`, or write a second `when` or `skip`"
        ],
    )


def _explain_kind_as_target(at: ErrorPosition) -> Diagnostic:
    word = at.previous.text
    return make_diagnostic(
        "kind-as-target",
        f"`{word}` is the name of a kind and cannot be an alias",
        at.previous,
        help=[f"choose another name, such as `all-{word}s:`"],
    )


def _explain_missing_name(at: ErrorPosition) -> Diagnostic:
    word = at.previous.text
    return make_diagnostic(
        "missing-name",
        f"this {word} has no name",
        at.previous,
        "write a name after this",
        help=[f"write `{word} NAME {{ ... }}`"],
    )


def _explain_missing_block(at: ErrorPosition) -> Diagnostic:
    return make_diagnostic(
        "missing-block",
        "a declaration has its block on the same line",
        at.previous,
        "`{` goes after this",
        help=[f"write `{at.line.strip()} {{`"],
    )


EXPLANATIONS: dict[str, Callable[[ErrorPosition], Diagnostic | None]] = {
    "kind-as-target": _explain_kind_as_target,
    "variable-case": _explain_variable_case,
    "unknown-kind": _explain_unknown_kind,
    "one-assignment": _explain_assignment,
    "unquoted-key": _explain_unquoted_key,
    "use-equals": _explain_missing_equals,
    "missing-name": _explain_missing_name,
    "missing-block": _explain_missing_block,
    "bad-comparison": _explain_comparison,
    "no-or": _explain_or,
    "missing-value": _explain_missing_value,
    "unquoted-text": _explain_unquoted_text,
    "bad-name": _explain_bad_name,
    "missing-comma": _explain_missing_comma,
}
