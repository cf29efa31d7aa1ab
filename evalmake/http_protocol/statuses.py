"""Statuses of HTTP by what they mean for another try."""

from __future__ import annotations

TRANSIENT = frozenset({408, 409, 424, 425, 429, 499, *range(500, 600)} - {501, 505, 511})
"""Statuses that may be gone at the next try. All of 5xx are, as proxies have many of their own (507, 521, 530), but
for what the server cannot do."""
