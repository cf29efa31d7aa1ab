"""Whether a reply that ends at its token limit was cut off, or is all that the request asked for."""

from __future__ import annotations


def asks_for_one_token(request: object) -> bool:
    """Whether a request wants a single token or none, so that its reply always ends at the limit."""
    if not isinstance(request, dict):
        return False
    limit = request.get("max_completion_tokens", request.get("max_tokens"))
    return isinstance(limit, int) and limit <= 1
