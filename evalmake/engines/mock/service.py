"""From a request to a response, without any input or output."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from evalmake.engines.mock.chat import complete_chat
from evalmake.engines.mock.completions import complete
from evalmake.engines.mock.embeddings import embed
from evalmake.engines.mock.faults import Fault, FaultDraw, FaultSampler, RateLimit
from evalmake.engines.mock.reply_bodies import Events
from evalmake.engines.mock.request_fields import ApiError, Body, decode_ids
from evalmake.engines.mock.settings import Settings
from evalmake.engines.mock.skill import Skill
from evalmake.engines.mock.stats import Stats
from evalmake.engines.mock.tokens import encode

_UNCOUNTED = ("/health", "/stats")
_EVENTS = b"text/event-stream"
_HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n"
_BROKEN_REPLY = b'{"id": "chatcmpl-0", "object": "chat.completion", "choices": [{"index": 0, "messa'
_BROKEN_EVENT = b'data: {"id": "chatcmpl-0", "choices": [{"index": 0, "delta": {"content": "Th"}}]}\n\n'

_to_json = json.JSONEncoder(separators=(",", ":")).encode


class ApiRequest(NamedTuple):
    """One request; `path` has no query."""

    method: str
    path: str
    authorization: str
    body: bytes
    arrived: float  # in seconds of any origin


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """One response: a body, or the parts of a stream."""

    status: int
    body: bytes = b""
    parts: list[bytes] | None = None
    content_type: bytes = b"application/json"
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
        self._skill = Skill(settings.seed, settings.skill)
        self._faults = FaultSampler(settings)
        self._limit = RateLimit(settings.rate)
        self._serial = 0
        self._posts: dict[str, Callable[[Body], Body | Events]] = {
            "/v1/chat/completions": lambda body: complete_chat(body, self._skill, *self._next_serial()),
            "/v1/completions": lambda body: complete(body, self._skill, *self._next_serial()),
            "/v1/embeddings": lambda body: embed(body, settings.name),
            "/tokenize": _tokenize_prompt,
            "/detokenize": _detokenize_ids,
        }
        self._gets: dict[str, Callable[[], Body]] = {
            "/health": lambda: {"status": "ok"},
            "/stats": self.stats.summarize,
            "/v1/models": self._list_models,
            "/tokenizer_info": _describe_tokenizer,
        }

    def respond(self, request: ApiRequest) -> ApiResponse:
        """Decide the response to a request, and count both."""
        if request.path in _UNCOUNTED:
            return self._choose_response(request)
        self.stats.record_arrival(request.path, request.arrived)
        response = self._choose_response(request)
        outcome = "hang" if response.hangs else "reset" if response.breaks else response.status
        self.stats.record_outcome(str(outcome))
        return response

    def end_request(self, request: ApiRequest) -> None:
        """Count a request that was answered, or whose connection is gone."""
        if request.path not in _UNCOUNTED:
            self.stats.record_end()

    def _choose_response(self, request: ApiRequest) -> ApiResponse:
        try:
            if request.path.startswith("/v1/"):
                if self._settings.html:
                    return _html_page()
                self._check_access(request)
            return self._route(request)
        except ApiError as error:
            return self.error_response(error)

    def error_response(self, error: ApiError) -> ApiResponse:
        """The response for an error."""
        headers = ((b"retry-after", b"%g" % self._settings.retry_after),)
        return ApiResponse(
            error.status,
            _to_json(error.body()).encode(),
            headers=headers if error.status == 429 else (),
        )

    def _check_access(self, request: ApiRequest) -> None:
        """Raise the errors that any request under /v1 may meet."""
        if self._settings.status is not None:
            raise ApiError(self._settings.status, "the declared status of this mock server")
        if self._authorization is not None and not compare_digest(
            request.authorization.encode(), self._authorization.encode()
        ):
            raise ApiError(401, "the API key is missing or wrong")

    def _route(self, request: ApiRequest) -> ApiResponse:
        method, path = request.method, request.path
        if path in self._posts and method == "POST":
            return self._call_model(request)
        if path in self._gets and method == "GET":
            return _success_response(self._gets[path]())
        if path in self._posts or path in self._gets:
            raise ApiError(405, f"{method} is not allowed for {path}")
        raise ApiError(404, f"there is no {method} {path}")

    def _call_model(self, request: ApiRequest) -> ApiResponse:
        """Answer one POST, unless it meets a fault."""
        digest = xxh3_64_intdigest(request.body)
        self.stats.record_body(digest)
        if not request.path.startswith("/v1/"):
            return _success_response(self._posts[request.path](_read_json(request.body)))
        if not self._limit.admit(request.arrived):
            raise ApiError(429, f"more than {self._settings.rate:g} requests a second")
        body = _read_json(request.body)
        draw = self._faults.draw(digest)
        response = self._fault_response(draw, bool(body.get("stream")))
        if response is None:
            response = _success_response(self._posts[request.path](body))
        return replace(response, delay=draw.delay) if draw.delay else response

    def _fault_response(self, draw: FaultDraw, stream: bool) -> ApiResponse | None:
        """The response to a request that meets a fault; None without a fault."""
        match draw.fault:
            case None:
                return None
            case Fault.ERROR:
                return self.error_response(ApiError(500, "a declared fault of this mock server"))
            case Fault.TOO_MANY:
                return self.error_response(ApiError(429, "a declared fault of this mock server"))
            case Fault.HANG:
                return ApiResponse(200, hangs=True)
            case Fault.MALFORMED:
                return _html_page() if draw.coin else ApiResponse(200, _BROKEN_REPLY)
            case Fault.RESET:
                if stream:
                    return ApiResponse(200, parts=[_BROKEN_EVENT], content_type=_EVENTS, breaks=True)
                return ApiResponse(200, _BROKEN_REPLY, breaks=True)

    def _list_models(self) -> Body:
        card = {"id": self._settings.name, "object": "model", "created": 0, "owned_by": "evalmake"}
        return {"object": "list", "data": [card]}

    def _next_serial(self) -> tuple[str, int]:
        """The model's name, and a serial number for the next reply."""
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


def _html_page() -> ApiResponse:
    return ApiResponse(200, _HTML, content_type=b"text/html")


def _success_response(result: Body | Events) -> ApiResponse:
    if isinstance(result, dict):
        return ApiResponse(200, _to_json(result).encode())
    parts = [b"data: %b\n\n" % _to_json(event).encode() for event in result]
    return ApiResponse(200, parts=[*parts, b"data: [DONE]\n\n"], content_type=_EVENTS)


def _describe_tokenizer() -> Body:
    """What lm-evaluation-harness reads from a server that tokenizes for it (vLLM's form)."""
    return {"tokenizer_class": "MockTokenizer", "eos_token": "\n", "bos_token": None}


def _tokenize_prompt(body: Body) -> Body:
    """vLLM's /tokenize: `prompt` to `tokens`."""
    if not isinstance(body.get("prompt"), str):
        raise ApiError(400, "prompt must be text", "prompt")
    tokens = encode(body["prompt"])
    return {"tokens": tokens, "count": len(tokens), "max_model_len": 2**20}


def _detokenize_ids(body: Body) -> Body:
    """vLLM's /detokenize: `tokens` to `prompt`."""
    return {"prompt": "".join(decode_ids(body.get("tokens")))}
