"""Variables, and the words NAME=VALUE of the command line that override them."""

from __future__ import annotations

from collections.abc import Sequence

from evalmake.lang import tree
from evalmake.lang.diagnostic import Diagnostics, EvalmakeError, closest
from evalmake.lang.evaluate import Binding, Evaluator, Scope
from evalmake.lang.parser import parse_override
from evalmake.lang.source import Source, Span
from evalmake.lang.values import Value, type_name
from evalmake.project.files import Loaded


def bind(files: Sequence[Loaded], found: Diagnostics) -> dict[str, Binding]:
    """Every variable of every file; one name is declared once."""
    bindings: dict[str, Binding] = {}
    for file in files:
        for item in file.tree.items:
            if not isinstance(item, tree.Variable):
                continue
            name = item.name.text
            if name in bindings:
                first = bindings[name]
                found.error(
                    "duplicate-name", f"the variable `{name}` is declared twice", file.span(item.name),
                    "declared again here",
                    also=[(Span(first.source, first.node.name.start, first.node.name.end), "first declared here")],
                )  # fmt: skip
            else:
                bindings[name] = Binding(file.source, item)
    return bindings


def apply_overrides(
    scope: Scope, words: Sequence[str], allowed: Sequence[str] | None, found: Diagnostics
) -> dict[str, str]:
    """Override the variables that `words` name; what was given, by name, for plan and evidence."""
    line = Source("command line", " ".join(["evalmake", *words]))
    given: dict[str, str] = {}
    at = len("evalmake ")
    for word in words:
        name, _, text = word.partition("=")
        span = Span(line, at, at + len(name))
        place = Span(line, at + len(name) + 1, at + len(word)) if text else span
        _override(scope, name, text, span, place, allowed, found)
        given[name] = text
        at += len(word) + 1
    return given


def _override(
    scope: Scope, name: str, text: str, span: Span, place: Span, allowed: Sequence[str] | None,
    found: Diagnostics,
) -> None:  # fmt: skip
    binding = scope.bindings.get(name)
    if binding is None:
        meant = closest(name, scope.bindings)
        known = ", ".join(sorted(scope.bindings)) or "none"
        found.error(
            "unknown-variable", f"no variable is named `{name}`", span,
            notes=[f"this Evalfile's variables are {known}"],
            help=[f"did you mean `{meant}`?"] if meant else [],
        )  # fmt: skip
        return
    declared_at = Span(binding.source, binding.node.start, binding.node.end)
    if allowed is not None and name not in allowed:
        may = f"only {', '.join(allowed)} may be" if allowed else "nothing may be"
        found.error(
            "override-forbidden", f"`{name}` may not be overridden", span,
            also=[(declared_at, "declared here")],
            notes=[f"`settings {{ overrides }}` says that {may}"],
        )  # fmt: skip
        return
    try:
        declared = scope.variable(name, declared_at, declared=True)
        binding.override = _typed(scope, text, declared, place)
        binding.overridden = True
    except EvalmakeError as error:
        found.extend(error.diagnostics)
    except ValueError:
        found.error(
            "bad-override", f"`{name}` is {type_name(declared)}, and `{text}` is not one", place,
            f"expected {type_name(declared)} or `none`",
            also=[(declared_at, "its type comes from this declaration")],
        )  # fmt: skip


def _typed(scope: Scope, text: str, declared: Value, place: Span) -> Value:
    """`text` as a value of the declared one's type; ValueError when it is another."""
    if isinstance(declared, str):
        return text
    try:
        node = parse_override(Source("command line", text))
        value = Evaluator(scope, Source("command line", text))(node)
    except EvalmakeError:
        raise ValueError(text) from None
    numbers = (int, float)
    same = type(value) is type(declared) or (
        isinstance(value, numbers)
        and isinstance(declared, numbers)
        and not isinstance(value, bool)
        and not isinstance(declared, bool)
    )
    if value is None or declared is None or same:
        return value
    raise ValueError(text)
