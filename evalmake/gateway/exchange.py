"""One request from its arrival to its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from evalmake.gateway import sse
from evalmake.gateway.accounting import prompt_digest, shown
from evalmake.gateway.changing import Changed
from evalmake.gateway.interceptors.base import Body
from evalmake.gateway.limits import Limits
from evalmake.gateway.responses import Kept, Question, Responses, is_complete, question
from evalmake.gateway.retrying import TRANSIENT, retry_after, wait
from evalmake.gateway.server import Connection
from evalmake.gateway.sessions import Open
from evalmake.gateway.upstream import Pool, Reply, UpstreamError
from evalmake.gateway.wire import HOP_BY_HOP, Headers, Request, end_to_end, header

_OURS = HOP_BY_HOP | {b"host", b"authorization", b"content-length", b"accept-encoding", b"expect"}
_JSON: Headers = [(b"content-type", b"application/json")]
_EXCERPT = 200  # characters of a reply that a message quotes


class Shared:
    """What all exchanges of one gateway share."""

    def __init__(self, cache: Responses | None, limits: Limits, fixed: Headers) -> None:
        self.cache = cache
        self.limits = limits
        self.fixed = fixed
        """Headers that every request bears: the key, and what the model declares."""
        self.loop = asyncio.get_running_loop()
        self.under_way: dict[str, asyncio.Future[None]] = {}
        self._pools: dict[str, Pool] = {}

    def pool(self, urls: list[str]) -> Pool:
        """The least loaded of the servers."""
        for url in urls:
            if url not in self._pools:
                self._pools[url] = Pool(url, self.loop)
        return min((self._pools[url] for url in urls), key=lambda pool: pool.busy)


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
        self.question: Question | None = None
        self.occurrence = 0
        self.key = ""
        self.tries = 0
        self.first: float | None = None
        self.began = perf_counter()
        self._inside = False
        self._kept = False

    async def run(self) -> None:
        """Answer it: from the cache, or from the model."""
        if reason := self.opened.breaker.reason:
            self._refuse(400, f"this evaluation is to end: {reason}")
            return
        self._intercept()
        self._ask_what()
        leads: asyncio.Future[None] | None = None
        try:
            if self.question is not None:
                if await self._from_cache():
                    return
                leads = self._lead()
            await self._from_model()
        finally:
            self._leave()
            if self.question is not None and not self._kept:
                self.opened.give_back(self.question, self.occurrence)
            if leads is not None:
                del self.shared.under_way[self.key]
                leads.set_result(None)

    # The request

    def _parsed(self) -> Body | None:
        """The request's JSON object, if it has one."""
        if self.request.method != b"POST" or self.payload[:1] not in (b"{", b" ", b"\n"):
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
        opened = self.opened
        if self.body is None or self.shared.cache is None or not opened.adapter.cache:
            return
        asked = question(self.path, self.body)
        if asked is None:
            return
        self.occurrence = opened.occurrence(asked)
        self.question = asked
        if self.occurrence and opened.adapter.reseed and isinstance(self.body.get("seed"), int):
            self.body["seed"] = (self.body["seed"] + self.occurrence * 1_000_003) % 2**31
            self._write_payload()
        self.key = asked.key(opened.session.model, opened.session.sampling, self.occurrence)

    # From the cache

    async def _from_cache(self) -> bool:
        """Answer from the cache; an identical request that is under way is waited for."""
        cache, asked = self.shared.cache, self.question
        assert cache is not None
        assert asked is not None
        while True:
            kept = await cache.get(self.key, asked, self.opened.not_before)
            if kept is not None:
                self._kept = True
                await self._replay(kept)
                return True
            other = self.shared.under_way.get(self.key)
            if other is None:
                return False
            await asyncio.shield(other)

    def _lead(self) -> asyncio.Future[None]:
        """Let identical requests wait for this one."""
        lead = self.shared.under_way[self.key] = self.shared.loop.create_future()
        return lead

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
            message = f"{self._where()}: {error}"
            self.opened.breaker.gave_up(message)
            self.opened.account.last_error = message
            self.opened.account.count("failed")
            self._account(504 if error.kind == "timeout" else 502, None, b"")
            self._refuse(504 if error.kind == "timeout" else 502, message)
            return
        if reply.stream:
            await self._stream(reply, piece)
        else:
            self._whole(reply)

    async def _ask(self) -> tuple[Reply, bytes | None]:
        """The model's reply, with a stream's first piece; tries again where that may help."""
        retries, timeout = self.opened.adapter.retry, self.opened.adapter.timeout
        while True:
            await self._enter()
            pool = self.shared.pool(self.opened.session.upstreams)
            self.tries += 1
            self.opened.account.counts["sent"] += 1
            after: float | None = None
            try:
                head = self._head(pool)
                reply = await pool.ask(head + self.payload, timeout, self.request.method == b"HEAD")
                piece = await reply.piece() if reply.stream else None
                trouble = self._trouble(reply)
                after = retry_after(header(reply.headers, b"retry-after"))
            except UpstreamError as error:
                if self.tries > retries:
                    raise
                trouble = str(error)
            else:
                if reply.status == 429:
                    self.shared.limits.refused(after)
                if not trouble or self.tries > retries:
                    if not trouble:
                        self.shared.limits.answered()
                    return reply, piece
                reply.drop()
            self._leave()
            self.opened.account.count("retries")
            self.opened.account.last_error = f"{self._where()}: {trouble}"
            await asyncio.sleep(wait(self.tries, after))

    def _trouble(self, reply: Reply) -> str:
        """Why a reply is to be asked for again, if it is."""
        if reply.status in TRANSIENT:
            return _said(reply)
        if reply.status == 200 and self.question is not None and not reply.stream:
            try:
                json.loads(reply.body)
            except ValueError:
                return f"the reply is not JSON: {_excerpt(reply.body)}"
        return ""

    def _head(self, pool: Pool) -> bytes:
        """The request's line and headers as the model's side gets them."""
        headers: Headers = [h for h in self.request.headers if h[0].lower() not in _OURS]
        for one in self.opened.interceptors:
            headers = one.headers(headers)
        headers = [(b"host", pool.netloc), *self.shared.fixed, *headers]
        lines = [b"%b %b HTTP/1.1\r\n" % (self.request.method, pool.path(self.rest))]
        lines += [b"%b: %b\r\n" % item for item in headers]
        lines.append(b"accept-encoding: identity\r\n")
        if self.payload or self.request.method in (b"POST", b"PUT", b"PATCH"):
            lines.append(b"content-length: %d\r\n" % len(self.payload))
        return b"".join([*lines, b"\r\n"])

    # The reply

    def _whole(self, reply: Reply) -> None:
        parsed = _parse(reply) if self.body is not None else None
        self._judge(reply, parsed)
        body = reply.body if reply.status != 200 else self._changed(reply.body, parsed)
        self.connection.reply(reply.status, end_to_end(reply.headers), body)
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
            self.opened.account.last_error = f"{self._where()}: {error}"
            self.opened.account.count("broken")
            self._account(reply.status, None, b"".join(pieces))
            self.connection.abort()
            return
        except asyncio.CancelledError:
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
        if self.question is not None:
            row["question"], row["occurrence"] = self.question.digest, self.occurrence
        row |= {"tries": self.tries, "seconds": round(spent, 6), "cached": cached is not None}
        if self.first is not None:
            row["first"] = round(self.first, 6)
        account.finished(row, parsed)
        if opened.logged < opened.adapter.log:
            opened.logged += 1
            pair = {"n": opened.serial, "request": shown(self.payload), "reply": shown(body)}
            account.row("exchanges", pair)

    def _refuse(self, status: int, message: str) -> None:
        """Answer with an error of the gateway's own, which clients are told not to try again."""
        error = {"error": {"message": message, "type": "evalmake_gateway", "code": None}}
        headers = [*_JSON, (b"x-should-retry", b"false")]
        self.connection.reply(status, headers, json.dumps(error).encode())

    async def _enter(self) -> None:
        await self.shared.limits.enter()
        self._inside = True

    def _leave(self) -> None:
        if self._inside:
            self._inside = False
            self.shared.limits.leave()

    def _where(self) -> str:
        return self.opened.session.upstreams[0].rstrip("/") + self.path.removeprefix("/v1")


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
