"""From a request to a response, without any input or output."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from hmac import compare_digest

from xxhash import xxh3_64_intdigest

from evalmake.engines.mock.chat import chat
from evalmake.engines.mock.completions import completions
from evalmake.engines.mock.embeddings import embeddings
from evalmake.engines.mock.faults import Fate, Fault, Faults, RateLimit
from evalmake.engines.mock.reply_bodies import Events
from evalmake.engines.mock.request_fields import ApiError, Body, from_ids
from evalmake.engines.mock.settings import Settings
from evalmake.engines.mock.skill import Mind
from evalmake.engines.mock.stats import Stats
from evalmake.engines.mock.tokens import encode

_UNCOUNTED = ("/health", "/stats")
_EVENTS = b"text/event-stream"
_HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n"
_BROKEN = b'{"id": "chatcmpl-0", "object": "chat.completion", "choices": [{"index": 0, "messa'
_BROKEN_EVENT = b'data: {"id": "chatcmpl-0", "choices": [{"index": 0, "delta": {"content": "Th"}}]}\n\n'

_to_json = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; `path` is without a query."""

    method: str
    path: str
    authorization: str
    body: bytes
    now: float
    """Its arrival in seconds, of any origin."""
    keep_alive: bool = True
    chunks: bool = True
    """The client understands a chunked response."""


@dataclass(frozen=True, slots=True)
class Response:
    """One response: a body in a piece, or the parts of a stream."""

    status: int
    body: bytes = b""
    parts: list[bytes] | None = None
    kind: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    delay: float = 0.0
    """Seconds to wait before it is sent."""
    hangs: bool = False
    """It is never sent."""
    breaks: bool = False
    """The connection is closed before the end of the body."""


class Service:
    """The endpoints of one server, with its settings, its memory of requests and its counts."""

    def __init__(self, settings: Settings, api_key: str | None) -> None:
        self.stats = Stats()
        self._settings = settings
        self._authorization = f"Bearer {api_key}" if api_key else None
        self._mind = Mind(settings.seed, settings.skill)
        self._faults = Faults(settings)
        self._limit = RateLimit(settings.rate)
        self._serial = 0
        self._posts: dict[str, Callable[[Body], Body | Events]] = {
            "/v1/chat/completions": lambda body: chat(body, self._mind, *self._named()),
            "/v1/completions": lambda body: completions(body, self._mind, *self._named()),
            "/v1/embeddings": lambda body: embeddings(body, settings.name),
            "/tokenize": _tokenize,
            "/detokenize": _detokenize,
        }
        self._gets: dict[str, Callable[[], Body]] = {
            "/health": lambda: {"status": "ok"},
            "/stats": self.stats.report,
            "/v1/models": self._models,
            "/tokenizer_info": _tokenizer_info,
        }

    def handle(self, request: Request) -> Response:
        """Decide the response to a request and count both."""
        if request.path in _UNCOUNTED:
            return self._answer(request)
        self.stats.arrived(request.path, request.now)
        response = self._answer(request)
        outcome = "hang" if response.hangs else "reset" if response.breaks else response.status
        self.stats.answered(str(outcome))
        return response

    def left(self, request: Request) -> None:
        """A handled request was answered, or its connection is gone."""
        if request.path not in _UNCOUNTED:
            self.stats.left()

    def _answer(self, request: Request) -> Response:
        try:
            if request.path.startswith("/v1/"):
                if self._settings.html:
                    return Response(200, _HTML, kind=b"text/html")
                self._admit(request)
            return self._route(request)
        except ApiError as error:
            return self.refusal(error)

    def refusal(self, error: ApiError) -> Response:
        """An error as a response."""
        headers = ((b"retry-after", b"%g" % self._settings.retry_after),)
        return Response(
            error.status,
            _to_json(error.body()).encode(),
            headers=headers if error.status == 429 else (),
        )

    def _admit(self, request: Request) -> None:
        """Refuse what every request under /v1 may be refused for."""
        if self._settings.status is not None:
            raise ApiError(self._settings.status, "the declared status of this mock server")
        if self._authorization is not None and not compare_digest(
            request.authorization.encode(), self._authorization.encode()
        ):
            raise ApiError(401, "the API key is missing or wrong")

    def _route(self, request: Request) -> Response:
        method, path = request.method, request.path
        if path in self._posts and method == "POST":
            return self._post(request)
        if path in self._gets and method == "GET":
            return _response(self._gets[path]())
        if path in self._posts or path in self._gets:
            raise ApiError(405, f"{method} is not allowed for {path}")
        raise ApiError(404, f"there is no {method} {path}")

    def _post(self, request: Request) -> Response:
        """Answer one call of the model, or let it meet its fault."""
        digest = xxh3_64_intdigest(request.body)
        self.stats.body(digest)
        if not request.path.startswith("/v1/"):
            return _response(self._posts[request.path](_read_json(request.body)))
        if not self._limit.admits(request.now):
            raise ApiError(429, f"more than {self._settings.rate:g} requests a second")
        body = _read_json(request.body)
        fate = self._faults.draw(digest)
        response = self._meet(fate, bool(body.get("stream")))
        if response is None:
            response = _response(self._posts[request.path](body))
        return replace(response, delay=fate.delay) if fate.delay else response

    def _meet(self, fate: Fate, stream: bool) -> Response | None:
        """The response to a request that meets a fault; None if it meets none."""
        match fate.fault:
            case None:
                return None
            case Fault.ERROR:
                return self.refusal(ApiError(500, "a declared fault of this mock server"))
            case Fault.TOO_MANY:
                return self.refusal(ApiError(429, "a declared fault of this mock server"))
            case Fault.HANG:
                return Response(200, hangs=True)
            case Fault.MALFORMED:
                return Response(200, _HTML, kind=b"text/html") if fate.coin else Response(200, _BROKEN)
            case Fault.RESET:
                if stream:
                    return Response(200, parts=[_BROKEN_EVENT], kind=_EVENTS, breaks=True)
                return Response(200, _BROKEN, breaks=True)

    def _models(self) -> Body:
        card = {"id": self._settings.name, "object": "model", "created": 0, "owned_by": "evalmake"}
        return {"object": "list", "data": [card]}

    def _named(self) -> tuple[str, int]:
        """The model's name and a serial number for the next reply."""
        self._serial += 1
        return self._settings.name, self._serial


def _read_json(data: bytes) -> Body:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be a JSON object")
    return body


def _response(result: Body | Events) -> Response:
    if isinstance(result, dict):
        return Response(200, _to_json(result).encode())
    parts = [b"data: %b\n\n" % _to_json(event).encode() for event in result]
    return Response(200, parts=[*parts, b"data: [DONE]\n\n"], kind=_EVENTS)


def _tokenizer_info() -> Body:
    """What lm-evaluation-harness asks of a server that is to tokenize for it (vLLM's form)."""
    return {"tokenizer_class": "MockTokenizer", "eos_token": "\n", "bos_token": None}


def _tokenize(body: Body) -> Body:
    """vLLM's /tokenize: `prompt` to `tokens`."""
    if not isinstance(body.get("prompt"), str):
        raise ApiError(400, "prompt must be text", "prompt")
    tokens = encode(body["prompt"])
    return {"tokens": tokens, "count": len(tokens), "max_model_len": 2**20}


def _detokenize(body: Body) -> Body:
    """vLLM's /detokenize: `tokens` to `prompt`."""
    return {"prompt": "".join(from_ids(body.get("tokens")))}
