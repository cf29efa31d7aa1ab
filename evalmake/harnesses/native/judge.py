"""The judge: a model that grades a reply by question, expected answer and rubric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evalmake.harnesses.native.answers.grade import VERDICT_SCHEMA, parse_grade, parse_json_grade
from evalmake.harnesses.native.client import Client, Reply
from evalmake.harnesses.native.errors import EndpointError, RequestError
from evalmake.harnesses.native.prompts import Body, Item
from evalmake.harnesses.native.scorers import Verdict
from evalmake.harnesses.native.settings import Endpoint
from evalmake.harnesses.native.template import as_text

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

{ending}"""


@dataclass(frozen=True, slots=True)
class _Format:
    """How a verdict is asked for and read; `request` has the fields that make an endpoint keep to it."""

    ending: str
    again: str
    parse: Callable[[str], float | None]
    request: dict[str, Any]


_FORMATS = {
    "text": _Format(
        ending="Think it through briefly. Then end with a line `GRADE: x`, where x is CORRECT, INCORRECT or a "
        "number from 0 (wrong) to 1 (right).",
        again="That has no grade that can be read. Reply with one line only: GRADE: x",
        parse=parse_grade,
        request={},
    ),
    "json": _Format(
        ending='Reply with a JSON object only: {"reason": "a short reason", "grade": x}, where x is a number from 0 '
        "(wrong) to 1 (right).",
        again='That is no verdict. Reply with a JSON object only: {"reason": "a short reason", "grade": x}',
        parse=parse_json_grade,
        request={
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "verdict", "strict": True, "schema": VERDICT_SCHEMA},
            }
        },
    ),
}
_PARAMETERS: Mapping[str, Any] = {"temperature": 0}
_REFUSED = (400, 415, 422, 501)
"""The statuses by which an endpoint says that it does not know a field of the request."""


class Judge:
    """Scores replies with a model; its words are in the verdicts, its tokens in `usage`."""

    def __init__(self, client: Client, format: str) -> None:
        self.client = client
        self.format = _FORMATS[format]
        self.fields = _find_fields(format, client.endpoint.api)
        self.tokens_in = self.tokens_out = 0

    @property
    def usage(self) -> dict[str, int]:
        """The judge's requests and tokens."""
        return {
            "requests": self.client.requests,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
        }

    async def score(self, item: Item, reply: str, whole: Reply) -> Verdict:
        """One verdict; a grade that cannot be read is asked for once more, then left unscored.

        RequestError if the judge gives no answer, EndpointError if it never will.
        """
        prompt = _PROMPT.format(
            question=item.prompt or "(none is given)",
            target=as_text(item.target) or "(none is given)",
            reply=reply or "(empty)",
            rubric=item.rubric or _DEFAULT_RUBRIC,
            ending=self.format.ending,
        )
        answer = reply.strip()
        turns = [{"role": "user", "content": prompt}]
        said = ""
        for _ in range(2):
            verdict = await self._ask(turns)
            said = verdict.text
            # A verdict that was cut off may have been about to change its grade.
            value = None if verdict.finish_reason == "length" else self.format.parse(said)
            if value is not None:
                return Verdict({"accuracy": value}, answer, judge=said)
            turns += [
                {"role": "assistant", "content": said},
                {"role": "user", "content": self.format.again},
            ]
        return Verdict(answer=answer, judge=said)

    async def _ask(self, turns: list[dict[str, str]]) -> Reply:
        try:
            reply = await self._post(_build_body(self.client.endpoint, turns))
        except EndpointError as error:
            raise EndpointError(f"judge: {error}") from None
        self.tokens_in += reply.tokens_in or 0
        self.tokens_out += reply.tokens_out or 0
        return reply

    async def _post(self, body: Body) -> Reply:
        """Post a request; from an endpoint that refuses the schema, the verdict is asked for in words alone."""
        try:
            return await self.client.ask(body | self.fields)
        except RequestError as error:
            if not self.fields or error.status not in _REFUSED:
                raise
        reply = await self.client.ask(body)
        self.fields = {}
        return reply


def find_parameters(format: str, api: str) -> dict[str, Any]:
    """The request parameters of a judge that declares none."""
    return {**_PARAMETERS, **_find_fields(format, api)}


def _find_fields(format: str, api: str) -> dict[str, Any]:
    """What makes an endpoint keep to a format."""
    return _FORMATS[format].request if api != "completions" else {}


def _build_body(endpoint: Endpoint, turns: list[dict[str, str]]) -> Body:
    """Build the request; the temperature is 0 unless the judge's parameters set it."""
    params: dict[str, Any] = {**_PARAMETERS, **endpoint.params}
    base = {"model": endpoint.name} | {name: value for name, value in params.items() if value is not None}
    if endpoint.api == "completions":
        return base | {"prompt": "\n\n".join(turn["content"] for turn in turns)}
    return base | {"messages": turns}
