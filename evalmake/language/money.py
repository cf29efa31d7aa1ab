"""Amounts of money and prices, as an Evalfile writes them: `$20`, `20EUR`, `$0.15/Mtok`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

CURRENCIES = ("USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "KRW", "CAD", "AUD")
"""ISO codes that may follow an amount, as in the grammar; `$20` is `20USD`."""
PER_TOKENS, PER_HOUR = "Mtok", "h"
"""What a price is for: a million tokens, or an hour."""
_AMOUNT = re.compile(rf"\$(?P<dollars>[\d_.]+)|(?P<number>[\d_.]+)(?P<code>{'|'.join(CURRENCIES)})")
_THOUSANDS = {"k": 10**3, "M": 10**6, "G": 10**9}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of a currency; `text` is how the Evalfile writes it."""

    amount: float
    currency: str
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Money:
        """`$20` -> 20 USD."""
        match = _AMOUNT.fullmatch(text)
        assert match, text
        return cls(float((match["dollars"] or match["number"]).replace("_", "")), match["code"] or "USD", text)

    def __str__(self) -> str:
        return self.text or format_money(self.amount, self.currency)


@dataclass(frozen=True, slots=True)
class Price:
    """An amount of a currency for a million tokens or an hour; `text` is how the Evalfile writes it."""

    amount: float
    currency: str
    per: str
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Price:
        """`$0.15/Mtok` -> 0.15 USD for a million tokens."""
        amount, _, per = text.partition("/")
        money = Money.parse(amount)
        return cls(money.amount, money.currency, per, text)

    def __str__(self) -> str:
        return self.text or f"{format_money(self.amount, self.currency)}/{self.per}"


def format_money(amount: float, currency: str) -> str:
    """`$1.25`, `$0.0042` and `12.50EUR`: two decimal places, or two significant digits of less than a cent."""
    number = f"{amount:.2f}" if amount == 0 or amount >= 0.095 else f"{amount:.2g}"
    number = f"{amount:.12f}".rstrip("0") if "e" in number else number
    return f"${number}" if currency == "USD" else f"{number}{currency}"


def format_tokens(count: float) -> str:
    """`950tok`, `12.4ktok`, `2.1Mtok`: a number of tokens in three significant digits."""
    for unit in ("G", "M", "k"):
        if count >= 0.9995 * _THOUSANDS[unit]:
            scaled = count / _THOUSANDS[unit]
            return f"{scaled:.0f}{unit}tok" if scaled >= 100 else f"{scaled:.3g}{unit}tok"
    return f"{count:.0f}tok"
