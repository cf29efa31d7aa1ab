"""How a gateway gets its secrets: from its standard input, so that they are in nobody's environment.

A gateway outlives a build that is killed. The next build proves that it has the same secrets before it goes on with
that gateway; neither side says what they are.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping

NONCE_HEADER, PROOF_HEADER = "x-evalmake-nonce", "x-evalmake-proof"
SECRETS_PATH = "/secrets"
_PIECE = 65536


def secrets_to_json(secrets: Mapping[str, str]) -> bytes:
    """What a gateway reads: by variable, the value."""
    return json.dumps(dict(sorted(secrets.items()))).encode()


def read_secrets(descriptor: int = 0) -> dict[str, str]:
    """Read secrets up to the end of a descriptor; raises OSError, or ValueError for what are none."""
    data = b""
    while piece := os.read(descriptor, _PIECE):
        data += piece
    secrets = json.loads(data) if data.strip() else {}
    if not isinstance(secrets, dict) or not all(isinstance(value, str) for value in secrets.values()):
        raise ValueError("the standard input has no secrets")
    return secrets


def prove_secrets(secrets: Mapping[str, str], nonce: str) -> str:
    """What only who has the secrets can say about a nonce."""
    return hmac.new(secrets_to_json(secrets), nonce.encode(), hashlib.sha256).hexdigest()
