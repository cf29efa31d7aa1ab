"""Why samples have no score, and what helps: another run does only where a request failed for a moment.

A cause is the text that harnesses, samples and records carry: `the most common reason (3): HTTP 503: busy`.
"""

from __future__ import annotations

import re

from evalmake.http_protocol.statuses import TRANSIENT

UNSCORED = "left unscored by the scorer"
"""The cause of a sample that has a reply, and neither a score nor an error."""
UNUSABLE_REPLY = "unusable reply"
"""How the native harness begins the error of a reply whose form is wrong, which the server would send again."""
LACKS_METRIC = "has no"
"""How the cause begins of a sample that has other metrics."""

_REASON = re.compile(r"the most common reason \(\d+\): (?:judge: )?")
_NO_CONNECTION = "cannot connect"
_SCORER_FAULT = re.compile(rf"\w+\(\) failed:|{UNSCORED}|{LACKS_METRIC} `|.* took longer than .* on this reply")
_STATUS = re.compile(r"(?:HTTP (?:status )?|Error code: )([3-5]\d\d)\b")
"""As the native harness and the gateway write it, and as the clients of OpenAI and its kin do."""


def describe_cause(reason: str, count: int) -> str:
    """The cause of most samples without a score."""
    return f"the most common reason ({count}): {reason}"


def suggest_cure(cause: str) -> str:
    """What to do about samples without a score: a second run gets the same where a mistake is the cause."""
    if not cause:
        return "see in its log why it leaves out samples: no request failed, so another run would do the same"
    reason = _REASON.sub("", cause, count=1)
    if _SCORER_FAULT.match(reason):
        return "see the scorer: the replies are cached, and would be scored the same"
    status = _STATUS.search(reason)
    if reason.startswith(UNUSABLE_REPLY) or (status and int(status[1]) not in TRANSIENT):
        return "see the request and the server's reply: the same request would fail again"
    if _NO_CONNECTION in reason:
        return "see that the model's server runs at this address, then run again, which asks only for what is missing"
    return "run again, which asks only for what is missing"
