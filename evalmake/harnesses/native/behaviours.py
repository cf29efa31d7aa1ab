"""The behaviour numbers of the native harness's parts: raise one when the part asks or scores differently.

Results that used the part are then out of date, with the reason `scorer choice: behaviour 1 -> 2`; all
other results stay valid. Raise `NativeHarness.behaviour` only for what concerns every benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalmake.harnesses.native.checks import has_record_scorer, scorers_of
from evalmake.harnesses.native.template import is_template

SCORERS: Mapping[str, int] = {
    "exact": 2,  # 2: kinds of spaces, quotes and dashes, subscripts, and Unicode's forms of a character, are alike
    "contains": 2,  # 2: whole words; as for exact
    "regex": 2,  # 2: as for exact
    "f1": 2,  # 2: signs and decimal points belong to numbers; articles alone and marks alone are compared
    "python": 2,
    "judge": 2,  # 2: the last line that is a verdict, outside quotations; none of a reply that was cut off
    "number": 2,  # 2: groups, powers, fractions, other digits; the answer instead of the last number
    "choice": 2,  # 2: an explanation after the answer does not overrule it; negations, corrections, languages
}
"""Scorer -> its behaviour number.

2, for all: a reply that ends inside its reasoning is an empty answer; scorers of texts and `extract` read no reasoning.
"""
EXAMPLES = 2
"""2: an example is not shown before the same question, also where ids, splits or spaces differ."""
RUBRIC = 2
"""2: a rubric may hold fields of the record."""
KEYS: Mapping[str, int] = {"answer": 1, "checks": 1, "sql": 1, "weight": 1, "tags": 1}
"""Key -> the behaviour number of what it does."""


def find_behaviours(settings: Any) -> dict[str, int]:
    """The behaviour numbers of the parts that a benchmark uses, by key and value; 1 is left out."""
    scorers = scorers_of(settings)
    used = [name for name in SCORERS if name in scorers or has_record_scorer(settings)]
    found = {f"scorer {name}": SCORERS[name] for name in used}
    if settings.examples is not None:
        found["examples"] = EXAMPLES
    if is_template(settings.rubric or ""):
        found["rubric"] = RUBRIC
    found |= {key: number for key, number in KEYS.items() if number > 1 and getattr(settings, key) is not None}
    return found
