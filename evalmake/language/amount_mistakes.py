"""What is said of money and prices that are written as elsewhere: `20$`, `€20`, `20 USD`, `$0.15/1M`."""

from __future__ import annotations

import re

from evalmake.language.diagnostic import Diagnostic, make_diagnostic
from evalmake.language.error_position import ErrorPosition
from evalmake.language.money import CURRENCIES, PER_HOUR, PER_TOKENS

_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW"}
_CODE = f"{'|'.join(CURRENCIES)}|{'|'.join(code.lower() for code in CURRENCIES)}"
_AMOUNT = re.compile(
    rf"(?:(?P<sign>[$€£¥₹₩])[ \t]*)?(?P<number>\d[\d_]*(?:\.\d+)?)[ \t]*(?P<unit>[$€£¥₹₩]|(?:{_CODE})\b)?"
    r"(?P<slash>[ \t]*(?:/|\bper\b)[ \t]*)?(?P<per>(?(slash)[\w ]*\w))?"
)
_HOUR = re.compile(r"(gpu[ -]?)?(h|hr|hour|hours|GPUh|gpuh)", re.IGNORECASE)


def explain_amount(at: ErrorPosition) -> Diagnostic | None:
    """Explain an amount of money or a price that is not written as one; None where there is none at the error."""
    column = at.start - at.line_start
    for found in _AMOUNT.finditer(at.line):
        code = _SIGNS.get(found["sign"] or found["unit"] or "") or (found["unit"] or "").upper()
        if not code or not found.start() <= column <= found.end():
            continue
        amount = f"${found['number']}" if code == "USD" else f"{found['number']}{code}"
        text = found[0].rstrip()
        span = at.source.span(at.line_start + found.start(), at.line_start + found.start() + len(text))
        if not found["slash"]:
            said = f"`{text}` is not how an amount of money is written"
            return make_diagnostic("syntax", said, span, help=[f"write `{amount}`"])
        per = PER_HOUR if _HOUR.fullmatch(found["per"] or "") else PER_TOKENS
        return make_diagnostic(
            "syntax",
            f"`{text}` is not how a price is written",
            span,
            notes=["a price is for a million tokens, `$0.15/Mtok`, or for an hour, `$2.50/h`"],
            help=[f"write `{amount}/{per}`"],
        )
    return None
