"""The path of a request as it goes upstream: one that every server reads in the same way.

The model's server sees the key with each request. A path that climbs with `..` would carry it to another application
of the same host.
"""

from __future__ import annotations

import re
import string
from urllib.parse import unquote_to_bytes

_DOTS = (b".", b"..")
_PLAIN = (string.ascii_letters + string.digits + "-._~/?=&+:,@").encode()
"""Bytes that need no second look, which would cost each request more."""
_MAY_CLIMB = re.compile(rb"/\.|[%\\#]|[^!-~]|//")
_NEVER = re.compile(rb"[\\#]|[^!-~]")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_MOST_ENCODINGS = 3


def normalize_target(target: bytes) -> bytes | None:
    """A path and its query, without `.` and `..` (RFC 3986, 5.2.4); None where servers may read it differently."""
    if not target.translate(None, _PLAIN) and b"/." not in target and b"//" not in target:
        return target
    path, mark, query = target.partition(b"?")
    if _NEVER.search(target):
        return None
    if not _MAY_CLIMB.search(path):
        return target
    path = _remove_dots(path)
    return None if _hides_dots(path) else path + mark + query


def _remove_dots(path: bytes) -> bytes:
    """The path without dot segments; `%2e` is a dot. It does not climb above its beginning."""
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    plain = [unquote_to_bytes(one) if one.lower().replace(b"%2e", b".") in _DOTS else one for one in segments]
    for segment in plain:
        if segment == b"..":
            kept = kept[:-1]
        elif segment != b".":
            kept.append(segment)
    if plain and plain[-1] in _DOTS:
        kept.append(b"")
    return b"/" + b"/".join(kept)


def _hides_dots(path: bytes) -> bool:
    """Whether a server that decodes the path once more would find dot segments or control characters."""
    for _ in range(_MOST_ENCODINGS):
        if _has_dots(path) or _CONTROL.search(path):
            return True
        decoded = unquote_to_bytes(path)
        if decoded == path:
            return False
        path = decoded
    return True


def _has_dots(path: bytes) -> bool:
    """Also `..;x`: some servers take what follows the semicolon for a parameter."""
    return any(segment.partition(b";")[0] in _DOTS for segment in re.split(rb"[/\\]", path))
