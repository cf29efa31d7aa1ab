"""What runs cost: money by currency, from the tokens and the machine time that were counted, and the prices.

Replies from evalmake's own cache cost nothing. Tokens that a server had in its cache are among those of requests, and
reasoning is among those of replies, as OpenAI's API counts them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from evalmake.language.money import Price, format_money, format_tokens
from evalmake.scoring.result import SECONDS_ON

COST = "cost_"
"""Before a currency, of usage: what the attempt cost at the prices of its time."""
GPU_SECONDS_ON = "gpu_seconds_on_"
"""Before the name of an executor, of usage: how long GPUs there were had."""
PAID = "paid_"
"""Before a count of tokens, of usage: of replies that the model sent, and not the reply cache."""
UNCOUNTED = "uncounted"
"""Of usage: how many replies of the model did not say how many tokens they took."""
ROLES = {"model": "", "judge": "judge_", "embedder": "embedder_"}
"""A model's role -> what is before its counts in usage."""
_MILLION, _HOUR = 1e6, 3600.0


@dataclass(frozen=True, slots=True)
class Prices:
    """All prices of an evaluation: of tokens by role and kind, of GPU hours by executor, of hours by shape."""

    tokens: Mapping[str, Mapping[str, Price]] = field(default_factory=dict)
    gpus: Mapping[str, Price] = field(default_factory=dict)
    shapes: Mapping[str, Price] = field(default_factory=dict)

    @property
    def currencies(self) -> frozenset[str]:
        """The currencies of all of them."""
        of_tokens = (price for prices in self.tokens.values() for price in prices.values())
        return frozenset(price.currency for price in (*of_tokens, *self.gpus.values(), *self.shapes.values()))


def reckon_cost(usage: Mapping[str, float], prices: Prices) -> dict[str, float]:
    """What an attempt with this usage costs, by currency; empty where nothing has a price."""
    cost = dict.fromkeys(prices.currencies, 0.0)
    for role, of_role in prices.tokens.items():
        if of_role:
            counted = {kind: usage.get(f"{ROLES[role]}{PAID}tokens_{kind}", 0.0) for kind in ("in", "out")}
            for kind, of in (("cached", "in"), ("reasoning", "out")):
                counted[kind] = min(usage.get(f"{ROLES[role]}{PAID}tokens_{kind}", 0.0), counted[of])
            cost[of_role["in"].currency] += cost_of_tokens(
                of_role, counted["in"], counted["out"], counted["cached"], counted["reasoning"]
            )
    for executor, price in prices.gpus.items():
        cost[price.currency] += usage.get(f"{GPU_SECONDS_ON}{executor}", 0.0) * price.amount / _HOUR
    for shape, price in prices.shapes.items():
        cost[price.currency] += usage.get(f"{SECONDS_ON}{shape}", 0.0) * price.amount / _HOUR
    return cost


def expect_cost(usage: Mapping[str, float], prices: Prices) -> dict[str, float]:
    """What an attempt like the one with this usage costs, if no reply comes from the reply cache."""
    asked = {
        f"{prefix}{PAID}tokens_{kind}": usage.get(f"{prefix}tokens_{kind}", 0.0)
        for prefix in ROLES.values()
        for kind in ("in", "out", "cached", "reasoning")
    }
    return reckon_cost({**usage, **asked}, prices)


def cost_of_tokens(
    prices: Mapping[str, Price], asked: float, replied: float, cached: float = 0.0, reasoning: float = 0.0
) -> float:
    """What tokens cost; `cached` are some of those that were `asked`, and `reasoning` some of those `replied`."""
    of_in = prices["in"].amount
    of_out = prices["out"].amount if "out" in prices else 0.0
    of_cached = prices["cached"].amount if "cached" in prices else of_in
    of_reasoning = prices["reasoning"].amount if "reasoning" in prices else of_out
    whole = (asked - cached) * of_in + cached * of_cached + (replied - reasoning) * of_out + reasoning * of_reasoning
    return whole / _MILLION


def read_cost(usage: Mapping[str, float]) -> dict[str, float]:
    """What an attempt cost, as its record says, by currency; empty where it had no price."""
    return {kind.removeprefix(COST): amount for kind, amount in usage.items() if kind.startswith(COST)}


def add_costs(usages: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """What attempts cost together, as their records say, by currency."""
    total: defaultdict[str, float] = defaultdict(float)
    for usage in usages:
        for currency, amount in read_cost(usage).items():
            total[currency] += amount
    return dict(sorted(total.items()))


def count_gpu_seconds(usage: Mapping[str, float]) -> float:
    """How long GPUs were had, wherever."""
    return sum(seconds for kind, seconds in usage.items() if kind.startswith(GPU_SECONDS_ON))


def is_cost_unsure(usage: Mapping[str, float]) -> bool:
    """Whether replies did not say how many tokens they took, so that the cost is more than what is known."""
    return any(usage.get(f"{prefix}{UNCOUNTED}") for prefix in ROLES.values())


def format_cost(cost: Mapping[str, float]) -> str:
    """`$1.25`, or `$1.25 + 3.10EUR`; empty where nothing is known."""
    return " + ".join(format_money(amount, currency) for currency, amount in sorted(cost.items(), reverse=True))


def describe_usage(usages: Iterable[Mapping[str, float]]) -> str:
    """What attempts used and cost in all, in a line; empty where they used nothing that is counted.

    `$1.25: 12.4ktok in, 3.1ktok out, 2.5 GPU hours`.
    """
    whole: defaultdict[str, float] = defaultdict(float)
    for usage in usages:
        for kind, amount in usage.items():
            whole[kind] += amount
    parts = [
        f"{format_tokens(count)} {kind}"
        for kind in ("in", "out")
        if (count := sum(whole[f"{prefix}{PAID}tokens_{kind}"] for prefix in ROLES.values()))
    ]
    if seconds := count_gpu_seconds(whole):
        parts.append(f"{seconds / _HOUR:.3g} GPU hours")
    cost = read_cost(whole)
    if not cost:
        return ", ".join(parts)
    least = "at least " if is_cost_unsure(whole) else ""
    return f"{least}{format_cost(cost)}" + (f": {', '.join(parts)}" if parts else "")
