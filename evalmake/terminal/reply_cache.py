"""What the reply cache and the read-only caches hold, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from evalmake.gateway.reply_cache.maintenance import CacheSummary
from evalmake.language.values import Size


def as_text(folder: Path, limit: Size | None, ours: CacheSummary, read_only: Mapping[str, CacheSummary]) -> str:
    """One line on what is our own, one on each seed, and what is wrong with any."""
    if ours.trouble:
        lines = [
            f"the reply cache at {folder} cannot be read: {ours.trouble}",
            "evaluations go on without it; `evalmake replies clear` removes it for a new one",
        ]
    else:
        lines = [_line(ours, f" of {limit}" if limit else "")]
    lines += [
        f"seed {name}: {f'cannot be read: {seed.trouble}' if seed.trouble else _line(seed)}"
        for name, seed in read_only.items()
    ]
    if limit is None:
        lines.append("the gateway neither keeps nor uses any: `replies = none`")
    return "\n".join(lines)


def as_json(folder: Path, limit: Size | None, ours: CacheSummary, read_only: Mapping[str, CacheSummary]) -> str:
    """The same for programs: bytes, and times in ISO 8601."""
    told = {
        "limit": limit.bytes if limit else None,
        **_facts(str(folder), ours),
        "seeds": [_facts(name, seed) for name, seed in read_only.items()],
    }
    return json.dumps(told, indent=2)


def _line(held: CacheSummary, bound: str = "") -> str:
    text = f"{held.replies} replies, {_amount(held.bytes)}{bound}"
    return text + (f", the oldest of {_when(held.oldest)[:16].replace('T', ' ')}" if held.oldest else "")


def _facts(folder: str, held: CacheSummary) -> dict[str, object]:
    return {
        "folder": folder,
        "replies": held.replies,
        "bytes": held.bytes,
        "oldest": _when(held.oldest) if held.oldest else None,
        "trouble": held.trouble or None,
    }


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _amount(size: float) -> str:
    """Bytes for people, as an Evalfile writes them."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.1f}{unit}".replace(".0", "")
        size /= 1024
    return f"{size:.1f}GiB"
