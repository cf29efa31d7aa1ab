"""Runs the checks of a record on a reply: `passed` if all pass, and for each type the share that passes.

The sample keeps what became of each check, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalmake.harnesses.native.check_types import PASSED
from evalmake.harnesses.native.client import Reply
from evalmake.harnesses.native.embedder import Compare, EmbedderError
from evalmake.harnesses.native.json_schema import SchemaFailure
from evalmake.harnesses.native.prompts import Item
from evalmake.harnesses.native.record_checks import Check
from evalmake.harnesses.native.scorers import Scorer, Verdict
from evalmake.harnesses.native.text_checks import check_text, describe_calls, is_call
from evalmake.harnesses.native.time_limit import TooSlow

_GOOD_GRADE = 0.5
_NEAR = 0.75


class CheckFailure(Exception):
    """What a check needs to know is not known."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What became of a check. `passed` is None where a judge gave no grade; `inner` are those of `any` and `all`."""

    check: Check
    passed: bool | None
    reason: str = ""
    inner: tuple[CheckResult, ...] = ()

    def to_row(self) -> dict[str, Any]:
        """The check as it is written, its verdict, and the reason."""
        row = {**self.check.written, "type": self.check.type, "passed": self.passed}
        if self.inner:
            return row | {"checks": [one.to_row() for one in self.inner]}
        return row | {"reason": self.reason}


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
    results: list[CheckResult] = field(default_factory=list)

    async def score(self) -> Verdict:
        """The verdict: without scores where the judge gave no grade, an error where something is not known."""
        try:
            for check in self.item.checks:
                self.results.append(await self._run(check))
        except (CheckFailure, SchemaFailure, TooSlow) as error:
            return replace(self._describe(), error=str(error), cause_kind="scorer")
        except EmbedderError as error:
            return replace(self._describe(), error=f"embedder: {error}", cause_kind=error.kind)
        if any(one.passed is None for one in self.results):
            return replace(self._describe(), answer=self.text)
        return replace(self._describe(), scores=_count_passed(self.results), answer=self.text)

    def _describe(self) -> Verdict:
        """What other models said of the reply, and what became of each check so far."""
        judge = self.said[0] if len(self.said) == 1 else tuple(self.said) or None
        checks = tuple(one.to_row() for one in self.results) or None
        return Verdict(judge=judge, similarities=tuple(self.similarities) or None, checks=checks)

    async def _run(self, check: Check) -> CheckResult:
        if check.inner:
            inner = tuple([await self._run(one) for one in check.inner])
            return CheckResult(check, _negate(check, _join(check.kind, [one.passed for one in inner])), "", inner)
        passed, reason = await self._find(check)
        return CheckResult(check, _negate(check, passed), reason)

    async def _find(self, check: Check) -> tuple[bool | None, str]:
        """Whether a check passes, without its `not-`, and what was found."""
        if check.kind == "judge":
            return await self._ask_judge(check)
        if check.kind == "similar":
            return await self._compare(check)
        if check.kind == "latency":
            seconds, most = self._find_latency(), check.limit or 0
            return seconds <= most, f"{seconds:.3g} s, and the most is {most:g} s"
        if check.kind == "tokens":
            if self.reply.tokens_out is None:
                raise CheckFailure("the check `tokens` needs the server's count of them, and the reply has none")
            most = check.limit or 0
            return self.reply.tokens_out <= most, f"{self.reply.tokens_out} tokens, and the most is {most:g}"
        if check.kind == "tool-call":
            calls = self.reply.tool_calls
            return any(is_call(check, call.name, call.arguments) for call in calls), describe_calls(calls)
        return check_text(check, self.text, self.item.prompt)

    def _find_latency(self) -> float:
        if self.reply.cached:
            raise CheckFailure("the reply is from the cache: write `adapter = { cache = false }` to measure latency")
        return self.reply.latency or 0.0

    async def _compare(self, check: Check) -> tuple[bool, str]:
        assert self.compare is not None, "make_plan checks it"
        cosine, least = await self.compare(self.text, check.value), _NEAR if check.limit is None else check.limit
        self.similarities.append(cosine)
        return cosine >= least, f"the cosine is {cosine:.3f}, and the least is {least:g}"

    async def _ask_judge(self, check: Check) -> tuple[bool | None, str]:
        assert self.judge is not None, "make_plan checks it"
        verdict = await self.judge(replace(self.item, rubric=check.value), self.judged_text, self.reply)
        self.said += [verdict.judge] if isinstance(verdict.judge, str) else []
        grade, least = verdict.scores.get("accuracy"), _GOOD_GRADE if check.limit is None else check.limit
        if grade is None:
            return None, "the judge gave no grade"
        return grade >= least, f"the judge's grade is {grade:g}, and the least is {least:g}"


def _negate(check: Check, passed: bool | None) -> bool | None:
    return passed if passed is None else passed != check.negated


def _join(kind: str, results: Sequence[bool | None]) -> bool | None:
    """The result of `any` or `all`; None where it depends on one that is not known."""
    decisive = kind == "any"
    if decisive in results:
        return decisive
    return None if None in results else not decisive


def _count_passed(results: Sequence[CheckResult]) -> dict[str, float]:
    types: dict[str, list[bool]] = {}
    for one in results:
        types.setdefault(one.check.type, []).append(bool(one.passed))
    shares = {type: sum(several) / len(several) for type, several in types.items()}
    return {PASSED: float(all(one.passed for one in results)), **shares}
