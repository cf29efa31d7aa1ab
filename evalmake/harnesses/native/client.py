"""The HTTP client: posts requests and parses replies.

The wire format is that of OpenAI's API reference for `POST /v1/chat/completions` and
`POST /v1/completions`. Each request is sent once: the gateway in front of the model retries, limits
and times out requests.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from evalmake.harnesses.native.errors import EndpointError, RequestError, UnusableReply
from evalmake.harnesses.native.json_io import as_object, dumps, loads
from evalmake.harnesses.native.prompts import Body
from evalmake.harnesses.native.settings import Endpoint
from evalmake.http_protocol import gateway_errors
from evalmake.http_protocol.messages import find_header
from evalmake.model_reply.content import describe_no_text, read_answer, read_refusal
from evalmake.model_reply.finish_reason import read_finish_reason
from evalmake.model_reply.reasoning_tags import split_reasoning
from evalmake.model_reply.tool_calls import ToolCall, read_tool_calls
from evalmake.redaction import redact_secret
from evalmake.scoring.unscored_causes import CauseKind
from evalmake.upstream.connection import UpstreamError, UpstreamReply
from evalmake.upstream.connection_pool import ConnectionPool, Network

EXCERPT = 200
"""Characters of a reply that a message quotes, at most."""
_LONGEST_SILENCE, _LARGEST_REPLY = 30 * 86400.0, sys.maxsize
"""In seconds and bytes: the gateway decides when a model is silent for too long, or says too much."""


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """The JSON of a reply, and its latency in seconds."""

    data: dict[str, Any]
    latency: float
    cached: bool = False

    @property
    def choice(self) -> dict[str, Any]:
        """The first choice, empty if there is none."""
        choices = self.data.get("choices")
        return as_object(choices[0]) if isinstance(choices, list) and choices else {}

    def tokens(self, name: str) -> int | None:
        """`prompt_tokens` or `completion_tokens`; None where the server does not count."""
        count = as_object(self.data.get("usage")).get(name)
        return count if isinstance(count, int) else None


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's reply: latency in seconds; unknown token counts are None, and all of these of an answer in the data.

    `text` is for the record; `answer` is what is scored, without a refusal or reasoning that was cut off. Both are
    empty of a reply that only calls tools. `message` is the whole message, as the server sent it.
    """

    text: str
    answer: str
    refused: bool
    finish_reason: str | None
    tokens_in: int | None
    tokens_out: int | None
    latency: float | None
    tool_calls: tuple[ToolCall, ...] = ()
    message: Mapping[str, Any] = field(default_factory=dict)
    cached: bool = False
    """Whether it comes from the gateway's cache, so that its latency says nothing of the model."""


class Client:
    """Sends requests to one endpoint over connections that it keeps; a context manager within a running loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.requests = 0
        self._pool = ConnectionPool(endpoint.url, Network({}), asyncio.get_running_loop())
        lines = [
            b"POST %b HTTP/1.1" % self._pool.target(endpoint.route.encode()),
            b"host: %b" % self._pool.netloc,
            b"user-agent: evalmake",
            b"accept: application/json",
            b"content-type: application/json",
        ]
        if endpoint.api_key:
            lines.append(b"authorization: Bearer %b" % endpoint.api_key.encode())
        self._head = b"\r\n".join([*lines, b"content-length: "])

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.close()

    async def ask(self, body: Body) -> Reply:
        """Post a body and return the reply; RequestError or EndpointError if it fails."""
        answer = await self.post(body)
        text = read_answer(answer.choice)
        if text is None:
            raise self._build_content_error(answer.choice)
        finish_reason, refusal = read_finish_reason(answer.choice), read_refusal(answer.choice)
        message = as_object(answer.choice.get("message"))
        return Reply(
            text=refusal or text,
            answer=find_answer(text, finish_reason),
            refused=bool(refusal),
            finish_reason=finish_reason if isinstance(finish_reason, str) else None,
            tokens_in=answer.tokens("prompt_tokens"),
            tokens_out=answer.tokens("completion_tokens"),
            latency=answer.latency,
            tool_calls=read_tool_calls(message),
            message=message,
            cached=answer.cached,
        )

    async def post(self, body: Body) -> ParsedReply:
        """Post a body; RequestError if this request fails, EndpointError if every request would."""
        payload = dumps(body)
        request = b"%b%d\r\n\r\n%b" % (self._head, len(payload), payload)
        self.requests += 1
        started = time.perf_counter()
        try:
            reply = await self._pool.send(request, _LONGEST_SILENCE, largest=_LARGEST_REPLY)
            raw = await _read_body(reply)
        except UpstreamError as error:
            raise self._build_connection_error(error) from None
        latency = time.perf_counter() - started
        cached = find_header(reply.headers, b"x-evalmake-cache") == b"hit"
        if cached:  # what the model took, not the cache
            latency = float(find_header(reply.headers, b"x-evalmake-seconds") or latency)
        return ParsedReply(self._parse_reply(reply, raw), latency, cached)

    def _build_connection_error(self, error: UpstreamError) -> Exception:
        """The error of a request without a whole reply: a reply that is too large says nothing of the next one."""
        if error.kind == "too large":
            return RequestError(str(error))
        how = str(error) if error.kind == "connect" else "the connection broke"
        return EndpointError(f"{self.endpoint.variable}: {how}")

    def _parse_reply(self, response: UpstreamReply, raw: bytes) -> dict[str, Any]:
        """Return the JSON of a reply; raise the error that its status or body means."""
        try:
            data = as_object(loads(raw))
        except ValueError:
            if response.status == 200:
                raise RequestError(f"the reply is not JSON: {self._quote(raw)}") from None
            data = {}
        if response.status != 200:
            place = find_header(response.headers, b"location") if response.status < 400 else b""
            raise self._build_status_error(response.status, place, as_object(data.get("error")), raw)
        if not data.get("choices") and self.endpoint.api != "embeddings":
            raise RequestError(f"a reply without choices: {self._quote(raw)}")
        return data

    def _build_status_error(self, status: int, place: bytes, error: dict[str, Any], raw: bytes) -> Exception:
        """Build the error of a status other than 200: of this sample, or of the whole run.

        `place` is where a redirect leads; to follow it would carry the key to another server.
        """
        if error.get("type") == gateway_errors.TYPE:
            message = str(error.get("message"))
            kind: CauseKind | None = "no-server" if error.get("code") == gateway_errors.NO_CONNECTION else None
            return RequestError(message, status, kind) if status >= 500 else EndpointError(message)
        moved = f", to {self._quote(place)}" if place else ""
        message = f"HTTP {status}{moved}: {self._quote(raw)}"
        if status == 404 or status < 400:
            return EndpointError(message)
        return RequestError(message, status)

    def _build_content_error(self, choice: dict[str, Any]) -> RequestError:
        """The error of a choice that says nothing; null may be a moment's failure, and other content is not."""
        problem = describe_no_text(choice)
        content = as_object(choice.get("message")).get("content", choice.get("text"))
        return RequestError(problem) if content is None else UnusableReply(f"{problem}: {self._quote(dumps(content))}")

    def _quote(self, raw: bytes) -> str:
        """The beginning of a reply on one line, with the key hidden."""
        text = redact_secret(raw, self.endpoint.api_key, b"***").decode("utf-8", "replace")
        return " ".join(text.split())[:EXCERPT] or "(empty)"


async def _read_body(reply: UpstreamReply) -> bytes:
    """The whole body, also of a stream that nobody asked for."""
    pieces = [reply.body]
    while reply.stream and (piece := await reply.next_piece()) is not None:
        pieces.append(piece)
    return b"".join(pieces)


def find_answer(text: str, finish_reason: object) -> str:
    """What of a text is scored: of one that ends inside its reasoning, only what came before that."""
    found = split_reasoning(text, cut=finish_reason == "length")
    return text if found.is_finished else found.answer
