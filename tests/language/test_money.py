"""Amounts of money and prices, read and written."""

from __future__ import annotations

import pytest

from evalmake.language.money import Money, Price, format_money, format_tokens


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [("$20", 20, "USD"), ("20USD", 20, "USD"), ("0.15EUR", 0.15, "EUR"), ("$17_000.50", 17000.5, "USD")],
)
def test_amounts_of_money(text: str, amount: float, currency: str) -> None:
    """A dollar sign or a code behind says the currency, and the text is kept as it was written."""
    money = Money.parse(text)
    assert (money.amount, money.currency, str(money)) == (amount, currency, text)
    assert Price.parse(f"{text}/Mtok") == Price(amount, currency, "Mtok")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        *((0, "$0.00"), (1.255, "$1.25"), (1234.5, "$1234.50"), (0.0957, "$0.10")),
        *((0.0123, "$0.012"), (0.00004, "$0.00004"), (0.0000001, "$0.0000001")),
    ],
)
def test_money_as_text(amount: float, shown: str) -> None:
    """Two places behind the point, or two digits of less than ten cents, and never an exponent."""
    assert format_money(amount, "USD") == shown
    assert format_money(amount, "EUR") == f"{shown.removeprefix('$')}EUR"


def test_tokens_as_text() -> None:
    """Three digits and a prefix, as an Evalfile writes them."""
    counts = (0, 950, 999.6, 12_420, 2_100_000, 345_000_000)
    assert [format_tokens(n) for n in counts] == ["0tok", "950tok", "1ktok", "12.4ktok", "2.1Mtok", "345Mtok"]
