"""Seals: digests at the head of files that evalmake trusts, so that a byte that has changed is noticed.

A seal covers the content and a name, such as the key of a cache, so that no content counts under another name. It
finds damage and changes by hand. It is no signature: whoever knows how can seal anything.
"""

from __future__ import annotations

import xxhash

_LENGTH = 32


def seal(name: str, content: bytes) -> bytes:
    """The content with its seal."""
    return _digest(name, content) + b"\n" + content


def unseal(name: str, data: bytes) -> bytes | None:
    """The content of sealed data; None where it is not what was sealed under this name."""
    content = data[_LENGTH + 1 :]
    return content if data[: _LENGTH + 1] == _digest(name, content) + b"\n" else None


def _digest(name: str, content: bytes) -> bytes:
    hasher = xxhash.xxh3_128(name.encode("utf-8", "surrogateescape") + b"\0")
    hasher.update(content)
    return hasher.hexdigest().encode()
