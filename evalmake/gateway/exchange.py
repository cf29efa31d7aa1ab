"""One request from its arrival to its end."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from evalmake.gateway import sse
from evalmake.gateway.accounting import prompt_digest, shown
from evalmake.gateway.changing import Changed
from evalmake.gateway.forwarding import head
from evalmake.gateway.interceptors.base import Body
from evalmake.gateway.responses import Kept, Question, is_complete, question
from evalmake.gateway.retrying import TRANSIENT, retry_after, wait
from evalmake.gateway.server import Connection
from evalmake.gateway.sessions import Open
from evalmake.gateway.shared import Shared
from evalmake.gateway.upstream import Pool, Reply, UpstreamError
from evalmake.gateway.wire import Headers, Request, end_to_end, header

_JSON: Headers = [(b"content-type", b"application/json")]
_FINAL: Headers = [(b"x-should-retry", b"false")]
"""Tells OpenAI's clients that trying again was our work, and is done."""
_MAY_BEGIN_JSON = (b"{", b" ", b"\n", b"\r", b"\t")
_EXCERPT = 200  # characters of a reply that a message quotes


class Exchange:
    """A request of one evaluation; `rest` is its target behind the evaluation's prefix."""

    def __init__(
        self, shared: Shared, opened: Open, request: Request, rest: bytes, connection: Connection
    ) -> None:
        self.shared = shared
        self.opened = opened
        self.request = request
        self.rest = rest
        self.path = rest.partition(b"?")[0].decode("latin-1")
        self.connection = connection
        self.payload = request.body
        self.body = self._parsed()
        self.asked: Question | None = None
        """What the harness asks, by which its samples are counted."""
        self.question: Question | None = None
        """What is asked of the model, where the cache may know it."""
        self.occurrence = 0
        self.key = ""
        self.tries = 0
        self.first: float | None = None
        self.began = perf_counter()
        self._inside = False
        self._answered = False
        self._kept = False
        self._leads: asyncio.Future[bool] | None = None

    async def run(self) -> None:
        """Answer it: from the cache, or from the model."""
        if reason := self.opened.breaker.reason:
            self._refuse(400, f"this evaluation is to end: {reason}")
            return
        try:
            self._intercept()
            self._ask_what()
            if self.question is None or not await self._from_cache():
                await self._from_model()
        except _Ended as ended:
            self._refuse(400, str(ended))
        except Exception as error:  # of an interceptor, or of ours
            traceback.print_exc(file=sys.stderr)
            self._give_up(500, f"the gateway failed: {type(error).__name__}: {error}")
        finally:
            self._leave()
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
            self._write_payload()

    def _write_payload(self) -> None:
        text = json.dumps(self.body, separators=(",", ":"), ensure_ascii=False)
        self.payload = text.encode("utf-8", "surrogatepass")

    def _ask_what(self) -> None:
        """Find the request's place among the samples, and its key in the cache."""
        opened, target = self.opened, self.rest.decode("latin-1")
        asked = question(target, self.body) if self.body is not None else None
        if asked is None or self.body is None:
            return
        self.asked = asked
        self.occurrence = opened.occurrence(asked)
        if self.occurrence and opened.adapter.reseed and isinstance(self.body.get("seed"), int):
            self.body["seed"] = (self.body["seed"] + self.occurrence * 1_000_003) % 2**31
            self._write_payload()
            asked = question(target, self.body)
        if asked is not None and self.shared.cache is not None and opened.adapter.cache:
            self.question = asked
            self.key = asked.key(opened.session.model, opened.session.sampling, self.occurrence)

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

    async def _replay(self, kept: Kept) -> None:
        headers = [(b"content-type", kept.kind), (b"x-evalmake-cache", b"hit")]
        if kept.kind.startswith(b"text/event-stream"):
            parsed = sse.assembled(kept.body)
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
            reply, piece = await self._ask()
        except UpstreamError as error:
            self._give_up(504 if error.kind == "timeout" else 502, f"{self._where()}: {error}")
            return
        if reply.stream:
            await self._stream(reply, piece)
        else:
            self._whole(reply)

    async def _ask(self) -> tuple[Reply, bytes | None]:
        """The model's reply, with a stream's first piece; tries again where that may help."""
        left = self.opened.adapter.retry
        while True:
            await self._enter()
            if self.opened.breaker.reason:
                raise _Ended(f"this evaluation is to end: {self.opened.breaker.reason}")
            pool = self.shared.pool(self.opened.session.upstreams)
            self.tries += 1
            self.opened.account.counts["sent"] += 1
            after: float | None = None
            try:
                reply, piece = await self._try(pool)
                trouble = self._trouble(reply)
                after = retry_after(header(reply.headers, b"retry-after"))
            except UpstreamError as error:
                left -= not self._waited_for(error)
                if left < 0:
                    raise
                trouble = str(error)
            else:
                if reply.status == 429:
                    self.shared.limits.refused(after)
                if not trouble:
                    self.shared.limits.answered()
                    return reply, piece
                left -= 1
                if left < 0:
                    if reply.status == 200:
                        raise UpstreamError("broken", trouble)
                    return reply, piece
                reply.drop()
            self._leave()
            self.opened.account.count("retries")
            self.opened.account.last_error = f"{self._where()}: {trouble}"
            await asyncio.sleep(wait(self.tries, after))
            self.opened.look_again()

    def _waited_for(self, error: UpstreamError) -> bool:
        """Whether the server is being started again, so that the try does not count."""
        waited = perf_counter() - self.began
        return error.kind == "connect" and waited < self.opened.session.patience

    async def _try(self, pool: Pool) -> tuple[Reply, bytes | None]:
        """Ask once."""
        request, opened = self.request, self.opened
        headers = self.shared.fixed.without(request.headers, opened.token)
        for one in opened.interceptors:
            headers = one.headers(headers)
        headers = [*self.shared.fixed.headers, *headers]
        top = head(request, pool.path(self.rest), pool.netloc, headers, len(self.payload))
        timeout = opened.adapter.timeout
        reply = await pool.ask(top + self.payload, timeout, request.method == b"HEAD")
        try:
            return reply, await reply.piece() if reply.stream else None
        except asyncio.CancelledError:
            reply.drop()
            raise

    def _trouble(self, reply: Reply) -> str:
        """Why a reply is to be asked for again, if it is."""
        if reply.status in TRANSIENT:
            return _said(reply)
        packed = header(reply.headers, b"content-encoding") not in (b"", b"identity")
        if reply.status == 200 and self.asked is not None and not reply.stream and not packed:
            try:
                json.loads(reply.body)
            except ValueError:
                return f"the reply is not JSON: {_excerpt(reply.body)}"
        return ""

    # The reply

    def _whole(self, reply: Reply) -> None:
        parsed = _parse(reply) if self.body is not None else None
        self._judge(reply, parsed)
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
            Changed(self.opened.answers, self.opened.account)
            if self.opened.answers and reply.status == 200
            else None
        )
        pieces = []
        try:
            while piece is not None:
                pieces.append(piece)
                for part in changed.feed(piece) if changed else (piece,):
                    await self.connection.send(part)
                piece = await reply.piece()
            for part in changed.end() if changed else ():
                await self.connection.send(part)
        except UpstreamError as error:
            self.opened.account.count("broken")
            self._give_up(502, f"{self._where()}: {error}", b"".join(pieces))
            return
        except BaseException:
            reply.drop()
            raise
        self.connection.end()
        whole = b"".join(pieces)
        parsed = sse.assembled(whole)
        self._judge(reply, parsed)
        self._keep(reply, whole, parsed)
        self._account(reply.status, parsed, whole)

    def _judge(self, reply: Reply, parsed: Body | None) -> None:
        """What the reply means for the evaluation as a whole."""
        message = f"{self._where()}: {_said(reply)}" if reply.status >= 400 else ""
        account = self.opened.account
        if reply.status in TRANSIENT:
            self.opened.breaker.gave_up(message)
            account.count("failed")
        self.opened.breaker.answered(reply.status, message)
        account.last_error = message or account.last_error

    def _keep(self, reply: Reply, body: bytes, parsed: Body | None) -> None:
        """Put a complete success into the cache."""
        cache, asked = self.shared.cache, self.question
        self._answered = reply.status == 200 and not (parsed and parsed.get("error"))
        if cache is None or asked is None or parsed is None or reply.status != 200:
            return
        if is_complete(parsed, self.body or {}, self.opened.adapter.cache_truncated):
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
        opened.serial += 1
        if account.fatal != opened.breaker.reason:
            account.fatal = opened.breaker.reason
        spent = perf_counter() - self.began if cached is None else cached
        row: dict[str, object] = {"n": opened.serial, "path": self.path, "status": status}
        if self.body is not None:
            row["prompt"] = prompt_digest(self.body)
        if self.asked is not None:
            row["question"], row["occurrence"] = self.asked.digest, self.occurrence
        row |= {"tries": self.tries, "seconds": round(spent, 6), "cached": cached is not None}
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

    async def _enter(self) -> None:
        await self.shared.limits.enter()
        self._inside = True

    def _leave(self) -> None:
        if self._inside:
            self._inside = False
            self.shared.limits.leave()

    def _where(self) -> str:
        return self.opened.session.upstreams[0].rstrip("/") + self.path.removeprefix("/v1")


class _Ended(Exception):
    """The evaluation ended while a request of its waited."""


def _parse(reply: Reply) -> Body | None:
    try:
        parsed = json.loads(reply.body)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _said(reply: Reply) -> str:
    return f"HTTP {reply.status}: {_excerpt(reply.body)}"


def _excerpt(body: bytes) -> str:
    """The beginning of a reply on one line."""
    return " ".join(body[: _EXCERPT * 4].decode("utf-8", "replace").split())[:_EXCERPT] or "(empty)"
