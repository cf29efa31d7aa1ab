"""Whether the files of an environment are those that were installed.

Installers write a RECORD for each distribution: its files with their sha256. To compute all of them takes seconds, so
a build compares names, sizes and times with those after the installation, which the seal holds. Files that Python
compiles when they are first used are in no RECORD, and are not checked.
"""

from __future__ import annotations

import csv
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import file_digest, sha256
from pathlib import Path

import xxhash

_SHA256 = "sha256="
_CACHE = "__pycache__"


def seal_files(folder: Path) -> str:
    """The seal of an environment as it is now: a digest of its packages' names and RECORDs, and one of sizes, times."""
    records, states = sha256(), xxhash.xxh3_128()
    for site in _find_sites(folder):
        records.update("\0".join(_list_modules(site)).encode("utf-8", "surrogateescape"))
        for record in _find_records(site):
            records.update(record.read_bytes())
            for path, _ in _read_record(record):
                states.update(_describe_file(path))
    return f"{records.hexdigest()} {states.hexdigest()}\n"


def find_damage(folder: Path, seal: str = "") -> str:
    """The first difference from what was installed, as words; empty without one. It computes every hash.

    `seal` is that of the installation, if it is known: it proves that the RECORDs are whole, and that they are all.
    """
    if seal and seal.split(" ")[0] != seal_files(folder).split(" ")[0]:
        return "its packages are not those that were installed"
    for site in _find_sites(folder):
        for record in _find_records(site):
            for path, digest in _read_record(record):
                if digest and (reason := _compare_file(path, digest)):
                    return f"{os.path.relpath(path, folder)} {reason}"
    return ""


def remove_compiled(folder: Path) -> None:
    """Remove the compiled files that a RECORD lists without a hash: Python makes them again from the modules."""
    for site in _find_sites(folder):
        for record in _find_records(site):
            for path, digest in _read_record(record):
                if not digest and os.path.basename(os.path.dirname(path)) == _CACHE:
                    Path(path).unlink(missing_ok=True)


def _find_sites(folder: Path) -> list[Path]:
    return sorted(folder.glob("lib/python*/site-packages"))


def _find_records(site: Path) -> list[Path]:
    return sorted(site.glob("*.dist-info/RECORD"))


def _list_modules(site: Path) -> list[str]:
    """The names in the folder of packages: one more could stand in for another module."""
    return sorted(name for name in os.listdir(site) if name != _CACHE)


def _read_record(record: Path) -> Iterator[tuple[str, str]]:
    """The path of each file of a distribution, with its sha256 as RECORD writes it; empty where it has none."""
    site = str(record.parent.parent)
    with record.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        try:
            for row in csv.reader(lines):
                if row and row[0]:
                    digest = row[1] if len(row) > 1 and row[1].startswith(_SHA256) else ""
                    yield os.path.join(site, row[0]), digest.removeprefix(_SHA256)
        except csv.Error as error:
            yield str(record), str(error)  # which is no file's hash


def _describe_file(path: str) -> bytes:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return b"-;"
    return b"%d.%d;" % (found.st_size, found.st_mtime_ns)


def _compare_file(path: str, digest: str) -> str:
    """What is wrong with a file; empty where it has this digest."""
    try:
        with open(path, "rb") as file:
            found = file_digest(file, "sha256").digest()
    except (OSError, ValueError):
        return "is missing"
    return "" if urlsafe_b64encode(found).rstrip(b"=").decode() == digest else "was changed"
