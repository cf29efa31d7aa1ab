"""How the gateway marks the errors that it answers with itself, for the harness that reads them."""

from __future__ import annotations

import json

TYPE = "evalmake_gateway"
"""The type of all of them."""
NO_CONNECTION = "evalmake_no_connection"
"""The code of one for which no server was reached."""


def build_error_body(message: str, code: str | None = None) -> bytes:
    """The JSON of an error, in the form that OpenAI's API has for them."""
    return json.dumps({"error": {"message": message, "type": TYPE, "code": code}}).encode()
