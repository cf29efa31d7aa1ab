"""One request from its arrival to its end."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from evalmake.gateway.interceptors.interceptor import Body
from evalmake.gateway.proxy import server_sent_events
from evalmake.gateway.proxy.endpoint_probe import probe, unheeded
from evalmake.gateway.proxy.http_messages import Headers, Request, end_to_end, header
from evalmake.gateway.proxy.http_server import Connection
from evalmake.gateway.proxy.logprob_probe import is_asked_for
from evalmake.gateway.proxy.retry import TRANSIENT
from evalmake.gateway.proxy.sessions import Open
from evalmake.gateway.proxy.shared_state import Shared
from evalmake.gateway.proxy.stream_rewrite import Changed
from evalmake.gateway.proxy.upstream_connection import Reply, UpstreamError
from evalmake.gateway.proxy.upstream_request import Asking, Ended, said, written
from evalmake.gateway.proxy.usage import prompt_digest, shown
from evalmake.gateway.reply_cache.cache import CachedReply
from evalmake.gateway.reply_cache.completeness import is_complete
from evalmake.gateway.reply_cache.key import RequestKey, build_request_key

_JSON: Headers = [(b"content-type", b"application/json")]
_FINAL: Headers = [(b"x-should-retry", b"false")]
"""Tells OpenAI's clients that trying again was our work, and is done."""
_ABANDONED = 499
"""The status, as nginx has it, of a request whose harness went away before its answer."""
_CHOOSING = ("/chat/completions", "/completions")
_MAY_BEGIN_JSON = (b"{", b" ", b"\n", b"\r", b"\t")


class Exchange:
    """A request of one evaluation; `rest` is its target behind the evaluation's prefix."""

    def __init__(self, shared: Shared, opened: Open, request: Request, rest: bytes, connection: Connection) -> None:
        self.shared = shared
        self.opened = opened
        self.request = request
        self.rest = rest
        self.connection = connection
        self.asking = Asking(shared, opened, request, rest)
        self.path = self.asking.path
        self.payload = request.body
        self.body = self._parsed()
        self.asked: RequestKey | None = None
        """What the harness asks, by which its samples are counted."""
        self.question: RequestKey | None = None
        """What is asked of the model, where the cache may know it."""
        self.occurrence = 0
        self.key = ""
        self.first: float | None = None
        self.began = perf_counter()
        self._answered = False
        self._kept = False
        self._accounted = False
        self._leads: asyncio.Future[bool] | None = None

    async def run(self) -> None:
        """Answer it: from the cache, or from the model."""
        breaker = self.opened.breaker
        try:
            if breaker.reason:
                raise Ended(breaker.reason)
            self._intercept()
            self._ask_what()
            if self.question is None or not await self._from_cache():
                await self._from_model()
        except Ended as ended:
            self._refuse(400, str(ended))
        except asyncio.CancelledError:  # the harness would not wait
            if not self._accounted:
                self.opened.account.count("abandoned")
                self._account(_ABANDONED, None, b"")
            raise
        except Exception as error:  # of an interceptor, or of ours
            traceback.print_exc(file=sys.stderr)
            self._give_up(500, f"the gateway failed: {type(error).__name__}: {error}")
        finally:
            self.asking.leave()
            self.opened.account.end(breaker.reason)
            if self.asked is not None and not self._answered:
                self.opened.give_back(self.asked, self.occurrence)
            if self._leads is not None:
                del self.shared.under_way[self.key]
                self._leads.set_result(self._answered and not self._kept)

    # The request

    def _parsed(self) -> Body | None:
        """The request's JSON object, if it has one."""
        if self.request.method != b"POST" or self.payload[:1] not in _MAY_BEGIN_JSON:
            return None
        try:
            body = json.loads(self.payload)
        except (ValueError, RecursionError):
            return None
        return body if isinstance(body, dict) else None

    def _intercept(self) -> None:
        if self.body is not None and self.opened.asks:
            for one in self.opened.interceptors:
                if one.asks:
                    self.body = one.request(self.body, self.path)
            self.payload = written(self.body)

    def _ask_what(self) -> None:
        """Find the request's place among the samples, and its key in the cache."""
        opened, target = self.opened, self.rest.decode("latin-1")
        asked = build_request_key(target, self.body) if self.body is not None else None
        if asked is None or self.body is None:
            return
        self.asked = asked
        self.occurrence = opened.occurrence(asked)
        if self.occurrence and opened.adapter.reseed and isinstance(self.body.get("seed"), int):
            self.body["seed"] = (self.body["seed"] + self.occurrence * 1_000_003) % 2**31
            self.payload = written(self.body)
            asked = build_request_key(target, self.body)
        if asked is not None and self.shared.cache is not None and opened.adapter.cache:
            self.question = asked
            self.key = asked.cache_key(opened.session.model, opened.session.seed, self.occurrence)

    # From the cache

    async def _from_cache(self) -> bool:
        """Answer from the cache; an identical request that is under way is waited for.

        False: the model is to be asked, and identical requests wait for this one, if it leads.
        """
        cache, asked = self.shared.cache, self.question
        assert cache is not None
        assert asked is not None
        while True:
            kept = await cache.get(self.key, asked, self.opened.not_before)
            if kept is not None:
                self._answered = self._kept = True
                await self._replay(kept)
                return True
            other = self.shared.under_way.get(self.key)
            if other is None:
                self._leads = self.shared.under_way[self.key] = self.shared.loop.create_future()
                return False
            if await asyncio.shield(other):
                return False

    async def _replay(self, kept: CachedReply) -> None:
        headers = [(b"content-type", kept.content_type), (b"x-evalmake-cache", b"hit")]
        if kept.content_type.startswith(b"text/event-stream"):
            parsed = server_sent_events.assembled(kept.body)
            body = kept.body
            if self.opened.answers:
                body = b"".join(Changed(self.opened.answers, self.opened.account).all(body))
            self.connection.begin(200, headers)
            await self.connection.send(body)
            self.connection.end()
        else:
            parsed = json.loads(kept.body)
            self.connection.reply(200, headers, self._changed(kept.body, parsed))
        self._account(200, parsed, kept.body, cached=kept.seconds)

    # From the model

    async def _from_model(self) -> None:
        try:
            await self._probe()
            reply, piece = await self.asking.reply(self.payload, self.asked is not None)
        except UpstreamError as error:
            status = 504 if error.kind == "timeout" else 502
            self._give_up(status, f"{self.asking.where}: {error}")
            return
        if reply.stream:
            await self._stream(reply, piece)
        else:
            self._whole(reply)

    async def _probe(self) -> None:
        """Make sure that the endpoint can do what is asked; Ended where it cannot."""
        if self.body is None or not is_asked_for(self.path, self.body):
            return
        reason = await probe(self.shared, self.opened, self.request, self.rest, self.body)
        if reason:
            self.opened.breaker.end(reason)
            raise Ended(reason)
        self.began = perf_counter()

    # The reply

    def _whole(self, reply: Reply) -> None:
        parsed = _parse(reply) if self.body is not None else None
        if reason := self._judge(reply, parsed):
            self._account(reply.status, parsed, reply.body)
            raise Ended(reason)
        body = reply.body if reply.status != 200 else self._changed(reply.body, parsed)
        headers = end_to_end(reply.headers)
        if reply.status in TRANSIENT:
            headers += _FINAL
        if self.request.method == b"HEAD" and (size := header(reply.headers, b"content-length")):
            headers.append((b"content-length", size))
        self.connection.reply(reply.status, headers, body)
        self._keep(reply, reply.body, parsed)
        self._account(reply.status, parsed, reply.body)

    def _changed(self, body: bytes, parsed: Body | None) -> bytes:
        """A whole reply as the harness is to see it."""
        if not self.opened.answers or parsed is None:
            return body
        seen = json.loads(body)
        for one in self.opened.answers:
            seen = one.reply(seen, self.opened.account)
        return json.dumps(seen, ensure_ascii=False).encode("utf-8", "surrogatepass")

    async def _stream(self, reply: Reply, piece: bytes | None) -> None:
        """Pass a stream on as it comes, or as it is changed."""
        self.first = perf_counter() - self.began
        self.connection.begin(reply.status, end_to_end(reply.headers))
        changed = (
            Changed(self.opened.answers, self.opened.account) if self.opened.answers and reply.status == 200 else None
        )
        pieces = []
        try:
            while piece is not None:
                piece = self.shared.fixed.clean(piece)
                pieces.append(piece)
                for part in changed.feed(piece) if changed else (piece,):
                    await self.connection.send(part)
                piece = await reply.piece()
            for part in changed.end() if changed else ():
                await self.connection.send(part)
            whole = b"".join(pieces)
            parsed = server_sent_events.assembled(whole)
            if reply.status == 200 and self.path.endswith(_CHOOSING) and not _ended(whole, parsed):
                raise UpstreamError("broken", "the stream broke off: it has no finish reason", True)
        except UpstreamError as error:
            self.opened.account.count("broken")
            self._give_up(502, f"{self.asking.where}: {error}", b"".join(pieces))
            return
        except BaseException:
            reply.drop()
            raise
        self.connection.end()
        if not self._judge(reply, parsed) and self.shared.fixed.clean(whole) == whole:
            self._keep(reply, whole, parsed)
        self._account(reply.status, parsed, whole)

    def _judge(self, reply: Reply, parsed: Body | None) -> str:
        """What the reply means for the evaluation as a whole: why it is to be seen by nobody."""
        where = self.asking.where
        message = f"{where}: {said(reply)}" if reply.status >= 400 else ""
        account = self.opened.account
        if reply.status in TRANSIENT:
            self.opened.breaker.gave_up(message)
            account.count("failed")
        self.opened.breaker.answered(reply.status, message)
        account.last_error = message or account.last_error
        if reply.status != 200 or parsed is None or self.body is None:
            return ""
        ignored = unheeded(self.path, self.body, parsed)
        if not ignored:
            return ""
        reason = f"the endpoint {where} {ignored}"
        self.opened.breaker.end(reason)
        return reason

    def _keep(self, reply: Reply, body: bytes, parsed: Body | None) -> None:
        """Put a complete success into the cache."""
        cache, asked = self.shared.cache, self.question
        self._answered = reply.status == 200 and not (parsed and parsed.get("error"))
        if cache is None or asked is None or parsed is None or reply.status != 200:
            return
        if not reply.cleaned and is_complete(parsed, self.body or {}, self.opened.adapter.cache_truncated):
            self._kept = True
            spent = perf_counter() - self.began
            kind = header(reply.headers, b"content-type") or b"application/json"
            cache.put(self.key, asked, kind, body, spent)

    # The end

    def _account(
        self,
        status: int,
        parsed: Mapping[str, Any] | None,
        body: bytes,
        cached: float | None = None,
    ) -> None:
        opened, account = self.opened, self.opened.account
        self._accounted = True
        opened.serial += 1
        spent = perf_counter() - self.began if cached is None else cached
        row: dict[str, object] = {"n": opened.serial, "path": self.path, "status": status}
        if self.body is not None:
            row["prompt"] = prompt_digest(self.body)
        if self.asked is not None:
            row["question"], row["occurrence"] = self.asked.digest, self.occurrence
        row |= {
            "tries": self.asking.tries,
            "seconds": round(spent, 6),
            "cached": cached is not None,
        }
        if self.first is not None:
            row["first"] = round(self.first, 6)
        account.finished(row, parsed)
        if opened.logged < opened.adapter.log:
            opened.logged += 1
            pair = {"n": opened.serial, "request": shown(self.payload), "reply": shown(body)}
            account.row("exchanges", pair)

    def _give_up(self, status: int, message: str, body: bytes = b"") -> None:
        """A request has failed for good; `body` is what came of its reply."""
        self.opened.breaker.gave_up(message)
        self.opened.account.last_error = message
        self.opened.account.count("failed")
        self._account(status, None, body)
        if self.connection.begun:
            self.connection.abort()
        else:
            self._refuse(status, message)

    def _refuse(self, status: int, message: str) -> None:
        """Answer with an error of the gateway's own, which clients are told not to try again."""
        text = self.shared.fixed.hide(message)
        error = {"error": {"message": text, "type": "evalmake_gateway", "code": None}}
        self.connection.reply(status, [*_JSON, *_FINAL], json.dumps(error).encode())


def _ended(stream: bytes, parsed: Body) -> bool:
    """Whether a stream of choices came to its end: some servers say no `[DONE]`, some no reasons."""
    choices = parsed["choices"]
    reasons = [choice.get("finish_reason") for choice in choices]
    return b"[DONE]" in stream[-64:] or bool(parsed.get("error")) or (choices and all(reasons))


def _parse(reply: Reply) -> Body | None:
    try:
        parsed = reply.json()
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
