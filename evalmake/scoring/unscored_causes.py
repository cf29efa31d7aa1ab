"""Why samples have no score, and what helps: another run does only where a request failed for a moment.

A cause has a text for people, which samples and records carry: `the most common reason (3): HTTP 503: busy`. Whoever
writes it also says of what kind it is, and the cure depends on nothing but the kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from evalmake.http_protocol.gateway_errors import NO_CONNECTION
from evalmake.http_protocol.statuses import TRANSIENT

CauseKind = Literal[
    "passing",  # a request failed for a moment
    "no-server",  # no server was reached
    "same-again",  # a request failed, and would again
    "scorer",  # there is a reply, and the scorer did not score it
    "left-out",  # no request failed: a program leaves out samples by itself
    "unknown",  # what is on record does not tell
]

_RUN_AGAIN = "run again, which asks only for what is missing"
CURES: Mapping[CauseKind, str] = {
    "passing": _RUN_AGAIN,
    "no-server": f"see that the model's server runs at this address, then {_RUN_AGAIN}",
    "same-again": "see the request and the server's reply: the same request would fail again",
    "scorer": "see the scorer: the replies are cached, and would be scored the same",
    "left-out": "see in its log why it leaves out samples: no request failed, so another run would do the same",
    "unknown": "",
}
"""What to do about samples without a score."""
UNSCORED = "left unscored by the scorer"
"""The text for a sample that has a reply, and neither a score nor an error."""
_FOREIGN_STATUS = re.compile(r"(?:HTTP (?:status )?|Error code: )([3-5]\d\d)\b")
"""As programs write it, and the clients of OpenAI and its kin."""


class Cause(NamedTuple):
    """Why samples have no score; one without text and kind says that no request failed."""

    text: str = ""
    kind: str = ""
    """A CauseKind; anything else is read from the text."""

    @property
    def cure(self) -> str:
        """What to do; empty where that is not known."""
        kind = next((known for known in CURES if known == self.kind), None)
        return CURES[kind or _read_kind(self.text)]


NO_CAUSE = Cause()
UNKNOWN_CAUSE = Cause("", "unknown")


def find_kind_of_status(status: int | None) -> CauseKind:
    """The kind of a request that failed with a status of HTTP, or with none."""
    return "passing" if status is None or status in TRANSIENT else "same-again"


def describe_cause(reason: str, count: int) -> str:
    """The text for most samples without a score."""
    return f"the most common reason ({count}): {reason}"


def _read_kind(text: str) -> CauseKind:
    """The kind of a cause whose writer gave none: another program, or an earlier evalmake."""
    if not text:
        return "left-out"
    if NO_CONNECTION in text:  # the gateway's code, in what a client makes of its answer
        return "no-server"
    status = _FOREIGN_STATUS.search(text)
    return find_kind_of_status(int(status[1]) if status else None)
