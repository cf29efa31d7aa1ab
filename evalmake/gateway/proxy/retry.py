"""Retries: which requests are sent again, and after what pause."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from evalmake.gateway.proxy.server_sent_events import objects_in
from evalmake.gateway.proxy.upstream_connection import UpstreamError, UpstreamReply
from evalmake.gateway.proxy.upstream_request import UpstreamRequest, describe_reply, excerpt
from evalmake.gateway.reply_cache.completeness import FAILED_FINISH_REASONS
from evalmake.http_protocol.messages import find_header

TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_RETRY_AFTER = 0.5, 30.0, 300.0  # seconds


async def fetch_reply(
    request: UpstreamRequest, payload: bytes, expects_json: bool
) -> tuple[UpstreamReply, bytes | None]:
    """The model's reply, with a stream's first piece; `request.release` must follow.

    Sends the request again after a transient error, and after a reply that is not JSON where `expects_json`. Raises
    UpstreamError when the last try failed, and EvaluationStopped.
    """
    session, limits = request.session, request.shared.limits
    retries_left = session.adapter.retry
    while True:
        retry_after: float | None = None
        try:
            reply, piece = await request.send_once(payload)
        except UpstreamError as error:
            retries_left -= not request.may_await_restart(error)
            if retries_left < 0:
                raise
            problem = str(error)
        else:
            retry_after = parse_retry_after(find_header(reply.headers, b"retry-after"))
            problem = _find_problem(reply, expects_json)
            if reply.status == 429:
                limits.record_throttling(retry_after)
            if not problem:
                limits.record_success()
                return reply, piece
            retries_left -= 1
            if retries_left < 0:
                if reply.status == 200:
                    raise UpstreamError("broken", problem)
                return reply, piece
            reply.discard()
        request.release()  # others may use the place during the pause
        session.usage.add_count("retries")
        session.usage.last_error = f"{request.address}: {problem}"
        await asyncio.sleep(pause_seconds(request.tries, retry_after))
        session.reread_upstreams()


def _find_problem(reply: UpstreamReply, expects_json: bool) -> str:
    """Why to send the request again; empty if the reply is final."""
    if reply.status in TRANSIENT:
        return describe_reply(reply)
    compressed = find_header(reply.headers, b"content-encoding") not in (b"", b"identity")
    if reply.status == 200 and expects_json and not reply.stream and not compressed:
        try:
            parsed = reply.json()
        except ValueError:
            return f"the reply is not JSON: {excerpt(reply.body)}"
        choices = objects_in(parsed.get("choices")) if isinstance(parsed, dict) else []
        reasons = [choice.get("finish_reason") for choice in choices]
        if failed := [reason for reason in reasons if reason in FAILED_FINISH_REASONS]:
            return f"the reply's finish reason is `{failed[0]}`"
    return ""


def pause_seconds(failures: int, retry_after: float | None) -> float:
    """How long to pause after so many failures: what the model asks for, and jitter on top.

    Exponential with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015). Without jitter, requests
    that failed together come back together.
    """
    ceiling = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
    return (retry_after or 0.0) + random.uniform(0, ceiling)


def parse_retry_after(value: bytes, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """The seconds that a Retry-After header asks for (RFC 9110, 10.2.3); None if it makes no sense."""
    if not value:
        return None
    text = value.decode("latin-1")
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now()).total_seconds()
    is_nan = seconds != seconds
    return None if is_nan else min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)
