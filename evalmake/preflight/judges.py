"""Tells of judges of benchmarks that, as far as the catalog knows, no judge grades."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics, Severity, make_diagnostic
from evalmake.preflight.context import BuildContext, first_of_each
from evalmake.project.catalog import asks_no_judge


def note_needless_judges(context: BuildContext, diagnostics: Diagnostics) -> None:
    """A judge that is asked nothing starts a server, and is part of the identity."""
    benchmarks = [node.evaluation.benchmark for node in context.nodes]
    for one in first_of_each(benchmarks, lambda benchmark: benchmark.name):
        spans = one.fields.spans.get(("judge",))
        if spans is not None and one.fields.values.get("judge") is not None and asks_no_judge(one.fields.values):
            diagnostics.append(
                make_diagnostic(
                    "unused-key",
                    f"`judge` may change nothing: the catalog knows of no judge of `{one.fields.values['task']}`",
                    spans.key,
                    about=f"benchmark {one.name}",
                    help=["leave it out, or write `judge = none` in this benchmark"],
                    severity=Severity.WARNING,
                )
            )
