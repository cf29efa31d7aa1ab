"""`settings { notify = URL }`: tells a chat or a phone how a build ended, by one POST."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalmake.language.diagnostic import Diagnostic, Severity, make_diagnostic
from evalmake.language.values import SecretRef
from evalmake.run.secrets import Secrets

if TYPE_CHECKING:
    from evalmake.session import BuildOutcome

_SECONDS = 10.0
_MOST_PROBLEMS = 5
_ENDS = {0: "well", 1: "a gate is not met", 3: "a supporting gate is not met"}


def notify_of_end(outcome: BuildOutcome, summary: str, problems: Sequence[Diagnostic]) -> Diagnostic | None:
    """Tell the address of the settings how a build ended that had something to run; a warning if that fails."""
    address = outcome.workspace.project.settings.notify
    if address is None or not outcome.plan.stale:
        return None
    url, shown = address, str(address)
    try:
        if isinstance(address, SecretRef):
            url, shown = Secrets().value_of(address.name), f"the address in the secret `{address.name}`"
        _post(str(url), make_message(outcome, summary, problems))
    except OSError as error:
        span = outcome.workspace.project.settings_fields.spans["notify",].value
        return make_diagnostic(
            "notify-failed",
            f"cannot notify {shown}: {error}",
            span,
            severity=Severity.WARNING,
            about="settings",
            help=["the build and its results are not affected; see that a POST of JSON arrives there"],
        )
    return None


def make_message(outcome: BuildOutcome, summary: str, problems: Sequence[Diagnostic]) -> dict[str, object]:
    """The body of the POST: `text` is what Slack and its like show, the other fields are for programs."""
    title = f"evalmake {outcome.workspace.project.path.name}: {_describe_status(outcome)}"
    wrong = [one.message for one in problems if one.severity is not Severity.WARNING]
    lines = [f"- {message}" for message in wrong[:_MOST_PROBLEMS]]
    lines += [f"- and {len(wrong) - _MOST_PROBLEMS} more"] if len(wrong) > _MOST_PROBLEMS else []
    return {
        "text": "\n".join([title, summary, *lines]),
        "title": title,
        "status": outcome.status,
        "ran": sorted(outcome.ran),
        "failed": sorted({one.subject for one in outcome.problems if one.subject}),
        "gates": [gate.result.fields() for gate in outcome.gates],
        "plan": outcome.plan.digest,
    }


def _describe_status(outcome: BuildOutcome) -> str:
    if outcome.interrupted:
        return "interrupted"
    return _ENDS.get(outcome.status, "failed")


def _post(url: str, message: dict[str, object]) -> None:
    """POST a message as JSON; OSError, which does not have the address, if nobody takes it."""
    import httpx

    try:
        reply = httpx.post(
            url,
            content=json.dumps(message, ensure_ascii=False).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "evalmake"},
            timeout=_SECONDS,
        )
    except httpx.TimeoutException:
        raise OSError(f"no answer within {_SECONDS:.0f} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise OSError(type(error).__name__ if url in str(error) else str(error)) from None
    if reply.status_code >= 300:
        raise OSError(f"it answered with status {reply.status_code}")
