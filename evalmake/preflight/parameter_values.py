"""Checks the values of common request parameters: servers refuse wrong ones in every request, or ignore them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evalmake.language.diagnostic import Diagnostics
from evalmake.preflight.context import GraphContext, distinct_cells
from evalmake.project.request_parameters import list_sent_parameters


@dataclass(frozen=True, slots=True)
class _Range:
    """Numbers that a parameter may have."""

    least: float = -math.inf
    most: float = math.inf
    whole: bool = False
    besides: tuple[int, ...] = ()
    """Numbers with a meaning of their own, as -1 for no limit."""

    def has(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.least <= value <= self.most or value in self.besides

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if math.isfinite(self.most):
            return f"{kind} from {self.least:g} to {self.most:g}"
        return f"{kind} from {self.least:g} up" if math.isfinite(self.least) else kind


_LENGTH = _Range(1, whole=True, besides=(-1,))
_PENALTY = _Range(-2, 2)
_RANGES = {
    "temperature": _Range(0),
    "top_p": _Range(0, 1),
    "min_p": _Range(0, 1),
    "top_k": _Range(0, whole=True, besides=(-1,)),
    "max_tokens": _LENGTH,
    "max_completion_tokens": _LENGTH,
    "max_new_tokens": _LENGTH,
    "min_tokens": _Range(0, whole=True),
    "n": _Range(1, whole=True),
    "seed": _Range(whole=True),
    "top_logprobs": _Range(0, whole=True),
    "frequency_penalty": _PENALTY,
    "presence_penalty": _PENALTY,
    "repetition_penalty": _Range(0),
}


def check_parameter_values(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A number is written without quotes, and lies where the API has it. `adapter.params` sends any value."""
    for node in distinct_cells(context.graph.nodes.values()):
        for sent in list_sent_parameters(node.evaluation):
            known, value = _RANGES.get(sent.name), sent.value
            if known is None or sent.winner.key != "params" or known.has(value):
                continue
            bare = isinstance(value, str) and value.strip().lstrip("-").replace(".", "", 1).isdigit()
            escape = f"to send it all the same: `adapter = {{ params = {{ {sent.name} = ... }} }}`"
            diagnostics.error(
                "bad-value",
                f"`params`: `{sent.name}` is {known}, and this is {_show(value)}",
                sent.winner.span or node.evaluation.span,
                about=sent.winner.owner,
                help=["write the number without quotes" if bare else escape],
            )


def _show(value: object) -> str:
    if isinstance(value, str):
        return f'"{value[:40]}"'
    return str(value).lower() if isinstance(value, bool) else str(value)[:40]
