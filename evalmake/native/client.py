"""The HTTP client: posts requests, tries again where that helps, and reads the replies.

The wire format is OpenAI's, as its API reference has it for `POST /v1/chat/completions` and
`POST /v1/completions`.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from evalmake.native.errors import EndpointError, RequestError, TransientError
from evalmake.native.jsonio import as_object, dumps, loads
from evalmake.native.prompts import Body
from evalmake.native.settings import Endpoint

BACKOFF = 0.5
"""Seconds: the first wait's upper bound; it doubles with each try."""
LONGEST_BACKOFF = 30.0
LONGEST_RETRY_AFTER = 300.0
"""Seconds: a server that asks for more is asked again after this."""
EXCERPT = 200
"""Characters of a reply that a message quotes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed reply: the JSON, how long the try that brought it took (s), and which try it was."""

    data: dict[str, Any]
    latency: float
    attempts: int

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
    """What a model answered: latency in seconds, token counts None where unknown."""

    text: str
    finish_reason: str | None
    tokens_in: int | None
    tokens_out: int | None
    latency: float
    attempts: int


class Client:
    """Talks to one endpoint over pooled connections; an asynchronous context manager."""

    def __init__(self, endpoint: Endpoint, *, concurrency: int, timeout: float, retries: int):
        self.endpoint = endpoint
        self.address = _without_credentials(endpoint.route)
        self.retries = retries
        self.timeout = timeout
        self._headers = {"Content-Type": "application/json", **endpoint.headers}
        if endpoint.api_key:
            self._headers["Authorization"] = f"Bearer {endpoint.api_key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=concurrency),
            timeout=aiohttp.ClientTimeout(total=timeout),
            headers=self._headers,
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def ask(self, body: Body) -> Reply:
        """Post a body and read the text of the reply; RequestError or EndpointError if it fails."""
        answer = await self.post(body)
        text = _text(answer.choice)
        if text is None:
            raise self._named(RequestError("null content", "null content"), answer.attempts)
        finish_reason = answer.choice.get("finish_reason")
        return Reply(
            text=text,
            finish_reason=finish_reason if isinstance(finish_reason, str) else None,
            tokens_in=answer.tokens("prompt_tokens"),
            tokens_out=answer.tokens("completion_tokens"),
            latency=answer.latency,
            attempts=answer.attempts,
        )

    async def post(self, body: Body) -> Answer:
        """Post a body until it is answered or the tries are used up.

        Waits between tries are exponential with full jitter (Brooker, "Exponential Backoff And
        Jitter", AWS 2015), and at least what Retry-After asks for.
        """
        payload = dumps(body)
        attempt = 1
        while True:
            try:
                return await self._try(payload, attempt)
            except TransientError as trouble:
                if attempt > self.retries:
                    if trouble.fatal:
                        raise EndpointError(f"{self.address}: {trouble}") from None
                    raise self._named(trouble, attempt) from None
                await asyncio.sleep(_wait(attempt, trouble.after))
            except RequestError as error:
                raise self._named(error, attempt) from None
            attempt += 1

    def _named(self, error: RequestError, attempts: int) -> RequestError:
        """The error with what only the client knows about it."""
        error.address, error.attempts = self.address, attempts
        return error

    async def _try(self, payload: bytes, attempt: int) -> Answer:
        """Post once."""
        started = time.perf_counter()
        try:
            async with self._session.post(
                self.endpoint.route, data=payload, allow_redirects=False
            ) as response:
                raw = await response.read()
        except TimeoutError:
            message = f"no answer within {self.timeout:g} s"
            raise TransientError("timeout", message) from None
        except aiohttp.ClientConnectorError as error:
            message = f"cannot connect: {self._hidden(_reason(error.os_error))}"
            raise TransientError("cannot connect", message, fatal=True) from None
        except aiohttp.ClientError as error:
            message = f"the connection broke: {type(error).__name__}"
            raise TransientError("connection broken", message) from None
        latency = time.perf_counter() - started
        return Answer(self._read(response, raw), latency, attempt)

    def _read(self, response: aiohttp.ClientResponse, raw: bytes) -> dict[str, Any]:
        """The JSON of a good reply, or the error that its status or its body stands for."""
        if response.status != 200:
            raise self._refusal(response, raw)
        try:
            data = loads(raw)
        except ValueError:
            if raw.lstrip()[:1] == b"<":
                message = f"HTML instead of JSON: {self._excerpt(raw)}"
                raise TransientError("HTML", message, fatal=True) from None
            raise TransientError("not JSON", f"not JSON: {self._excerpt(raw)}") from None
        if not isinstance(data, dict) or not data.get("choices"):
            raise TransientError("no choices", f"a reply without choices: {self._excerpt(raw)}")
        return data

    def _refusal(self, response: aiohttp.ClientResponse, raw: bytes) -> Exception:
        """What a status other than 200 means: another try, a lost sample, or a lost run."""
        status = response.status
        message = f"HTTP {status} {response.reason or ''}".rstrip() + f": {self._excerpt(raw)}"
        if status in (408, 429) or status >= 500:
            after = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            return TransientError(f"HTTP {status}", message, after=after)
        if status in (401, 403, 404) or status < 400:
            return EndpointError(f"{self.address}: {message}")
        return RequestError(f"HTTP {status}", message)

    def _excerpt(self, raw: bytes) -> str:
        """The beginning of a reply on one line, without the secrets that were sent."""
        text = self._hidden(raw.decode("utf-8", "replace"))
        return " ".join(text.split())[:EXCERPT] or "(empty)"

    def _hidden(self, text: str) -> str:
        secrets = [self.endpoint.api_key, *self.endpoint.headers.values()]
        for secret in secrets:
            if len(secret) >= 6:
                text = text.replace(secret, "***")
        return text


def retry_after(value: str | None, now: datetime) -> float | None:
    """The wait in seconds that a Retry-After header asks for (RFC 9110, 10.2.3), None without.

    It is a number of seconds or an HTTP date; nonsense counts as absent.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if seconds == seconds else None


def _reason(error: OSError) -> str:
    """The system's own words; asyncio's repeat the address, and names not found have others."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)


def _wait(attempt: int, after: float | None) -> float:
    jitter = random.uniform(0, min(LONGEST_BACKOFF, BACKOFF * 2 ** (attempt - 1)))
    return jitter + (after or 0.0)


def _text(choice: dict[str, Any]) -> str | None:
    """A choice's text, from either API; None for null content, which is an error of the server.

    It is none if the model refused, or spent all it had on reasoning: then it did answer.
    """
    message = as_object(choice.get("message"))
    content = message.get("content") if message else choice.get("text")
    if isinstance(content, list):
        content = "".join(str(as_object(part).get("text") or "") for part in content)
    if isinstance(content, str):
        return content
    if isinstance(message.get("refusal"), str):
        return str(message["refusal"])
    if message.get("reasoning_content") or message.get("reasoning"):
        return ""
    return None


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
