"""Runs the checks of a record on a reply: `passed` if all pass, and for each type the share that passes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from evalmake.harnesses.native.check_types import PASSED
from evalmake.harnesses.native.client import Reply
from evalmake.harnesses.native.embedder import Compare, EmbedderError
from evalmake.harnesses.native.json_io import loads
from evalmake.harnesses.native.json_schema import SchemaFailure, fits_schema
from evalmake.harnesses.native.pattern_search import search
from evalmake.harnesses.native.prompts import Item
from evalmake.harnesses.native.record_checks import Check
from evalmake.harnesses.native.scorers import Scorer, Verdict
from evalmake.harnesses.native.template import as_text
from evalmake.harnesses.native.time_limit import TooSlow, limit_time

_GOOD_GRADE = 0.5
_NEAR = 0.75


class CheckFailure(Exception):
    """What a check needs to know is not known."""


@dataclass(slots=True)
class ReplyChecks:
    """The checks of one reply. `text` is what is scored of it; a judge sees a refusal, too."""

    item: Item
    text: str
    judged_text: str
    reply: Reply
    judge: Scorer | None
    compare: Compare | None = None
    """What tells how near a reply is to texts."""
    said: list[str] = field(default_factory=list)
    """What the judge said, in the order of the checks."""
    similarities: list[float] = field(default_factory=list)

    async def score(self) -> Verdict:
        """The verdict: without scores where the judge gave no grade, an error where something is not known."""
        try:
            results = [(check.type, await self._run(check)) for check in self.item.checks]
        except (CheckFailure, SchemaFailure, TooSlow) as error:
            return replace(self._describe(), error=str(error), cause_kind="scorer")
        except EmbedderError as error:
            return replace(self._describe(), error=f"embedder: {error}", cause_kind=error.kind)
        if any(passed is None for _, passed in results):
            return replace(self._describe(), answer=self.text)
        return replace(self._describe(), scores=_count_passed(results), answer=self.text)

    def _describe(self) -> Verdict:
        """What other models said of the reply."""
        judge = self.said[0] if len(self.said) == 1 else tuple(self.said) or None
        return Verdict(judge=judge, similarities=tuple(self.similarities) or None)

    async def _run(self, check: Check) -> bool | None:
        passed = await self._find(check)
        return passed if passed is None else passed != check.negated

    async def _find(self, check: Check) -> bool | None:
        if check.inner:
            return _join(check.kind, [await self._run(one) for one in check.inner])
        if check.kind == "judge":
            return await self._ask_judge(check)
        if check.kind == "similar":
            return await self._is_similar(check)
        if check.kind == "latency":
            return self._find_latency() <= (check.limit or 0)
        if check.kind == "tokens":
            if self.reply.tokens_out is None:
                raise CheckFailure("the check `tokens` needs the server's count of them, and the reply has none")
            return self.reply.tokens_out <= (check.limit or 0)
        if check.kind == "tool-call":
            return any(_is_call(check, call.name, call.arguments) for call in self.reply.tool_calls)
        return _fits(check, self.text, self.item.prompt)

    def _find_latency(self) -> float:
        if self.reply.cached:
            raise CheckFailure("the reply is from the cache: write `adapter = { cache = false }` to measure latency")
        return self.reply.latency or 0.0

    async def _is_similar(self, check: Check) -> bool:
        assert self.compare is not None, "make_plan checks it"
        self.similarities.append(await self.compare(self.text, check.value))
        return self.similarities[-1] >= (_NEAR if check.limit is None else check.limit)

    async def _ask_judge(self, check: Check) -> bool | None:
        assert self.judge is not None, "make_plan checks it"
        verdict = await self.judge(replace(self.item, rubric=check.value), self.judged_text, self.reply)
        self.said += [verdict.judge] if isinstance(verdict.judge, str) else []
        grade = verdict.scores.get("accuracy")
        return None if grade is None else grade >= (_GOOD_GRADE if check.limit is None else check.limit)


def _join(kind: str, results: Sequence[bool | None]) -> bool | None:
    """The result of `any` or `all`; None where it depends on one that is not known."""
    decisive = kind == "any"
    if decisive in results:
        return decisive
    return None if None in results else not decisive


def _count_passed(results: Sequence[tuple[str, bool | None]]) -> dict[str, float]:
    types: dict[str, list[bool]] = {}
    for type, passed in results:
        types.setdefault(type, []).append(bool(passed))
    shares = {type: sum(several) / len(several) for type, several in types.items()}
    return {PASSED: float(all(passed for _, passed in results)), **shares}


def _fits(check: Check, text: str, question: str) -> bool:
    """Whether a text passes a check that looks at it alone."""
    match check.kind:
        case "contains":
            return str(check.value) in text
        case "icontains":
            return str(check.value).lower() in text.lower()
        case "starts-with":
            return text.startswith(str(check.value).lstrip())
        case "contains-any":
            return any(one in text for one in check.value)
        case "contains-all":
            return all(one in text for one in check.value)
        case "icontains-any":
            return any(one.lower() in text.lower() for one in check.value)
        case "icontains-all":
            return all(one.lower() in text.lower() for one in check.value)
        case "equals":
            return _equals(check.value, text)
        case "regex":
            return search(check.value, text) is not None
        case "number":
            return _has_number(check, text)
        case "choice":
            from evalmake.harnesses.native.answers.letter import find_chosen_option

            return bool(find_chosen_option(text, check.options, question) == check.value)
    found = _find_json(text) if check.kind == "contains-json" else _parse_json(text)
    return found is not None and (check.value is None or fits_schema(found[0], check.value))


def _equals(value: object, text: str) -> bool:
    """Whether a text is a value: as JSON if that is a list or an object."""
    if not isinstance(value, list | dict):
        return text == as_text(value).strip()
    found = _parse_json(text)
    return found is not None and is_equal(found[0], value)


def is_equal(one: Any, other: Any) -> bool:
    """Whether two values of JSON are equal: 1 is 1.0, and not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(is_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _is_call(check: Check, name: str, arguments: Any) -> bool:
    """Whether a call has the name, and among its arguments those of the check."""
    wanted: Mapping[str, Any] = check.arguments or {}
    if name != check.value or (wanted and not isinstance(arguments, Mapping)):
        return False
    return all(key in arguments and is_equal(arguments[key], value) for key, value in wanted.items())


def _has_number(check: Check, text: str) -> bool:
    from evalmake.harnesses.native.answers.number import are_equal, find_number

    answer = find_number(text)
    if answer is None:
        return False
    if check.limit is None:
        return are_equal(answer, check.value)
    # As far as the decimals say: 0.3 is 0.1 from 0.2, whatever its binary form is.
    return bool(abs(answer.value - check.value.value) <= Fraction(repr(check.limit)))


def _parse_json(text: str) -> tuple[Any] | None:
    """The value of a text that is JSON, in a tuple, as it may be null."""
    try:
        value = loads(text)
    except (ValueError, RecursionError):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else (value,)


def _find_json(text: str) -> tuple[Any] | None:
    """The first object or list in a text."""
    decoder = json.JSONDecoder()
    with limit_time(1.0, "the check `contains-json`"):
        for place, character in enumerate(text):
            if character in "{[":
                try:
                    return (decoder.raw_decode(text, place)[0],)
                except (ValueError, RecursionError):
                    continue
    return None
