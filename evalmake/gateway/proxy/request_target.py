"""The path of a request as it may go upstream: below the endpoint, and one that every server reads in the same way.

The model's server sees the key with each request. A path that climbs with `..`, or names another application of the
same host, would carry it there.
"""

from __future__ import annotations

import re
import string
from urllib.parse import unquote_to_bytes

_DOTS = (b".", b"..")
_PLAIN = (string.ascii_letters + string.digits + "-._~/?=&+:,@").encode()
"""Bytes that need no second look, which would cost each request more."""
_NEVER = re.compile(rb"[\\#]|[^!-~]")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_MOST_ENCODINGS = 3
_BASE = b"/v1"
_AZURE_START = b"/v1/openai/deployments/"
_AZURE = re.compile(_AZURE_START + rb"[^/?]+(/[^?]*)(\?api-version=[^&]*)?")
READABLE_BESIDE_BASE = frozenset(
    {b"/health", b"/ping", b"/metrics", b"/version", b"/info", b"/get_model_info", b"/tokenizer_info"}
)
"""GET: what vLLM, SGLang and TEI tell of themselves next to `/v1`."""
ASKABLE_BESIDE_BASE = frozenset(
    {b"/tokenize", b"/detokenize", b"/pooling", b"/embed", b"/classify", b"/score", b"/rerank", b"/v2/rerank"}
)
"""POST: what a model of theirs computes there. Nothing that changes a server, such as `/sleep`, is in the two lists."""


def is_ambiguous(target: bytes) -> bool:
    """Whether servers may read a path in different ways: it has dot segments, hidden or not, or is no text."""
    if not target.translate(None, _PLAIN) and b"/." not in target:
        return False
    return bool(_NEVER.search(target)) or _hides_dots(target.partition(b"?")[0])


def read_azure_path(target: bytes) -> bytes:
    """The path of OpenAI's API for one of Azure's, `/openai/deployments/NAME/chat/completions?api-version=...`.

    Clients of Azure OpenAI know no other; another path stays as it is.
    """
    if not target.startswith(_AZURE_START):
        return target
    found = _AZURE.fullmatch(target)
    return _BASE + found[1] if found else target


def is_served(method: bytes, target: bytes) -> bool:
    """Whether a path is below the endpoint's base, which is `/v1` here, or one of the few next to it."""
    path = target.partition(b"?")[0]
    if path == _BASE or path.startswith(_BASE + b"/"):
        return True
    return path in (ASKABLE_BESIDE_BASE if method == b"POST" else READABLE_BESIDE_BASE)


def _hides_dots(path: bytes) -> bool:
    """Whether a server that decodes the path once more would find dot segments, control characters or no UTF-8."""
    for _ in range(_MOST_ENCODINGS):
        if _has_dots(path) or _CONTROL.search(path) or not _is_utf8(path):
            return True
        decoded = unquote_to_bytes(path)
        if decoded == path:
            return False
        path = decoded
    return True


def _has_dots(path: bytes) -> bool:
    """Also `..;x`: some servers take what follows the semicolon for a parameter."""
    return any(segment.partition(b";")[0] in _DOTS for segment in re.split(rb"[/\\]", path))


def _is_utf8(path: bytes) -> bool:
    """Overlong forms are none: lenient servers read `%c0%ae` as a dot."""
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True
