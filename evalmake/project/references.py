"""Every name that a declaration mentions is declared, and no secret stands where it would be seen."""

from __future__ import annotations

from collections.abc import Mapping

from evalmake.lang.diagnostic import Diagnostics, closest
from evalmake.lang.source import Span
from evalmake.lang.values import SecretRef
from evalmake.project.declare import Declared, EvalDecl
from evalmake.project.inherit import Stated
from evalmake.project.project import Project
from evalmake.project.schema import references


def check_references(
    project: Project, stated: Mapping[tuple[str, str], Stated], found: Diagnostics
) -> None:
    """Every name that a declaration mentions is declared."""
    for kind in ("model", "deployment", "benchmark"):
        for item in project.of(kind).values():
            for block in (item.block, item.settings):
                for key, wanted in references(type(block)).items() if block is not None else ():
                    value = getattr(block, key)
                    at = item.fields.spans.get((key,))
                    if value is not None and value not in project.of(wanted):
                        span = at.value if at else item.span
                        unknown_name(
                            project, wanted, value, span, f"{kind} {item.name}", found, stated
                        )
            _secrets(item, found)
    for declaration in project.evals.values():
        about = f"eval {declaration.name}"
        for key in ("model", "benchmark", "executor"):
            for value, span in _named(declaration, key):
                if value not in project.of(key):
                    unknown_name(project, key, value, span, about, found, stated)


def _named(declaration: EvalDecl, key: str) -> list[tuple[str, Span]]:
    """The names that an eval gives `key`, with their places."""
    for axis in declaration.axes:
        if axis.key == key:
            return [(str(v), s) for v, s in zip(axis.values, axis.spans, strict=True)]
    value = declaration.fields.values.get(key)
    written = declaration.fields.spans.get((key,))
    return [(str(value), written.value)] if value is not None and written else []


def unknown_name(
    project: Project, kind: str, name: str, span: Span, about: str, found: Diagnostics,
    stated: Mapping[tuple[str, str], Stated],
) -> None:  # fmt: skip
    """Say that no `kind` is called `name`, and which was probably meant."""
    meant = closest(name, project.of(kind))
    hint = []
    if meant:
        place = project.of(kind)[meant].span.place
        hint = [f"did you mean `{meant}`, declared at {place}?"]
    notes = []
    if (kind, name) in stated and name.startswith("_"):
        notes = [f"`{name}` is a template: inherit from it with `from {name}`"]
    found.error(
        "unknown-name", f"no {kind} is named `{name}`", span, about=about, notes=notes, help=hint
    )


def _secrets(item: Declared, found: Diagnostics) -> None:
    """Secrets deep in parameters have no place."""
    for key in ("args", "params"):
        values = getattr(item.block, key, None) or {}
        for name, value in values.items():
            if isinstance(value, SecretRef):
                at = item.fields.spans.get((key, name)) or item.fields.spans[key,]
                found.error(
                    "secret-place", f"`{key}.{name}` cannot be a secret", at.value,
                    about=f"{item.kind} {item.name}",
                    help=["a secret stands in keys that take one, as `api_key`, and in `env` maps"],
                )  # fmt: skip
