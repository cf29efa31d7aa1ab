"""The headline metric that a benchmark names, its scale, and its direction."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from evalmake.project.schema import Direction, Scale
from evalmake.scoring.numbers import format_given

_MOST: dict[str, float] = {"share": 1.0, "percent": 100.0}
_RANGES = {"share": "0 to 1", "percent": "0 to 100", "points": "points"}
_ROUNDING = 1e-6  # a mean of ones may be a little more than 1


@dataclass(frozen=True, slots=True)
class MetricKind:
    """What a benchmark says of its headline metric; empty where it says nothing."""

    scale: Scale | None = None
    better: Direction | None = None

    def __str__(self) -> str:
        """ "0 to 100, lower is better"; empty if nothing is known."""
        scale = _RANGES[self.scale] if self.scale else ""
        return ", ".join(filter(None, (scale, f"{self.better} is better" if self.better else "")))

    @property
    def percent(self) -> float | None:
        """What one percent is on this scale: 90% of a metric from 0 to 100 is 90. None if that is not known."""
        return self.most / 100 if self.most else None

    @property
    def most(self) -> float | None:
        """The greatest value on this scale, of which the least is 0; None if there is none."""
        return _MOST.get(self.scale or "")

    def describe_value(self, value: float) -> str:
        """What is wrong with a value that the scale does not have; empty if it has it."""
        most = self.most
        if most is None or -_ROUNDING <= value <= most * (1 + _ROUNDING):
            return ""
        return f"{format_given(value)}, and the benchmark's `scale` says that it goes from 0 to {most:g}"


UNKNOWN_KIND = MetricKind()


def find_metric(wanted: str, names: Iterable[str]) -> str | None:
    """The metric that `wanted` names, in which `*` is any text; None if none of `names` is it, or several are.

    If none has the name, one whose name MLflow would spell so is it: what NVIDIA writes of its harnesses has the names
    that its launcher exports, `gpqa_pass_at_1_avg-of-8_accuracy` for `gpqa_pass@1[avg-of-8]_accuracy`.
    """
    known = list(dict.fromkeys(names))
    if wanted in known:
        return wanted
    found = [name for name in known if matches_metric(wanted, name)]
    found = found or [name for name in known if matches_metric(_spell_as_mlflow(wanted), _spell_as_mlflow(name))]
    return found[0] if len(found) == 1 else None


def matches_metric(pattern: str, name: str) -> bool:
    """Whether a pattern, in which `*` is any text, names a metric."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None


def _spell_as_mlflow(name: str) -> str:
    return re.sub("_+", "_", re.sub(r"[^/\w.\- *]", "_", name.replace("pass@", "pass_at_")))
