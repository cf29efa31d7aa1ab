"""What an endpoint cannot do is refused, not scored.

Several servers ignore what a request asks for, or get it wrong, and say nothing. What harnesses
take for granted is therefore probed once, before the first such request goes out, and the replies
that pass are looked at. A probe is sent as the harness's requests are, but it is nobody's: it is in
no evaluation's counts, and the reply cache neither answers nor keeps it, as it asks what the
endpoint does today.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from evalmake.gateway.proxy import logprob_probe
from evalmake.gateway.proxy.http_messages import Request
from evalmake.gateway.proxy.logprob_probe import Finding
from evalmake.gateway.proxy.retry import TRANSIENT
from evalmake.gateway.proxy.server_sent_events import Body, listed
from evalmake.gateway.proxy.sessions import Open
from evalmake.gateway.proxy.shared_state import Shared
from evalmake.gateway.proxy.upstream_connection import UpstreamError
from evalmake.gateway.proxy.upstream_request import Asking, said, written

_ONCE = b"idempotency-key"
"""Under this header a server may answer the harness's request with the reply to ours."""


async def probe(shared: Shared, opened: Open, request: Request, rest: bytes, body: Body) -> str:
    """Why the endpoint must not be asked what `body` asks, if so; UpstreamError if it is not there.

    Each server is probed once, and requests that come meanwhile wait for that.
    """
    name = logprob_probe.kind(body)
    if name in opened.account.probed:
        return ""
    findings = []
    for url in opened.session.upstreams:
        key = (url, str(body.get("model")), name)
        if key not in shared.probes:
            task = shared.loop.create_task(_echo(shared, opened, request, rest, body, url))
            shared.probes[key] = task
            task.add_done_callback(partial(_settle, shared, key))
        findings.append(await asyncio.shield(shared.probes[key]))
    worst = max(findings, key=lambda one: (one.refused, not one.fact.startswith("ok"), one.fact))
    opened.account.probe(name, worst.fact)
    return worst.fact if worst.refused else ""


def _settle(shared: Shared, key: tuple[str, str, str], task: asyncio.Task[Finding]) -> None:
    """Forget a probe that found nothing: the next request begins anew."""
    if task.cancelled() or task.exception() is not None or not task.result().settled:
        del shared.probes[key]


async def _echo(shared: Shared, opened: Open, request: Request, rest: bytes, body: Body, url: str) -> Finding:
    """Put one server to the test of its echoed log-probabilities."""
    headers = [header for header in request.headers if header[0].lower() != _ONCE]
    ours, alone = replace(request, headers=headers), opened.apart()
    test = logprob_probe.test(Asking(shared, alone, ours, rest, url).where, body)
    asked = next(test)
    while True:
        reply = await _reply(Asking(shared, alone, ours, rest, url), asked)
        if isinstance(reply, Finding):
            return reply
        try:
            asked = test.send(reply)
        except StopIteration as end:
            found: Finding = end.value
            return found


async def _reply(asking: Asking, asked: Body) -> Body | Finding:
    """The reply's JSON; what the endpoint refuses by itself, the harness will hear from it."""
    try:
        reply, _ = await asking.reply(written(asked), as_json=True)
        reply.drop()
    finally:
        asking.leave()
    if reply.status in TRANSIENT:
        raise UpstreamError("broken", said(reply))
    try:
        parsed = reply.json() if reply.status == 200 else None
    except ValueError:  # a stream, or packed
        parsed = None
    if isinstance(parsed, dict):
        return parsed
    return Finding(f"not known: {asking.where}: {said(reply)}", settled=False)


def unheeded(path: str, body: Body, reply: Body) -> str:
    """What a reply shows that the endpoint ignores, if anything; `body` is what it was asked."""
    logprobs, number, prompts = body.get("logprobs"), body.get("n"), body.get("prompt")
    if not (logprobs or number or isinstance(prompts, list)) or not path.endswith("/completions"):
        return ""
    choices = listed(reply.get("choices"))
    each = number if isinstance(number, int) else 1
    due = each * _prompts(prompts)
    if 0 < len(choices) < due:
        what = "`n`" if each > 1 else "that `prompt` is a list"
        return f"ignores {what}: {due} choices were asked for, and {len(choices)} came"
    told = [_tells(choice) for choice in choices if _says(choice)]
    if logprobs and told and not any(told):
        return "ignores `logprobs`: a reply to a request for them has none"
    return ""


def _prompts(prompt: object) -> int:
    """How many they are: a list of token ids is one."""
    several = isinstance(prompt, list) and prompt and not isinstance(prompt[0], int)
    return len(prompt) if isinstance(prompt, list) and several else 1


def _says(choice: Body) -> bool:
    message = choice.get("message")
    return bool(message.get("content") if isinstance(message, dict) else choice.get("text"))


def _tells(choice: Body) -> bool:
    logprobs = choice.get("logprobs")
    return any(logprobs.values()) if isinstance(logprobs, dict) else bool(logprobs)
