"""What a requirement can name beside metrics: how long replies took, their tokens, how many were cut off, the cost.

A unit tells them from metrics: `latency.p95 <= 2s` is of the replies, and `latency.p95 <= 2` of a metric of that name.
"""

from __future__ import annotations

from evalmake.language.money import Money, format_money
from evalmake.language.values import Duration, describe_type

STATISTICS = ("mean", "p50", "p90", "p95", "p99", "max")
SECONDS, TOKENS, SHARE = "s", "tok", "%"
"""Units; that of a cost is its currency."""
LATENCY, TRUNCATED, COST = "latency", "truncated", "cost"
SAMPLE_UNITS = {LATENCY: SECONDS, "tokens_in": TOKENS, "tokens_out": TOKENS}
"""What each sample has -> its unit; of all samples, a statistic is named: `tokens_out.mean`."""


class MeasureMistake(ValueError):
    """A bound with a unit that its metric cannot have; `help` says what to write."""

    def __init__(self, said: str, help: str) -> None:
        super().__init__(said)
        self.help = help


def find_unit(metric: str, bound: object, is_share: bool) -> str:
    """The unit of what replies took, by its name and bound; empty for a metric. MeasureMistake for a bound of none."""
    field, _, statistic = metric.partition(".")
    if metric == COST and isinstance(bound, Money):
        return bound.currency
    if metric == TRUNCATED and is_share:
        if isinstance(bound, int | float) and not 0 <= bound <= 1:
            raise MeasureMistake(f"`{metric}` is a share of the replies", "a share lies from 0% to 100%")
        return SHARE
    unit = SAMPLE_UNITS.get(field, "")
    fits = isinstance(bound, Duration) if unit == SECONDS else isinstance(bound, int | float)
    if unit == TOKENS and is_share and statistic in STATISTICS:
        raise MeasureMistake(
            f"`{metric}` is a number of tokens, and this is a percentage", "leave out the percent sign"
        )
    if unit and fits and statistic in STATISTICS:
        return unit
    if unit == SECONDS and fits:
        raise MeasureMistake(f"`{metric}` names no statistic that is known", _list_statistics(field))
    if isinstance(bound, Duration | Money):
        raise _describe_stray_unit(metric, bound)
    return ""


def _describe_stray_unit(metric: str, bound: Duration | Money) -> MeasureMistake:
    said = f"`{metric}` is compared with a number, but this is {describe_type(bound)}"
    if isinstance(bound, Money):
        return MeasureMistake(said, f"an amount of money is for the cost of an evaluation: `require {COST} <= {bound}`")
    return MeasureMistake(said, f"a duration is for the seconds that replies take: `require {LATENCY}.p95 <= {bound}`")


def _list_statistics(field: str) -> str:
    return f"there are {', '.join(f'`{field}.{name}`' for name in STATISTICS)}"


def read_amount(bound: object) -> object:
    """The number in a duration or an amount of money; anything else as it is."""
    return bound.seconds if isinstance(bound, Duration) else bound.amount if isinstance(bound, Money) else bound


def format_quantity(value: float, unit: str) -> str:
    """`1.83s`, `412tok`, `0.8%` or `$1.25`."""
    if unit == SHARE:
        return f"{value * 100:.3g}%"
    if unit in (SECONDS, TOKENS):
        return f"{value:.3g}{unit}" if value < 1000 else f"{value:.0f}{unit}"
    return format_money(value, unit)
