"""One request from its arrival to its end: from the cache, or from the model."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from evalmake.gateway.interceptors.interceptor import Body
from evalmake.gateway.proxy.circuit_breaker import EvaluationStopped
from evalmake.gateway.proxy.declared_parameters import find_added_values, find_undeclared_values, is_repetition_seed
from evalmake.gateway.proxy.endpoint_probe import find_ignored_field, probe_endpoint
from evalmake.gateway.proxy.forwarded_headers import end_to_end_headers
from evalmake.gateway.proxy.harness_connection import HarnessConnection
from evalmake.gateway.proxy.logprob_probe import relies_on_echo
from evalmake.gateway.proxy.reply_fault import PATHS_WITH_CHOICES, parse_reply
from evalmake.gateway.proxy.request_rewrite import body_to_bytes
from evalmake.gateway.proxy.retry import fetch_reply
from evalmake.gateway.proxy.server_sent_events import has_ended
from evalmake.gateway.proxy.sessions import AdmittedSession
from evalmake.gateway.proxy.shared_state import SharedState
from evalmake.gateway.proxy.stream_redaction import StreamRedaction
from evalmake.gateway.proxy.stream_replay import replay_stream
from evalmake.gateway.proxy.stream_rewrite import StreamRewrite
from evalmake.gateway.proxy.upstream_request import UpstreamRequest, describe_reply, find_redirect
from evalmake.gateway.proxy.usage import prompt_digest
from evalmake.gateway.reply_cache.cache import CachedReply
from evalmake.gateway.reply_cache.completeness import is_complete
from evalmake.gateway.reply_cache.key import RequestKey, build_request_key
from evalmake.http_protocol.gateway_errors import NO_CONNECTION, build_error_body
from evalmake.http_protocol.messages import Headers, Request, find_header
from evalmake.http_protocol.statuses import TRANSIENT
from evalmake.model_reply.token_limit import asks_for_one_token
from evalmake.upstream.connection import UpstreamError, UpstreamReply

_JSON: Headers = [(b"content-type", b"application/json")]
_NO_RETRY: Headers = [(b"x-should-retry", b"false")]
"""OpenAI's clients obey it. The gateway has retried already; a client that does so, too, multiplies the tries."""
_CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a request whose client went away before the reply."""
_GENERATING_PATHS = (*PATHS_WITH_CHOICES, "/responses")
_MAY_BEGIN_JSON = (b"{", b" ", b"\n", b"\r", b"\t")
_RESEED_STEP = 1_000_003


class Exchange:
    """A request of one evaluation; `rest` is its target without the evaluation's prefix.

    Of identical requests at the same time, one leads: it asks the model, and the others wait for its end, so that the
    model answers once. They find its reply in the cache. If the leader failed, the first to wake leads next. If
    the model answered and the reply must not be cached, waiting was of no use: then each asks for itself.
    """

    def __init__(
        self,
        shared: SharedState,
        session: AdmittedSession,
        request: Request,
        rest: bytes,
        connection: HarnessConnection,
    ) -> None:
        self.shared = shared
        self.session = session
        self.request = request
        self.rest = rest
        self.connection = connection
        self.upstream = UpstreamRequest(shared, session, request, rest)
        self.path = self.upstream.path
        self.payload = request.body
        self.body = self._parse_body()
        self.harness_key: RequestKey | None = None
        """The request as the harness sent it: repetitions are counted by it."""
        self.sent_key: RequestKey | None = None
        """The request as the model gets it, if the cache may hold a reply to it."""
        self.repetition = 0
        self.cache_key = ""
        self.first_piece: float | None = None
        self.began = perf_counter()
        self._reseeded = False
        """Whether the request is a repetition with a seed of its own."""
        self._answered = False
        """Whether the harness got a model's reply that counts as a sample."""
        self._in_cache = False
        self._recorded = False
        self._leads: asyncio.Future[bool] | None = None
        """Its result: whether the model answered and the reply is not in the cache."""

    async def run(self) -> None:
        """Answer the request."""
        try:
            self.session.breaker.raise_if_stopped()
            self._record_undeclared()
            self._rewrite_body()
            self._build_keys()
            cached = await self._look_up_or_lead()
            if cached is not None:
                await self._replay(cached)
            else:
                await self._ask_model()
        except EvaluationStopped as stopped:
            self._send_error(400, str(stopped))
        except asyncio.CancelledError:  # the harness went away
            if not self._recorded:
                self.session.usage.add_count("abandoned")
                self._record(_CLIENT_CLOSED_REQUEST, None, b"")
            raise
        except RecursionError:
            self._fail(502, f"{self.upstream.address}: its JSON is nested too deeply")
        except Exception as error:  # of an interceptor, or of ours
            traceback.print_exc(file=sys.stderr)
            self._fail(500, f"the gateway failed: {type(error).__name__}: {error}")
        finally:
            self.upstream.release()
            self.session.usage.record_stop(self.session.breaker.reason, self.session.breaker.status)
            if self.harness_key is not None and not self._answered:
                self.session.return_repetition(self.harness_key, self.repetition)
            if self._leads is not None:
                del self.shared.leaders[self.cache_key]
                self._leads.set_result(self._answered and not self._in_cache)

    # The request

    def _parse_body(self) -> Body | None:
        """The request's JSON object, if it has one."""
        if self.request.method != b"POST" or self.payload[:1] not in _MAY_BEGIN_JSON:
            return None
        try:
            body = json.loads(self.payload)
        except (ValueError, RecursionError):
            return None
        return body if isinstance(body, dict) else None

    def _record_undeclared(self) -> None:
        """Record sampling parameters that contradict the declared ones. A test of likelihoods has its own."""
        if self.body is None or not self.path.endswith(_GENERATING_PATHS) or relies_on_echo(self.path, self.body):
            return
        settings = self.session.settings
        seed = int(settings.seed) if settings.seed.isdecimal() else None
        self._reseeded = is_repetition_seed(self.body.get("seed"), seed, settings.seed_step)
        for parameter, value in find_undeclared_values(settings.declared, self.body, settings.seed_step):
            self.session.usage.record_undeclared(parameter, value)
        adapter = self.session.adapter
        for parameter, value in find_added_values([*settings.declared, *adapter.params, *adapter.drop], self.body):
            self.session.usage.record_added(parameter, value)

    def _rewrite_body(self) -> None:
        if self.body is not None and self.session.request_rewriters:
            for interceptor in self.session.request_rewriters:
                self.body = interceptor.rewrite_request(self.body, self.path)
            self.payload = body_to_bytes(self.body)

    def _build_keys(self) -> None:
        """Take a repetition number, and build the key in the cache; `reseed` changes the request's seed."""
        session, target = self.session, self.rest.decode("latin-1")
        key = build_request_key(target, self.body) if self.body is not None else None
        if key is None or self.body is None:
            return
        self.harness_key = key
        self.repetition = session.take_repetition(key)
        if self.repetition and session.adapter.reseed and isinstance(self.body.get("seed"), int):
            self._reseeded = True
            self.body["seed"] = (self.body["seed"] + self.repetition * _RESEED_STEP) % 2**31
            self.payload = body_to_bytes(self.body)
            key = build_request_key(target, self.body)
        if key is not None and self.shared.cache is not None and session.adapter.cache:
            self.sent_key = key
            self.cache_key = key.cache_key(session.settings.model, session.settings.seed, self.repetition)

    # From the cache

    async def _look_up_or_lead(self) -> CachedReply | None:
        """The cached reply; None if this exchange must ask the model, for itself or as the leader."""
        cache, key = self.shared.cache, self.sent_key
        if cache is None or key is None:
            return None
        while True:
            cached = await cache.get(self.cache_key, key, self.session.not_before)
            if cached is not None:
                self._answered = self._in_cache = True
                return cached
            leader = self.shared.leaders.get(self.cache_key)
            if leader is None:
                self._leads = self.shared.leaders[self.cache_key] = self.shared.loop.create_future()
                return None
            if await asyncio.shield(leader):
                return None

    async def _replay(self, cached: CachedReply) -> None:
        self.session.usage.record_parameters(self.body)
        headers = [(b"content-type", cached.content_type), (b"x-evalmake-cache", b"hit")]
        headers.append((b"x-evalmake-seconds", b"%.6f" % cached.seconds))
        if cached.content_type.startswith(b"text/event-stream"):
            parsed = await replay_stream(self.connection, cached.body, headers, self._new_stream_rewrite())
        else:
            parsed = json.loads(cached.body)
            self.connection.send_reply(200, headers, self._rewrite_reply(cached.body, parsed))
        self._record(200, parsed, cached.body, cached_seconds=cached.seconds)

    # From the model

    async def _ask_model(self) -> None:
        try:
            await self._probe_if_needed()
            self.session.usage.record_parameters(self.body)
            reply, piece = await fetch_reply(self.upstream, self.payload, self.harness_key is not None)
        except UpstreamError as error:
            status = 504 if error.kind == "timeout" else 502
            code = NO_CONNECTION if error.kind == "connect" else None
            self._fail(status, f"{self.upstream.address}: {error}", code=code)
            return
        if reply.stream:
            await self._forward_stream(reply, piece)
        else:
            self._forward_whole(reply)

    async def _probe_if_needed(self) -> None:
        """Probe what the request relies on; raises EvaluationStopped where the endpoint is unfit."""
        if self.body is None or not relies_on_echo(self.path, self.body):
            return
        reason = await probe_endpoint(self.shared, self.session, self.request, self.rest, self.body)
        if reason:
            self.session.breaker.stop(reason)
            raise EvaluationStopped(reason)
        self.began = perf_counter()  # the probe's time is not the request's

    # The reply

    def _forward_whole(self, reply: UpstreamReply) -> None:
        parsed = parse_reply(reply) if self.body is not None else None
        self._record_outcome(reply)
        if reason := self._find_unfitness(reply, parsed):
            self.session.breaker.stop(reason)
            self._record(reply.status, parsed, reply.body)
            raise EvaluationStopped(reason)
        body = reply.body if reply.status != 200 else self._rewrite_reply(reply.body, parsed)
        headers = end_to_end_headers(reply.headers)
        if reply.status in TRANSIENT:
            headers += _NO_RETRY
        if self.request.method == b"HEAD" and (size := find_header(reply.headers, b"content-length")):
            headers.append((b"content-length", size))
        self.connection.send_reply(reply.status, headers, body)
        self._answered = _is_success(reply, parsed)
        if self._is_cacheable(reply, parsed):
            self._store(reply, reply.body)
        self._record(reply.status, parsed, reply.body)

    def _rewrite_reply(self, body: bytes, parsed: Body | None) -> bytes:
        """A whole reply as the harness gets it."""
        if not self.session.reply_rewriters or parsed is None:
            return body
        rewritten = json.loads(body)  # not `parsed`, which is recorded as the model sent it
        for interceptor in self.session.reply_rewriters:
            rewritten = interceptor.rewrite_reply(rewritten, self.session.usage)
        return json.dumps(rewritten, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def _new_stream_rewrite(self) -> StreamRewrite | None:
        """The rewrite of a stream, None if it passes as it is."""
        session = self.session
        return StreamRewrite(session.reply_rewriters, session.usage) if session.reply_rewriters else None

    async def _forward_stream(self, reply: UpstreamReply, piece: bytes | None) -> None:
        """Forward a stream, piece by piece as it comes."""
        self.first_piece = perf_counter() - self.began
        self.connection.start_stream(reply.status, end_to_end_headers(reply.headers))
        pieces: list[bytes] = []
        redaction = StreamRedaction(self.shared.request_rewrite)
        try:
            await self._forward_pieces(reply, piece, pieces, redaction)
            whole, parsed = b"".join(pieces), redaction.assembled()
            if reply.status == 200 and self.path.endswith(PATHS_WITH_CHOICES) and not has_ended(whole, parsed):
                raise UpstreamError("broken", "the stream broke off: it has no finish reason", True)
        except UpstreamError as error:
            reply.discard()
            self.session.usage.add_count("broken")
            self._fail(502, f"{self.upstream.address}: {error}", b"".join(pieces))
            return
        except BaseException:
            reply.discard()
            raise
        self.connection.end_stream()
        reply.redacted = redaction.redacted
        self._end_stream(reply, whole, parsed)

    async def _forward_pieces(
        self, reply: UpstreamReply, piece: bytes | None, pieces: list[bytes], redaction: StreamRedaction
    ) -> None:
        """Send each piece on, and collect what the model sent in `pieces`, without secrets."""
        rewrite = self._new_stream_rewrite() if reply.status == 200 else None
        while True:
            safe = redaction.finish() if piece is None else redaction.feed(piece)
            pieces.append(safe)
            for part in rewrite.feed(safe) if rewrite else (safe,):
                await self.connection.send_piece(part)
            if piece is None:
                break
            piece = await reply.next_piece()
        for part in rewrite.finish() if rewrite else ():
            await self.connection.send_piece(part)

    def _end_stream(self, reply: UpstreamReply, whole: bytes, parsed: Body) -> None:
        """Judge, store and record a stream that was forwarded."""
        self._record_outcome(reply, whole)
        if reason := self._find_unfitness(reply, parsed):
            self.session.breaker.stop(reason)
        else:
            self._answered = _is_success(reply, parsed)
            if self._is_cacheable(reply, parsed):
                self._store(reply, whole)
        self._record(reply.status, parsed, whole)

    def _record_outcome(self, reply: UpstreamReply, stream: bytes = b"") -> None:
        """Note what the reply's status means for the evaluation as a whole; `stream` is the body of a stream."""
        usage, breaker = self.session.usage, self.session.breaker
        message = f"{self.upstream.address}: {describe_reply(reply, stream)}" if reply.status >= 300 else ""
        if reply.status == 404 and self.harness_key is not None and (hint := self.upstream.hint_at_version()):
            message = f"{message}; {hint}"
            breaker.stop(message)
        if reply.status in TRANSIENT:
            breaker.record_failure(message)
            usage.add_count("failed")
        breaker.record_reply(reply.status, message)
        if message:
            usage.record_error(message, find_redirect(reply))

    def _find_unfitness(self, reply: UpstreamReply, parsed: Body | None) -> str:
        """Why nobody may see the reply: the endpoint ignores what the request asks for. Empty if it does not."""
        if reply.status != 200 or parsed is None or self.body is None:
            return ""
        ignored = find_ignored_field(self.path, self.body, parsed)
        return f"the endpoint {self.upstream.address} {ignored}" if ignored else ""

    def _is_cacheable(self, reply: UpstreamReply, parsed: Body | None) -> bool:
        """Whether the reply is a complete success of a request that may be cached."""
        session = self.session
        return (
            self.shared.cache is not None
            and self.sent_key is not None
            and parsed is not None
            and reply.status == 200
            and not reply.redacted
            and is_complete(parsed, self.body or {}, session.adapter.cache_truncated, session.adapter.cache_empty)
        )

    def _store(self, reply: UpstreamReply, body: bytes) -> None:
        """Put the reply into the cache."""
        assert self.shared.cache is not None
        assert self.sent_key is not None
        self._in_cache = True
        content_type = find_header(reply.headers, b"content-type") or b"application/json"
        self.shared.cache.put(self.cache_key, self.sent_key, content_type, body, perf_counter() - self.began)

    # The end

    def _record(
        self,
        status: int,
        parsed: Mapping[str, Any] | None,
        body: bytes,
        cached_seconds: float | None = None,
    ) -> None:
        """Record the request, with its row and its place in the log of exchanges."""
        session, usage = self.session, self.session.usage
        self._recorded = True
        session.requests += 1
        seconds = perf_counter() - self.began if cached_seconds is None else cached_seconds
        row: dict[str, object] = {"n": session.requests, "path": self.path, "status": status}
        if self.body is not None:
            row["prompt"] = prompt_digest(self.body)
            row |= {"one_token": True} if asks_for_one_token(self.body) else {}
        if self.harness_key is not None:
            row["question"], row["occurrence"] = self.harness_key.digest, self.repetition
        row |= {"tries": self.upstream.tries, "seconds": round(seconds, 6), "cached": cached_seconds is not None}
        if self.first_piece is not None:
            row["first"] = round(self.first_piece, 6)
        usage.record_request(row, parsed)
        if parsed is not None and self.body is not None and relies_on_echo(self.path, self.body):
            usage.record_prompt_logprobs(parsed, self.body)
        if self._reseeded:
            usage.add_count("reseeded")
        session.log_exchange(self.payload, body)

    def _fail(self, status: int, message: str, body: bytes = b"", code: str | None = None) -> None:
        """End a request that failed in all its tries; `body` is what came of its reply."""
        self.session.breaker.record_failure(message)
        self.session.usage.record_error(message)
        self.session.usage.add_count("failed")
        self._record(status, None, body)
        if self.connection.reply_started:
            self.connection.abort()
        else:
            self._send_error(status, message, code)

    def _send_error(self, status: int, message: str, code: str | None = None) -> None:
        """Answer with an error of the gateway's own."""
        body = build_error_body(self.shared.request_rewrite.redact(message), code)
        self.connection.send_reply(status, [*_JSON, *_NO_RETRY], body)


def _is_success(reply: UpstreamReply, parsed: Body | None) -> bool:
    return reply.status == 200 and not (parsed and parsed.get("error"))
