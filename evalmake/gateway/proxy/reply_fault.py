"""What is wrong with a reply of the model's server, also with one that says 200."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evalmake.gateway.proxy.server_sent_events import assemble_reply, objects_in
from evalmake.gateway.proxy.upstream_request import describe_reply, excerpt
from evalmake.gateway.reply_cache.completeness import FAILED_FINISH_REASONS
from evalmake.http_protocol.messages import find_header
from evalmake.http_protocol.statuses import TRANSIENT
from evalmake.model_reply.content import describe_no_text, read_answer
from evalmake.upstream.connection import UpstreamReply

PATHS_WITH_CHOICES = ("/chat/completions", "/completions")
_BAD_GATEWAY = 502
_STATUS_FIELDS = ("code", "status", "status_code", "http_code")
_STATUS_BY_NAME = {
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "notfounderror": 404,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
}


class Fault(NamedTuple):
    """Why to send a request again. `forwarded`: without a better one, the harness gets this reply as it is."""

    message: str
    forwarded: bool = False


def parse_reply(reply: UpstreamReply) -> dict[str, Any] | None:
    """The JSON object of a whole reply; None if it is none."""
    try:
        parsed = reply.json()
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def find_fault(reply: UpstreamReply, piece: bytes | None, path: str, expects_json: bool) -> Fault | None:
    """What is wrong with a reply, which may be a stream with a first piece; None if it is final.

    A reply with an error under status 200 gets the status that its error names.
    """
    if expects_json and reply.status == 200:
        reply.status = _find_status(_read_beginning(reply, piece))
    if reply.status in TRANSIENT:
        return Fault(describe_reply(reply, piece), forwarded=True)
    if reply.status != 200 or not expects_json:
        return None
    packed = find_header(reply.headers, b"content-encoding")
    if packed and packed.strip().lower() != b"identity":
        return Fault(f"the reply is packed as `{packed.decode('latin-1')}`, which nobody asked for")
    return None if reply.stream else _find_fault_of_whole(reply, path)


def _find_fault_of_whole(reply: UpstreamReply, path: str) -> Fault | None:
    try:
        parsed = reply.json()
    except ValueError:
        return Fault(f"the reply is not JSON: {excerpt(reply.body)}")
    if not path.endswith(PATHS_WITH_CHOICES):
        return None
    choices = objects_in(parsed.get("choices")) if isinstance(parsed, dict) else []
    if not choices:
        return Fault(f"the reply has no choices: {excerpt(reply.body)}")
    for choice in choices:
        if (reason := choice.get("finish_reason")) in FAILED_FINISH_REASONS:
            return Fault(f"the reply's finish reason is `{reason}`")
    silent = next((choice for choice in choices if read_answer(choice) is None), None)
    return None if silent is None else Fault(f"the reply has {describe_no_text(silent)}", forwarded=True)


def _read_beginning(reply: UpstreamReply, piece: bytes | None) -> object:
    """The JSON of a whole reply, or of the beginning of a stream that may have an error; None if it is none."""
    if reply.stream:
        return assemble_reply(piece) if piece and b'"error"' in piece else None
    try:
        return reply.json()
    except ValueError:
        return None


def _find_status(parsed: object) -> int:
    """The status of a reply that says 200: that of its error, if it has one."""
    if not isinstance(parsed, dict):
        return 200
    error = parsed if parsed.get("object") == "error" else parsed.get("error")
    if not error or not isinstance(error, dict | str):
        return 200
    return _status_of_error(error) if isinstance(error, dict) else _BAD_GATEWAY


def _status_of_error(error: Mapping[str, Any]) -> int:
    for name in _STATUS_FIELDS:
        text = str(error.get(name, ""))
        if text.isdecimal() and text.isascii() and len(text) == 3 and "400" <= text < "600":
            return int(text)
    names = [str(error.get(name, "")).lower() for name in ("code", "type")]
    return next((_STATUS_BY_NAME[name] for name in names if name in _STATUS_BY_NAME), _BAD_GATEWAY)
