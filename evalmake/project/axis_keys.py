"""Which keys an eval can have as axes: five of its own, `params.NAME` and `adapter.KEY`, and keys of its benchmarks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.language.source import Span
from evalmake.project.adapter import Adapter
from evalmake.project.foreign_keys import REQUEST_PARAMETERS
from evalmake.project.schema import AXIS_KEYS, Eval

SETTINGS = ("params", "adapter")
"""The maps of an eval whose entries can be axes."""


def is_setting(key: str) -> bool:
    """Whether an axis goes over an entry of `params` or `adapter`: `params.temperature`."""
    return "." in key and key.partition(".")[0] in SETTINGS


def is_of_benchmark(key: str) -> bool:
    """Whether an axis goes over a key of the benchmark: `fewshot`."""
    return "." not in key and key not in AXIS_KEYS and key not in Eval.model_fields


def check_key(key: str, span: Span, diagnostics: Diagnostics, about: str) -> bool:
    """Whether a key can be an axis; what its benchmarks have is known later (`benchmark_axes`)."""
    root = key.partition(".")[0]
    if key in AXIS_KEYS or is_of_benchmark(key):
        return True
    if key in SETTINGS:
        inner = "temperature" if key == "params" else "system"
        help_ = [f"an axis goes over one entry: `{key}.{inner} in [...]`"]
        diagnostics.error("bad-axis", f"`{key}` cannot be an axis", span, about=about, help=help_)
    elif key in ("params.seed", "adapter.params.seed"):
        help_ = ["write `seed in 1..3`"]
        diagnostics.error("bad-axis", "the seed has an axis of its own", span, about=about, help=help_)
    elif key in Eval.model_fields or (is_setting(key) and root == "adapter" and not _counts_in_adapter(key)):
        report_placement(key, span, diagnostics, about)
    elif not is_setting(key):
        report_unknown_axis(key, (), span, diagnostics, about)
    else:
        return True
    return False


def report_placement(key: str, span: Span, diagnostics: Diagnostics, about: str) -> None:
    """Report an axis over a key that changes no score."""
    note = f"`{key}` is not part of an evaluation's identity: its cells would all be the same"
    diagnostics.error("bad-axis", f"`{key}` cannot be an axis", span, about=about, notes=[note])


def report_unknown_axis(key: str, known: Iterable[str], span: Span, diagnostics: Diagnostics, about: str) -> None:
    """Report an axis over a key that neither the eval nor its benchmarks have; `known` are those that these have."""
    own = ", ".join(AXIS_KEYS)
    meant = closest_name(key, [*AXIS_KEYS, *known])
    parameter = "." not in key and key in REQUEST_PARAMETERS
    diagnostics.error(
        "bad-axis",
        f"`{key}` cannot be an axis",
        span,
        about=about,
        notes=[f"the keys that can be axes are {own}, `params.NAME`, `adapter.KEY`, and the keys of the benchmark"],
        help=[f"write `params.{key} in [...]`"]
        if parameter
        else [f"did you mean `{meant}`?"]
        if meant
        else ["write an eval for each value: `eval NAME from ...`"],
    )


def _counts_in_adapter(key: str) -> bool:
    """Whether an axis `adapter.KEY` changes what is measured; also true of a key that there is not."""
    info = Adapter.model_fields.get(key.split(".")[1])
    extra: Any = info.json_schema_extra if info else None
    return extra is None or bool(extra["identity"])


def find_overlap(key: str, value: Any, axes: Iterable[str]) -> str | None:
    """The first axis that `key = value` sets, too; `params = { t = 1 }` sets the axis `params.t`, and `none` all."""
    return next((axis for axis in axes if _sets(key, value, axis)), None)


def _sets(key: str, value: Any, axis: str) -> bool:
    root, *steps = axis.split(".")
    if root != key:
        return False
    for step in steps:
        if not isinstance(value, dict):
            return True
        if step not in value:
            return False
        value = value[step]
    return True
