"""The probe of an endpoint: what it cannot do is refused, not scored.

Several servers ignore what a request asks for, or get it wrong, without an error. The gateway therefore probes
what harnesses take for granted, before the first such request goes out, and checks the replies that pass. A probe
is sent as the harness's requests are, but belongs to no evaluation: it is in no counts, and the reply cache neither
answers nor stores it, because it asks what the endpoint does today.
"""

from __future__ import annotations

import asyncio
from functools import partial

from evalmake.gateway.proxy import logprob_probe
from evalmake.gateway.proxy.logprob_probe import ProbeResult
from evalmake.gateway.proxy.request_rewrite import body_to_bytes
from evalmake.gateway.proxy.retry import fetch_reply
from evalmake.gateway.proxy.server_sent_events import Body, objects_in
from evalmake.gateway.proxy.sessions import AdmittedSession
from evalmake.gateway.proxy.shared_state import SharedState
from evalmake.gateway.proxy.upstream_request import UpstreamRequest, describe_reply
from evalmake.http_protocol.messages import Request
from evalmake.http_protocol.statuses import TRANSIENT
from evalmake.upstream.connection import UpstreamError

_IDEMPOTENCY_KEY = b"idempotency-key"
"""Under this header a server may answer the harness's request with the reply to the probe."""


async def probe_endpoint(
    shared: SharedState, session: AdmittedSession, request: Request, rest: bytes, body: Body
) -> str:
    """Why the endpoint is unfit for a request like `body`; empty if it is fit. Raises UpstreamError.

    Each server is probed once. Requests that come meanwhile wait for the same probe.
    """
    kind = logprob_probe.probe_kind(body)
    if kind in session.usage.probed:
        return ""
    results = []
    for url in session.settings.upstreams:
        key = (url, str(body.get("model")), kind)
        if key not in shared.probes:
            task = shared.loop.create_task(_probe_server(shared, session, request, rest, body, url))
            shared.probes[key] = task
            task.add_done_callback(partial(_forget_unless_final, shared, key))
        results.append(await asyncio.shield(shared.probes[key]))
    worst = max(results, key=lambda result: (result.unfit, not result.known, result.fact))
    session.usage.record_probe(kind, worst.fact)
    return worst.fact if worst.unfit else ""


def _forget_unless_final(shared: SharedState, key: tuple[str, str, str], task: asyncio.Task[ProbeResult]) -> None:
    """Forget a probe that found nothing: the next request probes again."""
    if task.cancelled() or task.exception() is not None or not task.result().final:
        del shared.probes[key]


async def _probe_server(
    shared: SharedState, session: AdmittedSession, request: Request, rest: bytes, body: Body, url: str
) -> ProbeResult:
    """Send the probe's requests to one server, each with what the reply to the one before calls for."""
    headers = [header for header in request.headers if header[0].lower() != _IDEMPOTENCY_KEY]
    probe_request, probe_session = request._replace(headers=headers), session.copy_for_probe()
    probe = logprob_probe.run_probe(UpstreamRequest(shared, probe_session, probe_request, rest, url).address, body)
    payload = next(probe)
    while True:
        reply = await _send_probe(UpstreamRequest(shared, probe_session, probe_request, rest, url), payload)
        if isinstance(reply, ProbeResult):
            return reply
        try:
            payload = probe.send(reply)
        except StopIteration as end:
            result: ProbeResult = end.value
            return result


async def _send_probe(request: UpstreamRequest, body: Body) -> Body | ProbeResult:
    """The reply's JSON, or an open result where there is none: the harness gets the endpoint's own error."""
    try:
        reply, _ = await fetch_reply(request, body_to_bytes(body), expects_json=True)
        reply.discard()
    finally:
        request.release()
    if reply.status in TRANSIENT:
        raise UpstreamError("broken", describe_reply(reply))
    try:
        parsed = reply.json() if reply.status == 200 else None
    except ValueError:  # a stream, or compressed
        parsed = None
    if isinstance(parsed, dict):
        return parsed
    return ProbeResult(f"not known: {request.address}: {describe_reply(reply)}", known=False, final=False)


def find_ignored_field(path: str, body: Body, reply: Body) -> str:
    """Which field of the request `body` the reply shows to be ignored, as a message; empty if none."""
    logprobs, count, prompt = body.get("logprobs"), body.get("n"), body.get("prompt")
    if not (logprobs or count or isinstance(prompt, list)) or not path.endswith("/completions"):
        return ""
    choices = objects_in(reply.get("choices"))
    per_prompt = count if isinstance(count, int) else 1
    expected = per_prompt * _count_prompts(prompt)
    if 0 < len(choices) < expected:
        what = "`n`" if per_prompt > 1 else "that `prompt` is a list"
        return f"ignores {what}: {expected} choices were asked for, and {len(choices)} came"
    have_logprobs = [_has_logprobs(choice) for choice in choices if _has_text(choice)]
    if logprobs and have_logprobs and not any(have_logprobs):
        return "ignores `logprobs`: a reply to a request for them has none"
    return ""


def _count_prompts(prompt: object) -> int:
    """How many prompts a request has: a list of token ids is one."""
    several = isinstance(prompt, list) and prompt and not isinstance(prompt[0], int)
    return len(prompt) if isinstance(prompt, list) and several else 1


def _has_text(choice: Body) -> bool:
    message = choice.get("message")
    return bool(message.get("content") if isinstance(message, dict) else choice.get("text"))


def _has_logprobs(choice: Body) -> bool:
    logprobs = choice.get("logprobs")
    return any(logprobs.values()) if isinstance(logprobs, dict) else bool(logprobs)
