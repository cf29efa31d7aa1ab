"""What attempts cost by their counts and the prices."""

from __future__ import annotations

import pytest

from evalmake.language.money import Price
from evalmake.scoring.cost import Prices, add_costs, describe_usage, format_cost, read_cost, reckon_cost


def price(text: str) -> Price:
    """A price as an Evalfile writes it."""
    return Price.parse(text)


def test_tokens_of_all_roles_are_paid() -> None:
    """Cached tokens are some of those in, reasoning some of those out, and a judge has prices of its own."""
    prices = Prices(
        {
            "model": {"in": price("$1/Mtok"), "out": price("$2/Mtok"), "cached": price("$0.5/Mtok")},
            "judge": {"in": price("$10/Mtok"), "out": price("$20/Mtok"), "reasoning": price("$30/Mtok")},
        }
    )
    usage = {
        "paid_tokens_in": 1e6,
        "paid_tokens_out": 2e6,
        "paid_tokens_cached": 4e5,
        "paid_tokens_reasoning": 1e6,
        "judge_paid_tokens_in": 1e5,
        "judge_paid_tokens_out": 1e5,
        "judge_paid_tokens_reasoning": 5e4,
        "tokens_in": 9e9,
    }
    assert reckon_cost(usage, prices) == {"USD": pytest.approx(0.6 + 0.2 + 4 + 1 + 1 + 1.5)}


def test_machines_are_paid_by_the_hour() -> None:
    """GPUs are paid where they were had, machines by their shape, each in its currency."""
    prices = Prices(gpus={"a": price("$2/h"), "b": price("3EUR/h")}, shapes={"gpu.8xh200": price("$24/h")})
    usage = {
        "gpu_seconds_on_a": 1800.0,
        "gpu_seconds_on_b": 3600.0,
        "seconds_on_gpu.8xh200": 900.0,
        "gpu_seconds_on_c": 9.0,
    }
    assert reckon_cost(usage, prices) == {"USD": pytest.approx(7.0), "EUR": pytest.approx(3.0)}


def test_what_has_no_price_has_no_cost() -> None:
    """Without a price, or in a record of before, nothing is known, which is not the same as nothing."""
    assert reckon_cost({"paid_tokens_in": 1e6}, Prices()) == {}
    assert read_cost({"tokens_in": 5.0}) == {}
    assert reckon_cost({}, Prices({"model": {"in": price("$0/Mtok")}})) == {"USD": 0.0}


def test_costs_together() -> None:
    """Costs add up by currency, and are at least so much if replies did not say their tokens."""
    usages = [
        {"cost_USD": 1.0, "paid_tokens_in": 2e6, "gpu_seconds_on_a": 1800.0},
        {"cost_USD": 0.25, "cost_EUR": 3.1, "judge_paid_tokens_out": 500.0},
    ]
    assert add_costs(usages) == {"EUR": 3.1, "USD": 1.25}
    assert format_cost(add_costs(usages)) == "$1.25 + 3.10EUR"
    assert describe_usage(usages) == "$1.25 + 3.10EUR: 2Mtok in, 500tok out, 0.5 GPU hours"
    assert describe_usage([*usages, {"uncounted": 1.0}]).startswith("at least $1.25")
