"""Retries: which requests are sent again, and after what pause."""

from __future__ import annotations

import asyncio
import random
import re
from datetime import UTC, datetime

from evalmake.gateway.proxy.rate_limits import LONGEST_WAIT
from evalmake.gateway.proxy.reply_fault import find_fault
from evalmake.gateway.proxy.upstream_request import UpstreamRequest
from evalmake.http_protocol.messages import find_header
from evalmake.upstream.connection import UpstreamError, UpstreamReply

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds
_SECONDS = re.compile(r"\d{1,15}(\.\d{1,15})?", re.ASCII)


async def fetch_reply(
    request: UpstreamRequest, payload: bytes, expects_json: bool
) -> tuple[UpstreamReply, bytes | None]:
    """The model's reply, with a stream's first piece; `request.release` must follow.

    Sends the request again after a transient error, and after a reply with a fault where `expects_json`. Raises
    UpstreamError when the last try failed, and EvaluationStopped.
    """
    session, limits = request.session, request.shared.limits
    retries_left = session.adapter.retry
    while True:
        retry_after: float | None = None
        try:
            reply, piece = await request.send_once(payload)
        except UpstreamError as error:
            if error.kind == "too large":  # and would be so again
                raise
            retries_left -= not request.may_await_restart(error)
            if retries_left < 0:
                raise
            problem = str(error)
        else:
            retry_after = parse_retry_after(*(find_header(reply.headers, name) for name in (b"retry-after", b"date")))
            fault = find_fault(reply, piece, request.path, expects_json)
            if reply.status == 429:
                limits.record_throttling(retry_after)
            if fault is None:
                limits.record_success()
                return reply, piece
            problem = fault.message
            retries_left -= 1
            if retries_left < 0:
                if not fault.forwarded:
                    raise UpstreamError("broken", problem)
                return reply, piece
            reply.discard()
            if retry_after is not None and retry_after > LONGEST_WAIT:
                request.stop_evaluation(retry_after, problem)
        request.release()  # others may use the place during the pause
        session.usage.add_count("retries")
        session.usage.record_error(f"{request.address}: {problem}")
        await asyncio.sleep(pause_seconds(request.tries, retry_after))
        session.reread_upstreams()


def pause_seconds(failures: int, retry_after: float | None) -> float:
    """How long to pause after so many failures: what the model asks for, and jitter on top.

    Exponential with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015). Without jitter, requests
    that failed together come back together.
    """
    ceiling = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
    return (retry_after or 0.0) + random.uniform(0, ceiling)


def parse_retry_after(value: bytes, date: bytes = b"") -> float | None:
    """The seconds that a Retry-After header asks for (RFC 9110, 10.2.3); None if it makes no sense.

    A moment counts from the reply's own `date`, if it has one: this machine's clock may be wrong.
    """
    text = value.decode("latin-1").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    moment, now = _parse_date(text), _parse_date(date.decode("latin-1")) or datetime.now(UTC)
    return max((moment - now).total_seconds(), 0.0) if moment is not None else None


def _parse_date(text: str) -> datetime | None:
    from email.utils import parsedate_to_datetime  # few replies have a date, and this takes time to import

    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
