"""The hashes of the packages of an environment: of the archives that pip installed, as its report has them.

Where there is no report (an environment of an earlier evalmake, or of uv), it is that of each package's RECORD, which
has the hashes of its files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

ARCHIVE, RECORD = "archive", "RECORD"
_HASH = re.compile(r"[0-9a-f]{64}")
_LARGEST_REPORT = 1 << 28  # bytes


def read_report(path: Path) -> dict[str, list[str]]:
    """The version and the sha256 of each archive in a report of `pip install --report`; empty where it is none."""
    try:
        if path.stat().st_size > _LARGEST_REPORT:
            return {}
        return dict(_read_item(item) for item in json.loads(path.read_bytes())["install"] if _hash_of(item))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _read_item(item: Mapping[str, Any]) -> tuple[str, list[str]]:
    metadata = item["metadata"]
    return normalize_name(metadata["name"]), [str(metadata["version"]), _hash_of(item)]


def _hash_of(item: Mapping[str, Any]) -> str:
    archive = item["download_info"].get("archive_info") or {}
    found = str((archive.get("hashes") or {}).get("sha256", ""))
    return found if _HASH.fullmatch(found) else ""


def combine_hashes(known: str, folder: Path, versions: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The hash of each package of `versions` by name, and what it is of.

    `known` is the JSON text of what `read_report` read. It counts for packages of the same version, and for those that
    came from a URL, which stands in place of their version.
    """
    hashes = {name: (digest, RECORD) for name, digest in _hash_records(folder).items() if name in versions}
    try:
        archives = json.loads(known or "{}")
        for name, (version, digest) in archives.items():
            if _HASH.fullmatch(digest) and (versions.get(name) == version or "://" in versions.get(name, "")):
                hashes[name] = (digest, ARCHIVE)
    except (ValueError, TypeError, AttributeError):
        return hashes
    return hashes


def _hash_records(folder: Path) -> dict[str, str]:
    """The sha256 of the RECORD of each package of an environment."""
    found = {}
    for record in folder.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        name, _, _ = record.parent.name.removesuffix(".dist-info").rpartition("-")
        try:
            found[normalize_name(name)] = sha256(record.read_bytes()).hexdigest()
        except OSError:
            continue
    return found


def normalize_name(name: str) -> str:
    """The name of a distribution as listings have it."""
    return re.sub(r"[-_.]+", "-", name).lower()
