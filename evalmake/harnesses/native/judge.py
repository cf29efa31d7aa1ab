"""The judge: a model that grades a reply by question, expected answer and rubric."""

from __future__ import annotations

import re
from typing import Any

from evalmake.harnesses.native.client import Client, Reply
from evalmake.harnesses.native.errors import EndpointError
from evalmake.harnesses.native.prompts import Body, Item
from evalmake.harnesses.native.scorers import Verdict
from evalmake.harnesses.native.settings import Endpoint
from evalmake.harnesses.native.template import as_text

_GRADE_LINE = re.compile(r"^[\s*_`#>]*GRADE[\s*_`]*[:=]\s*(.+)$", re.IGNORECASE | re.MULTILINE)
_GRADES = {"CORRECT": 1.0, "INCORRECT": 0.0}
_ASK_AGAIN = "That has no grade that can be read. Reply with one line only: GRADE: x"

_DEFAULT_RUBRIC = "The reply is right if it says the same as the expected answer."
_PROMPT = """You are grading a reply to a question.

[Question]
{question}

[Expected answer]
{target}

[Reply]
{reply}

[Rubric]
{rubric}

Think it through briefly. Then end with a line `GRADE: x`, where x is CORRECT, INCORRECT or a \
number from 0 (wrong) to 1 (right)."""


class Judge:
    """Scores replies with a model; its words are in the verdicts, its tokens in `usage`."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.tokens_in = self.tokens_out = 0

    @property
    def usage(self) -> dict[str, int]:
        """The judge's requests and tokens."""
        return {
            "requests": self.client.requests,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
        }

    async def score(self, item: Item, reply: str) -> Verdict:
        """One verdict; a grade that cannot be read is asked for once more, then left unscored.

        RequestError if the judge gives no answer, EndpointError if it never will.
        """
        prompt = _PROMPT.format(
            question=item.prompt,
            target=as_text(item.target) or "(none is given)",
            reply=reply or "(empty)",
            rubric=item.rubric or _DEFAULT_RUBRIC,
        )
        answer = reply.strip()
        turns = [{"role": "user", "content": prompt}]
        said = ""
        for _ in range(2):
            said = (await self._ask(turns)).text
            value = parse_grade(said)
            if value is not None:
                return Verdict({"accuracy": value}, answer, judge=said)
            turns += [
                {"role": "assistant", "content": said},
                {"role": "user", "content": _ASK_AGAIN},
            ]
        return Verdict(answer=answer, judge=said)

    async def _ask(self, turns: list[dict[str, str]]) -> Reply:
        try:
            reply = await self.client.ask(_build_body(self.client.endpoint, turns))
        except EndpointError as error:
            raise EndpointError(f"judge: {error}") from None
        self.tokens_in += reply.tokens_in or 0
        self.tokens_out += reply.tokens_out or 0
        return reply


def parse_grade(text: str) -> float | None:
    """The grade, 0 to 1, in the last `GRADE: x` line; None if it cannot be read."""
    found = _GRADE_LINE.findall(text)
    word = found[-1].strip(" \t\r*_`.") if found else ""
    if word.upper() in _GRADES:
        return _GRADES[word.upper()]
    try:
        value = float(word)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def _build_body(endpoint: Endpoint, turns: list[dict[str, str]]) -> Body:
    """Build the request; the temperature is 0 unless the judge's parameters set it."""
    params: dict[str, Any] = {"temperature": 0, **endpoint.params}
    base = {"model": endpoint.name} | {name: value for name, value in params.items() if value is not None}
    if endpoint.api == "completions":
        return base | {"prompt": "\n\n".join(turn["content"] for turn in turns)}
    return base | {"messages": turns}
