"""Prices in an Evalfile: what tokens of a model cost, and hours of GPUs and machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.language.money import PER_HOUR, PER_TOKENS, Money, Price
from evalmake.language.values import describe_type, format_value
from evalmake.project.fields import Fields

TOKEN_KINDS = ("in", "out", "cached", "reasoning")
GPU = "gpu"
"""The entry of an executor's price for an hour of one GPU; any other is for an hour of a machine of that shape."""
_OTHER_WORDS = {
    **dict.fromkeys(("input", "prompt", "prompt_tokens", "input_tokens", "tokens_in"), "in"),
    **dict.fromkeys(("output", "completion", "completion_tokens", "output_tokens", "tokens_out"), "out"),
    **dict.fromkeys(("cache", "cached_in", "cached_input", "cache_read", "tokens_cached"), "cached"),
    **dict.fromkeys(("thinking", "reasoning_tokens", "tokens_reasoning"), "reasoning"),
}
_UNITS = {PER_TOKENS: "a million tokens", PER_HOUR: "an hour"}


class PriceMistake(ValueError):
    """A mistake in a price, with the code of its diagnostic and the entry of the map that it is in."""

    def __init__(self, code: str, said: str, help: str = "", entry: str = "") -> None:
        super().__init__(said)
        self.code = code
        self.help = [help] if help else []
        self.entry = entry


def check_model_price(value: object) -> object:
    """The price of a model's tokens: `in` and perhaps `out`, `cached` and `reasoning`, in one currency."""
    prices = _read_prices(value, PER_TOKENS, "{ in = $0.15/Mtok, out = $0.60/Mtok }")
    for name in prices:
        if name not in TOKEN_KINDS:
            meant = _OTHER_WORDS.get(name) or closest_name(name, TOKEN_KINDS)
            help = f"did you mean `{meant}`?" if meant else f"they are {', '.join(TOKEN_KINDS)}"
            raise PriceMistake("unknown-key", f"no tokens of a price are called `{name}`", help, name)
    return prices


def check_machine_price(value: object) -> object:
    """The price of an executor's machines: of an hour of one GPU, or of a machine of a shape, in one currency."""
    return _read_prices(value, PER_HOUR, "{ gpu = $2.50/h }")


def _read_prices(value: object, per: str, example: str) -> dict[str, Price]:
    """A map of prices for `per`, all in one currency."""
    if not isinstance(value, Mapping):
        entry = "in" if per == PER_TOKENS else GPU
        number = isinstance(value, int | float | Money) and not isinstance(value, bool)
        written = _complete(value, per) if number else format_value(value) if isinstance(value, Price) else ""
        rest = ", out = ..." if per == PER_TOKENS else ""
        help = f"write `price = {{ {entry} = {written}{rest} }}`" if written else f"write it as `{example}`"
        raise PriceMistake("wrong-type", f"`price` takes a map of prices, but this is {describe_type(value)}", help)
    for name, one in value.items():
        if isinstance(one, bool) or not isinstance(one, int | float | Money | Price):
            text = one.strip() if isinstance(one, str) else ""
            help = f"write it without quotes: `{text}`" if text.endswith(f"/{per}") else f"write it as `{example}`"
            raise PriceMistake(
                "wrong-type", f"`price.{name}` takes a price, but this is {describe_type(one)}", help, name
            )
        if not isinstance(one, Price):
            lacks = "a unit" if isinstance(one, Money) else "a currency and a unit"
            said = f"`price.{name}` is a price for {_UNITS[per]} and needs {lacks}"
            raise PriceMistake("missing-unit", said, f"did you mean `{_complete(one, per)}`?", name)
        if one.per != per:
            said = f"`price.{name}` is a price for {_UNITS[per]}, and `{one}` is for {_UNITS[one.per]}"
            raise PriceMistake("bad-value", said, "", name)
    currencies = {one.currency: name for name, one in value.items()}
    if len(currencies) > 1:
        first, second = list(currencies)[:2]
        said = f"a price has one currency, and this one has {first} and {second}"
        raise PriceMistake("bad-value", said, "", currencies[second])
    return dict(value)


def _complete(value: object, per: str) -> str:
    """A number or an amount of money as a price."""
    return f"{value}/{per}" if isinstance(value, Money) else f"${value}/{per}"


def check_whole_price(model: Any, fields: Fields, diagnostics: Diagnostics, about: str) -> None:
    """Refuse a price without that of requests, or without that of replies; a model of embeddings has no replies."""
    wanted = {"in": ("requests", "$0.15/Mtok"), "out": ("replies", "$0.60/Mtok")}
    for name in ("in",) if model.api == "embeddings" else ("in", "out"):
        if model.price and name not in model.price:
            what, example = wanted[name]
            diagnostics.error(
                "missing-key",
                f"the price has no `{name}`",
                fields.spans["price",].value,
                about=about,
                help=[f"say what a million tokens of {what} cost: `{name} = {example}`"],
            )
