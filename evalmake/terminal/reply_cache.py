"""What `evalmake replies` prints: the reply cache and read-only caches as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from evalmake.gateway.reply_cache.maintenance import CacheSummary
from evalmake.language.values import Size


def to_text(folder: Path, limit: Size | None, cache: CacheSummary, read_only: Mapping[str, CacheSummary]) -> str:
    """A line on the cache, one on each read-only cache, and what is wrong with any."""
    if cache.trouble:
        lines = [
            f"the reply cache at {folder} cannot be read: {cache.trouble}",
            f"evaluations run without it; {cache.help}",
        ]
    else:
        lines = [_render_holding(cache, f" of {limit}" if limit else "")]
    for name, seed in read_only.items():
        state = f"cannot be read: {seed.trouble}" if seed.trouble else _render_holding(seed)
        lines.append(f"read-only cache {name}: {state}")
    if limit is None:
        lines.append("caching is off: `replies = none`")
    return "\n".join(lines)


def to_json(folder: Path, limit: Size | None, cache: CacheSummary, read_only: Mapping[str, CacheSummary]) -> str:
    """The same for programs: bytes, and times in ISO 8601."""
    data = {
        "limit": limit.bytes if limit else None,
        **_to_object(str(folder), cache),
        "seeds": [_to_object(name, seed) for name, seed in read_only.items()],
    }
    return json.dumps(data, indent=2)


def _render_holding(holding: CacheSummary, limit: str = "") -> str:
    text = f"{holding.replies} replies, {_render_size(holding.bytes)}{limit}"
    return text + (f", the oldest of {_to_iso(holding.oldest)[:16].replace('T', ' ')}" if holding.oldest else "")


def _to_object(folder: str, holding: CacheSummary) -> dict[str, object]:
    return {
        "folder": folder,
        "replies": holding.replies,
        "bytes": holding.bytes,
        "oldest": _to_iso(holding.oldest) if holding.oldest else None,
        "trouble": holding.trouble or None,
    }


def _to_iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _render_size(size: float) -> str:
    """Bytes as an Evalfile writes them."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.1f}{unit}".replace(".0", "")
        size /= 1024
    return f"{size:.1f}GiB"
