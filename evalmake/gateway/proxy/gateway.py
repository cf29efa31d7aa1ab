"""The gateway: hands each request to the exchange of its evaluation, and answers its own addresses."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from hmac import compare_digest
from pathlib import Path

from evalmake.gateway.proxy.exchange import Exchange
from evalmake.gateway.proxy.harness_connection import HarnessConnection
from evalmake.gateway.proxy.progress_posts import ProgressPosts
from evalmake.gateway.proxy.rate_limits import RequestLimits
from evalmake.gateway.proxy.request_rewrite import RequestRewrite
from evalmake.gateway.proxy.request_target import is_ambiguous, is_served, read_azure_path
from evalmake.gateway.proxy.sessions import AdmittedSession, SessionRegistry
from evalmake.gateway.proxy.shared_state import SharedState
from evalmake.gateway.reply_cache.cache import ReplyCache
from evalmake.gateway.secret_input import NONCE_HEADER, PROOF_HEADER, SECRETS_PATH, prove_secrets
from evalmake.gateway.settings import CLOSED, GatewaySettings
from evalmake.http_protocol.gateway_errors import build_error_body
from evalmake.http_protocol.messages import Headers, Request, find_header
from evalmake.upstream.connection_pool import Network

FLUSH_INTERVAL = 0.5
"""Seconds between writes of rows and sums."""
BACKLOG = 1024
_PREFIX = b"/t/"
_HEALTH = b"/health"
_SECRETS = SECRETS_PATH.encode()
_CLOSE = b"/close"
_METHODS = (b"GET", b"HEAD", b"POST")
"""What asks a model something. Others ask for tunnels (CONNECT), repeat the key (TRACE), or change the server."""
_JSON: Headers = [(b"content-type", b"application/json")]


class Gateway:
    """The gateway of one model, for all evaluations whose sessions are in its folder."""

    def __init__(
        self, settings: GatewaySettings, environ: Mapping[str, str], secrets: Mapping[str, str] | None = None
    ) -> None:
        """`secrets` are those of `environ` that a later build must prove to have.

        Raises LookupError if a secret is missing in `environ`, ValueError for certificates that are none.
        """
        self._secrets = secrets
        self._loop = asyncio.get_running_loop()
        rewrite = RequestRewrite(settings, environ)
        network = Network(environ, settings.ca, settings.verify, settings.own_servers)
        cache, trouble = _open_cache(settings)
        limits = RequestLimits(settings.rate, settings.concurrency, self._loop.time)
        self.shared = SharedState(cache, limits, rewrite, network, trouble)
        self.sessions = SessionRegistry(Path(settings.sessions), rewrite.redact)
        self.progress = ProgressPosts(self.shared)

    def new_connection(self) -> HarnessConnection:
        """The protocol of a new connection."""
        return HarnessConnection(self.handle_request, self.find_refusal, self._loop)

    def find_refusal(self, head: Request) -> tuple[int, str] | None:
        """Why a request is refused by its head alone, before a byte of its body is kept; None if it is not."""
        if head.method not in _METHODS:
            return 405, "the gateway does not forward this method: it takes GET, HEAD and POST"
        if not head.target.startswith(_PREFIX):
            return None if head.target in (_HEALTH, _SECRETS) else (404, "there is nothing here")
        key, rest = _split_target(head.target)
        if self._admit(key, head) is None:
            return 401, "the token is not this evaluation's"
        if is_ambiguous(rest):
            return 400, "the path has segments that servers read in several ways: write it without `..`, `%` and `\\`"
        if rest != _CLOSE and not is_served(head.method, rest):
            return 404, (
                "the path is outside the model's endpoint: write it below the base URL, which ends in `/v1`"
                " (for the few paths beside it: evalmake help gateway-and-cache)"
            )
        return None

    async def handle_request(self, request: Request, connection: HarnessConnection) -> None:
        """Answer one request: `/health`, `/secrets` of a later build, or `/t/KEY/...` of an evaluation."""
        if request.target == _HEALTH:
            connection.send_reply(200, _JSON, b'{"status": "ok"}')
            return
        if request.target == _SECRETS:
            connection.send_reply(204 if self._has_same_secrets(request) else 403, [], b"")
            return
        key, rest = _split_target(request.target)
        session = self._admit(key, request)
        if session is None:  # its token ended while an earlier request was answered
            connection.send_reply(401, _JSON, build_error_body("the token is not this evaluation's"))
        elif rest == _CLOSE:
            written = self.end_session(key, session)
            summary = session.usage.summarize(self.shared.summarize())
            connection.send_reply(200 if written else 500, _JSON, json.dumps(summary).encode())
        else:
            await Exchange(self.shared, session, request, rest, connection).run()

    def _has_same_secrets(self, request: Request) -> bool:
        """Whether who asks has this gateway's secrets."""
        nonce, proof = (find_header(request.headers, name.encode()) for name in (NONCE_HEADER, PROOF_HEADER))
        if self._secrets is None or not nonce:
            return False
        return compare_digest(prove_secrets(self._secrets, nonce.decode("latin-1")).encode(), proof)

    def _admit(self, key: str, request: Request) -> AdmittedSession | None:
        """The evaluation whose token the request carries: in `Authorization`, or as Azure's clients in `api-key`."""
        found = self.sessions.admit(key, find_header(request.headers, b"authorization"))
        azure_key = b"" if found else find_header(request.headers, b"api-key")
        return self.sessions.admit(key, b"Bearer " + azure_key) if azure_key else found

    def write_records(self) -> None:
        """Write every evaluation's rows and sums, and post their progress."""
        self._flush()
        for key, session in self.sessions.admitted.items():
            self.progress.post_progress(key, session)

    def stop_reason(self) -> str:
        """Why an evaluation must stop now; empty if none must."""
        reasons = (session.usage.stop_reason for session in self.sessions.admitted.values())
        return self.shared.request_rewrite.redact(next(filter(None, reasons), ""))

    def end_session(self, key: str, session: AdmittedSession) -> bool:
        """End an evaluation and forget its token; returns whether all of its record was written."""
        session.usage.mark_changed()
        written = self._flush()
        if written:
            with suppress(OSError):  # without the mark, a later build takes this gateway for dead
                (session.usage.folder / CLOSED).touch()
        self.sessions.close(key)
        self.progress.post_progress(key, session, finished=True)
        return written

    async def close(self) -> None:
        """Write what is left, and close."""
        self._flush()
        await self.progress.close()
        if self.shared.cache is not None:
            await self.shared.cache.close()

    def _flush(self) -> bool:
        replaced, self.sessions.replaced = self.sessions.replaced, []
        return all([self._write_record(session) for session in (*replaced, *self.sessions.admitted.values())])

    def _write_record(self, session: AdmittedSession) -> bool:
        try:
            session.usage.flush(self.shared.summarize())
        except OSError as error:
            log_error(error)
            return False
        return True


def log_error(error: Exception) -> None:
    """Write an error to the log."""
    print(f"evalmake.gateway: {error}", file=sys.stderr, flush=True)


def _open_cache(settings: GatewaySettings) -> tuple[ReplyCache | None, str]:
    """The reply cache, or why there is none."""
    if not settings.cache:
        return None, ""
    try:
        return ReplyCache(Path(settings.cache), settings.cache_size, settings.read_only_caches), ""
    except Exception as error:  # of the disk or of the database: evaluations go on without the cache
        log_error(error)
        return None, f"{settings.cache}: {error}"


def _split_target(target: bytes) -> tuple[str, bytes]:
    """The evaluation's key, and what follows it, as a path of OpenAI's API."""
    key, slash, rest = target[len(_PREFIX) :].partition(b"/")
    return key.decode("latin-1"), read_azure_path(slash + rest)
