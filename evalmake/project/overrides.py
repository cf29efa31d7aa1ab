"""Binds variables, and overrides them with NAME=VALUE from the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from evalmake.language import tree
from evalmake.language.diagnostic import Diagnostic, Diagnostics, EvalmakeError, closest_name
from evalmake.language.expressions import Binding, Evaluator, Scope
from evalmake.language.parser import parse_override
from evalmake.language.source import COMMAND_LINE, Source, Span
from evalmake.language.values import Duration, Size, Value, describe_type
from evalmake.project.command_words import Word
from evalmake.project.includes import LoadedFile


def bind_variables(files: Sequence[LoadedFile], diagnostics: Diagnostics) -> dict[str, Binding]:
    """Every variable of every file; declaring a name twice is an error, unless a file of `include?` does.

    Such a file is for one machine or environment: its declaration stands in place of the other.
    """
    ordinary = [file for file in files if not file.optional]
    bindings = _bind_declared(ordinary, diagnostics)
    for name, binding in _bind_declared([file for file in files if file.optional], diagnostics).items():
        binding.replaced = bindings.get(name)
        bindings[name] = binding
    return bindings


def _bind_declared(files: Sequence[LoadedFile], diagnostics: Diagnostics) -> dict[str, Binding]:
    bindings: dict[str, Binding] = {}
    for file in files:
        for item in file.tree.items:
            if not isinstance(item, tree.Variable):
                continue
            name = item.name.text
            if name in bindings:
                first = bindings[name]
                diagnostics.error(
                    "duplicate-name",
                    f"the variable `{name}` is declared twice",
                    file.span(item.name),
                    "declared again here",
                    also=[(Span(first.source, first.node.name.start, first.node.name.end), "first declared here")],
                    help=[
                        f"for one run, `evalmake {name}=VALUE` overrides it;"
                        f' for one machine, `{name} = env("{name}", ...)` reads its environment'
                    ],
                )
            else:
                bindings[name] = Binding(file.source, item)
    return bindings


def check_replaced(scope: Scope, allowed: Sequence[str] | None, diagnostics: Diagnostics) -> None:
    """Hold what files of `include?` replace to the rules of an override: the same type, and only what may be."""
    for name, binding in scope.bindings.items():
        if (declared := binding.replaced) is None:
            continue
        if allowed is not None and name not in allowed:
            _report_forbidden(name, binding.span, declared.span, allowed, diagnostics)
            continue
        try:
            before, value = Evaluator(scope, declared.source)(declared.node.value), scope.variable(name, binding.span)
        except EvalmakeError:
            continue  # a variable of the environment that is not set here may be why it is replaced
        if not _is_same_type(value, before):
            diagnostics.error(
                "bad-override",
                f"`{name}` is {describe_type(before)}, and this is {describe_type(value)}",
                binding.span,
                also=[(declared.span, "its type comes from this declaration")],
            )


def describe_replaced(scope: Scope) -> list[str]:
    """What files of `include?` say in place of others, as a plan tells it."""
    return [
        f"{name} = {_quote_value(binding)} at {binding.location},"
        f" in place of {_quote_value(binding.replaced)} at {binding.replaced.location}"
        for name, binding in scope.bindings.items()
        if binding.replaced is not None and not binding.overridden
    ]


def _quote_value(binding: Binding) -> str:
    """The value as it is written, on one line."""
    value = binding.node.value
    return " ".join(binding.source.text[value.start : value.end].split())


def apply_overrides(
    scope: Scope, words: Sequence[Word], allowed: Sequence[str] | None, diagnostics: Diagnostics
) -> dict[str, str]:
    """Override the variables that `words` name, and return the texts by name for the plan and the evidence."""
    given: dict[str, str] = {}
    first: dict[str, Span] = {}
    for word, whole in words:
        name, _, text = word.partition("=")
        if name in first:
            diagnostics.error(
                "duplicate-override",
                f"`{name}` is overridden twice",
                whole,
                "given again here",
                also=[(first[name], "first given here")],
                help=["leave one of them out"],
            )
            continue
        first[name] = whole
        span = Span(whole.source, whole.start, whole.start + len(name))
        place = Span(whole.source, span.end + 1, whole.end) if text else span
        _apply_override(scope, name, text, span, place, allowed, diagnostics)
        given[name] = text
    return given


def _apply_override(
    scope: Scope,
    name: str,
    text: str,
    span: Span,
    place: Span,
    allowed: Sequence[str] | None,
    diagnostics: Diagnostics,
) -> None:
    binding = scope.bindings.get(name)
    if binding is None:
        report_unknown_variable(scope, name, span, diagnostics)
        return
    declared_at = Span(binding.source, binding.node.start, binding.node.end)
    if allowed is not None and name not in allowed:
        _report_forbidden(name, span, declared_at, allowed, diagnostics)
        return
    try:
        declared = scope.variable(name, declared_at, declared=True)
        binding.override, binding.override_node = _read_typed_value(scope, text, declared, place)
        binding.overridden = True
    except EvalmakeError as error:
        diagnostics.extend(error.diagnostics)
    except ValueError:
        given = f"`{text}` is not{'' if isinstance(declared, bool) else ' one'}" if text else "nothing was given"
        wanted = "`true`, `false`" if isinstance(declared, bool) else describe_type(declared)
        diagnostics.error(
            "bad-override",
            f"`{name}` is {describe_type(declared)}, and {given}",
            place,
            f"expected {wanted} or `none`",
            also=[(declared_at, "its type comes from this declaration")],
            help=_suggest_value(name, text, declared),
        )


def _report_forbidden(
    name: str, span: Span, declared_at: Span, allowed: Sequence[str], diagnostics: Diagnostics
) -> None:
    may = f"only {', '.join(allowed)} may be" if allowed else "nothing may be"
    diagnostics.error(
        "override-forbidden",
        f"`{name}` may not be overridden",
        span,
        also=[(declared_at, "declared here")],
        notes=[f"`settings {{ overrides }}` says that {may}"],
    )


def _suggest_value(name: str, text: str, declared: Value) -> list[str]:
    """Help for a value of another type."""
    if not text:
        return [f"the value follows `=` without a space: `{name}=VALUE`"]
    number = re.fullmatch(r"\d+(\.\d+)?", text)
    if number and isinstance(declared, Duration | Size):
        return [f"did you mean `{text}{'s' if isinstance(declared, Duration) else 'GiB'}`?"]
    if isinstance(declared, tuple) and re.fullmatch(r"[\w.-]+", text):
        return [f"did you mean `[{text}]`?"]
    return []


def report_unknown_variable(scope: Scope, name: str, span: Span, diagnostics: Diagnostics) -> None:
    """Report that there is no variable `name`, and list the variables."""
    meant = closest_name(name.upper(), scope.bindings)
    known = f"variables are {', '.join(sorted(scope.bindings))}" if scope.bindings else "has no variable"
    diagnostics.error(
        "unknown-variable",
        f"no variable is named `{name}`",
        span,
        notes=[f"this Evalfile{chr(39) + 's' if scope.bindings else ''} {known}"],
        help=[f"did you mean `{meant}`?"] if meant else [],
    )


def evaluate_variables(scope: Scope, diagnostics: Diagnostics) -> None:
    """Evaluate every variable, used or not, so that an error in one is reported where it is."""
    for name, binding in scope.bindings.items():
        if name in scope.failed:
            continue
        try:
            scope.variable(name, Span(binding.source, binding.node.start, binding.node.end))
        except EvalmakeError as error:
            diagnostics.extend(error.diagnostics)
            if any(one.code == "too-deep" for one in error.diagnostics):
                return  # a chain that is too long is so in many of its parts


@contextmanager
def mention_overrides(words: Sequence[Word]) -> Iterator[None]:
    """Add a note to errors at a place that uses an overridden variable."""
    try:
        yield
    except EvalmakeError as error:
        raise EvalmakeError(_add_override_notes(d, words) for d in error.diagnostics) from None


def _add_override_notes(diagnostic: Diagnostic, words: Sequence[Word]) -> Diagnostic:
    used = set(re.findall(r"[A-Z][A-Z0-9_]*", diagnostic.span.text if diagnostic.span else ""))
    notes = [f"the command line says {w.text}" for w in words if w.text.partition("=")[0] in used]
    if not notes or diagnostic.span is None or diagnostic.span.source.name == COMMAND_LINE:
        return diagnostic
    return replace(diagnostic, notes=(*diagnostic.notes, *notes))


def _read_typed_value(scope: Scope, text: str, declared: Value, place: Span) -> tuple[Value, tree.Expr | None]:
    """`text` as a value of the declared type, and its expression; ValueError if it is of another."""
    if isinstance(declared, str):
        return text, None
    try:
        source = Source(COMMAND_LINE, text)
        node = parse_override(source)
        value = Evaluator(scope, source)(node)
    except EvalmakeError:
        raise ValueError(text) from None
    if _is_same_type(value, declared):
        return value, node
    raise ValueError(text)


def _is_same_type(value: Value, declared: Value) -> bool:
    """Whether a value may stand for another: `none` may for all, and a whole number for any."""
    numbers = (int, float)
    if value is None or declared is None or type(value) is type(declared):
        return True
    if isinstance(value, bool) or isinstance(declared, bool):
        return False
    return isinstance(value, numbers) and isinstance(declared, numbers)
